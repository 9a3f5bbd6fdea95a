/*
 * A network as C: its weights as constants, the sections of lib/infer that it needs, and NAME_predict, which calls one
 * function a layer. The layers and the folded weights are those of an inference plan.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/csource.h"

#define MOST_SECTIONS  32
#define LONGEST_NAME   64
#define SELFTEST_SEEDS 16

struct exporter {
    const struct ink_net *net;
    struct ink__plan *plan;
    const char *name;
    char upper[LONGEST_NAME + 1]; /* the name in capitals, for macros */
    bool normalises;              /* the input has a mean or a deviation to be taken out */
    struct ink__place *places;    /* (layer_count + 1) */
    size_t scratch;               /* floats */
    struct ink__writer writer;
};

/* ---- Layers ------------------------------------------------------------------------------------------------------ */

static const char *const kind_sections[INK__KINDS] = {
    [INK__DENSE] = "dense",         [INK__CONV] = "conv",   [INK__MAX_POOL] = "max_pool",
    [INK__MEAN_POOL] = "mean_pool", [INK__NORM] = "affine", [INK__CLOSE] = "add",
};

static const char *const activation_sections[] = {
    [INK__IDENTITY] = NULL,     [INK__RELU] = "relu", [INK__LEAKY] = "leaky",
    [INK__SIGMOID] = "sigmoid", [INK__TANH] = "tanh", [INK__GELU] = "gelu",
};

static bool has_window(const struct ink__layer *l)
{
    return l->kind == INK__CONV || l->kind == INK__MAX_POOL || l->kind == INK__MEAN_POOL;
}

static const struct ink__parameter *weight_of(const struct exporter *e, const struct ink__layer *l)
{
    return l->kind == INK__DENSE || l->kind == INK__CONV ? &e->net->parameters[l->parameter] : NULL;
}

/* `static const float NAME_WHAT_LAYER[] = { ... };` of rows `ld` floats apart. */
static void put_array(struct exporter *e, const char *what, size_t layer, const float *values, size_t rows,
                      size_t columns, size_t ld)
{
    ink__put(&e->writer, "static const float %s_%s_%zu[%zu] = {", e->name, what, layer, rows * columns);
    for (size_t i = 0; i < rows * columns; i++) {
        ink__put_text(&e->writer, i % 8 == 0 ? "\n    " : " ");
        ink__put_float(&e->writer, values[i / columns * ld + i % columns]);
        ink__put_text(&e->writer, ",");
    }
    ink__put_text(&e->writer, "\n};\n");
}

/* The constants of layer i. */
static void put_constants(struct exporter *e, size_t i)
{
    const struct ink__work *work = &e->plan->work[i];
    const struct ink__layer *l = work->layer;
    const struct ink__parameter *p = weight_of(e, l);
    if (has_window(l))
        ink__put(&e->writer,
                 "static const struct infer_window %s_window_%zu = { %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu };\n",
                 e->name, i, l->in.height, l->in.width, l->in.channels, l->out.height, l->out.width, l->kernel_height,
                 l->kernel_width, l->stride, l->pad);
    if (p != NULL) {
        put_array(e, "weight", i, work->weight, p->rows, p->columns, work->ld);
        put_array(e, "bias", i, work->bias, 1, p->columns, 0);
    }
    if (l->kind == INK__NORM) {
        const float *scale, *shift;
        ink__norm_factors(work, &scale, &shift);
        put_array(e, "scale", i, scale, 1, l->in.channels, 0);
        put_array(e, "shift", i, shift, 1, l->in.channels, 0);
    }
}

/* Where value v lies, as an expression. */
struct expression {
    char text[32];
};

static struct expression value(const struct exporter *e, size_t v)
{
    static const char *const rooms[] = {
        [INK__IMAGE] = "image", [INK__SCRATCH] = "scratch", [INK__PROBABILITIES] = "probabilities"
    };
    const struct ink__place *place = &e->places[v];
    struct expression at;
    snprintf(at.text, sizeof at.text, place->offset > 0 ? "%s + %zu" : "%s", rooms[place->room], place->offset);
    return at;
}

/* The calls of layer i. */
static void put_calls(struct exporter *e, size_t i)
{
    const struct ink__layer *l = e->plan->work[i].layer;
    const struct expression from = value(e, i), to = value(e, i + 1);
    const char *const x = from.text, *const y = to.text, *const name = e->name;
    const size_t count = ink__elements(l->out);
    switch (l->kind) {
    case INK__DENSE:
        ink__put(&e->writer, "    infer_dense(%s, %zu, %s_weight_%zu, %s_bias_%zu, %s, %zu);\n", x,
                 ink__elements(l->in), name, i, name, i, y, count);
        break;
    case INK__CONV:
        ink__put(&e->writer, "    infer_conv(&%s_window_%zu, %s, %s_weight_%zu, %s_bias_%zu, %s, %zu);\n", name, i, x,
                 name, i, name, i, y, l->out.channels);
        break;
    case INK__MAX_POOL:
    case INK__MEAN_POOL:
        ink__put(&e->writer, "    infer_%s(&%s_window_%zu, %s, %s);\n", kind_sections[l->kind], name, i, x, y);
        break;
    case INK__NORM:
        ink__put(&e->writer, "    infer_affine(%s, %s_scale_%zu, %s_shift_%zu, %s, %zu, %zu);\n", x, name, i, name, i,
                 y, l->in.height * l->in.width, l->in.channels);
        break;
    case INK__CLOSE:
        ink__put(&e->writer, "    infer_add(%s, %s, %s, %zu);\n", x, value(e, l->partner).text, y, count);
        break;
    default:
        break;
    }
    /* The activation works in place, except where it is the layer. */
    const char *const in = l->kind == INK__MAP ? x : y;
    if (l->activation == INK__LEAKY) {
        ink__put(&e->writer, "    infer_leaky(%s, ", in);
        ink__put_float(&e->writer, l->slope);
        ink__put(&e->writer, ", %s, %zu);\n", y, count);
    } else if (l->activation != INK__IDENTITY) {
        ink__put(&e->writer, "    infer_%s(%s, %s, %zu);\n", activation_sections[l->activation], in, y, count);
    }
}

/* ---- The runtime ------------------------------------------------------------------------------------------------- */

static void need(bool *needed, const char *name)
{
    for (size_t s = 0; name != NULL && ink__infer[s].name != NULL; s++)
        needed[s] |= strcmp(ink__infer[s].name, name) == 0;
}

/* The sections that the layers name, and those that they need in turn, which stand before them. */
static void put_runtime(struct exporter *e)
{
    bool needed[MOST_SECTIONS] = { false };
    size_t count = 0;
    need(needed, "base");
    need(needed, "softmax");
    need(needed, e->normalises ? "input" : NULL);
    for (size_t i = 0; i < e->plan->layer_count; i++) {
        if (e->plan->work[i].skip)
            continue;
        need(needed, kind_sections[e->plan->layers[i].kind]);
        need(needed, activation_sections[e->plan->layers[i].activation]);
    }
    while (ink__infer[count].name != NULL)
        count++;
    for (size_t s = count; s-- > 0;)
        for (size_t t = 0; needed[s] && t < s; t++) {
            char word[LONGEST_NAME];
            snprintf(word, sizeof word, " %s ", ink__infer[t].name);
            needed[t] |= strstr(ink__infer[s].needs, word) != NULL;
        }
    for (size_t s = 0; s < count; s++)
        if (needed[s]) {
            ink__put_text(&e->writer, ink__infer[s].text);
            ink__put_text(&e->writer, "\n");
        }
}

/* ---- The test inside --------------------------------------------------------------------------------------------- */

/* The image that an exported file makes for its test: noise by a linear congruential generator. */
static void make_noise(float *image, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        image[i] = (float)(seed >> 24) / 255.0f;
    }
}

static float largest(const float *p, size_t classes)
{
    float most = p[0];
    for (size_t c = 1; c < classes; c++)
        most = p[c] > most ? p[c] : most;
    return most;
}

/* Of a few images the one whose answer is the least certain: a difference shows there best. */
static enum ink_status put_selftest(struct exporter *e, struct ink_error *err)
{
    const size_t inputs = ink__elements(e->net->input), classes = e->net->classes;
    float *image = ink__array(inputs, sizeof *image);
    float *result = ink__array(classes, sizeof *result), *best = ink__array(classes, sizeof *best);
    enum ink_status status = INK_OK;
    uint32_t best_seed = 0;
    if (image == NULL || result == NULL || best == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    for (uint32_t seed = 1; seed <= SELFTEST_SEEDS; seed++) {
        make_noise(image, inputs, seed);
        ink__plan_infer(e->plan, NULL, &(struct ink__batch){ .count = 1, .floats = image }, result);
        if (seed == 1 || largest(result, classes) < largest(best, classes)) {
            memcpy(best, result, classes * sizeof *best);
            best_seed = seed;
        }
    }
    ink__put(&e->writer,
             "\n#ifdef %s_SELFTEST\n/* An image of noise, and what the trainer's own session gives for it. */\n",
             e->upper);
    ink__put_text(&e->writer, "#include <stdio.h>\n\n");
    put_array(e, "expected", 0, best, 1, classes, 0);
    ink__put(&e->writer,
             "\nint main(void)\n{\n    static float image[%s_INPUTS], probabilities[%s_CLASSES], "
             "scratch[%s_SCRATCH_FLOATS];\n"
             "    unsigned long state = %luUL;\n    float difference = 0.0f;\n    int i;\n",
             e->upper, e->upper, e->upper, (unsigned long)best_seed);
    ink__put(&e->writer,
             "    for (i = 0; i < %s_INPUTS; i++) {\n"
             "        state = (state * 1664525UL + 1013904223UL) & 0xffffffffUL;\n"
             "        image[i] = (float)(state >> 24) / 255.0f;\n    }\n",
             e->upper);
    ink__put(&e->writer,
             "    %s_predict(image, probabilities, scratch);\n    for (i = 0; i < %s_CLASSES; i++) {\n"
             "        const float d = fabsf(probabilities[i] - %s_expected_0[i]);\n"
             "        if (!(d <= difference)) /* NaN too */\n            difference = d;\n    }\n",
             e->name, e->upper, e->name);
    ink__put(
        &e->writer,
        "    printf(\"%s: largest difference %%g\\n\", (double)difference);\n"
        "#ifdef %s_NO_FMA\n    return difference <= 1e-6f ? 0 : 1;\n#else\n    return difference <= 0.0f ? 0 : 1;\n"
        "#endif\n}\n#endif\n",
        e->name, e->upper);
out:
    free(image);
    free(result);
    free(best);
    return status;
}

/* ---- The files --------------------------------------------------------------------------------------------------- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static void put_about(struct exporter *e)
{
    static const char *const keys[] = { "dataset", "dataset_sha256", "validation_accuracy", "seed" };
    ink__put_text(&e->writer, "/*\n * A trained network, written by inkling " INK_VERSION ".\n *\n *   network: ");
    ink__put_comment(&e->writer, e->net->spec);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *text = ink__net_get(e->net, keys[i]);
        if (text != NULL) {
            ink__put(&e->writer, "\n *   %s: ", keys[i]);
            ink__put_comment(&e->writer, text);
        }
    }
    ink__put_text(&e->writer, "\n */\n");
}

static void put_header(struct exporter *e)
{
    const struct ink_shape in = e->net->input;
    const char *u = e->upper;
    put_about(e);
    ink__put(&e->writer, "#ifndef %s_H\n#define %s_H\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n", u, u);
    ink__put(&e->writer,
             "#define %s_HEIGHT %zu\n#define %s_WIDTH %zu\n#define %s_CHANNELS %zu\n"
             "#define %s_INPUTS %zu /* the product */\n#define %s_CLASSES %zu\n"
             "#define %s_SCRATCH_FLOATS %zu\n\n",
             u, in.height, u, in.width, u, in.channels, u, ink__elements(in), u, e->net->classes, u,
             e->scratch > 0 ? e->scratch : 1);
    ink__put(&e->writer, "/* The names of the classes. */\nextern const char *const %s_classes[%s_CLASSES];\n\n",
             e->name, u);
    ink__put(
        &e->writer,
        "/* What the network sees in an image: `image` is (height, width, channels) intensities from 0 to 1, a byte\n"
        " * divided by 255; `probabilities` gets one number a class, adding up to 1; `scratch` is the caller's "
        "memory,\n"
        " * %s_SCRATCH_FLOATS floats, whose content does not matter before or after. The three do not overlap. */\n",
        u);
    ink__put(&e->writer, "void %s_predict(const float *image, float *probabilities, float *scratch);\n\n", e->name);
    ink__put_text(&e->writer, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

static void put_predict(struct exporter *e)
{
    const struct ink__plan *plan = e->plan;
    ink__put(&e->writer, "const char *const %s_classes[%s_CLASSES] = {\n", e->name, e->upper);
    for (size_t c = 0; c < e->net->classes; c++) {
        ink__put_text(&e->writer, "    ");
        ink__put_string(&e->writer, e->net->class_names[c]);
        ink__put_text(&e->writer, ",\n");
    }
    ink__put(&e->writer, "};\n\nvoid %s_predict(const float *image, float *probabilities, float *scratch)\n{\n",
             e->name);
    if (e->scratch == 0)
        ink__put_text(&e->writer, "    (void)scratch;\n");
    if (e->normalises)
        ink__put(&e->writer, "    infer_input(image, %s_mean_0, %s_scale_of_0, %s, %zu, %zu);\n", e->name, e->name,
                 value(e, 0).text, e->net->input.height * e->net->input.width, e->net->input.channels);
    for (size_t i = 0; i < plan->layer_count; i++) {
        if (plan->work[i].skip)
            continue;
        ink__put_text(&e->writer, "    /* ");
        ink__put_comment(&e->writer,
                         plan->layers[i].kind == INK__CLOSE ? "the end of res [ ... ]" : plan->layers[i].text);
        ink__put_text(&e->writer, " */\n");
        put_calls(e, i);
    }
    ink__put(&e->writer, "    infer_softmax(%s, probabilities, %zu);\n}\n", value(e, plan->layer_count).text,
             e->net->classes);
}

static enum ink_status put_source(struct exporter *e, const char *path_h, struct ink_error *err)
{
    put_about(e);
    ink__put_text(&e->writer, "#include ");
    ink__put(&e->writer, "\"%s\"\n\n", last_part(path_h));
    ink__put(
        &e->writer,
        "/* With fmaf the results have the trainer's bits. Where the processor has no such instruction, compile with\n"
        " * -D%s_NO_FMA: then they are within 1e-6. With -D%s_SELFTEST there is a main() that compares. */\n"
        "#ifdef %s_NO_FMA\n#define INFER_NO_FMA\n#endif\n",
        e->upper, e->upper, e->upper);
    put_runtime(e);
    if (e->normalises) {
        put_array(e, "mean", 0, e->net->mean, 1, e->net->input.channels, 0);
        put_array(e, "scale_of", 0, e->plan->input_scale, 1, e->net->input.channels, 0);
    }
    for (size_t i = 0; i < e->plan->layer_count; i++)
        if (!e->plan->work[i].skip)
            put_constants(e, i);
    ink__put_text(&e->writer, "\n");
    put_predict(e);
    return put_selftest(e, err);
}

/* Both files, or neither: they are renamed only when both are on disk. */
static enum ink_status write_files(struct exporter *e, const char *path_c, const char *path_h, struct ink_error *err)
{
    struct ink__writer header = { .descriptor = -1 };
    enum ink_status status = ink__writer_open(&e->writer, path_h, err);
    if (status != INK_OK)
        return status;
    put_header(e);
    header = e->writer;
    e->writer = (struct ink__writer){ .descriptor = -1 };
    status = ink__writer_sync(&header, err);
    if (status == INK_OK)
        status = ink__writer_open(&e->writer, path_c, err);
    if (status == INK_OK)
        status = put_source(e, path_h, err);
    if (status == INK_OK)
        status = ink__writer_commit(&e->writer, err);
    if (status == INK_OK)
        status = ink__writer_commit(&header, err);
    ink__writer_abandon(&e->writer);
    ink__writer_abandon(&header);
    return status;
}

/* ---- What can be exported ---------------------------------------------------------------------------------------- */

static bool is_identifier(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", digits[] = "0123456789";
    size_t length = 0;
    for (; name[length] != 0; length++)
        if (strchr(letters, name[length]) == NULL && strchr(digits, name[length]) == NULL)
            return false;
    return length > 0 && length <= LONGEST_NAME && strchr(digits, name[0]) == NULL;
}

static bool all_finite(const float *values, size_t rows, size_t columns, size_t ld)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            if (!isfinite(values[r * ld + c]))
                return false;
    return true;
}

static enum ink_status check(const struct exporter *e, struct ink_error *err)
{
    for (size_t i = 0; i < e->plan->layer_count; i++) {
        const struct ink__work *work = &e->plan->work[i];
        const struct ink__parameter *p = weight_of(e, work->layer);
        const size_t channels = work->layer->in.channels;
        bool finite = p == NULL || (all_finite(work->weight, p->rows, p->columns, work->ld) &&
                                    all_finite(work->bias, 1, p->columns, 0));
        if (work->layer->kind == INK__NORM && !work->skip) {
            const float *scale, *shift;
            ink__norm_factors(work, &scale, &shift);
            finite = all_finite(scale, 1, channels, 0) && all_finite(shift, 1, channels, 0);
        }
        if (!finite)
            return ink__fail(err, INK_BAD_INPUT, "network: layer %zu (%s): found a weight that is not a finite number",
                             i, work->layer->text);
    }
    return INK_OK;
}

enum ink_status ink_export_c(const struct ink_net *net, const char *name, const char *path_c, const char *path_h,
                             struct ink_error *err)
{
    struct exporter e = { .net = net, .name = name };
    if (!is_identifier(name))
        return ink__fail(err, INK_BAD_ARGUMENT,
                         "name '%s': expected letters, digits and '_', at most %d, no digit first", name, LONGEST_NAME);
    for (size_t i = 0; name[i] != 0; i++)
        e.upper[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
    for (size_t c = 0; c < net->input.channels; c++)
        e.normalises |= net->mean[c] != 0.0f || net->deviation[c] != 1.0f;

    const struct ink_compute one = { .threads = 1 };
    enum ink_status status = ink__plan_new(&e.plan, net, 1, false, 1.0, &one, err);
    if (status != INK_OK)
        return status;
    e.places = ink__array(e.plan->layer_count + 1, sizeof *e.places);
    if (e.places == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    status = check(&e, err);
    if (status == INK_OK)
        status = ink__place_values(e.plan, e.normalises, e.places, &e.scratch, err);
    if (status == INK_OK)
        status = write_files(&e, path_c, path_h, err);
out:
    free(e.places);
    ink__plan_free(e.plan);
    return status;
}
