/*
 * The kernels that are written in vectors, products and sums by channel, in every set this machine has, against naive
 * ones that add in the order of the contract: not near it but bit for bit, which makes the sets equal to each other as
 * well.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels.h"

/* ---- The matrix product ------------------------------------------------------------------------------------------ */

static void gemm_oracle(const struct ink__gemm *g)
{
    for (size_t i = 0; i < g->m; i++) {
        for (size_t j = 0; j < g->n; j++) {
            float *c = &g->c[g->c_row[i] + (ptrdiff_t)j];
            float sum = g->accumulate ? *c : g->bias != NULL ? g->bias[j] : 0.0f;
            for (size_t k = 0; k < g->runs * g->run; k++) {
                const size_t at = (size_t)g->a_row[i] + k / g->run * g->a_run + k % g->run * g->a_step;
                sum = fmaf(g->a[at], g->b[k * g->ldb + j], sum);
            }
            *c = g->relu && sum < 0.0f ? 0.0f : sum;
        }
    }
}

/* `count` offsets below `bound`, the largest among them. */
static int32_t *offsets(size_t count, size_t bound)
{
    int32_t *table = guard_array(count, sizeof *table);
    for (size_t i = 0; i < count; i++)
        table[i] = (int32_t)below(bound);
    if (count > 0)
        table[below(count)] = (int32_t)bound - 1;
    return table;
}

/* `count` rows of `width` floats that lie apart from each other, in no order; all need count (width + 3) - 3. */
static int32_t *rows_apart(size_t count, size_t width)
{
    int32_t *table = guard_array(count, sizeof *table);
    for (size_t i = 0; i < count; i++) {
        const size_t j = below(i + 1);
        table[i] = table[j];
        table[j] = (int32_t)(i * (width + 3));
    }
    return table;
}

static void check_gemm(size_t m, size_t n, size_t runs, size_t run, bool accumulate, bool bias, bool relu, bool wild)
{
    enum { SPREAD = 50 };
    const size_t c_count = m * (n + 3) > 3 ? m * (n + 3) - 3 : 0, ldb = n + 1 + below(3);
    const size_t a_run = below(SPREAD), a_step = below(5), a_count = SPREAD + runs * a_run + run * a_step;
    float *a = floats(a_count), *b = floats(runs * run * ldb), *c = floats(c_count);
    if (wild) {
        add_edges(a, a_count);
        add_edges(c, c_count);
    }
    struct ink__gemm g = { .m = m,
                           .n = n,
                           .runs = runs,
                           .run = run,
                           .a = a,
                           .a_row = offsets(m, SPREAD),
                           .a_run = a_run,
                           .a_step = a_step,
                           .b = b,
                           .ldb = ldb,
                           .c_row = rows_apart(m, n),
                           .bias = bias ? floats(n) : NULL,
                           .accumulate = accumulate,
                           .relu = relu };
    float *const expected = g.c = copy(c, c_count);
    gemm_oracle(&g);
    for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
        g.c = copy(c, c_count);
        (*k)->gemm(&g);
        char what[100];
        snprintf(what, sizeof what, "gemm %zu x %zu x (%zu x %zu)%s%s%s", m, n, runs, run,
                 accumulate ? " accumulate" : "", bias ? " bias" : "", relu ? " relu" : "");
        assert_same(what, *k, g.c, expected, c_count);
    }
    release("gemm");
}

static void gemm(void **state)
{
    (void)state;
    static const size_t rows[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 19, 20, 21, 37, 61 };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t j = 0; j < SIZES; j++) {
            check_gemm(rows[i], sizes[j], below(4), below(14), false, false, false, false);
            check_gemm(rows[i], sizes[j], below(4), below(14), true, false, next() % 2 != 0, false);
            check_gemm(rows[i], sizes[j], below(4), below(14), false, true, next() % 2 != 0, false);
            check_gemm(rows[i], sizes[j], below(4), below(14), next() % 2 != 0, next() % 2 != 0, true, true);
        }
    }
    for (size_t depth = 0; depth < 5; depth++)
        check_gemm(7, 33, 1, depth, false, true, true, false);
    check_gemm(257, 300, 1, 311, false, true, true, false);
    check_gemm(301, 259, 20, 15, true, false, false, false);
}

/* ---- The sparse first layer -------------------------------------------------------------------------------------- */

/* `n` rows of bytes of which a share is not zero. */
static uint8_t *byte_rows(size_t n, size_t inputs, double density)
{
    uint8_t *bytes = guard_array(n * inputs, 1);
    for (size_t i = 0; i < n * inputs; i++)
        bytes[i] = uniform(0.0f, 1.0f) < (float)density ? (uint8_t)(1 + below(255)) : 0;
    return bytes;
}

static size_t groups_of(size_t n)
{
    return (n + INK__SPARSE_ROWS - 1) / INK__SPARSE_ROWS;
}

static struct ink__sparse sparse_room(size_t n, size_t inputs)
{
    const size_t blocks = (inputs + INK__SPARSE_BLOCK - 1) / INK__SPARSE_BLOCK, stride = inputs + INK__SPARSE_BLOCK;
    const size_t groups = groups_of(n);
    return (struct ink__sparse){ .columns = inputs,
                                 .stride = stride,
                                 .blocks = blocks,
                                 .index = guard_array(groups * stride, sizeof(uint16_t)),
                                 .value = guard_array(groups * INK__SPARSE_ROWS * stride, sizeof(float)),
                                 .block = guard_array(groups * (blocks + 1), sizeof(uint16_t)) };
}

/* Where row `r` of a group that begins with row `first` of `n` has its bytes: rows past the end repeat the last. */
static size_t source(size_t first, size_t r, size_t n)
{
    return first + r < n ? first + r : n - 1;
}

/* The same rows twice: whole in x, which is returned, and sparse. */
static float *pack_rows(const uint8_t *bytes, size_t n, float scale, struct ink__sparse *sparse)
{
    const size_t inputs = sparse->columns, stride = sparse->stride;
    float *x = guard_array(n * inputs, sizeof *x);
    for (size_t i = 0; i < n * inputs; i++)
        x[i] = (float)bytes[i] / 255.0f * scale;
    for (size_t first = 0; first < n; first += INK__SPARSE_ROWS) {
        const size_t g = first / INK__SPARSE_ROWS;
        uint16_t filled = 0, *block = sparse->block + g * (sparse->blocks + 1);
        for (size_t i = 0; i < inputs; i++) {
            bool some = false;
            if (i % INK__SPARSE_BLOCK == 0)
                *block++ = filled;
            for (size_t r = 0; r < INK__SPARSE_ROWS; r++) {
                const size_t row = source(first, r, n);
                sparse->value[(first + r) * stride + filled] = x[row * inputs + i];
                some |= bytes[row * inputs + i] != 0;
            }
            sparse->index[g * stride + filled] = (uint16_t)i;
            filled += some;
        }
        *block = filled;
    }
    return x;
}

static void check_pack(size_t n, size_t inputs, double density)
{
    const uint8_t *bytes = byte_rows(n, inputs, density);
    struct ink__sparse expected = sparse_room(n, inputs);
    const size_t stride = expected.stride, blocks = expected.blocks;
    pack_rows(bytes, n, 1.7f, &expected);
    for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
        const struct ink__sparse found = sparse_room(n, inputs);
        for (size_t first = 0; first < n; first += INK__SPARSE_ROWS) {
            const size_t g = first / INK__SPARSE_ROWS, filled = expected.block[g * (blocks + 1) + blocks];
            const uint8_t *rows[INK__SPARSE_ROWS];
            for (size_t r = 0; r < INK__SPARSE_ROWS; r++)
                rows[r] = bytes + source(first, r, n) * inputs;
            (*k)->sparse_pack(&found, first, rows, 1.7f);
            assert_memory_equal(found.index + g * stride, expected.index + g * stride, filled * sizeof *found.index);
            for (size_t r = first; r < first + INK__SPARSE_ROWS; r++)
                assert_same("sparse_pack", *k, found.value + r * stride, expected.value + r * stride, filled);
        }
        assert_memory_equal(found.block, expected.block, groups_of(n) * (blocks + 1) * sizeof *found.block);
    }
    release("sparse_pack");
}

static int32_t *steps(size_t count, size_t step)
{
    int32_t *table = guard_array(count, sizeof *table);
    for (size_t i = 0; i < count; i++)
        table[i] = (int32_t)(i * step);
    return table;
}

/* Against the dense product of kernel.h, on the same rows with their zeros in place: from a bias, or from what is in y.
 */
static void check_sparse(size_t n, size_t inputs, size_t outputs, double density, bool goes_on)
{
    const size_t ld = outputs + 2, first = n / 3 / INK__SPARSE_ROWS * INK__SPARSE_ROWS, pitch = outputs + 3;
    struct ink__sparse sparse = sparse_room(n, inputs);
    const float *x = pack_rows(byte_rows(n, inputs, density), n, 1.7f, &sparse);
    float *w = floats(inputs * ld), *bias = floats(outputs), *before = floats(n * pitch);
    float *expected = copy(before, n * pitch); /* between the rows nothing changes */
    gemm_oracle(&(struct ink__gemm){ .m = n,
                                     .n = outputs,
                                     .runs = 1,
                                     .run = inputs,
                                     .a = x,
                                     .a_row = steps(n, inputs),
                                     .a_step = 1,
                                     .b = w,
                                     .ldb = ld,
                                     .c = expected,
                                     .c_row = steps(n, pitch),
                                     .bias = bias,
                                     .accumulate = goes_on });
    for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
        float *y = copy(before + first * pitch, (n - first) * pitch);
        (*k)->sparse_forward(&sparse, first, n - first, w, ld, goes_on ? y : bias, goes_on ? pitch : 0, outputs, y,
                             pitch);
        assert_same("sparse_forward", *k, y, expected + first * pitch, (n - first) * pitch);
    }
    release("sparse_forward");
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void check_sparse_gradient(size_t n, size_t inputs, size_t outputs, double density)
{
    struct ink__sparse sparse = sparse_room(n, inputs);
    const float *x = pack_rows(byte_rows(n, inputs, density), n, 1.7f, &sparse);
    const size_t ld = outputs <= 8 ? 8 : (outputs + 15) / 16 * 16, pitch = outputs + below(3);
    const size_t first = below(sparse.blocks), last = first + below(sparse.blocks - first + 1);
    const size_t begin = first * INK__SPARSE_BLOCK, end = smaller(last * INK__SPARSE_BLOCK, inputs);
    float *dy = floats(n * pitch), *before = floats(inputs * ld), *expected = copy(before, inputs * ld);
    for (size_t i = begin * ld; i < end * ld; i++)
        expected[i] = 0.0f; /* what lies between the rows is zero and stays so */
    gemm_oracle(&(struct ink__gemm){ .m = end - begin,
                                     .n = outputs,
                                     .runs = 1,
                                     .run = n,
                                     .a = x + begin,
                                     .a_row = steps(end - begin, 1),
                                     .a_step = inputs,
                                     .b = dy,
                                     .ldb = pitch,
                                     .c = expected + begin * ld,
                                     .c_row = steps(end - begin, ld) });
    for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
        float *dw = copy(before, inputs * ld);
        (*k)->sparse_gradient(&sparse, n, dy, pitch, outputs, begin, end, dw, ld);
        assert_same("sparse_gradient", *k, dw, expected, inputs * ld);
    }
    release("sparse_gradient");
}

static void sparse(void **state)
{
    (void)state;
    static const size_t inputs[] = { 1, 15, 16, 17, 31, 32, 33, 64, 100, 257 };
    static const double densities[] = { 0.0, 0.1, 0.5, 1.0 };
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        for (size_t d = 0; d < 4; d++) {
            check_pack(below(10), inputs[i], densities[d]);
            for (size_t j = 1; j < SIZES; j++) {
                check_sparse(below(10), inputs[i], sizes[j], densities[d], false);
                check_sparse(below(10), inputs[i], sizes[j], densities[d], true);
                check_sparse_gradient(below(10), inputs[i], sizes[j], densities[d]);
            }
        }
    }
    check_sparse(30, 784, 100, 0.2, true);
    check_sparse_gradient(100, 784, 50, 0.2);
}

/* ---- By channel -------------------------------------------------------------------------------------------------- */

static const size_t heights[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 40, 143 };
#define HEIGHTS (sizeof heights / sizeof heights[0])

/* The sum over the rows of column c of a, times b if it is there, in four chains. */
static float chains(const float *a, const float *b, size_t rows, size_t columns, size_t c)
{
    float chain[4] = { 0.0f, 0.0f, 0.0f, 0.0f };
    for (size_t r = 0; r < rows; r++) {
        const float x = a[r * columns + c];
        chain[r % 4] = b == NULL ? chain[r % 4] + x : fmaf(x, b[r * columns + c], chain[r % 4]);
    }
    return (chain[0] + chain[1]) + (chain[2] + chain[3]);
}

static void column_sums(void **state)
{
    (void)state;
    for (size_t h = 0; h < HEIGHTS; h++) {
        for (size_t s = 0; s < SIZES; s++) {
            const size_t rows = heights[h], columns = sizes[s];
            float *x = floats(rows * columns), *before = floats(columns), *expected = floats(columns);
            for (size_t c = 0; c < columns; c++)
                expected[c] = before[c] + chains(x, NULL, rows, columns, c);
            for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
                float *sum = copy(before, columns);
                (*k)->column_sums(x, rows, columns, sum);
                assert_same("column_sums", *k, sum, expected, columns);
            }
            release("column_sums");
        }
    }
}

static void channel_sums(void **state)
{
    (void)state;
    for (size_t h = 0; h < HEIGHTS; h++) {
        for (size_t s = 0; s < SIZES; s++) {
            const size_t rows = heights[h], channels = sizes[s];
            float *a = floats(rows * channels), *b = floats(rows * channels);
            float *expected_sum = floats(channels), *expected_product = floats(channels);
            for (size_t c = 0; c < channels; c++) {
                expected_sum[c] = chains(a, NULL, rows, channels, c);
                expected_product[c] = chains(a, b, rows, channels, c);
            }
            for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
                float *sum = floats(channels), *product = floats(channels);
                (*k)->channel_sums(a, b, rows, channels, sum, product);
                assert_same("channel_sums: sum", *k, sum, expected_sum, channels);
                assert_same("channel_sums: product", *k, product, expected_product, channels);
            }
            release("channel_sums");
        }
    }
}

static void channel_maps(void **state)
{
    (void)state;
    for (size_t h = 0; h < HEIGHTS; h++) {
        for (size_t s = 0; s < SIZES; s++) {
            const size_t rows = heights[h], channels = sizes[s], count = rows * channels;
            float *x = floats(count), *dy = floats(count), *p = floats(channels), *q = floats(channels),
                  *r = floats(channels), *affine = floats(count), *relu = floats(count), *mix = floats(count);
            add_edges(x, count);
            for (size_t i = 0; i < count; i++) {
                const size_t c = i % channels;
                affine[i] = fmaf(x[i], p[c], q[c]);
                relu[i] = affine[i] < 0.0f ? 0.0f : affine[i];
                mix[i] = fmaf(p[c], dy[i], fmaf(q[c], x[i], r[c]));
            }
            for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
                float *y = floats(count);
                (*k)->channel_affine(x, p, q, false, rows, channels, y);
                assert_same("channel_affine", *k, y, affine, count);
                (*k)->channel_affine(x, p, q, true, rows, channels, y);
                assert_same("channel_affine, relu", *k, y, relu, count);
                (*k)->channel_mix(dy, x, p, q, r, rows, channels, y);
                assert_same("channel_mix", *k, y, mix, count);
            }
            release("channel_affine");
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm),         cmocka_unit_test(sparse),       cmocka_unit_test(column_sums),
        cmocka_unit_test(channel_sums), cmocka_unit_test(channel_maps),
    };
    return cmocka_run_group_tests(tests, kernels_setup, NULL);
}
