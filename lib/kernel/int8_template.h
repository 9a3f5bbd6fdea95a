/*
 * Every integer kernel, once. The including file defines, for one instruction set:
 *
 *   SET               its name, which becomes ink__int8_SET
 *   LANES             32-bit sums in a vector
 *   ROWS_1, ROWS_2, ROWS_4   the rows of the largest tile of the product one, two and four vectors wide, as its
 *                     registers allow; above 4, 1 and 1; ROWS_4 may be left out
 *   sums              the vector of sums, with s_load, s_keep (a whole vector to memory)
 * four, weights four bytes in every lane, and LANES times four signed bytes: x_load (the four bytes at an address),
 *                     w_load
 *   s_dot(s, x, w)    s plus the four products of each lane, exactly: nothing on the way may saturate
 *   s_scale(s, m, h, shift)  (high half of s m, + h) >> shift
 *   OCTETS, octets    a vector of bytes, with b_load, b_max
 *   s_store(p, s, count), s_store_bytes(p, s, count)   the first `count` lanes, as they are or clamped to bytes
 *
 * The rest are plain loops, which the compiler turns into vectors of the set.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kernel/int8.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)
#define STRING_(x)   #x
#define STRING(x)    STRING_(x)
#define INLINE       static inline __attribute__((always_inline))

/* Loops whose bounds are constants are unrolled whole, so that what they index lives in registers. */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* The first `count` bytes, 1 to OCTETS. */
INLINE void b_store(uint8_t *p, octets b, size_t count)
{
    if (count == OCTETS)
        memcpy(p, &b, OCTETS);
    else
        memcpy(p, &b, count);
}

INLINE uint8_t to_byte(int32_t x)
{
    return (uint8_t)(x < 0 ? 0 : x > UINT8_MAX ? UINT8_MAX : x);
}

/* ---- The matrix product ------------------------------------------------------------------------------------------ */

/* Scales the sums of a tile, (rows, vectors * LANES), and puts them where they belong. */
static void finish(const struct ink__int8_gemm *g, size_t i, size_t j, size_t rows, size_t vectors, const int32_t *sum)
{
    const int32_t half = (int32_t)1 << (g->shift - 1);
    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < vectors; v++, sum += LANES) {
            const size_t column = j + v * LANES, left = g->n - column;
            const ptrdiff_t row = g->c_row[i + r];
            const sums c = s_scale(s_load(sum), s_load(g->multiplier + column), half, g->shift);
            if (g->bytes != NULL)
                s_store_bytes(g->bytes + row + column, c, left);
            else
                s_store(g->scores + row + column, c, left);
        }
}

#define TILE_ROWS    1
#define TILE_VECTORS 1
#include "kernel/int8_tile.h"
#define TILE_ROWS    4
#define TILE_VECTORS 1
#include "kernel/int8_tile.h"
#define TILE_ROWS    ROWS_1
#define TILE_VECTORS 1
#include "kernel/int8_tile.h"
#define TILE_ROWS    1
#define TILE_VECTORS 2
#include "kernel/int8_tile.h"
#define TILE_ROWS    ROWS_2
#define TILE_VECTORS 2
#include "kernel/int8_tile.h"
#define TILE_ROWS    1
#define TILE_VECTORS 4
#include "kernel/int8_tile.h"
#ifdef ROWS_4
#define TILE_ROWS    ROWS_4
#define TILE_VECTORS 4
#include "kernel/int8_tile.h"
#endif

#define TILE(rows, vectors) PASTE(PASTE(tile_, rows), PASTE(x, vectors))

/* The tiles, from the most work for what they load to the least. */
static const struct {
    size_t rows, vectors;
    void (*run)(const struct ink__int8_gemm *g, size_t i, size_t j);
} tiles[] = {
#ifdef ROWS_4
    { ROWS_4, 4, TILE(ROWS_4, 4) },
#endif
    { ROWS_2, 2, TILE(ROWS_2, 2) }, { 1, 4, tile_1x4 },   { 1, 2, tile_1x2 },
    { ROWS_1, 1, TILE(ROWS_1, 1) }, { 4, 1, TILE(4, 1) }, { 1, 1, tile_1x1 },
};

/* Rows and columns by the first tile that fits both. The last tile of the rows ends at the last row, so that it may do
 * again what the one before has done. */
static void gemm(const struct ink__int8_gemm *g)
{
    for (size_t j = 0, t = 0; g->m > 0 && j < g->n; j += tiles[t].vectors * LANES) {
        const size_t left = (g->n - j + LANES - 1) / LANES;
        for (t = 0; tiles[t].rows > g->m || tiles[t].vectors > left;)
            t++;
        for (size_t i = 0; i < g->m; i += tiles[t].rows)
            tiles[t].run(g, i + tiles[t].rows <= g->m ? i : g->m - tiles[t].rows, j);
    }
}

/* ---- Layers without a product ------------------------------------------------------------------------------------ */

static void map(const uint8_t *table, const uint8_t *x, uint8_t *y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = table[x[i]];
}

static void max_pool(const struct ink__pooling *pool, const uint8_t *x, uint8_t *y)
{
    const size_t channels = pool->channels, pitch = pool->width * channels;
    const uint8_t *const end = y + pool->out_height * pool->out_width * channels;
    for (size_t row = 0; row < pool->out_height; row++)
        for (size_t column = 0; column < pool->out_width; column++, y += channels)
            for (size_t c = 0; c < channels; c += OCTETS) {
                const uint8_t *const window = x + row * pool->stride * pitch + column * pool->stride * channels + c;
                octets largest = b_load(window);
                for (size_t i = 0; i < pool->kernel_height; i++)
                    for (size_t j = 0; j < pool->kernel_width; j++)
                        largest = b_max(largest, b_load(window + i * pitch + j * channels));
                /* What is too much is written over by the next pixel. */
                const size_t left = (size_t)(end - y) - c;
                b_store(y + c, largest, left < OCTETS ? left : OCTETS);
            }
}

static void mean_pool(const struct ink__pooling *pool, const struct ink__int8_line *line, const uint8_t *x,
                      uint8_t *bytes, int32_t *scores)
{
    const size_t channels = pool->channels, pitch = pool->width * channels;
    const int32_t multiplier = line->multiplier[0], bias = line->bias[0];
    size_t out = 0;
    for (size_t row = 0; row < pool->out_height; row++)
        for (size_t column = 0; column < pool->out_width; column++)
            for (size_t c = 0; c < channels; c++, out++) {
                const uint8_t *const window = x + row * pool->stride * pitch + column * pool->stride * channels + c;
                int32_t sum = 0;
                for (size_t i = 0; i < pool->kernel_height; i++)
                    for (size_t j = 0; j < pool->kernel_width; j++)
                        sum += window[i * pitch + j * channels];
                sum = (sum * multiplier + bias) >> line->shift;
                if (bytes != NULL)
                    bytes[out] = to_byte(sum);
                else
                    scores[out] = sum;
            }
}

static void affine(const struct ink__int8_line *line, const uint8_t *x, uint8_t *y, size_t rows, size_t channels)
{
    for (size_t r = 0; r < rows; r++, x += channels, y += channels)
        for (size_t c = 0; c < channels; c++)
            y[c] = to_byte((x[c] * line->multiplier[c] + line->bias[c]) >> line->shift);
}

static void add(const struct ink__int8_line *line, const uint8_t *a, const uint8_t *b, uint8_t *y, size_t count)
{
    const int32_t of_a = line->multiplier[0], of_b = line->multiplier[1], bias = line->bias[0];
    for (size_t i = 0; i < count; i++)
        y[i] = to_byte((a[i] * of_a + b[i] * of_b + bias) >> line->shift);
}

const struct ink__int8_kernels PASTE(ink__int8_, SET) = {
    .name = STRING(SET),
    .gemm = gemm,
    .map = map,
    .max_pool = max_pool,
    .mean_pool = mean_pool,
    .affine = affine,
    .add = add,
};
