/* C of floats: the bits of a session. The layers and the folded weights are those of an inference plan. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/calls.h"

static void needs(const struct ink__source *s, size_t i, const char *names[2])
{
    struct ink__call calls[INK__MOST_CALLS];
    for (size_t c = 0, count = ink__calls_of(s, i, calls); c < count; c++)
        names[c] = calls[c].function;
}

/* ---- Constants and calls ----------------------------------------------------------------------------------------- */

/* `static const float NAME_WHAT_LAYER[] = { ... };` */
static void put_array(struct ink__source *s, const struct ink__constants *k)
{
    ink__put(&s->writer, "static const float %s_%s_%zu[%zu] = {", s->name, k->what, k->layer, k->rows * k->columns);
    for (size_t i = 0; i < k->rows * k->columns; i++) {
        ink__put_text(&s->writer, i % 8 == 0 ? "\n    " : " ");
        ink__put_float(&s->writer, k->values[i / k->columns * k->ld + i % k->columns]);
        ink__put_text(&s->writer, ",");
    }
    ink__put_text(&s->writer, "\n};\n");
}

static void put_constants(struct ink__source *s, size_t i)
{
    struct ink__constants constants[INK__MOST_CONSTANTS];
    ink__put_window(s, i);
    for (size_t k = 0, count = ink__constants_of(s, i, constants); k < count; k++)
        put_array(s, &constants[k]);
}

static void put_argument(struct ink__source *s, const struct ink__argument *a)
{
    switch (a->given) {
    case INK__GIVEN_IMAGE:
        ink__put_text(&s->writer, "image");
        break;
    case INK__GIVEN_RESULT:
        ink__put_text(&s->writer, s->dialect->result);
        break;
    case INK__GIVEN_VALUE:
        ink__put_text(&s->writer, ink__place_text(s, a->number).text);
        break;
    case INK__GIVEN_ARRAY:
        ink__put(&s->writer, "%s_%s_%zu", s->name, a->what, a->number);
        break;
    case INK__GIVEN_WINDOW:
        ink__put(&s->writer, "&%s_window_%zu", s->name, a->number);
        break;
    case INK__GIVEN_SIZE:
        ink__put(&s->writer, "%zu", a->number);
        break;
    case INK__GIVEN_FACTOR:
        ink__put_float(&s->writer, a->factor);
        break;
    }
}

static void put_call(struct ink__source *s, const struct ink__call *call)
{
    ink__put(&s->writer, "    infer_%s(", call->function);
    for (size_t a = 0; a < call->count; a++) {
        ink__put_text(&s->writer, a > 0 ? ", " : "");
        put_argument(s, &call->arguments[a]);
    }
    ink__put_text(&s->writer, ");\n");
}

static void put_calls(struct ink__source *s, size_t i)
{
    struct ink__call calls[INK__MOST_CALLS];
    for (size_t c = 0, count = ink__calls_of(s, i, calls); c < count; c++)
        put_call(s, &calls[c]);
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
    struct ink__constants constants[INK__MOST_CONSTANTS];
    for (size_t k = 0, count = ink__constants_of_input(s, constants); k < count; k++)
        put_array(s, &constants[k]);
}

static void put_input_call(struct ink__source *s)
{
    const struct ink__call call = ink__call_input(s);
    put_call(s, &call);
}

static void put_end(struct ink__source *s)
{
    const struct ink__call call = ink__call_softmax(s);
    put_call(s, &call);
    ink__put_text(&s->writer, "}\n");
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
    put_array(s, &(struct ink__constants){ "expected", 0, expected, 1, classes, 0 });
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

static bool all_finite(const struct ink__constants *k)
{
    for (size_t r = 0; r < k->rows; r++)
        for (size_t c = 0; c < k->columns; c++)
            if (!isfinite(k->values[r * k->ld + c]))
                return false;
    return true;
}

static enum ink_status check(const struct ink__source *s, struct ink_error *err)
{
    for (size_t i = 0; i < s->step_count; i++) {
        struct ink__constants constants[INK__MOST_CONSTANTS];
        for (size_t k = 0, count = ink__constants_of(s, i, constants); k < count; k++)
            if (!all_finite(&constants[k]))
                return ink__fail(err, INK_BAD_INPUT,
                                 "network: layer %zu (%s): found a weight that is not a finite number", i,
                                 s->steps[i].layer->text);
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
