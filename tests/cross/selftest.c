/* Every run of the selftest, by every kernel set of this processor: exit code 1 if a checksum is not the shipped one.
 */
#include "inkling.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/dataset.h"

/* Nothing is read from files here: that would need libraries for this processor. */
enum ink_status ink__find_loader(ink__loader **loader, const char *path, struct ink_error *err)
{
    (void)loader, (void)path, (void)err;
    return INK_FAILED;
}

enum ink_status ink__load_idx_folder(struct ink_dataset *data, const char *path, enum ink_split split,
                                     const struct ink_dataset_options *options, struct ink_error *err)
{
    (void)data, (void)path, (void)split, (void)options, (void)err;
    return INK_FAILED;
}

void ink__idx_close(struct ink__idx *idx)
{
    (void)idx;
}

void ink__npz_free(struct ink__npz *npz)
{
    (void)npz;
}

static bool run(const struct ink_selftest *test, const struct ink_compute *compute)
{
    struct ink_error err;
    uint64_t found = 0;
    if (ink_selftest_run(test, compute, &found, &err) != INK_OK) {
        printf("%s, %s: %s\n", test->name, compute->kernels, err.message);
        return false;
    }
    printf("%-10s %-9s %zu threads  found %016" PRIx64 ", expected %016" PRIx64 "\n", test->name, compute->kernels,
           compute->threads, found, test->checksum);
    return found == test->checksum;
}

/* The names of the sets that must be here are the arguments. */
int main(int argc, char **argv)
{
    bool right = argc > 1;
    for (int i = 1; i < argc; i++)
        for (const struct ink_selftest *test = ink_selftests(); test->name != NULL; test++) {
            const struct ink_compute compute = { .threads = 2, .kernels = argv[i] };
            right = run(test, &compute) && right;
        }
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}
