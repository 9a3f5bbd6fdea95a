/* The generators: NumPy's RandomState draw by draw against NumPy itself, Philox against its published vectors. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"

static uint64_t permutation_checksum(struct ink__numpy_random *random, size_t count)
{
    uint32_t *shuffled = malloc((count + 1) * sizeof *shuffled);
    assert_non_null(shuffled);
    ink__numpy_permutation(random, shuffled, count);
    uint64_t checksum = 0;
    for (size_t i = 0; i < count; i++)
        checksum = 31 * checksum + shuffled[i];
    free(shuffled);
    return checksum;
}

/* Repeats notebook/random.txt, which notebook/make_random.py wrote. */
static void numpy_draws_are_repeated(void **state)
{
    (void)state;
    FILE *file = fopen(TEST_SOURCE_DIR "/notebook/random.txt", "r");
    assert_non_null(file);
    struct ink__numpy_random random;
    char line[128];
    size_t seeds = 0, draws = 0;
    for (size_t number = 1; fgets(line, sizeof line, file) != NULL; number++, draws++) {
        uint64_t a, b;
        double expected;
        bool same;
        if (sscanf(line, "seed %" SCNu64 " %" SCNu64, &a, &b) == 2) {
            ink__numpy_seed(&random, a | b << 32);
            same = true;
            seeds++;
        } else if (sscanf(line, "next %" SCNu64, &a) == 1) {
            same = ink__numpy_next(&random) == a;
        } else if (sscanf(line, "double %lf", &expected) == 1) {
            same = ink__numpy_double(&random) == expected;
        } else if (sscanf(line, "randn %lf", &expected) == 1) {
            same = ink__numpy_randn(&random) == expected;
        } else if (sscanf(line, "randint %" SCNu64 " %" SCNu64, &a, &b) == 2) {
            same = ink__numpy_randint(&random, a) == b;
        } else if (sscanf(line, "permutation %" SCNu64 " %" SCNu64, &a, &b) == 2) {
            same = permutation_checksum(&random, (size_t)a) == b;
        } else {
            same = false;
        }
        if (!same)
            fail_msg("random.txt:%zu: not repeated: %s", number, line);
    }
    fclose(file);
    assert_int_equal(seeds, 13);
    assert_int_equal(draws, 13 * 32);
}

/* The 10,000th number of the reference generator with its default seed, as the C++ standard states it. */
static void ten_thousandth_number_is_the_standards(void **state)
{
    (void)state;
    struct ink__numpy_random random;
    ink__numpy_seed(&random, 5489);
    for (int i = 1; i < 10000; i++)
        ink__numpy_next(&random);
    assert_int_equal(ink__numpy_next(&random), 4123659995u);
}

static void a_copy_continues_alike(void **state)
{
    (void)state;
    struct ink__numpy_random random;
    ink__numpy_seed(&random, 7);
    ink__numpy_randn(&random); /* the copy must take the cached normal along */
    struct ink__numpy_random copy = random;
    for (int i = 0; i < 1000; i++)
        assert_true(ink__numpy_randn(&random) == ink__numpy_randn(&copy));
}

/* The known answers that Random123 is distributed with. */
static void philox_gives_the_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], answer[4];
    } known[] = {
        { { 0, 0, 0, 0 }, { 0, 0 }, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX },
          { UINT32_MAX, UINT32_MAX },
          { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { { 0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344 },
          { 0xa4093822, 0x299f31d0 },
          { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        const uint32_t *c = known[i].counter;
        const struct ink__philox_key key = {
            .seed = known[i].key[0] | (uint64_t)known[i].key[1] << 32, .use = c[1], .sample = c[2], .epoch = c[3]
        };
        uint32_t words[4];
        ink__philox(&key, c[0], words);
        assert_memory_equal(words, known[i].answer, sizeof words);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numpy_draws_are_repeated),
        cmocka_unit_test(ten_thousandth_number_is_the_standards),
        cmocka_unit_test(a_copy_continues_alike),
        cmocka_unit_test(philox_gives_the_known_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
