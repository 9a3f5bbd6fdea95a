/* C of floats: the bits of a session. The layers and the folded weights are those of an inference plan. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/csource.h"

static const char *const kind_sections[INK__KINDS] = {
    [INK__DENSE] = "dense",         [INK__CONV] = "conv",   [INK__MAX_POOL] = "max_pool",
    [INK__MEAN_POOL] = "mean_pool", [INK__NORM] = "affine", [INK__CLOSE] = "add",
};

static const char *const activation_sections[] = {
    [INK__IDENTITY] = NULL,     [INK__RELU] = "relu", [INK__LEAKY] = "leaky",
    [INK__SIGMOID] = "sigmoid", [INK__TANH] = "tanh", [INK__GELU] = "gelu",
};

static void needs(const struct ink__source *s, size_t i, const char *names[2])
{
    names[0] = kind_sections[s->steps[i].layer->kind];
    names[1] = activation_sections[s->steps[i].layer->activation];
}

static const struct ink__parameter *weight_of(const struct ink__source *s, const struct ink__layer *l)
{
    return l->kind == INK__DENSE || l->kind == INK__CONV ? &s->net->parameters[l->parameter] : NULL;
}

/* ---- Constants and calls ----------------------------------------------------------------------------------------- */

/* `static const float NAME_WHAT_LAYER[] = { ... };` of rows `ld` floats apart. */
static void put_array(struct ink__source *s, const char *what, size_t layer, const float *values, size_t rows,
                      size_t columns, size_t ld)
{
    ink__put(&s->writer, "static const float %s_%s_%zu[%zu] = {", s->name, what, layer, rows * columns);
    for (size_t i = 0; i < rows * columns; i++) {
        ink__put_text(&s->writer, i % 8 == 0 ? "\n    " : " ");
        ink__put_float(&s->writer, values[i / columns * ld + i % columns]);
        ink__put_text(&s->writer, ",");
    }
    ink__put_text(&s->writer, "\n};\n");
}

/* The constants of layer i. */
static void put_constants(struct ink__source *s, size_t i)
{
    const struct ink__work *work = &s->plan->work[i];
    const struct ink__layer *l = work->layer;
    const struct ink__parameter *p = weight_of(s, l);
    ink__put_window(s, i);
    if (p != NULL) {
        put_array(s, "weight", i, work->weight, p->rows, p->columns, work->ld);
        put_array(s, "bias", i, work->bias, 1, p->columns, 0);
    }
    if (l->kind == INK__NORM) {
        const float *scale, *shift;
        ink__norm_factors(work, &scale, &shift);
        put_array(s, "scale", i, scale, 1, l->in.channels, 0);
        put_array(s, "shift", i, shift, 1, l->in.channels, 0);
    }
}

/* The calls of layer i. */
static void put_calls(struct ink__source *s, size_t i)
{
    const struct ink__layer *l = s->plan->work[i].layer;
    const struct ink__expression from = ink__place_text(s, i), to = ink__place_text(s, i + 1);
    const char *const x = from.text, *const y = to.text, *const name = s->name;
    const size_t count = ink__elements(l->out);
    switch (l->kind) {
    case INK__DENSE:
        ink__put(&s->writer, "    infer_dense(%s, %zu, %s_weight_%zu, %s_bias_%zu, %s, %zu);\n", x,
                 ink__elements(l->in), name, i, name, i, y, count);
        break;
    case INK__CONV:
        ink__put(&s->writer, "    infer_conv(&%s_window_%zu, %s, %s_weight_%zu, %s_bias_%zu, %s, %zu);\n", name, i, x,
                 name, i, name, i, y, l->out.channels);
        break;
    case INK__MAX_POOL:
    case INK__MEAN_POOL:
        ink__put(&s->writer, "    infer_%s(&%s_window_%zu, %s, %s);\n", kind_sections[l->kind], name, i, x, y);
        break;
    case INK__NORM:
        ink__put(&s->writer, "    infer_affine(%s, %s_scale_%zu, %s_shift_%zu, %s, %zu, %zu);\n", x, name, i, name, i,
                 y, l->in.height * l->in.width, l->in.channels);
        break;
    case INK__CLOSE:
        ink__put(&s->writer, "    infer_add(%s, %s, %s, %zu);\n", x, ink__place_text(s, l->partner).text, y, count);
        break;
    default:
        break;
    }
    /* The activation works in place, except where it is the layer. */
    const char *const in = l->kind == INK__MAP ? x : y;
    if (l->activation == INK__LEAKY) {
        ink__put(&s->writer, "    infer_leaky(%s, ", in);
        ink__put_float(&s->writer, l->slope);
        ink__put(&s->writer, ", %s, %zu);\n", y, count);
    } else if (l->activation != INK__IDENTITY) {
        ink__put(&s->writer, "    infer_%s(%s, %s, %zu);\n", activation_sections[l->activation], in, y, count);
    }
}

/* ---- What stands around ------------------------------------------------------------------------------------------ */

static void put_prototype(struct ink__source *s)
{
    ink__put(&s->writer, "void %s_predict(const float *image, float *probabilities, float *scratch)", s->name);
}

static void put_declaration(struct ink__source *s)
{
    ink__put(
        &s->writer,
        "/* What the network sees in an image: `image` is (height, width, channels) intensities from 0 to 1, a byte\n"
        " * divided by 255; `probabilities` gets one number a class, adding up to 1; `scratch` is the caller's "
        "memory,\n"
        " * %s_SCRATCH_FLOATS floats, whose content does not matter before or after. The three do not overlap. */\n",
        s->upper);
    put_prototype(s);
    ink__put_text(&s->writer, ";\n");
}

static void put_preamble(struct ink__source *s)
{
    ink__put(
        &s->writer,
        "/* With fmaf the results have the trainer's bits. Where the processor has no such instruction, compile with\n"
        " * -D%s_NO_FMA: then they are within 1e-6. With -D%s_SELFTEST there is a main() that compares. */\n"
        "#ifdef %s_NO_FMA\n#define INFER_NO_FMA\n#endif\n",
        s->upper, s->upper, s->upper);
}

static void put_input(struct ink__source *s)
{
    put_array(s, "mean", 0, s->net->mean, 1, s->net->input.channels, 0);
    put_array(s, "scale_of", 0, s->plan->input_scale, 1, s->net->input.channels, 0);
}

static void put_input_call(struct ink__source *s)
{
    ink__put(&s->writer, "    infer_input(image, %s_mean_0, %s_scale_of_0, %s, %zu, %zu);\n", s->name, s->name,
             ink__place_text(s, 0).text, s->net->input.height * s->net->input.width, s->net->input.channels);
}

static void put_end(struct ink__source *s)
{
    ink__put(&s->writer, "    infer_softmax(%s, probabilities, %zu);\n}\n", ink__place_text(s, s->step_count).text,
             s->net->classes);
}

static enum ink_status put_selftest(struct ink__source *s, struct ink_error *err)
{
    const size_t classes = s->net->classes;
    uint8_t *image = ink__array(ink__elements(s->net->input), 1);
    float *expected = ink__array(classes, sizeof *expected);
    enum ink_status status = INK_OK;
    uint32_t seed = 0;
    if (image == NULL || expected == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    ink__choose_noise(s, image, expected, &seed);
    ink__put(&s->writer,
             "\n#ifdef %s_SELFTEST\n/* An image of noise, and what the trainer's own session gives for it. */\n",
             s->upper);
    ink__put_text(&s->writer, "#include <stdio.h>\n\n");
    put_array(s, "expected", 0, expected, 1, classes, 0);
    ink__put(&s->writer,
             "\nint main(void)\n{\n    static float image[%s_INPUTS], probabilities[%s_CLASSES], "
             "scratch[%s_SCRATCH_FLOATS];\n    float difference = 0.0f;\n",
             s->upper, s->upper, s->upper);
    ink__put_noise(s, seed, "(float)(state >> 24) / 255.0f");
    ink__put(&s->writer,
             "    %s_predict(image, probabilities, scratch);\n    for (i = 0; i < %s_CLASSES; i++) {\n"
             "        const float d = fabsf(probabilities[i] - %s_expected_0[i]);\n"
             "        if (!(d <= difference)) /* NaN too */\n            difference = d;\n    }\n",
             s->name, s->upper, s->name);
    ink__put(
        &s->writer,
        "    printf(\"%s: largest difference %%g\\n\", (double)difference);\n"
        "#ifdef %s_NO_FMA\n    return difference <= 1e-6f ? 0 : 1;\n#else\n    return difference <= 0.0f ? 0 : 1;\n"
        "#endif\n}\n#endif\n",
        s->name, s->upper);
out:
    free(image);
    free(expected);
    return status;
}

/* ---- What can be exported ---------------------------------------------------------------------------------------- */

static bool all_finite(const float *values, size_t rows, size_t columns, size_t ld)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < columns; c++)
            if (!isfinite(values[r * ld + c]))
                return false;
    return true;
}

static enum ink_status check(const struct ink__source *s, struct ink_error *err)
{
    for (size_t i = 0; i < s->plan->layer_count; i++) {
        const struct ink__work *work = &s->plan->work[i];
        const struct ink__parameter *p = weight_of(s, work->layer);
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

static enum ink_status prepare(struct ink__source *s, struct ink_error *err)
{
    s->step_count = s->plan->layer_count;
    for (size_t i = 0; i < s->step_count; i++)
        s->steps[i] = (struct ink__step){ &s->plan->layers[i], s->plan->value[i + 1].size, s->plan->work[i].skip };
    return check(s, err);
}

const struct ink__dialect ink__dialect_float = {
    .sections = ink__infer,
    .first = { "base", "softmax" },
    .unit = "FLOATS",
    .result = "probabilities",
    .prepare = prepare,
    .needs = needs,
    .includes = "",
    .put_prototype = put_prototype,
    .put_declaration = put_declaration,
    .put_preamble = put_preamble,
    .put_input = put_input,
    .put_input_call = put_input_call,
    .put_constants = put_constants,
    .put_calls = put_calls,
    .put_end = put_end,
    .put_selftest = put_selftest,
};
