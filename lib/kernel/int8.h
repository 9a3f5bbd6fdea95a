/*
 * The integer kernels: bytes times signed bytes, summed in 32 bits, as quantised networks are run (nn/int8.h).
 *
 * As with the float kernels, one template (int8_template.h) is compiled for each instruction set, and the portable set
 * is the reference. All give the same integers: no sum may leave 32 bits, which whoever makes or reads a network has
 * checked, so the order of summing is free. Arrays may be read up to 64 bytes past their end; nothing is written there.
 */
#ifndef INK_KERNEL_INT8_H
#define INK_KERNEL_INT8_H

#include "kernel/kernel.h"

/* Bytes that are summed together: the depth of a product is counted in groups of so many. */
#define INK__INT8_GROUP ((size_t)4)
/* Columns of a packed matrix come in multiples of this. */
#define INK__INT8_COLUMNS ((size_t)16)

/*
 * The matrix product of bytes behind dense and convolution:
 *
 *   sum(i, j) = bias[j] + sum over k, q of a[a_row[i] + a_col[k] + q] * b[(k * ld + j) * 4 + q]     q < 4
 *   C(i, j)   = (sum(i, j) * multiplier[j] / 2^32, rounded down, + 2^(shift - 1)) >> shift
 *
 * that is sum * multiplier / 2^(32 + shift) rounded to the nearest integer, halves up. C goes to scores as it is, or to
 * bytes, clamped to 0 .. 255. i < m, j < n, k < groups; multiplier >= 0, 1 <= shift <= 31.
 */
struct ink__int8_gemm {
    size_t m, n, groups;
    const uint8_t *a;
    const int32_t *a_row, *a_col;
    const int8_t *b;                  /* (groups, ld, 4) */
    size_t ld;                        /* n, rounded up to INK__INT8_COLUMNS */
    const int32_t *bias, *multiplier; /* (ld) */
    int shift;
    uint8_t *bytes;  /* C(i, j) = bytes[c_row[i] + j], or, where that is NULL, */
    int32_t *scores; /* scores[c_row[i] + j] */
    const int32_t *c_row;
};

/* y = (x * multiplier + bias) >> shift, what layers without a product rescale with. The rounding is in the bias. */
struct ink__int8_line {
    const int32_t *multiplier, *bias;
    int shift; /* 0 .. 30 */
};

struct ink__int8_kernels {
    const char *name;

    void (*gemm)(const struct ink__int8_gemm *g);
    /* y = table[x], 256 entries; x == y is allowed, here and below. */
    void (*map)(const uint8_t *table, const uint8_t *x, uint8_t *y, size_t count);
    /* Largest of each window, (H, W, C) -> (OH, OW, C), for one image. */
    void (*max_pool)(const struct ink__pooling *pool, const uint8_t *x, uint8_t *y);
    /* The sum of each window on the line: clamped to bytes, or to scores as it is where bytes is NULL. */
    void (*mean_pool)(const struct ink__pooling *pool, const struct ink__int8_line *line, const uint8_t *x,
                      uint8_t *bytes, int32_t *scores);
    /* By channel: x (rows, channels) on the line of its channel, clamped to bytes. */
    void (*affine)(const struct ink__int8_line *line, const uint8_t *x, uint8_t *y, size_t rows, size_t channels);
    /* a * multiplier[0] + b * multiplier[1] + bias[0], shifted and clamped to bytes. */
    void (*add)(const struct ink__int8_line *line, const uint8_t *a, const uint8_t *b, uint8_t *y, size_t count);
};

/* The fastest integer kernels that go with the float set of that name (NULL: the fastest of all) and that this machine
 * runs: the portable ones where there is nothing better. */
const struct ink__int8_kernels *ink__int8_find(const char *set);
/* The i-th that this machine runs, the reference first; NULL past the last. */
const struct ink__int8_kernels *ink__int8_nth(size_t i);

extern const struct ink__int8_kernels ink__int8_portable;
#if defined(__x86_64__)
extern const struct ink__int8_kernels ink__int8_avx2, ink__int8_vnni;
#endif

#endif
