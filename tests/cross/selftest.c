/* Every run of the selftest, by every kernel set of this processor: exit code 1 if a checksum is not the shipped one.
 */
#include "inkling.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/gzip.h"

/* No gzip here: it would need a library for this processor. */
bool ink__gzip_is(const struct ink__file *file)
{
    (void)file;
    return false;
}

enum ink_status ink__gzip_peek(const struct ink__file *file, const char *name, unsigned char *head, size_t size,
                               size_t *got, struct ink_error *err)
{
    (void)file, (void)name, (void)head, (void)size, (void)got, (void)err;
    return INK_FAILED;
}

enum ink_status ink__gzip_expand(const struct ink__file *file, const char *name, unsigned char *out, size_t size,
                                 struct ink_error *err)
{
    (void)file, (void)name, (void)out, (void)size, (void)err;
    return INK_FAILED;
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
