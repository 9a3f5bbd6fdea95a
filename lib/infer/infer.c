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

/* section lanes */
/* Chains side by side, one a channel: as many as a vector or two hold, or one where a processor has no vectors. */
#if defined(__SSE2__) || defined(_M_X64) || defined(__ARM_NEON)
#define INFER_LANES 8
#else
#define INFER_LANES 1
#endif
/* gcc unrolls so short a loop before it looks for vectors in it, and then finds none. */
#if defined(__GNUC__) && __GNUC__ >= 8 && !defined(__clang__)
#define INFER_EACH_LANE(l) _Pragma("GCC unroll 1") for (l = 0; l < INFER_LANES; l++)
#else
#define INFER_EACH_LANE(l) for (l = 0; l < INFER_LANES; l++)
#endif

/* section dense needs base lanes */
#define INFER_ROWS 4

/* y (outputs) = bias + x (inputs) w (inputs, outputs), for INFER_ROWS x INFER_LANES of the outputs: chains side by
 * side, since one alone waits for each of its additions. They are written out, which is what keeps them in
 * registers. */
static void infer_dense_rows(const float *x, int inputs, const float *w, const float *bias, float *y, int outputs)
{
    float s0[INFER_LANES], s1[INFER_LANES], s2[INFER_LANES], s3[INFER_LANES];
    int l, i;
    INFER_EACH_LANE(l) s0[l] = bias[l];
    INFER_EACH_LANE(l) s1[l] = bias[INFER_LANES + l];
    INFER_EACH_LANE(l) s2[l] = bias[2 * INFER_LANES + l];
    INFER_EACH_LANE(l) s3[l] = bias[3 * INFER_LANES + l];
    for (i = 0; i < inputs; i++, w += outputs) {
        const float v = x[i];
        INFER_EACH_LANE(l) s0[l] = INFER_FMA(v, w[l], s0[l]);
        INFER_EACH_LANE(l) s1[l] = INFER_FMA(v, w[INFER_LANES + l], s1[l]);
        INFER_EACH_LANE(l) s2[l] = INFER_FMA(v, w[2 * INFER_LANES + l], s2[l]);
        INFER_EACH_LANE(l) s3[l] = INFER_FMA(v, w[3 * INFER_LANES + l], s3[l]);
    }
    INFER_EACH_LANE(l) y[l] = s0[l];
    INFER_EACH_LANE(l) y[INFER_LANES + l] = s1[l];
    INFER_EACH_LANE(l) y[2 * INFER_LANES + l] = s2[l];
    INFER_EACH_LANE(l) y[3 * INFER_LANES + l] = s3[l];
}

/* The same for INFER_LANES of them. */
static void infer_dense_row(const float *x, int inputs, const float *w, const float *bias, float *y, int outputs)
{
    float s[INFER_LANES];
    int l, i;
    INFER_EACH_LANE(l) s[l] = bias[l];
    for (i = 0; i < inputs; i++, w += outputs) {
        const float v = x[i];
        INFER_EACH_LANE(l) s[l] = INFER_FMA(v, w[l], s[l]);
    }
    INFER_EACH_LANE(l) y[l] = s[l];
}

/* The same for all of them. Where a group would not fit any more, it begins earlier and overlaps the one before. */
static void infer_dense(const float *x, int inputs, const float *w, const float *bias, float *y, int outputs)
{
    const int rows = INFER_ROWS * INFER_LANES;
    int o, at, i;
    for (o = 0; outputs >= rows && o < outputs; o += rows) {
        at = o + rows <= outputs ? o : outputs - rows;
        infer_dense_rows(x, inputs, w + at, bias + at, y + at, outputs);
    }
    for (; outputs >= INFER_LANES && o < outputs; o += INFER_LANES) {
        at = o + INFER_LANES <= outputs ? o : outputs - INFER_LANES;
        infer_dense_row(x, inputs, w + at, bias + at, y + at, outputs);
    }
    for (; o < outputs; o++) {
        float sum = bias[o];
        for (i = 0; i < inputs; i++)
            sum = INFER_FMA(x[i], w[i * outputs + o], sum);
        y[o] = sum;
    }
}

/* section chains needs base lanes */
#define INFER_CHAINS 6

/* The part of a kernel that lies on the image: rows of values that lie together, x_row apart in x and w_row in w. */
struct infer_taps {
    int rows, count, x_row, w_row;
};

/* y[c][f + l] = bias[f + l] + the sum over the taps of x[c] times w, for INFER_CHAINS pixels c. They are written out,
 * which is what makes compilers keep the sums in registers; one chain alone would wait for each of its additions. */
static void infer_chains(const struct infer_taps *taps, const float *const x[INFER_CHAINS], const float *w,
                         const float *bias, float *const y[INFER_CHAINS], int f, int filters)
{
    const float *const x0 = x[0], *const x1 = x[1], *const x2 = x[2], *const x3 = x[3], *const x4 = x[4],
                       *const x5 = x[5];
    float s0[INFER_LANES], s1[INFER_LANES], s2[INFER_LANES], s3[INFER_LANES], s4[INFER_LANES], s5[INFER_LANES];
    int l, t, row;
    INFER_EACH_LANE(l) s0[l] = s1[l] = s2[l] = s3[l] = s4[l] = s5[l] = bias[f + l];
    for (row = 0; row < taps->rows; row++) {
        const int begin = row * taps->x_row, end = begin + taps->count;
        const float *from = w + row * taps->w_row + f;
        for (t = begin; t < end; t++, from += filters) {
            float v[INFER_LANES];
            INFER_EACH_LANE(l) v[l] = from[l];
            INFER_EACH_LANE(l) s0[l] = INFER_FMA(x0[t], v[l], s0[l]);
            INFER_EACH_LANE(l) s1[l] = INFER_FMA(x1[t], v[l], s1[l]);
            INFER_EACH_LANE(l) s2[l] = INFER_FMA(x2[t], v[l], s2[l]);
            INFER_EACH_LANE(l) s3[l] = INFER_FMA(x3[t], v[l], s3[l]);
            INFER_EACH_LANE(l) s4[l] = INFER_FMA(x4[t], v[l], s4[l]);
            INFER_EACH_LANE(l) s5[l] = INFER_FMA(x5[t], v[l], s5[l]);
        }
    }
    INFER_EACH_LANE(l) y[0][f + l] = s0[l];
    INFER_EACH_LANE(l) y[1][f + l] = s1[l];
    INFER_EACH_LANE(l) y[2][f + l] = s2[l];
    INFER_EACH_LANE(l) y[3][f + l] = s3[l];
    INFER_EACH_LANE(l) y[4][f + l] = s4[l];
    INFER_EACH_LANE(l) y[5][f + l] = s5[l];
}

/* One of those chains. */
static float infer_chain(const struct infer_taps *taps, const float *x, const float *w, float sum, int filters)
{
    int row, t;
    for (row = 0; row < taps->rows; row++)
        for (t = 0; t < taps->count; t++)
            sum = INFER_FMA(x[row * taps->x_row + t], w[row * taps->w_row + t * filters], sum);
    return sum;
}

/* section conv needs window chains */
/* Taps first .. end - 1 of a kernel of `size` at `start` lie on an image of `length`. The others see zeros, which
 * change no sum. */
static int infer_first(int start)
{
    return start < 0 ? -start : 0;
}

static int infer_end(int start, int size, int length)
{
    return length - start < size ? length - start : size;
}

/* How many outputs, beginning with the one whose kernel is at `start`, at most `most`, have the same taps. */
static int infer_alike(int start, int stride, int size, int length, int most)
{
    int count = 1;
    while (count < most && infer_first(start + count * stride) == infer_first(start) &&
           infer_end(start + count * stride, size, length) == infer_end(start, size, length))
        count++;
    return count;
}

/* y (OH, OW, filters) = bias + x (H, W, C) * w (KH, KW, C, filters), x with a border of `pad` zeros. Pixels with the
 * same taps, high x wide of them, go together, a few at a time; the last pixel fills up the last group, and the last
 * filters overlap those before them. */
static void infer_conv(const struct infer_window *s, const float *x, const float *w, const float *bias, float *y,
                       int filters)
{
    struct infer_taps taps;
    int oh, ow, high, wide, p, c, f;
    taps.x_row = s->width * s->channels;
    taps.w_row = s->kernel_width * s->channels * filters;
    for (oh = 0; oh < s->out_height; oh += high) {
        const int top = oh * s->stride - s->pad, first_h = infer_first(top);
        high = infer_alike(top, s->stride, s->kernel_height, s->height, s->out_height - oh);
        taps.rows = infer_end(top, s->kernel_height, s->height) - first_h;
        for (ow = 0; ow < s->out_width; ow += wide) {
            const int left = ow * s->stride - s->pad, first_w = infer_first(left);
            const float *const kernel = w + first_h * taps.w_row + first_w * s->channels * filters;
            wide = infer_alike(left, s->stride, s->kernel_width, s->width, s->out_width - ow);
            taps.count = (infer_end(left, s->kernel_width, s->width) - first_w) * s->channels;
            for (p = 0; p < high * wide; p += INFER_CHAINS) {
                const float *from[INFER_CHAINS];
                float *to[INFER_CHAINS];
                for (c = 0; c < INFER_CHAINS; c++) {
                    const int pixel = p + c < high * wide ? p + c : high * wide - 1;
                    const int down = pixel / wide, right = pixel % wide;
                    from[c] = x + (top + first_h + down * s->stride) * taps.x_row +
                              (left + first_w + right * s->stride) * s->channels;
                    to[c] = y + ((oh + down) * s->out_width + ow + right) * filters;
                }
                for (f = 0; filters >= INFER_LANES && f < filters; f += INFER_LANES)
                    infer_chains(&taps, from, kernel, bias, to, f + INFER_LANES <= filters ? f : filters - INFER_LANES,
                                 filters);
                for (; f < filters; f++)
                    for (c = 0; c < INFER_CHAINS; c++)
                        to[c][f] = infer_chain(&taps, from[c], kernel + f, bias[f], filters);
            }
        }
    }
}

/* section max_pool needs window lanes */
/* The larger of two; a NaN stays. */
#define INFER_LARGER(value, largest) ((value) > (largest) || (value) != (value) ? (value) : (largest))

/* y (OH, OW, C): the largest of each window. */
static void infer_max_pool(const struct infer_window *s, const float *x, float *y)
{
    int oh, ow, c, l, h, w;
    for (oh = 0; oh < s->out_height; oh++)
        for (ow = 0; ow < s->out_width; ow++, y += s->channels) {
            const float *const corner = x + (oh * s->width + ow) * s->stride * s->channels;
            for (c = 0; s->channels >= INFER_LANES && c < s->channels; c += INFER_LANES) {
                const int at = c + INFER_LANES <= s->channels ? c : s->channels - INFER_LANES;
                float largest[INFER_LANES];
                INFER_EACH_LANE(l) largest[l] = corner[at + l];
                for (h = 0; h < s->kernel_height; h++)
                    for (w = 0; w < s->kernel_width; w++) {
                        const float *const v = corner + (h * s->width + w) * s->channels + at;
                        INFER_EACH_LANE(l) largest[l] = INFER_LARGER(v[l], largest[l]);
                    }
                INFER_EACH_LANE(l) y[at + l] = largest[l];
            }
            for (; c < s->channels; c++) {
                float largest = corner[c];
                for (h = 0; h < s->kernel_height; h++)
                    for (w = 0; w < s->kernel_width; w++) {
                        const float v = corner[(h * s->width + w) * s->channels + c];
                        largest = INFER_LARGER(v, largest);
                    }
                y[c] = largest;
            }
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
