/* The runtime of exported C files: the bits of the kernels, at awkward sizes; and how an export is laid out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "format/csource.h"
#include "infer/infer.c"
#include "kernels.h"
#include "scratch.h"

static const struct ink__kernels *reference(void)
{
    return ink__kernels_find("portable");
}

/* ---- Functions of one number ------------------------------------------------------------------------------------- */

/* y = f(x) by the runtime. */
static void run_map(enum ink__activation f, float slope, const float *x, float *y, int count)
{
    switch (f) {
    case INK__IDENTITY:
        break;
    case INK__RELU:
        infer_relu(x, y, count);
        break;
    case INK__LEAKY:
        infer_leaky(x, slope, y, count);
        break;
    case INK__SIGMOID:
        infer_sigmoid(x, y, count);
        break;
    case INK__TANH:
        infer_tanh(x, y, count);
        break;
    case INK__GELU:
        infer_gelu(x, y, count);
        break;
    }
}

/* Floats of every size: their bits in steps that have no factor in common with 2^32. */
static void test_activations(void **state)
{
    (void)state;
    enum { BLOCK = 4096, BLOCKS = 500 };
    static float x[BLOCK], expected[BLOCK], found[BLOCK];
    uint32_t bits = 0;
    for (size_t b = 0; b < BLOCKS; b++) {
        for (size_t i = 0; i < BLOCK; i++, bits += 2097143u)
            memcpy(&x[i], &bits, sizeof bits);
        if (b == 0)
            add_edges(x, BLOCK);
        if (b % 2 == 1) /* where the functions are not flat */
            for (size_t i = 0; i < BLOCK; i++)
                x[i] = uniform(-12.0f, 12.0f);
        for (enum ink__activation f = INK__RELU; f <= INK__GELU; f++) {
            char what[32];
            snprintf(what, sizeof what, "activation %d", (int)f);
            reference()->activate(f, 0.3f, x, expected, BLOCK);
            run_map(f, 0.3f, x, found, BLOCK);
            assert_same(what, reference(), found, expected, BLOCK);
            memcpy(found, x, sizeof x);
            run_map(f, 0.3f, found, found, BLOCK);
            assert_same(what, reference(), found, expected, BLOCK);
        }
        reference()->exp(x, expected, BLOCK);
        for (size_t i = 0; i < BLOCK; i++)
            found[i] = infer_exp(x[i]);
        assert_same("exp", reference(), found, expected, BLOCK);
    }
}

static void test_softmax(void **state)
{
    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        const size_t n = sizes[s];
        if (n == 0)
            continue;
        float *z = floats(n), *expected = floats(n), *found = floats(n);
        for (size_t i = 0; i < n; i++)
            z[i] *= 30.0f;
        reference()->softmax(z, 1, n, expected, NULL);
        infer_softmax(z, found, (int)n);
        assert_same("softmax", reference(), found, expected, n);
        infer_softmax(z, z, (int)n);
        assert_same("softmax in place", reference(), z, expected, n);
        release("softmax");
    }
}

/* ---- Layers ------------------------------------------------------------------------------------------------------ */

static void test_dense(void **state)
{
    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        const size_t outputs = sizes[s], inputs = 1 + below(70);
        float *x = floats(inputs), *w = floats(inputs * outputs), *bias = floats(outputs);
        float *expected = floats(outputs), *found = floats(outputs);
        for (size_t o = 0; o < outputs; o++) {
            expected[o] = bias[o];
            for (size_t i = 0; i < inputs; i++)
                expected[o] = fmaf(x[i], w[i * outputs + o], expected[o]);
        }
        infer_dense(x, (int)inputs, w, bias, found, (int)outputs);
        assert_same("dense", reference(), found, expected, outputs);
        release("dense");
    }
}

/* A window of random shape that fits its image. */
static struct infer_window make_window(bool padded)
{
    struct infer_window s = { .height = 1 + (int)below(12),
                              .width = 1 + (int)below(19),
                              .channels = 1 + (int)below(20) };
    s.kernel_height = 1 + (int)below((size_t)s.height < 5 ? (size_t)s.height : 5);
    s.kernel_width = 1 + (int)below((size_t)s.width < 5 ? (size_t)s.width : 5);
    s.stride = 1 + (int)below(3);
    const int least = s.kernel_height < s.kernel_width ? s.kernel_height : s.kernel_width;
    s.pad = padded ? (int)below((size_t)least) : 0;
    s.out_height = (s.height + 2 * s.pad - s.kernel_height) / s.stride + 1;
    s.out_width = (s.width + 2 * s.pad - s.kernel_width) / s.stride + 1;
    return s;
}

static size_t image_size(const struct infer_window *s)
{
    return (size_t)(s->height * s->width * s->channels);
}

/* Output (oh, ow, f) of a convolution, tap by tap. */
static float conv_at(const struct infer_window *s, const float *x, const float *w, float sum, int oh, int ow, int f,
                     int filters)
{
    for (int kh = 0; kh < s->kernel_height; kh++)
        for (int kw = 0; kw < s->kernel_width; kw++)
            for (int c = 0; c < s->channels; c++) {
                const int h = oh * s->stride + kh - s->pad, v = ow * s->stride + kw - s->pad;
                if (h >= 0 && h < s->height && v >= 0 && v < s->width)
                    sum = fmaf(x[(h * s->width + v) * s->channels + c],
                               w[((kh * s->kernel_width + kw) * s->channels + c) * filters + f], sum);
            }
    return sum;
}

static void test_conv(void **state)
{
    (void)state;
    for (size_t round = 0; round < 1500; round++) {
        const struct infer_window s = make_window(true);
        const int filters = 1 + (int)below(20);
        const size_t count = (size_t)(s.out_height * s.out_width * filters);
        float *x = floats(image_size(&s)), *bias = floats((size_t)filters);
        float *w = floats((size_t)(s.kernel_height * s.kernel_width * s.channels * filters));
        float *expected = floats(count), *found = floats(count);
        for (int oh = 0; oh < s.out_height; oh++)
            for (int ow = 0; ow < s.out_width; ow++)
                for (int f = 0; f < filters; f++)
                    expected[(oh * s.out_width + ow) * filters + f] = conv_at(&s, x, w, bias[f], oh, ow, f, filters);
        infer_conv(&s, x, w, bias, found, filters);
        assert_same("conv", reference(), found, expected, count);
        release("conv");
    }
}

static void test_pools(void **state)
{
    (void)state;
    for (size_t round = 0; round < 500; round++) {
        const struct infer_window s = make_window(false);
        const struct ink__pooling pool = { .height = (size_t)s.height,
                                           .width = (size_t)s.width,
                                           .channels = (size_t)s.channels,
                                           .out_height = (size_t)s.out_height,
                                           .out_width = (size_t)s.out_width,
                                           .kernel_height = (size_t)s.kernel_height,
                                           .kernel_width = (size_t)s.kernel_width,
                                           .stride = (size_t)s.stride };
        const size_t count = pool.out_height * pool.out_width * pool.channels;
        float *x = floats(image_size(&s)), *expected = floats(count), *found = floats(count);
        reference()->mean_pool(&pool, x, expected);
        infer_mean_pool(&s, x, found);
        assert_same("mean pool", reference(), found, expected, count);
        x[below(image_size(&s))] = round % 2 == 0 ? NAN : 0.0f;
        reference()->max_pool(&pool, x, expected);
        infer_max_pool(&s, x, found);
        assert_same("max pool", reference(), found, expected, count);
        release("pools");
    }
}

static void test_elements(void **state)
{
    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        const size_t pixels = sizes[s], channels = 1 + below(9), count = pixels * channels;
        float *x = floats(count), *other = floats(count), *scale = floats(channels), *shift = floats(channels);
        float *expected = floats(count), *found = floats(count);
        reference()->channel_affine(x, scale, shift, false, pixels, channels, expected);
        infer_affine(x, scale, shift, found, (int)pixels, (int)channels);
        assert_same("affine", reference(), found, expected, count);
        reference()->add(x, other, expected, count);
        infer_add(x, other, found, (int)count);
        assert_same("add", reference(), found, expected, count);
        for (size_t i = 0; i < count; i++)
            expected[i] = (x[i] - shift[i % channels]) * scale[i % channels];
        infer_input(x, shift, scale, found, (int)pixels, (int)channels);
        assert_same("input", reference(), found, expected, count);
        release("elements");
    }
}

/* ---- The memory of an export ------------------------------------------------------------------------------------- */

static struct ink_net *make_net(const char *spec)
{
    struct ink_error err = { 0 };
    struct ink_net *net = NULL;
    if (ink_net_new(&net, (struct ink_shape){ 12, 12, 2 }, spec, "he", 1, &err) != INK_OK)
        fail_msg("%s", err.message);
    return net;
}

static bool overlap(const struct ink__plan *plan, const struct ink__place *places, size_t v, size_t w)
{
    const struct ink__place a = places[v], b = places[w];
    return a.room == b.room && (a.room != INK__SCRATCH || (a.offset < b.offset + plan->value[w].size &&
                                                           b.offset < a.offset + plan->value[v].size));
}

/* No layer overwrites what it reads, unless element by element, nor what a residual group still waits for. */
static void check_places(const struct ink__plan *plan, const struct ink__place *places, size_t scratch)
{
    for (size_t v = 0; v <= plan->layer_count; v++)
        assert_true(places[v].room != INK__SCRATCH || places[v].offset + plan->value[v].size <= scratch);
    for (size_t i = 0; i < plan->layer_count; i++) {
        const struct ink__layer *l = &plan->layers[i];
        const bool by_element = l->kind == INK__MAP || l->kind == INK__NORM || l->kind == INK__CLOSE;
        if (plan->work[i].skip) {
            assert_true(places[i].room == places[i + 1].room && places[i].offset == places[i + 1].offset);
            continue;
        }
        assert_int_not_equal(places[i + 1].room, INK__IMAGE);
        if (overlap(plan, places, i, i + 1))
            assert_true(by_element && places[i].offset == places[i + 1].offset);
        for (size_t j = i; j < plan->layer_count; j++) {
            const size_t awaited = plan->layers[j].partner;
            if (plan->layers[j].kind == INK__CLOSE && awaited <= i && overlap(plan, places, awaited, i + 1))
                assert_true(j == i && places[awaited].offset == places[i + 1].offset);
        }
    }
}

static void test_memory(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        size_t least; /* what no layout can undercut */
    } nets[] = {
        { "dense 10", 0 },
        { "dense 50 sigmoid, dense 100 sigmoid, dense 10", 150 },
        { "dense 5, dense 10, dense 20, dense 40, dense 3", 60 },
        { "gelu, dense 7 gelu, norm, dense 3 relu", 295 },
        { "conv 4 3x3 pad 1, norm relu, pool 2, conv 8 3x3, norm relu, globalavg, dense 10", 720 },
        { "conv 4 3x3 pad 1, res [ conv 4 3x3 pad 1, norm relu, conv 4 3x3 pad 1 ], relu, globalpool, dense 5", 1728 },
        { "res [ dropout 0.5 ], res [ gelu, res [ tanh ], norm ], avgpool 2, dense 4", 864 },
        { "dense 6, res [ dense 6 tanh, res [ dense 6, dense 6 ], res [ sigmoid ] ], dense 6 relu, dropout 0.5", 24 },
    };
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++)
        for (int normalises = 0; normalises < 2; normalises++) {
            struct ink_net *net = make_net(nets[i].spec);
            struct ink__plan *plan = NULL;
            struct ink__step steps[64];
            struct ink__place places[64];
            size_t scratch = 0;
            assert_int_equal(ink__plan_new(&plan, net, 1, false, 1.0, NULL, NULL), INK_OK);
            assert_true(plan->layer_count < 64);
            for (size_t s = 0; s < plan->layer_count; s++)
                steps[s] = (struct ink__step){ &plan->layers[s], plan->value[s + 1].size, plan->work[s].skip };
            assert_int_equal(ink__place_values(steps, plan->layer_count, plan->value[0].size, normalises != 0, places,
                                               &scratch, NULL),
                             INK_OK);
            check_places(plan, places, scratch);
            if (!normalises && scratch != nets[i].least)
                fail_msg("%s: %zu floats, expected %zu", nets[i].spec, scratch, nets[i].least);
            ink__plan_free(plan);
            ink_net_free(net);
        }
}

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

static void assert_refused(const struct ink_net *net, const char *name, const char *path, enum ink_status expected,
                           const char *word)
{
    struct ink_error err = { 0 };
    const char *header = scratch_path("net.h");
    const enum ink_status status = ink_export_c(net, name, path, header, &err);
    if (status != expected || strstr(err.message, word) == NULL)
        fail_msg("status %d (expected %d), message \"%s\", expected \"%s\"", status, expected, err.message, word);
    assert_int_equal(access(scratch_path("net.c"), F_OK), -1);
    assert_int_equal(access(header, F_OK), -1);
}

static void test_refusals(void **state)
{
    (void)state;
    static const char *const names[] = { "", "1a", "a-b", "a b", "\xc3\xa4" };
    struct ink_net *net = make_net("conv 4 3x3, norm, norm, dense 3");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_refused(net, names[i], scratch_path("net.c"), INK_BAD_ARGUMENT, "letters, digits");
    char long_name[66];
    memset(long_name, 'a', 65);
    long_name[65] = 0;
    assert_refused(net, long_name, scratch_path("net.c"), INK_BAD_ARGUMENT, "letters, digits");
    assert_refused(net, "net", scratch_path("none/net.c"), INK_FAILED, "none/net.c");
    for (size_t i = 0; i < net->parameter_count; i++) {
        char layer[16];
        const size_t owner = net->parameters[i].layer;
        float *weight = net->weights + net->parameters[i].offset, before = *weight;
        snprintf(layer, sizeof layer, "layer %zu", owner == 1 ? 0 : owner); /* the norm at 1 is folded */
        *weight = NAN;
        assert_refused(net, "net", scratch_path("net.c"), INK_BAD_INPUT, layer);
        *weight = before;
    }
    assert_int_equal(ink_export_c(net, "net", scratch_path("net.c"), scratch_path("net.h"), NULL), INK_OK);
    ink_net_free(net);
    scratch_clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations), cmocka_unit_test(test_softmax),  cmocka_unit_test(test_dense),
        cmocka_unit_test(test_conv),        cmocka_unit_test(test_pools),    cmocka_unit_test(test_elements),
        cmocka_unit_test(test_memory),      cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
