/* The kernels of networks of integers: every set, and the runtime of exports, give the integers that the book gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#pragma GCC diagnostic ignored "-Wunused-function" /* of the runtime of exports some is for whole networks */
#include "infer/quantised.c"
#include "kernel/int8.h"
#include "kernels.h"
#include "nn/plan.h"

/* ---- Numbers ----------------------------------------------------------------------------------------------------- */

/* Bytes of which many are at the ends, where sums are largest. */
static uint8_t *random_bytes(size_t count)
{
    uint8_t *x = guard_array(count, 1);
    for (size_t i = 0; i < count; i++)
        x[i] = below(4) == 0 ? UINT8_MAX : below(4) == 0 ? 0 : (uint8_t)next();
    return x;
}

static int8_t *random_signed(size_t count)
{
    int8_t *x = guard_array(count, 1);
    for (size_t i = 0; i < count; i++)
        x[i] = below(4) == 0 ? INT8_MAX : below(4) == 0 ? INT8_MIN : (int8_t)next();
    return x;
}

static int64_t floor_divided(int64_t x, int64_t by)
{
    return x >= 0 ? x / by : -((-x + by - 1) / by);
}

/* sum multiplier / 2^(32 + shift) to the nearest integer, halves up, by the book. The floor of a floor is that of both
 * divisions. */
static int32_t scaled(int32_t sum, int32_t multiplier, int shift)
{
    const int64_t half = (int64_t)1 << (31 + shift), product = (int64_t)sum * multiplier + half;
    return (int32_t)floor_divided(floor_divided(product, (int64_t)1 << 32), (int64_t)1 << shift);
}

static uint8_t clamped(int64_t x)
{
    return (uint8_t)(x < 0 ? 0 : x > UINT8_MAX ? UINT8_MAX : x);
}

#define FOR_EACH_SET(k) for (size_t set_ = 0; ((k) = ink__int8_nth(set_)) != NULL; set_++)

static void assert_bytes(const char *what, const char *name, const uint8_t *found, const uint8_t *expected,
                         size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (found[i] != expected[i])
            fail_msg("%s, %s: element %zu of %zu is %u, expected %u", name, what, i, count, found[i], expected[i]);
}

static void assert_scores(const char *what, const char *name, const int32_t *found, const int32_t *expected,
                          size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (found[i] != expected[i])
            fail_msg("%s, %s: element %zu of %zu is %d, expected %d", name, what, i, count, found[i], expected[i]);
}

/* ---- The product of bytes ---------------------------------------------------------------------------------------- */

/* A product of the given size, its rows and columns strewn over their arrays. */
struct product {
    struct ink__int8_gemm g;
    int32_t *expected; /* (m, n), before they are clamped */
};

static struct product make_product(size_t m, size_t n, size_t groups)
{
    const size_t ld = (n + INK__INT8_COLUMNS - 1) / INK__INT8_COLUMNS * INK__INT8_COLUMNS, span = 4 * groups + 40;
    int32_t *a_row = guard_array(m, sizeof *a_row), *a_col = guard_array(groups, sizeof *a_col);
    int32_t *c_row = guard_array(m, sizeof *c_row);
    int32_t *bias = guard_array(ld, sizeof *bias), *multiplier = guard_array(ld, sizeof *multiplier);
    uint8_t *a = random_bytes(span);
    int8_t *b = random_signed(groups * ld * 4);
    struct product p = { .g = { .m = m,
                                .n = n,
                                .groups = groups,
                                .a = a,
                                .a_row = a_row,
                                .a_col = a_col,
                                .b = b,
                                .ld = ld,
                                .bias = bias,
                                .multiplier = multiplier,
                                .shift = 1 + (int)below(12),
                                .c_row = c_row },
                         .expected = guard_array(m * n, sizeof *p.expected) };
    for (size_t i = 0; i < m; i++) {
        a_row[i] = (int32_t)below(37);
        c_row[i] = (int32_t)((m - 1 - i) * n); /* the other way round */
    }
    for (size_t k = 0; k < groups; k++)
        a_col[k] = (int32_t)(4 * below(groups));
    for (size_t j = 0; j < n; j++) {
        bias[j] = (int32_t)next() / 8;
        multiplier[j] = (int32_t)(next() >> (1 + below(8)));
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            int64_t sum = bias[j];
            for (size_t k = 0; k < groups; k++)
                for (size_t q = 0; q < 4; q++)
                    sum += a[(size_t)(a_row[i] + a_col[k]) + q] * b[(k * ld + j) * 4 + q];
            assert_true(sum >= INT32_MIN && sum <= INT32_MAX);
            p.expected[(m - 1 - i) * n + j] = scaled((int32_t)sum, multiplier[j], p.g.shift);
        }
    return p;
}

static void check_product(const struct ink__int8_kernels *k, const struct product *p)
{
    const size_t count = p->g.m * p->g.n;
    struct ink__int8_gemm g = p->g;
    uint8_t *expected = guard_array(count, 1);
    for (size_t i = 0; i < count; i++)
        expected[i] = clamped(p->expected[i]);
    g.scores = guard_array(count, sizeof *g.scores);
    k->gemm(&g);
    assert_scores("scores", k->name, g.scores, p->expected, count);
    g.bytes = guard_array(count, 1);
    k->gemm(&g);
    assert_bytes("bytes", k->name, g.bytes, expected, count);
}

static void test_product(void **state)
{
    (void)state;
    static const size_t rows[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 24, 25 };
    const struct ink__int8_kernels *k;
    for (size_t s = 0; s < SIZES; s++)
        for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
            const struct product p = make_product(rows[r], sizes[s], below(40));
            FOR_EACH_SET(k)
            check_product(k, &p);
            release("product");
        }
}

/* The largest sums there can be: vpmaddubsw would stop at 32,767. */
static void test_extremes(void **state)
{
    (void)state;
    enum { GROUPS = 16576, TAPS = 4 * GROUPS };
    static uint8_t a[TAPS + 64];
    static int8_t b[GROUPS * 16 * 4 + 64];
    static int32_t a_col[GROUPS];
    static const int32_t zero[13];
    const struct ink__int8_kernels *k;
    int32_t bias[32], multiplier[32], scores[13 * 16];
    memset(a, UINT8_MAX, sizeof a);
    for (size_t i = 0; i < sizeof b; i++)
        b[i] = i / 4 % 2 == 0 ? INT8_MAX : -INT8_MAX;
    for (size_t i = 0; i < GROUPS; i++)
        a_col[i] = (int32_t)(4 * i);
    for (size_t j = 0; j < 32; j++) {
        bias[j] = 0;
        multiplier[j] = INT32_MAX;
    }
    int32_t c_row[13];
    for (int i = 0; i < 13; i++)
        c_row[i] = 16 * i;
    FOR_EACH_SET(k)
    for (size_t m = 1; m <= 13; m++) {
        const struct ink__int8_gemm g = { .m = m,
                                          .n = 16,
                                          .groups = GROUPS,
                                          .a = a,
                                          .a_row = zero,
                                          .a_col = a_col,
                                          .b = b,
                                          .ld = 16,
                                          .bias = bias,
                                          .multiplier = multiplier,
                                          .shift = 1,
                                          .scores = scores,
                                          .c_row = c_row };
        k->gemm(&g);
        for (size_t i = 0; i < m * 16; i++) {
            const int32_t sum = (i % 2 == 0 ? 1 : -1) * UINT8_MAX * INT8_MAX * TAPS;
            const int32_t expected = scaled(sum, INT32_MAX, 1);
            assert_int_equal(scores[i], expected);
        }
    }
}

/* Every shift, sums and multipliers at their ends and around halves. */
static void test_rounding(void **state)
{
    (void)state;
    static const int32_t ends[] = {
        0, 1, -1, 2, -2, 3, -3, INT32_MAX, INT32_MIN, INT32_MAX - 1, INT32_MIN + 1, 1 << 30
    };
    enum { ENDS = sizeof ends / sizeof ends[0], COLUMNS = 16 * 64 };
    static const int32_t zero[1];
    const struct ink__int8_kernels *k;
    int32_t bias[COLUMNS], multiplier[COLUMNS], scores[COLUMNS], expected[COLUMNS];
    uint8_t bytes[COLUMNS], clamped_ones[COLUMNS];
    for (int shift = 1; shift <= 31; shift++) {
        for (size_t j = 0; j < COLUMNS; j++) {
            bias[j] = j % 3 == 0 ? ends[below(ENDS)] : (int32_t)next() >> below(32);
            const int32_t m = j % 5 == 0 ? ends[below(ENDS)] : (int32_t)(next() >> (1 + below(8)));
            multiplier[j] = m < 0 ? 0 : m;
            if (j % 7 == 0) { /* a sum at a half, and its neighbours */
                multiplier[j] = 1 << 30;
                bias[j] = (int32_t)(((int64_t)(2 * (j % 32) + 1) << (shift + 1)) + (int64_t)(j % 3) - 1);
            }
            expected[j] = scaled(bias[j], multiplier[j], shift);
            clamped_ones[j] = clamped(expected[j]);
            assert_int_equal(infer_scale(&(struct infer_sums){ bias, multiplier, shift }, (int)j, bias[j]),
                             expected[j]);
        }
        FOR_EACH_SET(k)
        {
            struct ink__int8_gemm g = { .m = 1,
                                        .n = COLUMNS,
                                        .a = bytes,
                                        .a_row = zero,
                                        .ld = COLUMNS,
                                        .bias = bias,
                                        .multiplier = multiplier,
                                        .shift = shift,
                                        .scores = scores,
                                        .c_row = zero };
            k->gemm(&g);
            assert_scores("rounding", k->name, scores, expected, COLUMNS);
            g.bytes = bytes;
            k->gemm(&g);
            assert_bytes("rounding", k->name, bytes, clamped_ones, COLUMNS);
        }
    }
}

/* ---- The other kernels ------------------------------------------------------------------------------------------- */

static struct ink__pooling make_pool(void)
{
    struct ink__pooling pool = { .height = 1 + below(12), .width = 1 + below(12), .channels = 1 + below(40) };
    pool.kernel_height = 1 + below(pool.height < 4 ? pool.height : 4);
    pool.kernel_width = 1 + below(pool.width < 4 ? pool.width : 4);
    pool.stride = 1 + below(3);
    pool.out_height = (pool.height - pool.kernel_height) / pool.stride + 1;
    pool.out_width = (pool.width - pool.kernel_width) / pool.stride + 1;
    return pool;
}

static void test_pools(void **state)
{
    (void)state;
    const struct ink__int8_kernels *k;
    for (size_t round = 0; round < 400; round++) {
        const struct ink__pooling p = make_pool();
        const struct infer_window w = { (int)p.height,       (int)p.width,     (int)p.channels,
                                        (int)p.out_height,   (int)p.out_width, (int)p.kernel_height,
                                        (int)p.kernel_width, (int)p.stride,    0 };
        const size_t in = p.height * p.width * p.channels, out = p.out_height * p.out_width * p.channels;
        const int32_t multiplier = (int32_t)below(5000), bias = (int32_t)below(100000) - 50000;
        const int shift = (int)below(16);
        const struct ink__int8_line line = { &multiplier, &bias, shift };
        const struct infer_line other = { &bias, &multiplier, shift };
        const uint8_t *x = random_bytes(in);
        uint8_t *largest = guard_array(out, 1), *mean = guard_array(out, 1), *found = guard_array(out, 1);
        int32_t *sums = guard_array(out, sizeof *sums), *scores = guard_array(out, sizeof *scores);
        for (size_t o = 0; o < out; o++) {
            const size_t c = o % p.channels, ow = o / p.channels % p.out_width, oh = o / p.channels / p.out_width;
            int64_t sum = 0;
            for (size_t h = 0; h < p.kernel_height; h++)
                for (size_t v = 0; v < p.kernel_width; v++) {
                    const uint8_t value = x[((oh * p.stride + h) * p.width + ow * p.stride + v) * p.channels + c];
                    sum += value;
                    largest[o] = value > largest[o] ? value : largest[o];
                }
            sums[o] = (int32_t)((sum * multiplier + bias) >> shift);
            mean[o] = clamped(sums[o]);
        }
        FOR_EACH_SET(k)
        {
            k->max_pool(&p, x, found);
            assert_bytes("max pool", k->name, found, largest, out);
            k->mean_pool(&p, &line, x, found, NULL);
            assert_bytes("mean pool", k->name, found, mean, out);
            k->mean_pool(&p, &line, x, NULL, scores);
            assert_scores("mean pool", k->name, scores, sums, out);
        }
        infer_max_pool(&w, x, found);
        assert_bytes("max pool", "infer", found, largest, out);
        infer_mean_pool(&w, &other, x, found);
        assert_bytes("mean pool", "infer", found, mean, out);
        infer_mean_pool_scores(&w, &other, x, scores);
        assert_scores("mean pool", "infer", scores, sums, out);
        release("pools");
    }
}

static void test_elements(void **state)
{
    (void)state;
    const struct ink__int8_kernels *k;
    for (size_t s = 0; s < SIZES; s++) {
        const size_t rows = sizes[s], channels = 1 + below(20), count = rows * channels;
        const int shift = (int)below(20);
        int32_t *multiplier = guard_array(channels + 1, sizeof *multiplier),
                *bias = guard_array(channels, sizeof *bias);
        for (size_t c = 0; c <= channels; c++)
            multiplier[c] = (int32_t)below(1 << 21) - (c > 1 ? 1 << 20 : 0);
        for (size_t c = 0; c < channels; c++)
            bias[c] = (int32_t)below(1 << 28) - (1 << 27);
        const struct ink__int8_line line = { multiplier, bias, shift };
        const struct infer_line other = { bias, multiplier, shift };
        const uint8_t *x = random_bytes(count), *y = random_bytes(count), *table = random_bytes(256);
        uint8_t *scaled_ones = guard_array(count, 1), *sum = guard_array(count, 1), *mapped = guard_array(count, 1);
        uint8_t *found = guard_array(count, 1);
        for (size_t i = 0; i < count; i++) {
            const int64_t one = (int64_t)x[i] * multiplier[i % channels] + bias[i % channels];
            const int64_t two = (int64_t)x[i] * multiplier[0] + (int64_t)y[i] * multiplier[1] + bias[0];
            scaled_ones[i] = clamped(one >> shift);
            sum[i] = clamped(two >> shift);
            mapped[i] = table[x[i]];
        }
        FOR_EACH_SET(k)
        {
            k->affine(&line, x, found, rows, channels);
            assert_bytes("affine", k->name, found, scaled_ones, count);
            k->add(&line, x, y, found, count);
            assert_bytes("add", k->name, found, sum, count);
            k->map(table, x, found, count);
            assert_bytes("map", k->name, found, mapped, count);
            memcpy(found, x, count);
            k->map(table, found, found, count);
            assert_bytes("map in place", k->name, found, mapped, count);
        }
        infer_affine(&other, x, found, (int)rows, (int)channels);
        assert_bytes("affine", "infer", found, scaled_ones, count);
        infer_add(&other, x, y, found, (int)count);
        assert_bytes("add", "infer", found, sum, count);
        infer_map(table, x, found, (int)count);
        assert_bytes("map", "infer", found, mapped, count);
        release("elements");
    }
}
int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product), cmocka_unit_test(test_extremes), cmocka_unit_test(test_rounding),
        cmocka_unit_test(test_pools),   cmocka_unit_test(test_elements),
    };
    return cmocka_run_group_tests_name("int8", tests, NULL, NULL);
}
