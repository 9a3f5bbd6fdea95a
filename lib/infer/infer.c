/*
 * The inference runtime: what an exported C file computes with. Its text is built into the library, and an export
 * carries the sections that its network needs, so what the tests run here is what runs there.
 *
 * C99 and C++, <math.h> alone, no memory of its own. Every output is one chain of fused multiply-adds in ascending
 * order of the summed index, beginning at the bias, and the functions are those of kernel/math.h: the same bits as a
 * session. With INFER_NO_FMA, for processors without the instruction, a multiplication and an addition round by
 * themselves.
 *
 * A section begins at its line below and ends at the next; "needs" names earlier ones. Images are (H, W, C). y may be x
 * where both have the same shape.
 */

/* section base */
#include <math.h>

#ifdef INFER_NO_FMA
#define INFER_FMA(a, b, c) ((a) * (b) + (c))
#else
#define INFER_FMA(a, b, c) fmaf(a, b, c)
#endif

/* section window */
/* A window moving over an image: of a convolution or a pool. */
struct infer_window {
    int height, width, channels; /* of the image */
    int out_height, out_width;
    int kernel_height, kernel_width, stride, pad;
};

/* section chains needs base */
#define INFER_ROWS  4
#define INFER_LANES 8

/* sum[r][l] += x[r x_step + t] w[r w_step + t pitch + l] for t = 0 .. count - 1: chains side by side, since one alone
 * waits for each of its additions. The rows are written out, which is what makes compilers keep them in registers. */
static void infer_chains(float sum[INFER_ROWS][INFER_LANES], const float *x, int x_step, const float *w, int w_step,
                         int pitch, int count)
{
    float s0[INFER_LANES], s1[INFER_LANES], s2[INFER_LANES], s3[INFER_LANES];
    int l, t;
    for (l = 0; l < INFER_LANES; l++) {
        s0[l] = sum[0][l];
        s1[l] = sum[1][l];
        s2[l] = sum[2][l];
        s3[l] = sum[3][l];
    }
    for (t = 0; t < count; t++, w += pitch) {
        const float x0 = x[t], x1 = x[x_step + t], x2 = x[2 * x_step + t], x3 = x[3 * x_step + t];
        for (l = 0; l < INFER_LANES; l++)
            s0[l] = INFER_FMA(x0, w[l], s0[l]);
        for (l = 0; l < INFER_LANES; l++)
            s1[l] = INFER_FMA(x1, w[w_step + l], s1[l]);
        for (l = 0; l < INFER_LANES; l++)
            s2[l] = INFER_FMA(x2, w[2 * w_step + l], s2[l]);
        for (l = 0; l < INFER_LANES; l++)
            s3[l] = INFER_FMA(x3, w[3 * w_step + l], s3[l]);
    }
    for (l = 0; l < INFER_LANES; l++) {
        sum[0][l] = s0[l];
        sum[1][l] = s1[l];
        sum[2][l] = s2[l];
        sum[3][l] = s3[l];
    }
}

/* One of those rows. */
static void infer_row(float sum[INFER_LANES], const float *x, const float *w, int pitch, int count)
{
    float s[INFER_LANES];
    int l, t;
    for (l = 0; l < INFER_LANES; l++)
        s[l] = sum[l];
    for (t = 0; t < count; t++, w += pitch) {
        const float x0 = x[t];
        for (l = 0; l < INFER_LANES; l++)
            s[l] = INFER_FMA(x0, w[l], s[l]);
    }
    for (l = 0; l < INFER_LANES; l++)
        sum[l] = s[l];
}

/* One of those chains. */
static float infer_chain(float sum, const float *x, const float *w, int pitch, int count)
{
    int t;
    for (t = 0; t < count; t++, w += pitch)
        sum = INFER_FMA(x[t], *w, sum);
    return sum;
}

/* section dense needs chains */
/* y (outputs) = bias + x (inputs) w (inputs, outputs) */
static void infer_dense(const float *x, int inputs, const float *w, const float *bias, float *y, int outputs)
{
    int o, r, l;
    for (o = 0; o + INFER_ROWS * INFER_LANES <= outputs; o += INFER_ROWS * INFER_LANES) {
        float sum[INFER_ROWS][INFER_LANES];
        for (r = 0; r < INFER_ROWS; r++)
            for (l = 0; l < INFER_LANES; l++)
                sum[r][l] = bias[o + r * INFER_LANES + l];
        infer_chains(sum, x, 0, w + o, INFER_LANES, outputs, inputs);
        for (r = 0; r < INFER_ROWS; r++)
            for (l = 0; l < INFER_LANES; l++)
                y[o + r * INFER_LANES + l] = sum[r][l];
    }
    for (; o + INFER_LANES <= outputs; o += INFER_LANES) {
        float sum[INFER_LANES];
        for (l = 0; l < INFER_LANES; l++)
            sum[l] = bias[o + l];
        infer_row(sum, x, w + o, outputs, inputs);
        for (l = 0; l < INFER_LANES; l++)
            y[o + l] = sum[l];
    }
    for (; o < outputs; o++)
        y[o] = infer_chain(bias[o], x, w + o, outputs, inputs);
}

/* section conv needs window chains */
/* The part of a kernel of `size` at `start` that lies on an image of `length`: taps first .. end - 1. The others see
 * zeros, which change no sum. */
static int infer_first(int start)
{
    return start < 0 ? -start : 0;
}

static int infer_end(int start, int size, int length)
{
    return length - start < size ? length - start : size;
}

/* y (OH, OW, filters) = bias + x (H, W, C) * w (KH, KW, C, filters), x with a border of `pad` zeros. The taps of one
 * kernel row lie together in x and in w. */
static void infer_conv(const struct infer_window *s, const float *x, const float *w, const float *bias, float *y,
                       int filters)
{
    const int pixel = s->channels, row = s->width * pixel, kernel_row = s->kernel_width * pixel;
    int oh, ow, f, h, r, l, pixels;
    for (oh = 0; oh < s->out_height; oh++) {
        const int top = oh * s->stride - s->pad;
        const int first_h = infer_first(top), end_h = infer_end(top, s->kernel_height, s->height);
        for (ow = 0; ow < s->out_width; ow += pixels, y += pixels * filters) {
            const int left = ow * s->stride - s->pad;
            const int first_w = infer_first(left), end_w = infer_end(left, s->kernel_width, s->width);
            const int taps = (end_w - first_w) * pixel;
            const int corner = top * row + (left + first_w) * pixel, filter = first_w * pixel;
            /* Pixels go together where none of them sees the border. */
            const int last = ow + INFER_ROWS - 1, right = last * s->stride - s->pad + s->kernel_width;
            pixels = left >= 0 && last < s->out_width && right <= s->width ? INFER_ROWS : 1;
            for (f = 0; f + INFER_LANES <= filters; f += INFER_LANES) {
                float sum[INFER_ROWS][INFER_LANES];
                for (r = 0; r < pixels; r++)
                    for (l = 0; l < INFER_LANES; l++)
                        sum[r][l] = bias[f + l];
                for (h = first_h; h < end_h; h++) {
                    const float *const from = w + (filter + h * kernel_row) * filters + f;
                    if (pixels == INFER_ROWS)
                        infer_chains(sum, x + corner + h * row, s->stride * pixel, from, 0, filters, taps);
                    else
                        infer_row(sum[0], x + corner + h * row, from, filters, taps);
                }
                for (r = 0; r < pixels; r++)
                    for (l = 0; l < INFER_LANES; l++)
                        y[r * filters + f + l] = sum[r][l];
            }
            for (f = filters - filters % INFER_LANES; f < filters; f++) {
                for (r = 0; r < pixels; r++) {
                    float sum = bias[f];
                    for (h = first_h; h < end_h; h++)
                        sum = infer_chain(sum, x + corner + h * row + r * s->stride * pixel,
                                          w + (filter + h * kernel_row) * filters + f, filters, taps);
                    y[r * filters + f] = sum;
                }
            }
        }
    }
}

/* section max_pool needs window */
/* y (OH, OW, C): the largest of each window. */
static void infer_max_pool(const struct infer_window *s, const float *x, float *y)
{
    int oh, ow, c, h, w;
    for (oh = 0; oh < s->out_height; oh++)
        for (ow = 0; ow < s->out_width; ow++)
            for (c = 0; c < s->channels; c++) {
                const float *const corner = x + (oh * s->width + ow) * s->stride * s->channels + c;
                float largest = corner[0];
                for (h = 0; h < s->kernel_height; h++)
                    for (w = 0; w < s->kernel_width; w++) {
                        const float value = corner[(h * s->width + w) * s->channels];
                        largest = value > largest || value != value ? value : largest; /* a NaN stays */
                    }
                *y++ = largest;
            }
}

/* section mean_pool needs base window */
/* y (OH, OW, C): the mean of each window. */
static void infer_mean_pool(const struct infer_window *s, const float *x, float *y)
{
    const float share = 1.0f / (float)(s->kernel_height * s->kernel_width);
    int oh, ow, c, h, w;
    for (oh = 0; oh < s->out_height; oh++)
        for (ow = 0; ow < s->out_width; ow++)
            for (c = 0; c < s->channels; c++) {
                const float *const corner = x + (oh * s->width + ow) * s->stride * s->channels + c;
                float mean = 0.0f;
                for (h = 0; h < s->kernel_height; h++)
                    for (w = 0; w < s->kernel_width; w++)
                        mean = INFER_FMA(share, corner[(h * s->width + w) * s->channels], mean);
                *y++ = mean;
            }
}

/* section input */
/* y = (x - mean) scale, by channel */
static void infer_input(const float *x, const float *mean, const float *scale, float *y, int pixels, int channels)
{
    int p, c;
    for (p = 0; p < pixels; p++)
        for (c = 0; c < channels; c++)
            y[p * channels + c] = (x[p * channels + c] - mean[c]) * scale[c];
}

/* section affine needs base */
/* y = x scale + shift, by channel: a batch normalisation that is not part of the layer before it */
static void infer_affine(const float *x, const float *scale, const float *shift, float *y, int pixels, int channels)
{
    int p, c;
    for (p = 0; p < pixels; p++)
        for (c = 0; c < channels; c++)
            y[p * channels + c] = INFER_FMA(x[p * channels + c], scale[c], shift[c]);
}

/* section add */
/* y = a + b: the end of a residual group */
static void infer_add(const float *a, const float *b, float *y, int count)
{
    int i;
    for (i = 0; i < count; i++)
        y[i] = a[i] + b[i];
}

/* section relu */
static void infer_relu(const float *x, float *y, int count)
{
    int i;
    for (i = 0; i < count; i++)
        y[i] = 0.0f > x[i] ? 0.0f : x[i];
}

/* section leaky */
static void infer_leaky(const float *x, float slope, float *y, int count)
{
    int i;
    for (i = 0; i < count; i++)
        y[i] = x[i] > 0.0f ? x[i] : slope * x[i];
}

/* section exp needs base */
/* exp(x) = 2^n exp(r), n the integer nearest to x / ln 2; exp(r) by a minimax polynomial. Within 1.01 ulp. */
static float infer_exp(float x)
{
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    float t, n, r, p;
    if (x != x)
        return x;
    t = x < -104.0f ? -104.0f : x;
    t = t > 89.0f ? 89.0f : t;
    n = INFER_FMA(t, 1.442695f, shift);
    n = n - shift;
    r = INFER_FMA(n, -0.69314575f, t);
    r = INFER_FMA(n, -1.4286068e-06f, r);
    p = 0.0013744964f;
    p = INFER_FMA(p, r, 0.008368945f);
    p = INFER_FMA(p, r, 0.041669652f);
    p = INFER_FMA(p, r, 0.16666518f);
    p = INFER_FMA(p, r, 0.49999988f);
    p = INFER_FMA(p, r * r, r);
    return ldexpf(p + 1.0f, (int)n);
}

/* section logistic needs base exp */
/* 1 / (1 + exp(-x)). With e = exp(-|x|) and q = e / (1 + e): 1 - q on the right, q = e - e q on the left. */
static float infer_logistic(float x)
{
    const float e = infer_exp(-fabsf(x));
    const float q = e / (1.0f + e);
    return x < 0.0f ? INFER_FMA(-e, q, e) : 1.0f - q;
}

/* section sigmoid needs logistic */
static void infer_sigmoid(const float *x, float *y, int count)
{
    int i;
    for (i = 0; i < count; i++)
        y[i] = infer_logistic(x[i]);
}

/* section gelu needs base logistic */
/* x logistic(2 sqrt(2/pi) (x + 0.044715 x^3)) */
static void infer_gelu(const float *x, float *y, int count)
{
    int i;
    for (i = 0; i < count; i++) {
        const float inner = x[i] * INFER_FMA(0.071354814f, x[i] * x[i], 1.5957692f);
        y[i] = x[i] * infer_logistic(inner);
    }
}

/* section tanh needs base exp */
/* |x| + |x|^3 p(x^2) below 0.625, 1 - 2 / (exp(2 |x|) + 1) beyond, with the sign of x. */
static void infer_tanh(const float *x, float *y, int count)
{
    int i;
    for (i = 0; i < count; i++) {
        const float a = fabsf(x[i]), x2 = x[i] * x[i];
        float p = -0.005704987f;
        p = INFER_FMA(p, x2, 0.020639088f);
        p = INFER_FMA(p, x2, -0.053739715f);
        p = INFER_FMA(p, x2, 0.13331442f);
        p = INFER_FMA(p, x2, -0.3333328f);
        p = a < 0.625f ? INFER_FMA(p * x2, a, a) : 1.0f - 2.0f / (infer_exp(2.0f * a) + 1.0f);
        y[i] = copysignf(p, x[i]);
    }
}

/* section softmax needs exp */
/* p = exp(z - max) / sum */
static void infer_softmax(const float *z, float *p, int classes)
{
    float max = z[0], sum = 0.0f;
    int c;
    for (c = 1; c < classes; c++)
        max = max > z[c] ? max : z[c];
    for (c = 0; c < classes; c++)
        p[c] = infer_exp(z[c] - max);
    for (c = 0; c < classes; c++)
        sum += p[c];
    for (c = 0; c < classes; c++)
        p[c] = p[c] / sum;
}
