/* What the tests of the kernels share: numbers, guarded arrays of them, comparison bit for bit. After cmocka.h. */
#ifndef INK_TESTS_KERNELS_H
#define INK_TESTS_KERNELS_H

#include <float.h>
#include <math.h>

#include "guard.h"
#include "inkling.h"
#include "kernel/kernel.h"

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

static uint64_t random_state = 1;

static inline uint32_t next(void)
{
    random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(random_state >> 32);
}

static inline size_t below(size_t bound)
{
    return next() % bound;
}

static inline float uniform(float low, float high)
{
    return low + (high - low) * (float)(next() >> 8) * 0x1p-24f;
}

static inline void fill(float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = uniform(-1.0f, 1.0f);
}

/* An array of random floats in (-1, 1). */
static inline float *floats(size_t count)
{
    float *x = guard_array(count, sizeof *x);
    fill(x, count);
    return x;
}

static inline float *copy(const float *from, size_t count)
{
    float *x = guard_array(count, sizeof *x);
    memcpy(x, from, count * sizeof *x);
    return x;
}

/* Values at which comparisons and rounding show their true face. */
static const float edges[] = { 0.0f, -0.0f, INFINITY, -INFINITY, NAN, FLT_TRUE_MIN, -FLT_TRUE_MIN, FLT_MAX, -FLT_MAX };

static inline void add_edges(float *x, size_t count)
{
    for (size_t e = 0; e < sizeof edges / sizeof edges[0] && count > 0; e++)
        x[below(count)] = edges[e];
}

/* ---- Comparing --------------------------------------------------------------------------------------------------- */

static inline void assert_same(const char *what, const struct ink__kernels *k, const float *found,
                               const float *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (memcmp(&found[i], &expected[i], sizeof *found) != 0 && !(isnan(found[i]) && isnan(expected[i])))
            fail_msg("%s, %s: element %zu of %zu is %a, expected %a", k->name, what, i, count, (double)found[i],
                     (double)expected[i]);
}

static inline void assert_near(const char *what, const float *found, const double *expected, size_t count, double most)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs((double)found[i] - expected[i]) <= most * fmax(1.0, fabs(expected[i]))))
            fail_msg("%s: element %zu of %zu is %.9g, expected %.17g", what, i, count, (double)found[i], expected[i]);
}

static inline void release(const char *what)
{
    if (!guard_release())
        fail_msg("%s: wrote outside its arrays", what);
}

/* The sets that this machine has, the reference first, NULL behind the last; found by kernels_setup. */
static const struct ink__kernels *kernel_sets[8];

static inline int kernels_setup(void **state)
{
    (void)state;
    for (size_t i = 0; ink_kernels_name(i) != NULL; i++)
        kernel_sets[i] = ink__kernels_find(ink_kernels_name(i));
    return 0;
}

/* Sizes around every set's vectors and tiles. */
static const size_t sizes[] = { 0,  1,  2,  3,  4,  5,  7,  8,  9,  15,  16,  17,  23,  24,  25,  31,  32,
                                33, 47, 48, 49, 63, 64, 65, 79, 97, 127, 128, 129, 131, 160, 200, 257, 300 };
#define SIZES (sizeof sizes / sizeof sizes[0])

#endif
