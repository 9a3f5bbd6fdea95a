/* What the measuring programs share: a clock, medians, this core's peak, and the libraries to compare with. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>

#include "inkling.h"

/* ---- Time -------------------------------------------------------------------------------------------------------- */

/* Seconds on the monotonic clock. */
double bench_clock(void);

/* The median of `count` values, which it sorts. */
double bench_median(double *values, size_t count);

/* Seconds of one call of run(context), measured over at least `least` seconds of calls: of this thread's time on a
 * processor, so that what other programs take is not counted. For work of one thread. */
double bench_time(void (*run)(void *context), void *context, double least);

/* Fused multiply-adds at full speed, in GFLOP/s of one core, as fast as the widest vectors of this machine allow;
 * measured over `seconds`. */
double bench_peak(double seconds);

/* Prints the message and exits: a bench that cannot measure has nothing else to do. */
void bench_check(enum ink_status status, const struct ink_error *err);

/* ---- The others -------------------------------------------------------------------------------------------------- */

/* The shape of a layer for a batch of `n` images; a dense layer is a convolution of 1x1 images. */
struct bench_shape {
    size_t n;
    struct ink_shape in, out;
    size_t kernel_height, kernel_width, stride, pad;
};

/* A library that computes the forward pass of a layer its own way. make() gives what run() takes, or NULL if it cannot;
 * all are NULL where the library was not found when this was built. */
struct bench_rival {
    const char *name;
    const char *(*version)(void); /* with what it says of itself */
    void *(*make)(const struct bench_shape *shape);
    void (*run)(void *work);
    void (*free)(void *work);
};

/* The product alone, cblas_sgemm of the matrices that im2col would make: making them is not counted. */
extern const struct bench_rival bench_openblas;
/* The convolution in oneDNN's own choice of layouts, bias added; the reorders into them are not counted. */
extern const struct bench_rival bench_onednn;

#endif
