/* C of integers: the scores of a session. The layers and their integers are those of a quantised net. */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/csource.h"

/* What the last layer's bytes go through where its sums are not the scores. */
static const struct ink__layer to_scores = { .kind = INK__KINDS, .text = "scores" };

static const char *const kind_sections[INK__KINDS + 1] = {
    [INK__DENSE] = "dense", [INK__CONV] = "conv", [INK__MAX_POOL] = "max_pool", [INK__MEAN_POOL] = "mean_pool",
    [INK__NORM] = "affine", [INK__CLOSE] = "add", [INK__MAP] = "map",           [INK__KINDS] = "scores",
};

/* Layer i's integers; NULL for what is no layer. */
static const struct ink__int8_layer *layer_of(const struct ink__source *s, size_t i)
{
    return i < s->net->layer_count ? &s->net->int8->layers[i] : NULL;
}

static const char *section_of(const struct ink__source *s, size_t i)
{
    const struct ink__int8_layer *l = layer_of(s, i);
    if (l != NULL && l->gives_scores)
        return l->layer.kind == INK__DENSE ? "dense_scores" : "mean_pool_scores";
    return kind_sections[s->steps[i].layer->kind];
}

static void needs(const struct ink__source *s, size_t i, const char *names[2])
{
    names[0] = section_of(s, i);
    names[1] = layer_of(s, i) != NULL && layer_of(s, i)->table != NULL ? "map" : NULL;
}

/* ---- Constants --------------------------------------------------------------------------------------------------- */

static void put_begin(struct ink__source *s, const char *type, const char *what, size_t layer, size_t count)
{
    ink__put(&s->writer, "static const %s %s_%s_%zu[%zu] = {", type, s->name, what, layer, count);
}

/* Element i of an array, sixteen on a line. */
static void put_number(struct ink__source *s, size_t i, long value)
{
    ink__put(&s->writer, "%s%ld,", i % 16 == 0 ? "\n    " : " ", value);
}

static void put_bytes(struct ink__source *s, const char *what, size_t layer, const uint8_t *values, size_t count)
{
    put_begin(s, "uint8_t", what, layer, count);
    for (size_t i = 0; i < count; i++)
        put_number(s, i, values[i]);
    ink__put_text(&s->writer, "\n};\n");
}

static void put_words(struct ink__source *s, const char *what, size_t layer, const int32_t *values, size_t count)
{
    put_begin(s, "int32_t", what, layer, count);
    for (size_t i = 0; i < count; i++)
        put_number(s, i, values[i]);
    ink__put_text(&s->writer, "\n};\n");
}

/* Column by column: what belongs to one output lies together. */
static void put_weights(struct ink__source *s, size_t layer, const struct ink__int8_layer *l)
{
    put_begin(s, "int8_t", "weight", layer, l->rows * l->columns);
    for (size_t i = 0; i < l->rows * l->columns; i++)
        put_number(s, i, l->weight[i % l->rows * l->columns + i / l->rows]);
    ink__put_text(&s->writer, "\n};\n");
}

static void put_constants(struct ink__source *s, size_t i)
{
    const struct ink__int8_layer *l = layer_of(s, i);
    if (l == NULL)
        return;
    ink__put_window(s, i);
    if (l->weight != NULL)
        put_weights(s, i, l);
    if (l->bias != NULL) {
        put_words(s, "bias", i, l->bias, l->sums);
        put_words(s, "multiplier", i, l->multiplier, l->multipliers);
        ink__put(&s->writer, "static const struct infer_%s %s_scale_%zu = { %s_bias_%zu, %s_multiplier_%zu, %d };\n",
                 l->weight != NULL ? "sums" : "line", s->name, i, s->name, i, s->name, i, l->shift[0]);
    }
    if (l->table != NULL)
        put_bytes(s, "table", i, l->table, 256);
}

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

static void put_calls(struct ink__source *s, size_t i)
{
    const struct ink__layer *l = s->steps[i].layer;
    const struct ink__int8_layer *integers = layer_of(s, i);
    const struct ink__expression from = ink__place_text(s, i), to = ink__place_text(s, i + 1);
    const char *const x = from.text, *const y = to.text, *const name = s->name, *const section = section_of(s, i);
    const size_t count = s->steps[i].size;
    switch (l->kind) {
    case INK__DENSE:
        ink__put(&s->writer, "    infer_%s(%s, %zu, %s_weight_%zu, &%s_scale_%zu, %s, %zu);\n", section, x,
                 integers->rows, name, i, name, i, y, count);
        break;
    case INK__CONV:
        ink__put(&s->writer, "    infer_conv(&%s_window_%zu, %s, %d, %s_weight_%zu, &%s_scale_%zu, %s, %zu);\n", name,
                 i, x, s->net->int8->zero[i], name, i, name, i, y, l->out.channels);
        break;
    case INK__MAX_POOL:
        ink__put(&s->writer, "    infer_max_pool(&%s_window_%zu, %s, %s);\n", name, i, x, y);
        break;
    case INK__MEAN_POOL:
        ink__put(&s->writer, "    infer_%s(&%s_window_%zu, &%s_scale_%zu, %s, %s);\n", section, name, i, name, i, x, y);
        break;
    case INK__NORM:
        ink__put(&s->writer, "    infer_affine(&%s_scale_%zu, %s, %s, %zu, %zu);\n", name, i, x, y,
                 l->in.height * l->in.width, l->in.channels);
        break;
    case INK__CLOSE:
        ink__put(&s->writer, "    infer_add(&%s_scale_%zu, %s, %s, %s, %zu);\n", name, i, x,
                 ink__place_text(s, l->partner).text, y, count);
        break;
    case INK__KINDS:
        ink__put(&s->writer, "    infer_scores(%s, %d, %s, %zu);\n", x, s->net->int8->zero[i], y, count);
        break;
    default:
        break;
    }
    /* The table works in place, except where it is the layer. */
    if (integers != NULL && integers->table != NULL)
        ink__put(&s->writer, "    infer_map(%s_table_%zu, %s, %s, %zu);\n", name, i, l->kind == INK__MAP ? x : y, y,
                 count);
}

/* ---- What stands around ------------------------------------------------------------------------------------------ */

static void put_prototype(struct ink__source *s)
{
    ink__put(&s->writer, "int %s_predict(const uint8_t *image, int32_t *scores, uint8_t *scratch)", s->name);
}

static void put_declaration(struct ink__source *s)
{
    const char *u = s->upper;
    ink__put(&s->writer, "#define %s_WEIGHT_BYTES %zu /* of all constants but the code */\n", u,
             ink__int8_bytes(s->net->int8));
    ink__put(&s->writer, "#define %s_SCORE_SCALE ", u);
    ink__put_float(&s->writer, s->net->int8->scale[s->net->layer_count]);
    ink__put(&s->writer,
             "\n\n/* What the network sees in an image: `image` is (height, width, channels) bytes; `scores` gets a "
             "number a\n"
             " * class, the largest for the likeliest, whose index is returned; `scratch` is the caller's memory,\n"
             " * %s_SCRATCH_BYTES bytes, whose content does not matter before or after. The three do not overlap. No\n"
             " * floating point is used. */\n",
             u);
    put_prototype(s);
    ink__put(&s->writer,
             ";\n\n#ifdef %s_PROBABILITIES /* defined here and where the C file is compiled */\n"
             "/* Scores times %s_SCORE_SCALE are logits; this makes them numbers that add up to 1. */\n"
             "void %s_probabilities(const int32_t *scores, float *probabilities);\n#endif\n",
             u, u, s->name);
}

static void put_preamble(struct ink__source *s)
{
    ink__put(&s->writer, "/* With -D%s_SELFTEST there is a main() that compares scores with the trainer's. */\n",
             s->upper);
}

static void put_input(struct ink__source *s)
{
    put_bytes(s, "input", 0, s->net->int8->input, s->net->input.channels * 256);
}

static void put_input_call(struct ink__source *s)
{
    ink__put(&s->writer, "    infer_input(%s_input_0, image, %s, %zu, %zu);\n", s->name, ink__place_text(s, 0).text,
             s->net->input.height * s->net->input.width, s->net->input.channels);
}

static void put_end(struct ink__source *s)
{
    const char *u = s->upper;
    ink__put(&s->writer, "    return infer_best(scores, %s_CLASSES);\n}\n\n", u);
    ink__put(&s->writer, "#ifdef %s_PROBABILITIES\n#ifdef %s_NO_FMA\n#define INFER_NO_FMA\n#endif\n", u, u);
    ink__put_sections(s, ink__infer, "softmax");
    ink__put(&s->writer,
             "void %s_probabilities(const int32_t *scores, float *probabilities)\n{\n    int c;\n"
             "    for (c = 0; c < %s_CLASSES; c++)\n        probabilities[c] = (float)scores[c] * %s_SCORE_SCALE;\n"
             "    infer_softmax(probabilities, probabilities, %s_CLASSES);\n}\n#endif\n",
             s->name, u, u, u);
}

static void put_main(struct ink__source *s, uint32_t seed, const int32_t *expected)
{
    const char *u = s->upper;
    ink__put(&s->writer,
             "\n#ifdef %s_SELFTEST\n/* An image of noise, and what the trainer's own session gives for it. */\n", u);
    ink__put_text(&s->writer, "#include <stdio.h>\n\n");
    put_words(s, "expected", 0, expected, s->net->classes);
    ink__put(&s->writer,
             "\nint main(void)\n{\n    static uint8_t image[%s_INPUTS], scratch[%s_SCRATCH_BYTES];\n"
             "    static int32_t scores[%s_CLASSES];\n    int different = 0;\n",
             u, u, u);
    ink__put_noise(s, seed, "(uint8_t)(state >> 24)");
    ink__put(&s->writer,
             "    %s_predict(image, scores, scratch);\n    for (i = 0; i < %s_CLASSES; i++)\n"
             "        different += scores[i] != %s_expected_0[i];\n"
             "    printf(\"%s: %%d of %%d scores differ\\n\", different, %s_CLASSES);\n"
             "    return different > 0;\n}\n#endif\n",
             s->name, u, s->name, s->name, u);
}

static enum ink_status put_selftest(struct ink__source *s, struct ink_error *err)
{
    const size_t classes = s->net->classes;
    uint8_t *image = ink__array(ink__elements(s->net->input), 1);
    float *probabilities = ink__array(classes, sizeof *probabilities);
    int32_t *expected = ink__array(classes, sizeof *expected);
    enum ink_status status = INK_OK;
    uint32_t seed = 0;
    if (image == NULL || probabilities == NULL || expected == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    ink__choose_noise(s, image, probabilities, &seed);
    const struct ink__batch batch = ink__batch_of(image);
    ink__int8_scores(s->plan->int8, &batch, expected);
    put_main(s, seed, expected);
out:
    free(image);
    free(probabilities);
    free(expected);
    return status;
}

/* The integers were checked when they were made or read. */
static enum ink_status prepare(struct ink__source *s, struct ink_error *err)
{
    const struct ink__int8 *q = s->net->int8;
    bool has_scores = false;
    (void)err;
    for (size_t i = 0; i < q->layer_count; i++) {
        const struct ink__int8_layer *l = &q->layers[i];
        s->steps[s->step_count++] = (struct ink__step){ &l->layer, ink__elements(l->layer.out), l->skip };
        has_scores |= l->gives_scores;
    }
    if (!has_scores)
        s->steps[s->step_count++] = (struct ink__step){ &to_scores, s->net->classes, false };
    return INK_OK;
}

const struct ink__dialect ink__dialect_int8 = {
    .sections = ink__infer_quantised,
    .first = { "best" },
    .unit = "BYTES",
    .result = "scores",
    .includes = "#include <stdint.h>\n\n",
    .prepare = prepare,
    .needs = needs,
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
