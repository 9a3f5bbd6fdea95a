/*
 * The contract of the compute kernels, and the table through which everything calls them.
 *
 * One template (template.h) holds every kernel; it is compiled once per instruction set, with the few vector operations
 * it needs defined above it (portable.c, avx2.c, avx512.c, neon.c). The portable set is the reference. All sets give
 * the same bits, because every output element is one chain of fused multiply-adds in ascending order of the summed
 * index: how many outputs are computed side by side cannot change any of them.
 *
 * Arrays may be read up to 64 bytes past their end, so that the last, partly used vector is loaded whole; what lies
 * there changes no result, and nothing is written past an end. The arena (base/memory.h) leaves that room.
 */
#ifndef INK_KERNEL_KERNEL_H
#define INK_KERNEL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The one matrix product behind dense and convolution, forward and backward:
 *
 *   C(i, j) = start(i, j) + sum over k ascending of A(i, k) * B(k, j)      i < m, j < n, k < depth
 *
 * where rows are reached through tables of offsets, in floats, and k goes in `runs` of `run` steps:
 *
 *   A(i, k) = a[a_row[i] + k / run * a_run + k % run * a_step],  B(k, j) = b[k * ldb + j],  C(i, j) = c[c_row[i] + j]
 *
 * so that a convolution is this product over its input as it lies: a run is a row of the window. The gradient of its
 * weights is the same product with pixels and taps exchanged: a run is a row of the output. start is C itself
 * (accumulate), else bias[j], else 0.
 */
struct ink__gemm {
    size_t m, n, runs, run;
    const float *a;
    const int32_t *a_row;
    size_t a_run, a_step;
    const float *b;
    size_t ldb;
    float *c;
    const int32_t *c_row;
    const float *bias; /* (n) or NULL */
    bool accumulate;
    bool relu; /* C = max(C, 0) at the end */
};

/* Rows of which most elements are zero, in groups of INK__SPARSE_ROWS: the rows of a group have those columns in common
 * in which one of them is not zero, so that what belongs to a column is loaded once for all. Leaving zeros out of a
 * chain is exact, and so is leaving them in. Row r, of group g, holds value[r * stride + e] at column
 * index[g * stride + e], columns ascending; the elements of columns 16 b .. 16 b + 15 are those from
 * block[g * (blocks + 1) + b] up to block[g * (blocks + 1) + b + 1], so that whole blocks are found at once. */
#define INK__SPARSE_ROWS  ((size_t)4) /* by measuring; and their bytes fill a word */
#define INK__SPARSE_BLOCK ((size_t)16)
struct ink__sparse {
    size_t columns; /* at most 65,535 */
    size_t stride;  /* capacity of a row or group: the columns, and 16 more that may be written and do not count */
    size_t blocks;
    uint16_t *index;
    float *value;
    uint16_t *block;
};

enum ink__activation {
    INK__IDENTITY,
    INK__RELU,
    INK__LEAKY, /* x > 0 ? x : slope x */
    INK__SIGMOID,
    INK__TANH,
    INK__GELU /* x sigmoid(2 sqrt(2/pi) (x + 0.044715 x^3)), the tanh form of Hendrycks and Gimpel, arXiv 1606.08415 */
};

/* A pooling window moving over one image. */
struct ink__pooling {
    size_t height, width, channels; /* of the input */
    size_t out_height, out_width;
    size_t kernel_height, kernel_width, stride;
};

/* An image moved about: pixel (x, y) of the result is mixed from the four around its place in the image,
 *
 *   place = origin + x by_x + y by_y + bend(x, y)            [0] across, [1] down, in 1/65536 of a pixel
 *
 * and around the image all is 0. The mixing is bilinear, in 1/256. bend is a tensor product of splines: the sum over
 * rows r and columns n of nodes of down[y][r] across[n][x] nodes[r][n], a nudge of at most 64 pixels since the weights
 * of a place are not negative, add to 256, and are 0 but for four neighbours. All is in whole numbers, so it is the
 * same everywhere. */
#define INK__BEND_NODES ((size_t)7)
struct ink__warp {
    size_t height, width, channels;
    int32_t origin[2], by_x[2], by_y[2];
    const int32_t *nodes;  /* (2, INK__BEND_NODES, INK__BEND_NODES) in 1/65536 of a pixel; NULL: no bend */
    const int32_t *across; /* (INK__BEND_NODES, width) in 1/256 */
    const int32_t *down;   /* (height, INK__BEND_NODES) in 1/256 */
    int32_t *columns;      /* scratch: 2 * INK__BEND_NODES rows of `width`, rounded up to 16 */
    uint8_t *padded;       /* scratch: (height + 3, width + 3), zero before the first use */
    uint32_t *corners;     /* scratch: (height + 2, width + 3) */
};

/* One optimizer step on a run of parameters; `rule` says which members count. All factors are ready to use: schedule,
 * bias corrections and clipping are in them. */
enum ink__rule { INK__SGD, INK__MOMENTUM, INK__NESTEROV, INK__ADAGRAD, INK__RMSPROP, INK__ADAM };
struct ink__update {
    enum ink__rule rule;
    float rate;
    float gradient_scale; /* clipping: g is multiplied by it first */
    float decay;          /* added to the gradient: g += decay * w */
    float shrink;         /* decoupled decay: w -= shrink * w before the step */
    float beta1, beta2;
    float correction1, correction2; /* 1 / (1 - beta^step) */
    float epsilon;
};

struct ink__kernels {
    const char *name;

    void (*gemm)(const struct ink__gemm *g);

    /* The group of x that begins with row `row`, from the bytes (columns) of its rows, each as byte / 255 * scale. */
    void (*sparse_pack)(const struct ink__sparse *x, size_t row, const uint8_t *const bytes[INK__SPARSE_ROWS],
                        float scale);
    /* y (n, columns) = start + x w, x sparse (rows first .. first + n, whole groups but for the last), w (inputs, ld),
     * rows of y `pitch` apart. The chains go on from start (n, columns), whose rows are `start_pitch` apart: 0 if all
     * begin with one bias. start == y is allowed. */
    void (*sparse_forward)(const struct ink__sparse *x, size_t first, size_t n, const float *w, size_t ld,
                           const float *start, size_t start_pitch, size_t columns, float *y, size_t pitch);
    /* Rows begin .. end of dw (inputs, ld) = x^T dy over samples ascending, x sparse (rows 0 .. n), dy (n, columns),
     * its rows `pitch` apart. begin and end are whole blocks, or all columns of x. Rows of dw are written whole, with
     * zeros past `columns`: ld is a multiple of 16, or of 8 where that is enough. */
    void (*sparse_gradient)(const struct ink__sparse *x, size_t n, const float *dy, size_t pitch, size_t columns,
                            size_t begin, size_t end, float *dw, size_t ld);

    /* y = (byte / 255 - mean) * scale and y = (x - mean) * scale for `count` elements, whole pixels: element i belongs
     * to channel i % channels. */
    void (*from_bytes)(const uint8_t *bytes, size_t count, size_t channels, const float *mean, const float *scale,
                       float *y);
    void (*from_floats)(const float *x, size_t count, size_t channels, const float *mean, const float *scale, float *y);

    /* `to` and `from` are (height, width, channels) and do not overlap. */
    void (*warp)(const struct ink__warp *warp, const uint8_t *from, uint8_t *to);

    /* y = f(x); x == y is allowed. */
    void (*activate)(enum ink__activation f, float slope, const float *x, float *y, size_t count);
    /* dx = dy f'(x), from the output y where f allows it (all but gelu, which needs x). dx == dy is allowed. */
    void (*activate_backward)(enum ink__activation f, float slope, const float *x, const float *y, const float *dy,
                              float *dx, size_t count);

    /* Row by row: p = exp(z - max) / sum, log_sum = max + log(sum). z (n, classes), p (n, classes), log_sum (n) or
     * NULL. p == z is allowed. */
    void (*softmax)(const float *z, size_t n, size_t classes, float *p, float *log_sum);

    /* Largest and mean of each window, (H, W, C) -> (OH, OW, C), for one image; NaN where the window holds one. The
     * gradient of the largest goes to its first place in row-major order, that of a NaN nowhere. dx is overwritten. */
    void (*max_pool)(const struct ink__pooling *pool, const float *x, float *y);
    void (*max_pool_backward)(const struct ink__pooling *pool, const float *x, const float *y, const float *dy,
                              float *dx);
    void (*mean_pool)(const struct ink__pooling *pool, const float *x, float *y);
    void (*mean_pool_backward)(const struct ink__pooling *pool, const float *dy, float *dx);

    /* Column by column over the rows of x (rows, columns): sum[c] += sum of x. Four chains, of the rows r % 4 == 0, 1,
     * 2, 3, are added as (0 + 1) + (2 + 3): one alone would wait for each addition. */
    void (*column_sums)(const float *x, size_t rows, size_t columns, float *sum);
    /* Likewise sum[c] = sum of a and product[c] = sum of a b. */
    void (*channel_sums)(const float *a, const float *b, size_t rows, size_t channels, float *sum, float *product);
    /* y = f(scale[c] x + shift[c]), f the identity or relu. */
    void (*channel_affine)(const float *x, const float *scale, const float *shift, bool relu, size_t rows,
                           size_t channels, float *y);
    /* dx = p[c] dy + (q[c] x + r[c]) */
    void (*channel_mix)(const float *dy, const float *x, const float *p, const float *q, const float *r, size_t rows,
                        size_t channels, float *dx);

    void (*add)(const float *a, const float *b, float *sum, size_t count);
    /* sum[i] = part 0 [i] + part 1 [i] + ... in this order; part p starts at parts + p * pitch. */
    void (*add_parts)(const float *parts, size_t pitch, size_t count_of_parts, size_t count, float *sum);

    /* w, and the optimizer's running values s1 and s2 (used as the rule needs), from the gradient g. Running means end
     * at 0 below 2^-100: ink__faded in math.h. */
    void (*update)(const struct ink__update *u, float *w, const float *g, float *s1, float *s2, size_t count);
    /* average = average + weight (w - average): the running mean of weights */
    void (*average)(float *average, const float *w, float weight, size_t count);

    /* The functions alone, for their tests: y[i] = f(x[i]). */
    void (*exp)(const float *x, float *y, size_t count);
    void (*log)(const float *x, float *y, size_t count);
};

/* The set of that name, NULL for the fastest; NULL if this machine cannot run it or does not know it. */
const struct ink__kernels *ink__kernels_find(const char *name);

extern const struct ink__kernels ink__kernels_portable;
#if defined(__x86_64__)
extern const struct ink__kernels ink__kernels_avx2, ink__kernels_avx512;
#endif
#ifdef __aarch64__
extern const struct ink__kernels ink__kernels_neon;
#endif

#endif
