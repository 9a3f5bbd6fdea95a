/* Networks of integers: the library and the runtime of exports give the same integers; what is made of floats is near
 * them; and files believe nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "infer/quantised.c"
#include "kernel/int8.h"
#include "kernels.h"
#include "nn/plan.h"
#include "scratch.h"
#include "train/calibrate.h"

/* ---- Networks ---------------------------------------------------------------------------------------------------- */

static const struct ink_shape shape = { 12, 10, 2 };

/* Between them every kind of layer, as the last one too, joined and alone, with values on both sides of zero. */
static const char *const specs[] = {
    "dense 10",
    "dense 50 sigmoid, dense 33 tanh, dense 10",
    "dense 17 gelu, norm, dense 20 leaky 0.3, dropout 0.5, dense 3 relu",
    "conv 8 5x5 pad 2 relu, pool 2, conv 16 3x3 relu, pool 2, dense 20 relu, dense 10",
    "conv 3 3x2 stride 2 pad 1 tanh, conv 5 3x3 stride 2 pad 2, norm gelu, conv 17 2x2 leaky 0.1, globalpool, dense 4",
    ("avgpool 2, conv 9 3x3 pad 1, norm, norm sigmoid, res [ conv 9 3x3 pad 1, norm relu, res [ gelu ] ], relu, "
     "res [ dropout 0.5 ], globalavg, dense 7"),
    "relu, pool 2, norm, gelu, conv 4 1x1, globalavg",
    "conv 6 3x3, pool 2, relu, conv 5 3x3, dropout 0.1, globalavg, sigmoid",
    "res [ tanh ], pool 3, res [ norm ], conv 4 3x3 pad 1, globalpool",
    "dense 6, res [ dense 6 tanh, res [ dense 6, dense 6 ], res [ sigmoid ] ], norm",
    "conv 5 12x10, dropout 0.5",
};
#define SPECS (sizeof specs / sizeof specs[0])

static struct ink_dataset *make_data(size_t count)
{
    static uint8_t pixels[300 * 12 * 10 * 2];
    static uint16_t labels[300];
    struct ink_dataset *data = NULL;
    const size_t size = shape.height * shape.width * shape.channels;
    assert_true(count <= 300);
    for (size_t i = 0; i < count * size; i++)
        pixels[i] = below(3) == 0 ? 0 : (uint8_t)next();
    for (size_t i = 0; i < count; i++)
        labels[i] = (uint16_t)below(3);
    assert_int_equal(ink_dataset_wrap(&data, "made", shape, count, 3, pixels, labels, NULL), INK_OK);
    return data;
}

/* A net of random weights and statistics. */
static struct ink_net *make_net(const char *spec, bool normalises)
{
    struct ink_error err = { 0 };
    struct ink_net *net = NULL;
    if (ink_net_new(&net, shape, spec, "he", 1, &err) != INK_OK)
        fail_msg("%s: %s", spec, err.message);
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct ink__parameter *p = &net->parameters[i];
        for (size_t c = 0; !p->decays && c < p->columns; c++)
            net->weights[p->offset + c] = uniform(p->trained ? -1.0f : 0.1f, 1.5f);
    }
    for (size_t c = 0; normalises && c < shape.channels; c++) {
        net->mean[c] = uniform(0.1f, 0.5f);
        net->deviation[c] = uniform(0.2f, 0.5f);
    }
    return net;
}

/* What is run by itself, and what is joined to a layer before it or is nothing to do. */
static void test_joins(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *runs;
    } nets[] = {
        { "conv 6 3x3, pool 2, relu, dense 10", "..-." },
        { "conv 6 3x3, pool 2, gelu, dense 10", "...." }, /* not the same before and after */
        { "conv 6 3x3, norm relu, avgpool 2, relu, dense 10", ".-.-." },
        { "conv 4 3x3, res [ relu ], globalavg", ".-..." },
        { "dense 5, dropout 0.5, tanh, norm, sigmoid, dense 3", ".--.-." },
        { "dense 5 relu, relu, dense 3", "..." },
    };
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        struct ink_net *net = make_net(nets[i].spec, false);
        assert_int_equal(ink__int8_new(&net->int8, net, NULL), INK_OK);
        for (size_t l = 0; l < net->layer_count; l++)
            if (net->int8->layers[l].skip != (nets[i].runs[l] == '-'))
                fail_msg("%s: layer %zu", nets[i].spec, l);
        ink_net_free(net);
    }
}

static struct ink_net *quantise(const struct ink_net *net, const struct ink_dataset *data, const char *kernels)
{
    struct ink_error err = { 0 };
    struct ink_net *made = NULL;
    const struct ink_compute compute = { .kernels = kernels };
    if (ink_net_quantise(&made, net, data, &compute, &err) != INK_OK)
        fail_msg("%s: %s", ink_net_spec(net), err.message);
    return made;
}

enum { MOST_VALUES = 32, LARGEST = 8192 };

/* The weights of a layer as exports have them: a row an output. */
static const int8_t *transposed(const struct ink__int8_layer *l)
{
    static int8_t w[65536];
    assert_true(l->rows * l->columns <= sizeof w);
    for (size_t r = 0; r < l->rows; r++)
        for (size_t c = 0; c < l->columns; c++)
            w[c * l->rows + r] = l->weight[r * l->columns + c];
    return w;
}

/* Layer i by the runtime of exports; true if it gives the scores. */
static bool infer_layer(const struct ink__int8 *q, size_t i, const uint8_t *x, const uint8_t *partner, uint8_t *y,
                        int32_t *scores)
{
    const struct ink__int8_layer *l = &q->layers[i];
    const struct ink_shape in = l->layer.in, out = l->layer.out;
    const int pixels = (int)(in.height * in.width), channels = (int)in.channels, count = (int)ink__elements(out);
    const struct infer_window w = { (int)in.height,
                                    (int)in.width,
                                    (int)in.channels,
                                    (int)out.height,
                                    (int)out.width,
                                    (int)l->layer.kernel_height,
                                    (int)l->layer.kernel_width,
                                    (int)l->layer.stride,
                                    (int)l->layer.pad };
    const struct infer_sums sums = { l->bias, l->multiplier, l->shift != NULL ? l->shift[0] : 0 };
    const struct infer_line line = { l->bias, l->multiplier, sums.shift };
    switch (l->layer.kind) {
    case INK__DENSE:
        if (l->gives_scores)
            infer_dense_scores(x, (int)l->rows, transposed(l), &sums, scores, count);
        else
            infer_dense(x, (int)l->rows, transposed(l), &sums, y, count);
        break;
    case INK__CONV:
        infer_conv(&w, x, q->zero[i], transposed(l), &sums, y, (int)out.channels);
        break;
    case INK__MAX_POOL:
        infer_max_pool(&w, x, y);
        break;
    case INK__MEAN_POOL:
        if (l->gives_scores)
            infer_mean_pool_scores(&w, &line, x, scores);
        else
            infer_mean_pool(&w, &line, x, y);
        break;
    case INK__NORM:
        infer_affine(&line, x, y, pixels, channels);
        break;
    case INK__CLOSE:
        infer_add(&line, x, partner, y, count);
        break;
    default:
        memcpy(y, x, (size_t)count);
    }
    if (l->table != NULL)
        infer_map(l->table, y, y, count);
    return l->gives_scores;
}

/* One image by the runtime of exports. */
static void infer_net(const struct ink_net *net, const uint8_t *image, int32_t *scores)
{
    static uint8_t values[MOST_VALUES][LARGEST];
    const struct ink__int8 *q = net->int8;
    bool done = false;
    assert_true(q->layer_count < MOST_VALUES);
    if (q->input != NULL)
        infer_input(q->input, image, values[0], (int)(shape.height * shape.width), (int)shape.channels);
    else
        memcpy(values[0], image, ink__elements(shape));
    for (size_t i = 0; i < q->layer_count; i++) {
        assert_true(ink__elements(q->layers[i].layer.out) <= LARGEST);
        if (q->layers[i].skip)
            memcpy(values[i + 1], values[i], LARGEST);
        else
            done = infer_layer(q, i, values[i], values[q->layers[i].layer.partner], values[i + 1], scores);
    }
    if (!done)
        infer_scores(values[q->layer_count], q->zero[q->layer_count], scores, (int)net->classes);
}

static const uint8_t *image_of(void *context, size_t i, size_t thread)
{
    (void)thread;
    return ink_dataset_pixels(context, i);
}

/* Every net, with every set of kernels, gives the scores of the export. */
static void test_nets(void **state)
{
    (void)state;
    enum { IMAGES = 30, MOST_CLASSES = 2000 };
    static int32_t expected[IMAGES * MOST_CLASSES], found[IMAGES * MOST_CLASSES];
    struct ink_dataset *data = make_data(IMAGES);
    for (size_t s = 0; s < 2 * SPECS; s++) {
        struct ink_net *floats = make_net(specs[s / 2], s % 2 == 1), *net = quantise(floats, data, NULL);
        const size_t classes = ink_net_classes(net);
        assert_true(classes <= MOST_CLASSES);
        for (size_t i = 0; i < IMAGES; i++)
            infer_net(net, ink_dataset_pixels(data, i), expected + i * classes);
        assert_int_equal(infer_best(expected, 1), 0);
        for (size_t k = 0; ink_kernels_name(k) != NULL; k++) {
            const struct ink__batch batch = { .count = IMAGES, .image = image_of, .context = data };
            struct ink__int8_plan *plan = NULL;
            assert_int_equal(ink__int8_plan_new(&plan, net, 1, ink__kernels_find(ink_kernels_name(k)), NULL), INK_OK);
            ink__int8_scores(plan, &batch, found);
            if (memcmp(found, expected, IMAGES * classes * sizeof *found) != 0)
                fail_msg("%s: other scores by %s than by the runtime of exports", specs[s / 2], ink_kernels_name(k));
            ink__int8_plan_free(plan);
        }
        ink_net_free(net);
        ink_net_free(floats);
    }
    ink_dataset_free(data);
}

/* Bytes, and floats that are bytes divided by 255, on any number of threads, one image or many. */
static void test_sessions(void **state)
{
    (void)state;
    enum { IMAGES = 60 };
    struct ink_dataset *data = make_data(IMAGES);
    struct ink_net *floats = make_net(specs[3], true), *net = quantise(floats, data, NULL);
    const size_t size = ink__elements(shape), classes = ink_net_classes(net);
    static float images[IMAGES * 240], p[IMAGES * 10], one[10];
    struct ink_session *session = NULL, *single = NULL;
    struct ink_metrics metrics, other;
    assert_int_equal(ink_session_new(&session, net, IMAGES, NULL, NULL), INK_OK);
    assert_int_equal(ink_session_new(&single, net, 1, NULL, NULL), INK_OK);
    for (size_t i = 0; i < IMAGES * size; i++)
        images[i] = (float)ink_dataset_pixels(data, 0)[i] / 255.0f;
    ink_session_run_bytes(session, ink_dataset_pixels(data, 0), IMAGES, p);
    for (size_t i = 0; i < IMAGES; i++) {
        ink_session_run(single, images + i * size, 1, one);
        assert_memory_equal(one, p + i * classes, sizeof one);
    }
    assert_int_equal(ink_evaluate(net, data, &(struct ink_compute){ .threads = 1 }, &metrics, NULL), INK_OK);
    assert_int_equal(ink_evaluate(net, data, &(struct ink_compute){ .threads = 3 }, &other, NULL), INK_OK);
    assert_int_equal(metrics.correct, other.correct);
    assert_true(metrics.loss == other.loss);
    ink_metrics_free(&metrics);
    ink_metrics_free(&other);
    ink_session_free(session);
    ink_session_free(single);
    ink_net_free(net);
    ink_net_free(floats);
    ink_dataset_free(data);
}

/* The integers are near the floats: of what a net of each kind says, the mean distance is small. */
static void test_nearness(void **state)
{
    (void)state;
    enum { IMAGES = 300, MOST_CLASSES = 2000 };
    struct ink_dataset *data = make_data(IMAGES);
    static float p[IMAGES * MOST_CLASSES], r[IMAGES * MOST_CLASSES];
    for (size_t s = 0; s < 2 * SPECS; s++) {
        struct ink_net *floats = make_net(specs[s / 2], s % 2 == 1), *net = quantise(floats, data, NULL);
        const size_t classes = ink_net_classes(net);
        struct ink_session *a = NULL, *b = NULL;
        double distance = 0.0, most = 0.0;
        assert_int_equal(ink_session_new(&a, floats, IMAGES, NULL, NULL), INK_OK);
        assert_int_equal(ink_session_new(&b, net, IMAGES, NULL, NULL), INK_OK);
        ink_session_run_bytes(a, ink_dataset_pixels(data, 0), IMAGES, p);
        ink_session_run_bytes(b, ink_dataset_pixels(data, 0), IMAGES, r);
        for (size_t i = 0; i < IMAGES * classes; i++) {
            distance += fabs((double)p[i] - (double)r[i]);
            most = fmax(most, fabs((double)p[i] - (double)r[i]));
        }
        if (!(distance / IMAGES < 0.06) || !(most < 0.25))
            fail_msg("%s: distance %g, at most %g", specs[s / 2], distance / IMAGES, most);
        ink_session_free(a);
        ink_session_free(b);
        ink_net_free(net);
        ink_net_free(floats);
    }
    ink_dataset_free(data);
}

/* ---- Grids ------------------------------------------------------------------------------------------------------- */

static void test_grids(void **state)
{
    (void)state;
    for (size_t round = 0; round < 1000; round++) {
        const double low = below(4) == 0 ? 0.0 : -(double)uniform(0.0f, 9.0f), high = (double)uniform(0.0f, 9.0f);
        const struct ink__grid grid = ink__grid_make(low, high, 0.0);
        assert_true(grid.scale > 0.0 && grid.scale == (double)(float)grid.scale);
        assert_true(grid.zero >= 0 && grid.zero <= 255);
        assert_int_equal(ink__grid_byte(grid, 0.0), grid.zero);
        for (int byte = 0; byte < 256; byte++)
            assert_int_equal(ink__grid_byte(grid, (byte - grid.zero) * grid.scale), byte);
        assert_int_equal(ink__grid_byte(grid, 1e30), 255);
        assert_int_equal(ink__grid_byte(grid, -1e30), 0);
    }
    assert_true(ink__grid_make(0.0, 1.0, 0.5).scale == 0.5);
    assert_true(ink__grid_make(0.0, 0.0, 0.0).scale > 0.0);
}

/* A few numbers far outside are not worth a coarser grid for all the others; of what relu leaves, none is below
 * zero. */
static void test_choice(void **state)
{
    (void)state;
    static struct ink__histogram h;
    const struct ink__layer plain = { .activation = INK__IDENTITY }, relu = { .activation = INK__RELU };
    h = (struct ink__histogram){ .least = -8.0f, .most = 8.0f };
    for (size_t b = INK__BINS * 7 / 16; b < INK__BINS * 9 / 16; b++)
        h.count[b] = 1e6;
    struct ink__grid grid = ink__grid_choose(&h, &plain);
    assert_true(255 * grid.scale > 1.9 && 255 * grid.scale < 2.2);
    assert_in_range(grid.zero, 118, 138);
    h.count[0] = h.count[INK__BINS - 1] = 1.0;
    grid = ink__grid_choose(&h, &plain);
    assert_true(255 * grid.scale < 4.0);
    grid = ink__grid_choose(&h, &relu);
    assert_int_equal(grid.zero, 0);
    h = (struct ink__histogram){ .least = 0.0f };
    assert_true(ink__grid_choose(&h, &plain).scale > 0.0); /* a layer that is always zero */
}

/* ---- Files and refusals ------------------------------------------------------------------------------------------ */

static size_t read_file(const char *path, unsigned char *bytes, size_t room)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t size = fread(bytes, 1, room, file);
    fclose(file);
    assert_true(size < room);
    return size;
}

/* The same net and images give the same file whatever kernels were used, and it comes back as it was. */
static void test_file(void **state)
{
    (void)state;
    enum { ROOM = 1 << 18 };
    static unsigned char first[ROOM], other[ROOM];
    struct ink_dataset *data = make_data(50);
    for (size_t s = 0; s < 2 * SPECS; s++) {
        struct ink_net *floats = make_net(specs[s / 2], s % 2 == 1), *back = NULL;
        struct ink_error err = { 0 };
        size_t size = 0;
        for (size_t k = 0; ink_kernels_name(k) != NULL; k++) {
            struct ink_net *net = quantise(floats, data, ink_kernels_name(k));
            assert_int_equal(ink_net_save(net, scratch_path("int8.safetensors"), NULL), INK_OK);
            const size_t found = read_file(scratch_path("int8.safetensors"), k == 0 ? first : other, ROOM);
            size = k == 0 ? found : size;
            assert_int_equal(found, size);
            if (k > 0)
                assert_memory_equal(first, other, size);
            ink_net_free(net);
        }
        if (ink_net_load(&back, scratch_path("int8.safetensors"), &err) != INK_OK)
            fail_msg("%s: %s", specs[s / 2], err.message);
        assert_true(ink_net_is_quantised(back));
        assert_true(ink_net_bytes(back) < ink_net_bytes(floats) + 1500);
        assert_int_equal(ink_net_save(back, scratch_path("again.safetensors"), NULL), INK_OK);
        assert_int_equal(read_file(scratch_path("again.safetensors"), other, ROOM), size);
        assert_memory_equal(first, other, size);
        ink_net_free(back);
        ink_net_free(floats);
    }
    ink_dataset_free(data);
    scratch_clear();
}

/* Saves the net, and reads it: it is refused with these words. */
static void assert_unreadable(const struct ink_net *net, const char *word)
{
    struct ink_error err = { 0 };
    struct ink_net *back = NULL;
    assert_int_equal(ink_net_save(net, scratch_path("wrong.safetensors"), NULL), INK_OK);
    assert_int_equal(ink_net_load(&back, scratch_path("wrong.safetensors"), &err), INK_BAD_INPUT);
    assert_null(back);
    if (strstr(err.message, word) == NULL || strstr(err.message, "wrong.safetensors: tensor") == NULL)
        fail_msg("\"%s\", expected \"%s\"", err.message, word);
}

static void test_wrong_files(void **state)
{
    (void)state;
    struct ink_dataset *data = make_data(20);
    struct ink_net *floats = make_net("avgpool 2, norm, res [ norm ], conv 4 3x3 relu, dense 3", false);
    struct ink_net *net = quantise(floats, data, NULL);
    struct ink__int8 *q = net->int8;
    struct ink__int8_layer *pool = &q->layers[0], *norm = &q->layers[1], *close = &q->layers[4], *conv = &q->layers[5];
    const struct {
        int32_t *word, value;
        const char *message;
    } words[] = {
        { &conv->multiplier[1], -1, "'5.multiplier': element 1 is -1, expected a number from 0" },
        { &conv->bias[3], INT32_MAX, "'5.bias': element 3 is 2147483647, expected sums that fit 32 bits" },
        { &conv->bias[0], INT32_MIN, "'5.bias': element 0 is -2147483648" },
        { &pool->multiplier[0], 1 << 22, "'0.bias'" },
        { &pool->bias[0], INT32_MAX, "'0.bias'" },
        { &norm->multiplier[1], INT32_MIN, "'1.bias': element 1" },
        { &close->multiplier[1], -1, "'4.bias'" },
        { &close->multiplier[0], INT32_MAX, "'4.bias'" },
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const int32_t before = *words[i].word;
        *words[i].word = words[i].value;
        assert_unreadable(net, words[i].message);
        *words[i].word = before;
    }
    const struct {
        uint8_t *byte, value;
        const char *message;
    } bytes[] = {
        { conv->shift, 0, "'5.shift': element 0 is 0, expected 1 to 31" },
        { conv->shift, 32, "'5.shift'" },
        { norm->shift, 31, "'1.shift': element 0 is 31, expected 0 to 30" },
    };
    for (size_t i = 0; i < sizeof bytes / sizeof bytes[0]; i++) {
        const uint8_t before = *bytes[i].byte;
        *bytes[i].byte = bytes[i].value;
        assert_unreadable(net, bytes[i].message);
        *bytes[i].byte = before;
    }
    const float scales[] = { NAN, 0.0f, -1.0f, INFINITY }, scale = q->scale[2];
    for (size_t i = 0; i < sizeof scales / sizeof scales[0]; i++) {
        q->scale[2] = scales[i];
        assert_unreadable(net, "'scale': element 2 is");
    }
    q->scale[2] = scale;
    for (size_t i = 0; i < q->tensor_count; i++) {
        struct ink__int8_tensor *t = &q->tensors[i], kept = *t;
        char message[64];
        snprintf(t->name, sizeof t->name, "other");
        snprintf(message, sizeof message, "'%s': missing", kept.name);
        assert_unreadable(net, message);
        *t = kept;
        t->shape[0] -= t->shape[0] > 1 ? 1 : 0;
        t->rank += kept.shape[0] > 1 ? 0 : 1;
        t->shape[1] = kept.rank > 1 ? kept.shape[1] : 1;
        snprintf(message, sizeof message, "'%s': shape is", kept.name);
        assert_unreadable(net, message);
        *t = kept;
        t->type = kept.type == INK__WORD ? INK__FLOAT : kept.type == INK__FLOAT ? INK__WORD : kept.type ^ INK__SIGNED;
        snprintf(message, sizeof message, "'%s': dtype is", kept.name);
        assert_unreadable(net, message);
        *t = kept;
    }
    ink_net_free(net);
    ink_net_free(floats);
    ink_dataset_free(data);
    scratch_clear();
}

static void test_refusals(void **state)
{
    (void)state;
    struct ink_dataset *data = make_data(20), *none = NULL;
    struct ink_net *floats = make_net("norm, dense 3", false), *net = quantise(floats, data, NULL), *more = floats;
    struct ink_train_options options;
    struct ink_trainer *trainer = NULL;
    struct ink_parameter_info info;
    struct ink_error err = { 0 };
    ink_train_options_default(&options, "notebook");
    assert_int_equal(ink_net_quantise(&more, net, data, NULL, &err), INK_BAD_ARGUMENT);
    assert_non_null(strstr(err.message, "quantised already"));
    assert_null(more);
    assert_int_equal(ink_trainer_new(&trainer, net, data, &options, &err), INK_BAD_ARGUMENT);
    assert_non_null(strstr(err.message, "cannot be trained"));
    assert_null(trainer);
    assert_true(ink_net_parameter(floats, 0, &info, NULL));
    assert_false(ink_net_parameter(net, 0, &info, NULL));
    assert_int_equal(ink_net_parameters(net), ink_net_parameters(floats));
    static const uint8_t pixels[4];
    static const uint16_t label;
    assert_int_equal(ink_dataset_wrap(&none, "other", (struct ink_shape){ 2, 2, 1 }, 1, 3, pixels, &label, NULL),
                     INK_OK);
    assert_int_equal(ink_net_quantise(&more, floats, none, NULL, &err), INK_BAD_INPUT);
    assert_non_null(strstr(err.message, "images of 2x2x1"));
    floats->weights[floats->parameters[4].offset] = NAN;
    assert_int_equal(ink_net_quantise(&more, floats, data, NULL, &err), INK_BAD_INPUT);
    assert_non_null(strstr(err.message, "layer 1 (dense 3) gives a number that is not finite"));
    assert_null(more);
    ink_dataset_free(none);
    ink_net_free(net);
    ink_net_free(floats);
    ink_dataset_free(data);
}

/* Weights of any size: zero, tiny beside their neighbours, with a bias that is nothing or all. */
static void test_odd_weights(void **state)
{
    (void)state;
    static const float sizes_of[] = { 0.0f, 1e-30f, 1e-12f, 1e-6f, 1.0f, 1e6f };
    struct ink_dataset *data = make_data(50);
    float *const p = calloc(50 * 36, sizeof *p), *const r = calloc(50 * 36, sizeof *r);
    struct ink_net *floats = make_net("dense 36 relu, dense 3", false);
    const struct ink__parameter *w = &floats->parameters[0], *b = &floats->parameters[1];
    for (size_t round = 0; round < 3; round++) {
        for (size_t c = 0; c < 36; c++) {
            for (size_t row = 0; row < w->rows; row++)
                floats->weights[w->offset + row * w->ld + c] = uniform(-1.0f, 1.0f) * sizes_of[c % (6 - round)];
            floats->weights[b->offset + c] = uniform(-1.0f, 1.0f) * sizes_of[c / 6 % (6 - round)];
        }
        struct ink_net *net = quantise(floats, data, NULL);
        struct ink_session *a = NULL, *q = NULL;
        assert_int_equal(ink_session_new(&a, floats, 50, NULL, NULL), INK_OK);
        assert_int_equal(ink_session_new(&q, net, 50, NULL, NULL), INK_OK);
        ink_session_run_bytes(a, ink_dataset_pixels(data, 0), 50, p);
        ink_session_run_bytes(q, ink_dataset_pixels(data, 0), 50, r);
        if (round == 2) /* no scale is far from the others: the answers can be compared */
            for (size_t i = 0; i < 50 * 3; i++)
                assert_true(fabs((double)p[i] - (double)r[i]) < 0.1);
        ink_session_free(a);
        ink_session_free(q);
        ink_net_free(net);
    }
    free(p);
    free(r);
    ink_net_free(floats);
    ink_dataset_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joins),    cmocka_unit_test(test_nets),        cmocka_unit_test(test_sessions),
        cmocka_unit_test(test_nearness), cmocka_unit_test(test_grids),       cmocka_unit_test(test_choice),
        cmocka_unit_test(test_file),     cmocka_unit_test(test_wrong_files), cmocka_unit_test(test_odd_weights),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests_name("quantised", tests, scratch_make, scratch_remove);
}
