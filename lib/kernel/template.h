/*
 * Every kernel, once. The including file defines, for one instruction set:
 *
 *   SET           its name, which becomes ink__kernels_SET
 *   LANES         floats in a vector
 *   ROWS_1, ROWS_2 the most rows of a tile of the matrix product one and two vectors wide, as many as its registers
 * hold vec           the vector type, with v_load, v_store (unaligned), v_store_part (the first `count` lanes), v_set1,
 * v_fma (a b + c, rounded once), v_add, v_max (a > b ? a : b, by lane),
 *                 v_where_equal (a == b ? yes : no, by lane)
 *
 * The products, pools and sums by channel are written in vectors. The element-wise kernels are plain loops: the
 * compiler vectorises them for the instruction set, and IEEE arithmetic gives each element the same bits however many
 * there are.
 */
#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel.h"
#include "kernel/math.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)

#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* ---- The matrix product ------------------------------------------------------------------------------------------ */

/* Stores one vector of a row that ends `width` floats after p: all of it, or what is left. */
INK__INLINE void store_row(float *p, vec x, size_t width)
{
    if (width >= LANES)
        v_store(p, x);
    else
        v_store_part(p, x, width);
}

#define TILE_ROWS 1
#define TILE_VECS 1
#include "kernel/tile.h"
#define TILE_ROWS 1
#define TILE_VECS 2
#include "kernel/tile.h"
#define TILE_ROWS 1
#define TILE_VECS 4
#include "kernel/tile.h"
#define TILE_ROWS 1
#define TILE_VECS 8
#include "kernel/tile.h"
#if ROWS_1 >= 2
#define TILE_ROWS 2
#define TILE_VECS 1
#include "kernel/tile.h"
#endif
#if ROWS_2 >= 2
#define TILE_ROWS 2
#define TILE_VECS 2
#include "kernel/tile.h"
#endif
#if ROWS_1 >= 3
#define TILE_ROWS 3
#define TILE_VECS 1
#include "kernel/tile.h"
#endif
#if ROWS_2 >= 3
#define TILE_ROWS 3
#define TILE_VECS 2
#include "kernel/tile.h"
#endif
#if ROWS_1 >= 4
#define TILE_ROWS 4
#define TILE_VECS 1
#include "kernel/tile.h"
#endif
#if ROWS_2 >= 4
#define TILE_ROWS 4
#define TILE_VECS 2
#include "kernel/tile.h"
#endif
#if ROWS_1 >= 5
#define TILE_ROWS 5
#define TILE_VECS 1
#include "kernel/tile.h"
#endif
#if ROWS_2 >= 5
#define TILE_ROWS 5
#define TILE_VECS 2
#include "kernel/tile.h"
#endif
#if ROWS_1 >= 6
#define TILE_ROWS 6
#define TILE_VECS 1
#include "kernel/tile.h"
#endif
#if ROWS_2 >= 6
#define TILE_ROWS 6
#define TILE_VECS 2
#include "kernel/tile.h"
#endif
#if ROWS_1 >= 7
#define TILE_ROWS 7
#define TILE_VECS 1
#include "kernel/tile.h"
#endif
#if ROWS_2 >= 7
#define TILE_ROWS 7
#define TILE_VECS 2
#include "kernel/tile.h"
#endif
#if ROWS_1 >= 8
#define TILE_ROWS 8
#define TILE_VECS 1
#include "kernel/tile.h"
#endif
#if ROWS_2 >= 8
#define TILE_ROWS 8
#define TILE_VECS 2
#include "kernel/tile.h"
#endif
#if ROWS_1 >= 9
#define TILE_ROWS 9
#define TILE_VECS 1
#include "kernel/tile.h"
#endif
#if ROWS_1 >= 10
#define TILE_ROWS 10
#define TILE_VECS 1
#include "kernel/tile.h"
#endif
typedef void tile_fn(const struct ink__gemm *g, size_t i, size_t j);

/* tiles[v][r]: the tile of r rows and v + 1 vectors. */
static tile_fn *const tiles[2][ROWS_1 + 1] = {
    {
        NULL,
        tile_1x1,
#if ROWS_1 >= 2
        tile_2x1,
#endif
#if ROWS_1 >= 3
        tile_3x1,
#endif
#if ROWS_1 >= 4
        tile_4x1,
#endif
#if ROWS_1 >= 5
        tile_5x1,
#endif
#if ROWS_1 >= 6
        tile_6x1,
#endif
#if ROWS_1 >= 7
        tile_7x1,
#endif
#if ROWS_1 >= 8
        tile_8x1,
#endif
#if ROWS_1 >= 9
        tile_9x1,
#endif
#if ROWS_1 >= 10
        tile_10x1,
#endif
    },
    {
        NULL,
        tile_1x2,
#if ROWS_2 >= 2
        tile_2x2,
#endif
#if ROWS_2 >= 3
        tile_3x2,
#endif
#if ROWS_2 >= 4
        tile_4x2,
#endif
#if ROWS_2 >= 5
        tile_5x2,
#endif
#if ROWS_2 >= 6
        tile_6x2,
#endif
#if ROWS_2 >= 7
        tile_7x2,
#endif
#if ROWS_2 >= 8
        tile_8x2,
#endif
    },
};

static void gemm(const struct ink__gemm *g)
{
    size_t j = 0;
    /* One row against many columns (a single image through a dense layer): only columns side by side hide the latency.
     */
    if (g->m == 1) {
        for (; j + 8 * LANES <= g->n; j += 8 * LANES)
            tile_1x8(g, 0, j);
        for (; j + 4 * LANES <= g->n; j += 4 * LANES)
            tile_1x4(g, 0, j);
    }
    while (j < g->n) {
        /* Rows in tiles as equal as can be: a tile of one row at the end would wait on its own latency. */
        const size_t vecs = g->n - j > LANES ? 2 : 1, most = vecs == 2 ? ROWS_2 : ROWS_1;
        const size_t count = (g->m + most - 1) / most;
        for (size_t t = 0; t < count; t++) {
            const size_t begin = g->m * t / count, end = g->m * (t + 1) / count;
            tiles[vecs - 1][end - begin](g, begin, j);
        }
        j += vecs * LANES;
    }
}

/* ---- The sparse first layer -------------------------------------------------------------------------------------- */

#ifndef v_compress_bytes
/* Copies those of 16 bytes that are not zero to value, and their columns, from `column` on, to index; returns how many.
 */
INK__INLINE size_t v_compress_bytes(const uint8_t *bytes, size_t column, uint16_t *index, float *value)
{
    size_t filled = 0;
    uint64_t words[2];
    memcpy(words, bytes, sizeof words);
    for (size_t w = 0; w < 2; w++) {
        for (size_t i = 8 * w; words[w] != 0 && i < 8 * w + 8; i++) {
            index[filled] = (uint16_t)(column + i);
            value[filled] = (float)bytes[i];
            filled += bytes[i] != 0;
        }
    }
    return filled;
}
#endif

static void sparse_pack(const struct ink__sparse *x, size_t row, const uint8_t *bytes, float scale)
{
    uint16_t *const index = x->index + row * x->stride, *const block = x->block + row * (x->blocks + 1);
    float *const value = x->value + row * x->stride;
    size_t filled = 0, column = 0;
    for (; column + INK__SPARSE_BLOCK <= x->columns; column += INK__SPARSE_BLOCK) {
        block[column / INK__SPARSE_BLOCK] = (uint16_t)filled;
        filled += v_compress_bytes(bytes + column, column, index + filled, value + filled);
    }
    if (column < x->columns)
        block[column / INK__SPARSE_BLOCK] = (uint16_t)filled;
    for (; column < x->columns; column++) {
        index[filled] = (uint16_t)column;
        value[filled] = (float)bytes[column];
        filled += bytes[column] != 0;
    }
    block[x->blocks] = (uint16_t)filled;
    for (size_t e = 0; e < filled; e++)
        value[e] = value[e] / 255.0f * scale;
}

/* Columns j .. j + vecs * LANES of y for one sparse row. */
INK__INLINE void sparse_row(const size_t vecs, const uint16_t *index, const float *value, size_t count, const float *w,
                            size_t ld, const float *bias, size_t j, size_t outputs, float *y)
{
    vec sum[8];
    UNROLL for (size_t v = 0; v < vecs; v++) sum[v] = v_load(bias + j + v * LANES);
    for (size_t e = 0; e < count; e++) {
        const float *const row = w + index[e] * ld + j;
        const vec x = v_set1(value[e]);
        UNROLL for (size_t v = 0; v < vecs; v++) sum[v] = v_fma(x, v_load(row + v * LANES), sum[v]);
    }
    UNROLL for (size_t v = 0; v < vecs; v++) store_row(y + j + v * LANES, sum[v], outputs - j - v * LANES);
}

/* How many vectors of columns to take together when `columns` are left: 8, 4, 2 or 1. */
INK__INLINE size_t columns_together(size_t columns)
{
    const size_t vecs = (columns + LANES - 1) / LANES;
    return vecs >= 8 ? 8 : vecs >= 4 ? 4 : vecs >= 2 ? 2 : 1;
}

static void sparse_forward(const struct ink__sparse *x, size_t first, size_t n, const float *w, size_t ld,
                           const float *bias, size_t outputs, float *y)
{
    for (size_t s = first; s < first + n; s++, y += outputs) {
        const uint16_t *const index = x->index + s * x->stride;
        const float *const value = x->value + s * x->stride;
        const size_t count = x->block[s * (x->blocks + 1) + x->blocks];
        for (size_t j = 0, vecs; j < outputs; j += vecs * LANES) {
            vecs = columns_together(outputs - j);
            if (vecs == 8)
                sparse_row(8, index, value, count, w, ld, bias, j, outputs, y);
            else if (vecs == 4)
                sparse_row(4, index, value, count, w, ld, bias, j, outputs, y);
            else if (vecs == 2)
                sparse_row(2, index, value, count, w, ld, bias, j, outputs, y);
            else
                sparse_row(1, index, value, count, w, ld, bias, j, outputs, y);
        }
    }
}

/* Elements begin .. end of one sample into columns j .. j + vecs * LANES of dw; d is the sample's gradient from j on.
 */
INK__INLINE void sparse_sample(const size_t vecs, const uint16_t *index, const float *value, size_t begin, size_t end,
                               const float *d, float *dw, size_t ld, size_t width)
{
    vec row[8];
    UNROLL for (size_t v = 0; v < vecs; v++) row[v] = v_load(d + v * LANES);
    for (size_t e = begin; e < end; e++) {
        float *const to = dw + index[e] * ld;
        const vec x = v_set1(value[e]);
        UNROLL for (size_t v = 0; v < vecs; v++)
            store_row(to + v * LANES, v_fma(x, row[v], v_load(to + v * LANES)), width - v * LANES);
    }
}

/* The caller asks for so few rows that their columns stay in the first cache while the samples go by. */
static void sparse_gradient(const struct ink__sparse *x, size_t n, const float *dy, size_t outputs, size_t begin,
                            size_t end, float *dw, size_t ld)
{
    const size_t first = begin / INK__SPARSE_BLOCK, last = (end + INK__SPARSE_BLOCK - 1) / INK__SPARSE_BLOCK;
    memset(dw + begin * ld, 0, (end - begin) * ld * sizeof *dw);
    for (size_t j = 0, vecs; j < outputs; j += vecs * LANES) {
        vecs = columns_together(outputs - j);
        for (size_t s = 0; s < n; s++) {
            const uint16_t *const index = x->index + s * x->stride;
            const float *const value = x->value + s * x->stride, *const d = dy + s * outputs + j;
            const uint16_t *const block = x->block + s * (x->blocks + 1);
            const size_t from = block[first], to = block[last];
            if (vecs == 8)
                sparse_sample(8, index, value, from, to, d, dw + j, ld, outputs - j);
            else if (vecs == 4)
                sparse_sample(4, index, value, from, to, d, dw + j, ld, outputs - j);
            else if (vecs == 2)
                sparse_sample(2, index, value, from, to, d, dw + j, ld, outputs - j);
            else
                sparse_sample(1, index, value, from, to, d, dw + j, ld, outputs - j);
        }
    }
}

/* ---- Element by element ------------------------------------------------------------------------------------------ */

static void from_bytes(const uint8_t *bytes, size_t count, size_t channels, const float *mean, const float *scale,
                       float *y)
{
    if (channels == 1) {
        const float m = mean[0], s = scale[0];
        for (size_t i = 0; i < count; i++)
            y[i] = ((float)bytes[i] / 255.0f - m) * s;
        return;
    }
    for (size_t i = 0; i < count; i += channels)
        for (size_t c = 0; c < channels; c++)
            y[i + c] = ((float)bytes[i + c] / 255.0f - mean[c]) * scale[c];
}

/* One loop an activation. `value` may use x[i]. */
#define MAP(value)                                                                                                     \
    for (size_t i = 0; i < count; i++)                                                                                 \
        out[i] = (value);                                                                                              \
    break

static void activate(enum ink__activation f, float slope, const float *x, float *out, size_t count)
{
    switch (f) {
    case INK__IDENTITY:
        MAP(x[i]);
    case INK__RELU:
        MAP(0.0f > x[i] ? 0.0f : x[i]);
    case INK__LEAKY:
        MAP(x[i] > 0.0f ? x[i] : slope * x[i]);
    case INK__SIGMOID:
        MAP(ink__sigmoidf(x[i]));
    case INK__TANH:
        MAP(ink__tanhf(x[i]));
    case INK__GELU:
        MAP(x[i] * ink__sigmoidf(ink__gelu_inner(x[i])));
    }
}

/* d/dx of x s(u(x)) is s + x s (1 - s) u'(x). */
INK__INLINE float gelu_derivative(float x)
{
    const float s = ink__sigmoidf(ink__gelu_inner(x));
    return __builtin_fmaf(x * s * (1.0f - s), ink__gelu_slope(x), s);
}

static void activate_backward(enum ink__activation f, float slope, const float *x, const float *y, const float *dy,
                              float *out, size_t count)
{
    switch (f) {
    case INK__IDENTITY:
        MAP(dy[i]);
    case INK__RELU:
        MAP(y[i] > 0.0f ? dy[i] : 0.0f);
    case INK__LEAKY:
        MAP(y[i] > 0.0f ? dy[i] : slope * dy[i]);
    case INK__SIGMOID:
        MAP(dy[i] * (y[i] * (1.0f - y[i])));
    case INK__TANH:
        MAP(dy[i] * __builtin_fmaf(-y[i], y[i], 1.0f));
    case INK__GELU:
        MAP(dy[i] * gelu_derivative(x[i]));
    }
}

static void exp_all(const float *x, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = ink__expf(x[i]);
}

static void log_all(const float *x, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = ink__logf(x[i]);
}

static void softmax(const float *z, size_t n, size_t classes, float *p, float *log_sum)
{
    for (size_t r = 0; r < n; r++) {
        const float *const row = z + r * classes;
        float max = row[0];
        for (size_t c = 1; c < classes; c++)
            max = max > row[c] ? max : row[c];
        for (size_t c = 0; c < classes; c++)
            p[r * classes + c] = row[c] - max;
        if (log_sum != NULL)
            log_sum[r] = max;
    }
    exp_all(p, p, n * classes);
    for (size_t r = 0; r < n; r++) {
        float *const row = p + r * classes;
        float sum = 0.0f;
        for (size_t c = 0; c < classes; c++)
            sum += row[c];
        for (size_t c = 0; c < classes; c++)
            row[c] = row[c] / sum;
        if (log_sum != NULL)
            log_sum[r] += ink__logf(sum);
    }
}

static void add(const float *a, const float *b, float *sum, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] = a[i] + b[i];
}

static void add_parts(const float *parts, size_t pitch, size_t count_of_parts, size_t count, float *sum)
{
    memcpy(sum, parts, count * sizeof *sum);
    for (size_t p = 1; p < count_of_parts; p++)
        add(sum, parts + p * pitch, sum, count);
}

/* ---- Pooling ----------------------------------------------------------------------------------------------------- */

/* The top left corner of the window of output (row, column). */
INK__INLINE size_t corner(const struct ink__pool *pool, size_t row, size_t column)
{
    return (row * pool->stride * pool->width + column * pool->stride) * pool->channels;
}

static void max_pool(const struct ink__pool *pool, const float *x, float *y)
{
    const size_t channels = pool->channels, pitch = pool->width * channels;
    for (size_t row = 0; row < pool->out_height; row++) {
        for (size_t column = 0; column < pool->out_width; column++, y += channels) {
            const float *const window = x + corner(pool, row, column);
            for (size_t c = 0; c < channels; c += LANES) {
                vec largest = v_load(window + c);
                for (size_t i = 0; i < pool->kernel_height; i++)
                    for (size_t j = 0; j < pool->kernel_width; j++)
                        largest = v_max(v_load(window + i * pitch + j * channels + c), largest);
                store_row(y + c, largest, channels - c);
            }
        }
    }
}

static void max_pool_backward(const struct ink__pool *pool, const float *x, const float *y, const float *dy, float *dx)
{
    const size_t channels = pool->channels, pitch = pool->width * channels;
    const bool overlap = pool->stride < pool->kernel_height || pool->stride < pool->kernel_width;
    memset(dx, 0, pool->height * pitch * sizeof *dx);
    for (size_t row = 0; row < pool->out_height; row++) {
        for (size_t column = 0; column < pool->out_width; column++, y += channels, dy += channels) {
            const size_t at = corner(pool, row, column);
            for (size_t c = 0; c < channels; c += LANES) {
                const vec largest = v_load(y + c), zero = v_set1(0.0f);
                vec left = v_load(dy + c); /* the gradient not yet given away */
                for (size_t i = 0; i < pool->kernel_height; i++) {
                    for (size_t j = 0; j < pool->kernel_width; j++) {
                        const size_t place = at + i * pitch + j * channels + c;
                        const vec here = v_load(x + place), given = v_where_equal(here, largest, left, zero);
                        store_row(dx + place, overlap ? v_add(v_load(dx + place), given) : given, channels - c);
                        left = v_where_equal(here, largest, zero, left);
                    }
                }
            }
        }
    }
}

static void mean_pool(const struct ink__pool *pool, const float *x, float *y)
{
    const size_t channels = pool->channels, pitch = pool->width * channels;
    const vec share = v_set1(1.0f / (float)(pool->kernel_height * pool->kernel_width));
    for (size_t row = 0; row < pool->out_height; row++) {
        for (size_t column = 0; column < pool->out_width; column++, y += channels) {
            const float *const window = x + corner(pool, row, column);
            for (size_t c = 0; c < channels; c += LANES) {
                vec mean = v_set1(0.0f);
                for (size_t i = 0; i < pool->kernel_height; i++)
                    for (size_t j = 0; j < pool->kernel_width; j++)
                        mean = v_fma(share, v_load(window + i * pitch + j * channels + c), mean);
                store_row(y + c, mean, channels - c);
            }
        }
    }
}

static void mean_pool_backward(const struct ink__pool *pool, const float *dy, float *dx)
{
    const size_t channels = pool->channels, pitch = pool->width * channels;
    const vec share = v_set1(1.0f / (float)(pool->kernel_height * pool->kernel_width));
    memset(dx, 0, pool->height * pitch * sizeof *dx);
    for (size_t row = 0; row < pool->out_height; row++) {
        for (size_t column = 0; column < pool->out_width; column++, dy += channels) {
            float *const window = dx + corner(pool, row, column);
            for (size_t c = 0; c < channels; c += LANES) {
                const vec d = v_load(dy + c);
                for (size_t i = 0; i < pool->kernel_height; i++) {
                    for (size_t j = 0; j < pool->kernel_width; j++) {
                        float *const place = window + i * pitch + j * channels + c;
                        store_row(place, v_fma(share, d, v_load(place)), channels - c);
                    }
                }
            }
        }
    }
}

/* ---- By channel -------------------------------------------------------------------------------------------------- */

static void column_sums(const float *x, size_t rows, size_t columns, float *sum)
{
    for (size_t c = 0; c < columns; c += LANES) {
        vec s[4] = { v_set1(0.0f), v_set1(0.0f), v_set1(0.0f), v_set1(0.0f) };
        size_t r = 0;
        for (; r + 4 <= rows; r += 4)
            UNROLL for (size_t i = 0; i < 4; i++) s[i] = v_add(s[i], v_load(x + (r + i) * columns + c));
        for (size_t i = 0; r + i < rows; i++)
            s[i] = v_add(s[i], v_load(x + (r + i) * columns + c));
        const vec total = v_add(v_add(s[0], s[1]), v_add(s[2], s[3]));
        store_row(sum + c, v_add(v_load(sum + c), total), columns - c);
    }
}

static void channel_sums(const float *a, const float *b, size_t rows, size_t channels, float *sum, float *product)
{
    for (size_t c = 0; c < channels; c += LANES) {
        vec s[4] = { v_set1(0.0f), v_set1(0.0f), v_set1(0.0f), v_set1(0.0f) };
        vec p[4] = { v_set1(0.0f), v_set1(0.0f), v_set1(0.0f), v_set1(0.0f) };
        size_t r = 0;
        for (; r + 4 <= rows; r += 4)
            UNROLL for (size_t i = 0; i < 4; i++)
            {
                const vec x = v_load(a + (r + i) * channels + c);
                s[i] = v_add(s[i], x);
                p[i] = v_fma(x, v_load(b + (r + i) * channels + c), p[i]);
            }
        for (size_t i = 0; r + i < rows; i++) {
            const vec x = v_load(a + (r + i) * channels + c);
            s[i] = v_add(s[i], x);
            p[i] = v_fma(x, v_load(b + (r + i) * channels + c), p[i]);
        }
        store_row(sum + c, v_add(v_add(s[0], s[1]), v_add(s[2], s[3])), channels - c);
        store_row(product + c, v_add(v_add(p[0], p[1]), v_add(p[2], p[3])), channels - c);
    }
}

static void channel_affine(const float *x, const float *scale, const float *shift, bool relu, size_t rows,
                           size_t channels, float *y)
{
    for (size_t c = 0; c < channels; c += LANES) {
        const vec a = v_load(scale + c), b = v_load(shift + c);
        for (size_t r = 0; r < rows; r++) {
            const vec v = v_fma(v_load(x + r * channels + c), a, b);
            store_row(y + r * channels + c, relu ? v_max(v_set1(0.0f), v) : v, channels - c);
        }
    }
}

static void channel_mix(const float *dy, const float *x, const float *p, const float *q, const float *r, size_t rows,
                        size_t channels, float *dx)
{
    for (size_t c = 0; c < channels; c += LANES) {
        const vec pv = v_load(p + c), qv = v_load(q + c), rv = v_load(r + c);
        for (size_t i = 0; i < rows; i++) {
            const size_t at = i * channels + c;
            store_row(dx + at, v_fma(pv, v_load(dy + at), v_fma(qv, v_load(x + at), rv)), channels - c);
        }
    }
}

/* ---- Optimizers -------------------------------------------------------------------------------------------------- */

/* The gradient as the rule sees it: clipped, with decay. */
#define GRADIENT (__builtin_fmaf(u->decay, w[i], g[i] * u->gradient_scale))
#define EACH     for (size_t i = 0; i < count; i++)

static void update(const struct ink__update *u, float *w, const float *g, float *s1, float *s2, size_t count)
{
    const float rate = u->rate, beta1 = u->beta1, beta2 = u->beta2;
    const float rest1 = 1.0f - beta1, rest2 = 1.0f - beta2;
    switch (u->rule) {
    case INK__SGD:
        EACH w[i] = __builtin_fmaf(-rate, GRADIENT, w[i]);
        break;
    case INK__MOMENTUM:
        EACH
        {
            s1[i] = __builtin_fmaf(beta1, s1[i], GRADIENT);
            w[i] = __builtin_fmaf(-rate, s1[i], w[i]);
        }
        break;
    case INK__NESTEROV:
        EACH
        {
            const float d = GRADIENT;
            s1[i] = __builtin_fmaf(beta1, s1[i], d);
            w[i] = __builtin_fmaf(-rate, __builtin_fmaf(beta1, s1[i], d), w[i]);
        }
        break;
    case INK__ADAGRAD:
        EACH
        {
            const float d = GRADIENT;
            s1[i] = __builtin_fmaf(d, d, s1[i]);
            w[i] = __builtin_fmaf(-rate, d / (__builtin_sqrtf(s1[i]) + u->epsilon), w[i]);
        }
        break;
    case INK__RMSPROP:
        EACH
        {
            const float d = GRADIENT;
            s1[i] = __builtin_fmaf(beta2, s1[i], rest2 * d * d);
            w[i] = __builtin_fmaf(-rate, d / (__builtin_sqrtf(s1[i]) + u->epsilon), w[i]);
        }
        break;
    case INK__ADAM:
        EACH
        {
            const float d = GRADIENT;
            s1[i] = __builtin_fmaf(beta1, s1[i], rest1 * d);
            s2[i] = __builtin_fmaf(beta2, s2[i], rest2 * d * d);
            const float root = __builtin_sqrtf(s2[i] * u->correction2) + u->epsilon;
            w[i] = __builtin_fmaf(-rate * u->correction1, s1[i] / root, __builtin_fmaf(-u->shrink, w[i], w[i]));
        }
        break;
    }
}

static void average(float *mean, const float *w, float weight, size_t count)
{
    EACH mean[i] = __builtin_fmaf(weight, w[i] - mean[i], mean[i]);
}

#define STRING_(name) #name
#define STRING(name)  STRING_(name)

const struct ink__kernels PASTE(ink__kernels_, SET) = {
    .name = STRING(SET),
    .gemm = gemm,
    .sparse_pack = sparse_pack,
    .sparse_forward = sparse_forward,
    .sparse_gradient = sparse_gradient,
    .from_bytes = from_bytes,
    .activate = activate,
    .activate_backward = activate_backward,
    .softmax = softmax,
    .max_pool = max_pool,
    .max_pool_backward = max_pool_backward,
    .mean_pool = mean_pool,
    .mean_pool_backward = mean_pool_backward,
    .column_sums = column_sums,
    .channel_sums = channel_sums,
    .channel_affine = channel_affine,
    .channel_mix = channel_mix,
    .add = add,
    .add_parts = add_parts,
    .update = update,
    .average = average,
    .exp = exp_all,
    .log = log_all,
};
