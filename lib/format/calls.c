#include "format/calls.h"

#include <string.h>

static const char *const kind_functions[INK__KINDS] = {
    [INK__DENSE] = "dense",         [INK__CONV] = "conv",   [INK__MAX_POOL] = "max_pool",
    [INK__MEAN_POOL] = "mean_pool", [INK__NORM] = "affine", [INK__CLOSE] = "add",
};

static const char *const activation_functions[] = {
    [INK__IDENTITY] = NULL,     [INK__RELU] = "relu", [INK__LEAKY] = "leaky",
    [INK__SIGMOID] = "sigmoid", [INK__TANH] = "tanh", [INK__GELU] = "gelu",
};

/* ---- Arguments --------------------------------------------------------------------------------------------------- */

static struct ink__argument value(size_t v)
{
    return (struct ink__argument){ .given = INK__GIVEN_VALUE, .number = v };
}

static struct ink__argument array(const char *what, size_t layer)
{
    return (struct ink__argument){ .given = INK__GIVEN_ARRAY, .number = layer, .what = what };
}

static struct ink__argument window(size_t layer)
{
    return (struct ink__argument){ .given = INK__GIVEN_WINDOW, .number = layer };
}

static struct ink__argument size(size_t number)
{
    return (struct ink__argument){ .given = INK__GIVEN_SIZE, .number = number };
}

static struct ink__argument factor(float number)
{
    return (struct ink__argument){ .given = INK__GIVEN_FACTOR, .factor = number };
}

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

static struct ink__call call_layer(const struct ink__source *s, size_t i)
{
    const struct ink__layer *const l = s->plan->work[i].layer;
    const size_t count = ink__elements(l->out), pixels = l->in.height * l->in.width;
    struct ink__call call = { .function = kind_functions[l->kind] };
    switch (l->kind) {
    case INK__DENSE:
        call = (struct ink__call){ call.function,
                                   6,
                                   { value(i), size(ink__elements(l->in)), array("weight", i), array("bias", i),
                                     value(i + 1), size(count) } };
        break;
    case INK__CONV:
        call = (struct ink__call){ call.function,
                                   6,
                                   { window(i), value(i), array("weight", i), array("bias", i), value(i + 1),
                                     size(l->out.channels) } };
        break;
    case INK__MAX_POOL:
    case INK__MEAN_POOL:
        call = (struct ink__call){ call.function, 3, { window(i), value(i), value(i + 1) } };
        break;
    case INK__NORM:
        call = (struct ink__call){ call.function,
                                   6,
                                   { value(i), array("scale", i), array("shift", i), value(i + 1), size(pixels),
                                     size(l->in.channels) } };
        break;
    case INK__CLOSE:
        call = (struct ink__call){ call.function, 4, { value(i), value(l->partner), value(i + 1), size(count) } };
        break;
    default:
        break;
    }
    return call;
}

/* It works in place, except where it is the layer. */
static struct ink__call call_activation(const struct ink__source *s, size_t i)
{
    const struct ink__layer *const l = s->plan->work[i].layer;
    const struct ink__argument from = value(l->kind == INK__MAP ? i : i + 1), to = value(i + 1);
    const struct ink__argument count = size(ink__elements(l->out));
    const char *const function = activation_functions[l->activation];
    if (l->activation == INK__LEAKY)
        return (struct ink__call){ function, 4, { from, factor(l->slope), to, count } };
    return (struct ink__call){ function, 3, { from, to, count } };
}

size_t ink__calls_of(const struct ink__source *s, size_t i, struct ink__call calls[INK__MOST_CALLS])
{
    size_t count = 0;
    if (s->steps[i].skip)
        return 0;
    calls[count] = call_layer(s, i);
    count += calls[count].function != NULL;
    calls[count] = call_activation(s, i);
    return count + (calls[count].function != NULL);
}

struct ink__call ink__call_input(const struct ink__source *s)
{
    const struct ink_shape in = s->net->input;
    return (struct ink__call){ "input",
                               6,
                               { { .given = INK__GIVEN_IMAGE },
                                 array("mean", 0),
                                 array("scale_of", 0),
                                 value(0),
                                 size(in.height * in.width),
                                 size(in.channels) } };
}

struct ink__call ink__call_softmax(const struct ink__source *s)
{
    return (struct ink__call){ "softmax",
                               3,
                               { value(s->step_count), { .given = INK__GIVEN_RESULT }, size(s->net->classes) } };
}

/* ---- Constants --------------------------------------------------------------------------------------------------- */

size_t ink__constants_of(const struct ink__source *s, size_t i, struct ink__constants constants[INK__MOST_CONSTANTS])
{
    const struct ink__work *const work = &s->plan->work[i];
    const struct ink__layer *const l = work->layer;
    if (s->steps[i].skip)
        return 0;
    if (l->kind == INK__DENSE || l->kind == INK__CONV) {
        const struct ink__parameter *const p = &s->net->parameters[l->parameter];
        constants[0] = (struct ink__constants){ "weight", i, work->weight, p->rows, p->columns, work->ld };
        constants[1] = (struct ink__constants){ "bias", i, work->bias, 1, p->columns, 0 };
        return 2;
    }
    if (l->kind == INK__NORM) {
        const float *scale, *shift;
        ink__norm_factors(work, &scale, &shift);
        constants[0] = (struct ink__constants){ "scale", i, scale, 1, l->in.channels, 0 };
        constants[1] = (struct ink__constants){ "shift", i, shift, 1, l->in.channels, 0 };
        return 2;
    }
    return 0;
}

size_t ink__constants_of_input(const struct ink__source *s, struct ink__constants constants[INK__MOST_CONSTANTS])
{
    const size_t channels = s->net->input.channels;
    constants[0] = (struct ink__constants){ "mean", 0, s->net->mean, 1, channels, 0 };
    constants[1] = (struct ink__constants){ "scale_of", 0, s->plan->input_scale, 1, channels, 0 };
    return 2;
}
