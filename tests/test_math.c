/*
 * exp, log, sigmoid, tanh and gelu against the C library in double precision, over every float where they are not
 * constant, and the sets of kernels against each other.
 *
 * The bounds asserted here are the largest errors there are, rounded up in the second decimal; lib/kernel/math.h states
 * them. Builds that are slow, and emulators (test_math N), take each N-th float only.
 */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inkling.h"
#include "kernel/kernel.h"

enum { BLOCK = 4096 };

#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__)
static uint32_t stride = 1;
#else
static uint32_t stride = 101;
#endif
static const struct ink__kernels *kernels; /* the fastest set */

static uint32_t bits_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* ---- Errors ------------------------------------------------------------------------------------------------------ */

/* The largest error seen, in units of the last place of the true result: where that is a normal float, and below. */
struct worst {
    double normal, tiny;
};

static void measure(struct worst *worst, const float *found, const double *truth, size_t count)
{
    double normal = worst->normal, tiny = worst->tiny;
    for (size_t i = 0; i < count; i++) {
        const double size = fabs(truth[i]), place = size < (double)FLT_MIN ? (double)FLT_MIN : size;
        uint64_t exponent;
        double inverse; /* of 2^floor(log2 place) */
        memcpy(&exponent, &place, sizeof exponent);
        exponent = (UINT64_C(2046) << 52) - (exponent & UINT64_C(2047) << 52);
        memcpy(&inverse, &exponent, sizeof inverse);
        double error = fabs((double)found[i] - truth[i]) * inverse * 0x1p23;
        error = found[i] == found[i] ? error : (double)INFINITY;
        const double if_normal = size < (double)FLT_MIN ? 0.0 : error, if_tiny = error - if_normal;
        normal = if_normal > normal ? if_normal : normal;
        tiny = if_tiny > tiny ? if_tiny : tiny;
    }
    *worst = (struct worst){ normal, tiny };
}

static void assert_worst(const char *name, const struct worst *found, double normal, double tiny)
{
    print_message("%-24s %.4f ulp, %.4f below the normal range\n", name, found->normal, found->tiny);
    if (!(found->normal <= normal && found->tiny <= tiny))
        fail_msg("%s: bounds are %g and %g ulp", name, normal, tiny);
    if (stride == 1 && (found->normal < normal - 0.01 || found->tiny < tiny - 0.01))
        fail_msg("%s: bounds of %g and %g ulp are not tight", name, normal, tiny);
}

/* ---- Functions --------------------------------------------------------------------------------------------------- */

typedef void function(const struct ink__kernels *k, const float *x, float *y, size_t count);

static void exp_of(const struct ink__kernels *k, const float *x, float *y, size_t count)
{
    k->exp(x, y, count);
}

static void log_of(const struct ink__kernels *k, const float *x, float *y, size_t count)
{
    k->log(x, y, count);
}

static void sigmoid_of(const struct ink__kernels *k, const float *x, float *y, size_t count)
{
    k->activate(INK__SIGMOID, 0.0f, x, y, count);
}

static void tanh_of(const struct ink__kernels *k, const float *x, float *y, size_t count)
{
    k->activate(INK__TANH, 0.0f, x, y, count);
}

static void gelu_of(const struct ink__kernels *k, const float *x, float *y, size_t count)
{
    k->activate(INK__GELU, 0.0f, x, y, count);
}

static function *const functions[] = { exp_of, log_of, sigmoid_of, tanh_of, gelu_of };
#define FUNCTIONS (sizeof functions / sizeof functions[0])

/* Every float from `from` (positive) to below `to`, a block at a time: fills x and says how many; 0 at the end. */
static size_t next_block(uint32_t *bits, float to, float *x)
{
    const uint32_t end = bits_of(to);
    size_t count = 0;
    for (; count < BLOCK && *bits < end; count++, *bits += stride)
        x[count] = float_of(*bits);
    return count;
}

static void scale(const float *x, float by, float *y, size_t count)
{
    for (size_t i = 0; i < count; i++)
        y[i] = by * x[i];
}

/* exp and sigmoid of x and -x, and tanh of x / 2, all from one exp in double. Below 2^-26, and beyond 104, they are
 * constant. */
static void exp_sigmoid_tanh(void **state)
{
    (void)state;
    static float x[BLOCK], minus[BLOCK], half[BLOCK], y[BLOCK], z[BLOCK];
    static double e[BLOCK], truth[BLOCK];
    const float most = 0x1.62e42ep+6f; /* the largest x of which exp is finite */
    struct worst exp_worst = { 0 }, sigmoid_worst = { 0 }, tanh_worst = { 0 };
    uint32_t bits = bits_of(0x1p-26f);
    for (size_t n; (n = next_block(&bits, 104.0f, x)) > 0;) {
        scale(x, -1.0f, minus, n);
        scale(x, 0.5f, half, n);
        for (size_t i = 0; i < n; i++)
            e[i] = exp((double)x[i]);

        size_t finite = n;
        while (finite > 0 && x[finite - 1] > most)
            finite--;
        kernels->exp(x, y, n);
        measure(&exp_worst, y, e, finite);
        for (size_t i = finite; i < n; i++)
            assert_true(isinf(y[i]));
        for (size_t i = 0; i < n; i++)
            truth[i] = 1.0 / e[i];
        kernels->exp(minus, y, n);
        measure(&exp_worst, y, truth, n);

        for (size_t i = 0; i < n; i++)
            truth[i] = e[i] / (1.0 + e[i]);
        sigmoid_of(kernels, x, y, n);
        measure(&sigmoid_worst, y, truth, n);
        for (size_t i = 0; i < n; i++)
            truth[i] = 1.0 / (1.0 + e[i]);
        sigmoid_of(kernels, minus, y, n);
        measure(&sigmoid_worst, y, truth, n);

        if (half[n - 1] < 0x1p-14f) /* tanh x = x there, to a hundredth of an ulp; and the formula loses digits */
            continue;
        for (size_t i = 0; i < n; i++)
            truth[i] = (e[i] - 1.0) / (e[i] + 1.0);
        tanh_of(kernels, half, y, n);
        measure(&tanh_worst, y, truth, n);
        scale(half, -1.0f, half, n);
        tanh_of(kernels, half, z, n);
        for (size_t i = 0; i < n; i++)
            if (z[i] != -y[i])
                fail_msg("tanh(%a) is %a, but %a on the other side", (double)half[i], (double)z[i], (double)y[i]);
    }
    assert_worst("exp", &exp_worst, 1.01, 0.75);
    assert_worst("sigmoid", &sigmoid_worst, 1.66, 0.75);
    assert_worst("tanh", &tanh_worst, 1.34, 0.0);
}

/* x E / (1 + E) and -x / (1 + E), E = exp(u(x)). Below 2^-26 gelu is x / 2, beyond 16 it is x or 0. */
static void gelu(void **state)
{
    (void)state;
    static float x[BLOCK], minus[BLOCK], y[BLOCK];
    static double e[BLOCK], truth[BLOCK];
    struct worst right = { 0 }, left = { 0 };
    double absolute = 0.0;
    uint32_t bits = bits_of(0x1p-26f);
    for (size_t n; (n = next_block(&bits, 16.0f, x)) > 0;) {
        for (size_t i = 0; i < n; i++) {
            const double v = (double)x[i];
            e[i] = exp(2.0 * sqrt(2.0 / 3.14159265358979323846) * (v + 0.044715 * v * v * v));
        }
        for (size_t i = 0; i < n; i++)
            truth[i] = (double)x[i] * e[i] / (1.0 + e[i]);
        gelu_of(kernels, x, y, n);
        measure(&right, y, truth, n);
        scale(x, -1.0f, minus, n);
        for (size_t i = 0; i < n; i++)
            truth[i] = (double)minus[i] / (1.0 + e[i]);
        gelu_of(kernels, minus, y, n);
        for (size_t i = 0; i < n; i++) {
            const double error = fabs((double)y[i] - truth[i]);
            absolute = error <= absolute ? absolute : error;
        }
        if (x[0] < 1.0f)
            measure(&left, y, truth, n);
    }
    assert_worst("gelu, x > 0", &right, 2.70, 0.0);
    assert_worst("gelu, x > -1", &left, 2.87, 0.0);
    print_message("%-24s %.3g\n", "gelu, x < 0, absolute", absolute);
    assert_true(absolute <= 4.5e-8);
}

/* Every mantissa with every exponent; log x = e ln 2 + log m. */
static void log_everywhere(void **state)
{
    (void)state;
    static float m[BLOCK], x[BLOCK], y[BLOCK];
    static double log_m[BLOCK], truth[BLOCK];
    struct worst worst = { 0 };
    uint32_t bits = bits_of(1.0f);
    for (size_t n; (n = next_block(&bits, 2.0f, m)) > 0;) {
        for (size_t i = 0; i < n; i++)
            log_m[i] = log((double)m[i]);
        for (int exponent = -126; exponent <= 127; exponent++) {
            const float power = ldexpf(1.0f, exponent);
            for (size_t i = 0; i < n; i++)
                truth[i] = exponent == -1 ? log((double)m[i] / 2.0) : exponent * 0.69314718055994530942 + log_m[i];
            scale(m, power, x, n);
            kernels->log(x, y, n);
            measure(&worst, y, truth, n);
        }
    }
    assert_worst("log", &worst, 0.90, 0.0);
}

/* ---- Elsewhere --------------------------------------------------------------------------------------------------- */

static float value_of(function *f, float x)
{
    float y;
    f(kernels, &x, &y, 1);
    return y;
}

static void assert_value(const char *name, function *f, float x, float expected)
{
    const float y = value_of(f, x);
    if (isnan(expected) ? !isnan(y) : bits_of(y) != bits_of(expected))
        fail_msg("%s(%a) is %a, expected %a", name, (double)x, (double)y, (double)expected);
}

/* Where the functions are constant, or as good as linear. */
static void near_zero_and_far_away(void **state)
{
    (void)state;
    struct worst tanh_worst = { 0 }, gelu_worst = { 0 };
    for (uint32_t bits = 0; bits < bits_of(0x1p-26f); bits += 4099) {
        const float x = float_of(bits), tanh_x = value_of(tanh_of, x), gelu_x = value_of(gelu_of, -x);
        assert_value("exp", exp_of, x, 1.0f);
        assert_value("exp", exp_of, -x, 1.0f);
        assert_value("sigmoid", sigmoid_of, x, 0.5f);
        assert_value("sigmoid", sigmoid_of, -x, 0.5f);
        measure(&tanh_worst, &tanh_x, &(double){ (double)x }, 1);
        measure(&gelu_worst, &gelu_x, &(double){ -0.5 * (double)x }, 1);
    }
    for (uint32_t bits = bits_of(0x1p-26f); bits < bits_of(0x1p-14f); bits += 4099) {
        const float x = float_of(bits), y = value_of(tanh_of, x);
        measure(&tanh_worst, &y, &(double){ (double)x - (double)x * (double)x * (double)x / 3.0 }, 1);
    }
    assert_true(tanh_worst.normal <= 1.0 && tanh_worst.tiny == 0.0);
    assert_true(gelu_worst.normal <= 1.0 && gelu_worst.tiny <= 0.5);
    for (uint32_t bits = bits_of(104.0f); bits < bits_of(INFINITY); bits += 4099) {
        const float x = float_of(bits);
        assert_value("exp", exp_of, x, INFINITY);
        assert_value("exp", exp_of, -x, 0.0f);
        assert_value("sigmoid", sigmoid_of, x, 1.0f);
        assert_value("sigmoid", sigmoid_of, -x, 0.0f);
        assert_value("tanh", tanh_of, x, 1.0f);
        assert_value("tanh", tanh_of, -x, -1.0f);
        assert_value("gelu", gelu_of, x, x);
        assert_value("gelu", gelu_of, -x, -0.0f);
    }
    for (uint32_t bits = bits_of(10.0f); bits < bits_of(104.0f); bits += 4099)
        assert_value("tanh", tanh_of, float_of(bits), 1.0f);
}

static void special_values(void **state)
{
    (void)state;
    const struct {
        const char *name;
        function *f;
        float x, y;
    } rows[] = {
        { "exp", exp_of, NAN, NAN },
        { "exp", exp_of, -NAN, NAN },
        { "exp", exp_of, INFINITY, INFINITY },
        { "exp", exp_of, -INFINITY, 0.0f },
        { "exp", exp_of, 0.0f, 1.0f },
        { "exp", exp_of, -0.0f, 1.0f },
        { "exp", exp_of, 0x1.62e42ep+6f, 0x1.ffff08p+127f },
        { "exp", exp_of, 0x1.62e43p+6f, INFINITY },
        { "exp", exp_of, -0x1.9fe368p+6f, 0x1p-149f },
        { "exp", exp_of, -0x1.9fe36ap+6f, 0.0f },
        { "log", log_of, NAN, NAN },
        { "log", log_of, -NAN, NAN },
        { "log", log_of, INFINITY, INFINITY },
        { "log", log_of, -INFINITY, -INFINITY },
        { "log", log_of, -1.0f, -INFINITY },
        { "log", log_of, 0.0f, -INFINITY },
        { "log", log_of, -0.0f, -INFINITY },
        { "log", log_of, FLT_TRUE_MIN, -INFINITY },
        { "log", log_of, 1.0f, 0.0f },
        { "sigmoid", sigmoid_of, NAN, NAN },
        { "sigmoid", sigmoid_of, INFINITY, 1.0f },
        { "sigmoid", sigmoid_of, -INFINITY, 0.0f },
        { "sigmoid", sigmoid_of, -0.0f, 0.5f },
        { "tanh", tanh_of, NAN, NAN },
        { "tanh", tanh_of, INFINITY, 1.0f },
        { "tanh", tanh_of, -INFINITY, -1.0f },
        { "tanh", tanh_of, 0.0f, 0.0f },
        { "tanh", tanh_of, -0.0f, -0.0f },
        { "gelu", gelu_of, NAN, NAN },
        { "gelu", gelu_of, INFINITY, INFINITY },
        { "gelu", gelu_of, -INFINITY, NAN }, /* -inf times 0 */
        { "gelu", gelu_of, -FLT_MAX, -0.0f },
        { "gelu", gelu_of, -0.0f, -0.0f },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_value(rows[i].name, rows[i].f, rows[i].x, rows[i].y);
}

/* Every 997th pattern of bits there is, through every set: the same bits, or NaN in both. */
static void sets_agree(void **state)
{
    (void)state;
    static float x[BLOCK], expected[BLOCK], y[BLOCK];
    uint64_t bits = 0;
    while (bits <= UINT32_MAX) {
        size_t n = 0;
        for (; n < BLOCK && bits <= UINT32_MAX; n++, bits += 997 * (uint64_t)stride)
            x[n] = float_of((uint32_t)bits);
        for (size_t f = 0; f < FUNCTIONS; f++) {
            functions[f](&ink__kernels_portable, x, expected, n);
            for (size_t set = 1; ink_kernels_name(set) != NULL; set++) {
                functions[f](ink__kernels_find(ink_kernels_name(set)), x, y, n);
                for (size_t i = 0; i < n; i++)
                    if (bits_of(y[i]) != bits_of(expected[i]) && !(isnan(y[i]) && isnan(expected[i])))
                        fail_msg("%s, function %zu of %a: %a, but portable gives %a", ink_kernels_name(set), f,
                                 (double)x[i], (double)y[i], (double)expected[i]);
            }
        }
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_sigmoid_tanh),       cmocka_unit_test(gelu),           cmocka_unit_test(log_everywhere),
        cmocka_unit_test(near_zero_and_far_away), cmocka_unit_test(special_values), cmocka_unit_test(sets_agree),
    };
    if (argc > 1)
        stride = (uint32_t)strtoul(argv[1], NULL, 10);
    kernels = ink__kernels_find(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
