/*
 * The inference runtime of quantised networks: what an exported C file of integers computes with. Its text is built
 * into the library, as that of infer.c is, and an export carries the sections that its network needs.
 *
 * C99 and C++, <stdint.h> alone, no floating point and no memory of its own. Values are bytes, weights signed bytes, a
 * row of them for each output; sums have 32 bits and never leave them, whatever the image. The integers are those of
 * the library's own kernels (kernel/int8.h).
 *
 * A section begins at its line below and ends at the next; "needs" names earlier ones. Images are (H, W, C). y may be x
 * where both have the same shape.
 */

/* section base */
#include <stdint.h>

static uint8_t infer_byte(int32_t x)
{
    return (uint8_t)(x < 0 ? 0 : x > 255 ? 255 : x);
}

/* section window */
/* A window moving over an image: of a convolution or a pool. */
struct infer_window {
    int height, width, channels; /* of the image */
    int out_height, out_width;
    int kernel_height, kernel_width, stride, pad;
};

/* section sums needs base */
/* How the sums of a layer become values, a bias and a multiplier for each output. */
struct infer_sums {
    const int32_t *bias, *multiplier;
    int shift;
};

/* sum multiplier / 2^(32 + shift), to the nearest integer, halves up. */
static int32_t infer_scale(const struct infer_sums *s, int output, int32_t sum)
{
    const int32_t high = (int32_t)(((int64_t)sum * s->multiplier[output]) >> 32);
    return (high + ((int32_t)1 << (s->shift - 1))) >> s->shift;
}

static int32_t infer_dot(int32_t sum, const uint8_t *x, const int8_t *w, int count)
{
    int t;
    for (t = 0; t < count; t++)
        sum += x[t] * w[t];
    return sum;
}

/* section dense needs sums */
/* y (outputs) from x (inputs) and w (outputs, inputs) */
static void infer_dense(const uint8_t *x, int inputs, const int8_t *w, const struct infer_sums *s, uint8_t *y,
                        int outputs)
{
    int o;
    for (o = 0; o < outputs; o++)
        y[o] = infer_byte(infer_scale(s, o, infer_dot(s->bias[o], x, w + o * inputs, inputs)));
}

/* section dense_scores needs sums */
/* The same for the last layer, whose sums are the scores. */
static void infer_dense_scores(const uint8_t *x, int inputs, const int8_t *w, const struct infer_sums *s,
                               int32_t *scores, int outputs)
{
    int o;
    for (o = 0; o < outputs; o++)
        scores[o] = infer_scale(s, o, infer_dot(s->bias[o], x, w + o * inputs, inputs));
}

/* section conv needs window sums */
/* What the border, where all values are `zero`, adds to a sum. */
static int32_t infer_border(int32_t sum, int zero, const int8_t *w, int count)
{
    int t;
    for (t = 0; t < count; t++)
        sum += zero * w[t];
    return sum;
}

/* y (OH, OW, filters) from x (H, W, C) and w (filters, KH, KW, C). The taps of one kernel row lie together in x and in
 * w; before `first` and from `end` on they see the border. */
static void infer_conv(const struct infer_window *s, const uint8_t *x, int zero, const int8_t *w,
                       const struct infer_sums *sums, uint8_t *y, int filters)
{
    const int pixel = s->channels, row = s->width * pixel, taps = s->kernel_width * pixel;
    int oh, ow, f, h;
    for (oh = 0; oh < s->out_height; oh++)
        for (ow = 0; ow < s->out_width; ow++) {
            const int8_t *weight = w;
            const int top = oh * s->stride - s->pad, left = (ow * s->stride - s->pad) * pixel;
            const int first = left < 0 ? -left : 0, end = row - left < taps ? row - left : taps;
            for (f = 0; f < filters; f++) {
                int32_t sum = sums->bias[f];
                for (h = top; h < top + s->kernel_height; h++, weight += taps) {
                    if (h < 0 || h >= s->height) {
                        sum = infer_border(sum, zero, weight, taps);
                        continue;
                    }
                    sum = infer_border(sum, zero, weight, first);
                    sum = infer_dot(sum, x + h * row + left + first, weight + first, end - first);
                    sum = infer_border(sum, zero, weight + end, taps - end);
                }
                *y++ = infer_byte(infer_scale(sums, f, sum));
            }
        }
}

/* section max_pool needs window */
/* y (OH, OW, C): the largest of each window. */
static void infer_max_pool(const struct infer_window *s, const uint8_t *x, uint8_t *y)
{
    int oh, ow, c, h, w;
    for (oh = 0; oh < s->out_height; oh++)
        for (ow = 0; ow < s->out_width; ow++)
            for (c = 0; c < s->channels; c++) {
                const uint8_t *const corner = x + (oh * s->width + ow) * s->stride * s->channels + c;
                uint8_t largest = 0;
                for (h = 0; h < s->kernel_height; h++)
                    for (w = 0; w < s->kernel_width; w++) {
                        const uint8_t value = corner[(h * s->width + w) * s->channels];
                        largest = value > largest ? value : largest;
                    }
                *y++ = largest;
            }
}

/* section line */
/* How other layers rescale: (x multiplier + bias) >> shift. */
struct infer_line {
    const int32_t *bias, *multiplier;
    int shift;
};

/* section mean needs window line */
/* The mean of window (oh, ow), channel c. */
static int32_t infer_mean(const struct infer_window *s, const struct infer_line *line, const uint8_t *x, int oh, int ow,
                          int c)
{
    const uint8_t *const corner = x + (oh * s->width + ow) * s->stride * s->channels + c;
    int32_t sum = 0;
    int h, w;
    for (h = 0; h < s->kernel_height; h++)
        for (w = 0; w < s->kernel_width; w++)
            sum += corner[(h * s->width + w) * s->channels];
    return (sum * line->multiplier[0] + line->bias[0]) >> line->shift;
}

/* section mean_pool needs base mean */
/* y (OH, OW, C): the mean of each window. */
static void infer_mean_pool(const struct infer_window *s, const struct infer_line *line, const uint8_t *x, uint8_t *y)
{
    int oh, ow, c;
    for (oh = 0; oh < s->out_height; oh++)
        for (ow = 0; ow < s->out_width; ow++)
            for (c = 0; c < s->channels; c++)
                *y++ = infer_byte(infer_mean(s, line, x, oh, ow, c));
}

/* section mean_pool_scores needs mean */
/* The same for the last layer. */
static void infer_mean_pool_scores(const struct infer_window *s, const struct infer_line *line, const uint8_t *x,
                                   int32_t *scores)
{
    int oh, ow, c;
    for (oh = 0; oh < s->out_height; oh++)
        for (ow = 0; ow < s->out_width; ow++)
            for (c = 0; c < s->channels; c++)
                *scores++ = infer_mean(s, line, x, oh, ow, c);
}

/* section affine needs base line */
/* By channel: a batch normalisation that is not part of the layer before it. */
static void infer_affine(const struct infer_line *line, const uint8_t *x, uint8_t *y, int pixels, int channels)
{
    int p, c;
    for (p = 0; p < pixels; p++)
        for (c = 0; c < channels; c++)
            *y++ = infer_byte((*x++ * line->multiplier[c] + line->bias[c]) >> line->shift);
}

/* section add needs base line */
/* The end of a residual group: each of a and b has its multiplier. */
static void infer_add(const struct infer_line *line, const uint8_t *a, const uint8_t *b, uint8_t *y, int count)
{
    int i;
    for (i = 0; i < count; i++)
        y[i] = infer_byte((a[i] * line->multiplier[0] + b[i] * line->multiplier[1] + line->bias[0]) >> line->shift);
}

/* section map */
/* An activation, 256 entries. */
static void infer_map(const uint8_t *table, const uint8_t *x, uint8_t *y, int count)
{
    int i;
    for (i = 0; i < count; i++)
        y[i] = table[x[i]];
}

/* section input */
/* Pixels to values where the network takes a mean out of them: table (channels, 256). */
static void infer_input(const uint8_t *table, const uint8_t *x, uint8_t *y, int pixels, int channels)
{
    int p, c;
    for (p = 0; p < pixels; p++)
        for (c = 0; c < channels; c++)
            *y++ = table[c * 256 + *x++];
}

/* section scores */
/* Scores from values, where the last layer's are bytes. */
static void infer_scores(const uint8_t *x, int zero, int32_t *scores, int count)
{
    int i;
    for (i = 0; i < count; i++)
        scores[i] = x[i] - zero;
}

/* section best */
/* The first of the largest scores. */
static int infer_best(const int32_t *scores, int count)
{
    int i, best = 0;
    for (i = 1; i < count; i++)
        best = scores[i] > scores[best] ? i : best;
    return best;
}
