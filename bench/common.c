#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

double bench_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static double processor_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double bench_time(void (*run)(void *context), void *context, double least)
{
    const double start = processor_clock();
    double now = start;
    size_t calls = 0, more = 1;
    do {
        for (size_t i = 0; i < more; i++)
            run(context);
        calls += more;
        more *= 2;
        now = processor_clock();
    } while (now - start < least);
    return (now - start) / (double)calls;
}

void bench_check(enum ink_status status, const struct ink_error *err)
{
    if (status == INK_OK)
        return;
    fprintf(stderr, "bench: %s\n", err->message);
    exit((int)status);
}
