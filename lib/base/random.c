/* The two generators: MT19937 as NumPy's legacy RandomState drives it, and Philox4x32-10. */
#include "base/random.h"

#include <math.h>

/* ---- MT19937 (Matsumoto and Nishimura, 1998) --------------------------------------------------------------------- */

#define WORDS 624 /* of state */
#define SHIFT 397 /* the distance of the recurrence's third word */

static void seed_by_word(struct ink__numpy_random *random, uint32_t seed)
{
    *random = (struct ink__numpy_random){ .position = WORDS };
    random->key[0] = seed;
    for (uint32_t i = 1; i < WORDS; i++)
        random->key[i] = 1812433253u * (random->key[i - 1] ^ random->key[i - 1] >> 30) + i;
}

/* The reference's init_by_array. Both passes walk key[1] to key[623] round and round. */
static void seed_by_array(struct ink__numpy_random *random, const uint32_t *words, uint32_t count)
{
    seed_by_word(random, 19650218u);
    uint32_t *key = random->key;
    uint32_t i = 1;
    for (uint32_t step = 0; step < WORDS; step++) { /* max(WORDS, count) steps in the reference; ours are short */
        const uint32_t j = step % count;
        key[i] = (key[i] ^ (key[i - 1] ^ key[i - 1] >> 30) * 1664525u) + words[j] + j;
        if (++i == WORDS) {
            key[0] = key[WORDS - 1];
            i = 1;
        }
    }
    for (uint32_t step = 1; step < WORDS; step++) {
        key[i] = (key[i] ^ (key[i - 1] ^ key[i - 1] >> 30) * 1566083941u) - i;
        if (++i == WORDS) {
            key[0] = key[WORDS - 1];
            i = 1;
        }
    }
    key[0] = 0x80000000u;
}

void ink__numpy_seed(struct ink__numpy_random *random, uint64_t seed)
{
    const uint32_t words[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    if (words[1] == 0)
        seed_by_word(random, words[0]);
    else
        seed_by_array(random, words, 2);
}

/* The next block of state: word i from words i, i + 1 and i + SHIFT, indices taken round. */
static void twist(uint32_t key[WORDS])
{
    for (size_t i = 0; i < WORDS; i++) {
        const uint32_t y = (key[i] & 0x80000000u) | (key[(i + 1) % WORDS] & 0x7fffffffu);
        key[i] = key[(i + SHIFT) % WORDS] ^ y >> 1 ^ ((y & 1) != 0 ? 0x9908b0dfu : 0);
    }
}

uint32_t ink__numpy_next(struct ink__numpy_random *random)
{
    if (random->position == WORDS) {
        twist(random->key);
        random->position = 0;
    }
    uint32_t y = random->key[random->position++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

/* ---- RandomState's distributions --------------------------------------------------------------------------------- */

double ink__numpy_double(struct ink__numpy_random *random)
{
    const uint32_t high = ink__numpy_next(random) >> 5, low = ink__numpy_next(random) >> 6; /* 27 and 26 bits */
    return (high * 67108864.0 + low) / 9007199254740992.0;
}

uint64_t ink__numpy_randint(struct ink__numpy_random *random, uint64_t bound)
{
    const uint32_t last = (uint32_t)(bound - 1);
    if (last == 0)
        return 0; /* NumPy draws nothing here */
    uint32_t mask = last;
    for (unsigned shift = 1; shift < 32; shift *= 2)
        mask |= mask >> shift;
    uint32_t value;
    do
        value = ink__numpy_next(random) & mask;
    while (value > last);
    return value;
}

double ink__numpy_randn(struct ink__numpy_random *random)
{
    if (random->has_gauss) {
        random->has_gauss = false;
        return random->gauss;
    }
    double x, y, square;
    do {
        x = 2.0 * ink__numpy_double(random) - 1.0;
        y = 2.0 * ink__numpy_double(random) - 1.0;
        square = x * x + y * y;
    } while (square >= 1.0 || square == 0.0);
    /* log is the C library's, as NumPy's is. With and without fused multiply-add it may differ in the last bit of a
     * double, which none of the first twenty million normals shows once it is rounded to float. */
    const double scale = sqrt(-2.0 * log(square) / square);
    random->has_gauss = true;
    random->gauss = scale * x;
    return scale * y;
}

void ink__numpy_permutation(struct ink__numpy_random *random, uint32_t *shuffled, size_t count)
{
    for (size_t i = 0; i < count; i++)
        shuffled[i] = (uint32_t)i;
    for (size_t i = count; i-- > 1;) {
        const size_t j = (size_t)ink__numpy_randint(random, i + 1);
        const uint32_t moved = shuffled[i];
        shuffled[i] = shuffled[j];
        shuffled[j] = moved;
    }
}

/* ---- Philox4x32-10 ----------------------------------------------------------------------------------------------- */

void ink__philox(const struct ink__philox_key *key, uint32_t index, uint32_t words[4])
{
    uint32_t k0 = (uint32_t)key->seed, k1 = (uint32_t)(key->seed >> 32);
    uint32_t c0 = index, c1 = key->use, c2 = key->sample, c3 = key->epoch;
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = (uint64_t)0xd2511f53u * c0, p1 = (uint64_t)0xcd9e8d57u * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += 0x9e3779b9u; /* the golden ratio */
        k1 += 0xbb67ae85u; /* sqrt(3) - 1 */
    }
    words[0] = c0;
    words[1] = c1;
    words[2] = c2;
    words[3] = c3;
}
