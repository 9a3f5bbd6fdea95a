/* inkling selftest: does this machine, with this build, compute the bits that every other one does? */
#include "cli.h"

#include <inttypes.h>

struct selftest_arguments {
    size_t threads;
};

struct tally {
    size_t runs, differ;
};

static enum ink_status run_one(const struct ink_selftest *test, const struct ink_compute *compute, struct tally *tally,
                               struct ink_error *err)
{
    uint64_t found = 0;
    const enum ink_status status = ink_selftest_run(test, compute, &found, err);
    if (status != INK_OK)
        return status;
    printf("%-10s %-9s %4zu thread%c  ", test->name, compute->kernels, compute->threads,
           compute->threads > 1 ? 's' : ' ');
    if (found == test->checksum)
        printf("ok\n");
    else
        printf("differs: found %016" PRIx64 ", expected %016" PRIx64 "\n", found, test->checksum);
    fflush(stdout); /* a line when it is known, through a pipe too */
    tally->runs++;
    tally->differ += found != test->checksum;
    return INK_OK;
}

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct selftest_arguments *arguments = call->arguments;
    const bool given = arguments->threads != SIZE_MAX;
    const size_t threads[] = { given ? arguments->threads : 1, 2, 3, 5 }, thread_counts = given ? 1 : 4;
    struct ink_compute wanted;
    struct tally tally = { 0 };
    enum ink_status status = cli_compute(&wanted, 0, err);
    for (size_t k = 0; status == INK_OK && ink_kernels_name(k) != NULL; k++) {
        if (wanted.kernels != NULL && wanted.kernels != ink_kernels_name(k))
            continue;
        for (const struct ink_selftest *test = ink_selftests(); test->name != NULL; test++)
            for (size_t t = 0; t < thread_counts && status == INK_OK; t++) {
                const struct ink_compute compute = { .kernels = ink_kernels_name(k), .threads = threads[t] };
                status = run_one(test, &compute, &tally, err);
            }
    }
    if (status == INK_OK && tally.differ > 0)
        status = cli_fail(err, INK_FAILED,
                          "%zu of %zu runs gave other bits than expected: this machine or this build computes wrongly",
                          tally.differ, tally.runs);
    return (int)status;
}

const struct command cmd_selftest = {
    .name = "selftest",
    .summary = "check that this machine computes the same bits as every other",
    .about =
        "Trains small networks on digits that the program draws, with every kernel set that this machine can run "
        "($INKLING_KERNELS narrows that to one) and several numbers of threads, and compares the weights with those "
        "that were found when this version was made. Fails (exit code 1) if a bit differs.",
    .options =
        (const struct cli_option[]){
            { "threads", CLI_AT(struct selftest_arguments, threads, CLI_SIZE), .value = "N", .least = 1, .most = 1024,
              .help = "check with so many threads only", .unset = "1, 2, 3 and 5" },
            { .name = NULL },
        },
    .examples =
        (const char *const[]){ "inkling selftest", "INKLING_KERNELS=portable inkling selftest --threads 2", NULL },
    .defaults = &(const struct selftest_arguments){ .threads = SIZE_MAX },
    .size = sizeof(struct selftest_arguments),
    .run = run,
};
