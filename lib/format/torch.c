/*
 * A network as PyTorch writes one: nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), ...), without the softmax,
 * which its loss does. A residual group is a module of the user's,
 *
 *     class Residual(nn.Sequential):
 *         def forward(self, x):
 *             return x + super().forward(x)
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "format/weights.h"

enum { MOST_DEPTH = 17 };

struct writer {
    char *text; /* NULL: only counted */
    size_t size, length;
    size_t index[MOST_DEPTH]; /* of the next module, by depth */
    bool flat_at[MOST_DEPTH]; /* what went into the groups that are open */
    size_t depth;
    bool flat; /* what flows is (N, C), no longer (N, C, H, W) */
};

static void put(struct writer *w, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct writer *w, const char *format, ...)
{
    const size_t at = w->length < w->size ? w->length : w->size;
    va_list arguments;
    va_start(arguments, format);
    const int length =
        vsnprintf(w->text != NULL ? w->text + at : NULL, w->text != NULL ? w->size - at : 0, format, arguments);
    va_end(arguments);
    w->length += (size_t)length;
}

/* Begins the next module. */
static void begin(struct writer *w)
{
    put(w, "%s", w->index[w->depth]++ > 0 ? ", " : "");
}

static void flatten(struct writer *w, bool flat, size_t channels)
{
    if (w->flat == flat)
        return;
    begin(w);
    if (flat)
        put(w, "nn.Flatten()");
    else
        put(w, "nn.Unflatten(1, (%zu, 1, 1))", channels);
    w->flat = flat;
}

/* The name of the module that begins next: its index after those of the groups around it. */
static void name_module(const struct writer *w, char name[INK__WEIGHT_NAME])
{
    size_t length = 0;
    for (size_t d = 0; d <= w->depth; d++)
        length += (size_t)snprintf(name + length, INK__WEIGHT_NAME - length, "%s%zu", d > 0 ? "." : "",
                                   w->index[d] - (d < w->depth));
}

/* "3", or "(3, 2)" */
static void put_window(struct writer *w, const struct ink__layer *l)
{
    if (l->kernel_height == l->kernel_width)
        put(w, "%zu", l->kernel_height);
    else
        put(w, "(%zu, %zu)", l->kernel_height, l->kernel_width);
}

static void put_pool(struct writer *w, const struct ink__layer *l)
{
    const char *const kind = l->kind == INK__MAX_POOL ? "Max" : "Avg";
    if (l->global) {
        put(w, "nn.Adaptive%sPool2d(1)", kind);
        return;
    }
    put(w, "nn.%sPool2d(", kind);
    put_window(w, l);
    if (l->stride != l->kernel_height || l->kernel_height != l->kernel_width)
        put(w, ", stride=%zu", l->stride);
    put(w, ")");
}

static void put_conv(struct writer *w, const struct ink__layer *l)
{
    put(w, "nn.Conv2d(%zu, %zu, ", l->in.channels, l->out.channels);
    put_window(w, l);
    if (l->stride > 1)
        put(w, ", stride=%zu", l->stride);
    if (l->pad > 0)
        put(w, ", padding=%zu", l->pad);
    put(w, l->bias ? ")" : ", bias=False)");
}

/* A fraction whatever the locale: with the fewest digits that are this float. */
static void put_fraction(struct writer *w, float value)
{
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        double power = 1.0;
        for (int d = 0; d < digits; d++)
            power *= 10.0;
        const unsigned long number = (unsigned long)((double)value * power + 0.5);
        snprintf(text, sizeof text, "0.%0*lu", digits, number);
        if ((float)((double)number / power) == value)
            break;
    }
    put(w, "%s", text);
}

static void put_activation(struct writer *w, const struct ink__layer *l)
{
    static const char *const modules[] = {
        [INK__RELU] = "nn.ReLU()",       [INK__SIGMOID] = "nn.Sigmoid()", [INK__TANH] = "nn.Tanh()",
        [INK__GELU] = "nn.GELU('tanh')", [INK__LEAKY] = "nn.LeakyReLU(",
    };
    if (l->activation == INK__IDENTITY)
        return;
    begin(w);
    put(w, "%s", modules[l->activation]);
    if (l->activation == INK__LEAKY) {
        put_fraction(w, l->slope);
        put(w, ")");
    }
}

static void put_layer(struct writer *w, const struct ink__layer *l, char name[INK__WEIGHT_NAME])
{
    const bool picture = l->kind == INK__CONV || l->kind == INK__MAX_POOL || l->kind == INK__MEAN_POOL;
    if (picture || l->kind == INK__DENSE)
        flatten(w, !picture, l->in.channels);
    if (l->kind == INK__CLOSE) {
        flatten(w, w->flat_at[w->depth], l->in.channels);
        w->depth--;
        put(w, ")");
        return;
    }
    if (name != NULL)
        name_module(w, name);
    if (l->kind != INK__MAP)
        begin(w);
    switch (l->kind) {
    case INK__DENSE:
        put(w, "nn.Linear(%zu, %zu%s)", ink__elements(l->in), l->out.channels, l->bias ? "" : ", bias=False");
        break;
    case INK__CONV:
        put_conv(w, l);
        break;
    case INK__MAX_POOL:
    case INK__MEAN_POOL:
        put_pool(w, l);
        break;
    case INK__NORM:
        put(w, "nn.BatchNorm%s(%zu)", w->flat ? "1d" : "2d", l->in.channels);
        break;
    case INK__DROPOUT:
        put(w, "nn.Dropout(");
        put_fraction(w, l->rate);
        put(w, ")");
        break;
    case INK__OPEN:
        put(w, "Residual(");
        w->depth++;
        w->index[w->depth] = 0;
        w->flat_at[w->depth] = w->flat;
        break;
    default:
        break;
    }
    put_activation(w, l);
}

size_t ink__torch_modules(const struct ink_net *net, char (*modules)[INK__WEIGHT_NAME], char *text, size_t size)
{
    struct writer w = { .text = text, .size = size };
    put(&w, "nn.Sequential(");
    for (size_t i = 0; i < net->layer_count; i++)
        put_layer(&w, &net->layers[i], modules != NULL ? modules[i] : NULL);
    flatten(&w, true, net->classes);
    put(&w, ")");
    return w.length;
}

size_t ink_torch_module(const struct ink_net *net, char *text, size_t size)
{
    return ink__torch_modules(net, NULL, text, size);
}
