/* Element by element: activations, softmax, sums. Plain loops for the compiler to vectorise. A part of template.h. */
/* In place, y (pixels, channels) of `count` elements; of one channel the loop is one for vectors. */
INK__INLINE void normalise(float *y, size_t count, size_t channels, const float *mean, const float *scale)
{
    if (channels == 1) {
        const float m = mean[0], s = scale[0];
        for (size_t i = 0; i < count; i++)
            y[i] = (y[i] - m) * s;
        return;
    }
    for (size_t i = 0; i < count; i += channels)
        for (size_t c = 0; c < channels; c++)
            y[i + c] = (y[i + c] - mean[c]) * scale[c];
}

static void from_bytes(const uint8_t *bytes, size_t count, size_t channels, const float *mean, const float *scale,
                       float *y)
{
    for (size_t i = 0; i < count; i++)
        y[i] = ink__intensity(bytes[i]);
    normalise(y, count, channels, mean, scale);
}

static void from_floats(const float *x, size_t count, size_t channels, const float *mean, const float *scale, float *y)
{
    if (count > 0)
        memcpy(y, x, count * sizeof *y);
    normalise(y, count, channels, mean, scale);
}

/* One loop an activation. `value` may use x[i]. */
#define MAP(value)                                                                                                     \
    for (size_t i = 0; i < count; i++)                                                                                 \
        out[i] = (value);                                                                                              \
    break

static void activate(enum ink__activation f, float slope, const float *x, float *out, size_t count)
{
    switch (f) {
    case INK__IDENTITY:
        MAP(x[i]);
    case INK__RELU:
        MAP(0.0f > x[i] ? 0.0f : x[i]);
    case INK__LEAKY:
        MAP(x[i] > 0.0f ? x[i] : slope * x[i]);
    case INK__SIGMOID:
        MAP(ink__sigmoidf(x[i]));
    case INK__TANH:
        MAP(ink__tanhf(x[i]));
    case INK__GELU:
        MAP(x[i] * ink__sigmoidf(ink__gelu_inner(x[i])));
    }
}

/* d/dx of x s(u(x)) is s + x s (1 - s) u'(x). */
INK__INLINE float gelu_derivative(float x)
{
    const float s = ink__sigmoidf(ink__gelu_inner(x));
    return __builtin_fmaf(x * s * (1.0f - s), ink__gelu_slope(x), s);
}

static void activate_backward(enum ink__activation f, float slope, const float *x, const float *y, const float *dy,
                              float *out, size_t count)
{
    switch (f) {
    case INK__IDENTITY:
        MAP(dy[i]);
    case INK__RELU:
        MAP(y[i] > 0.0f ? dy[i] : 0.0f);
    case INK__LEAKY:
        MAP(y[i] > 0.0f ? dy[i] : slope * dy[i]);
    case INK__SIGMOID:
        MAP(dy[i] * (y[i] * (1.0f - y[i])));
    case INK__TANH:
        MAP(dy[i] * __builtin_fmaf(-y[i], y[i], 1.0f));
    case INK__GELU:
        MAP(dy[i] * gelu_derivative(x[i]));
    }
}

static void exp_all(const float *x, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = ink__expf(x[i]);
}

static void log_all(const float *x, float *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = ink__logf(x[i]);
}

static void softmax(const float *z, size_t n, size_t classes, float *p, float *log_sum)
{
    for (size_t r = 0; r < n; r++) {
        const float *const row = z + r * classes;
        float max = row[0];
        for (size_t c = 1; c < classes; c++)
            max = max > row[c] ? max : row[c];
        for (size_t c = 0; c < classes; c++)
            p[r * classes + c] = row[c] - max;
        if (log_sum != NULL)
            log_sum[r] = max;
    }
    exp_all(p, p, n * classes);
    for (size_t r = 0; r < n; r++) {
        float *const row = p + r * classes;
        float sum = 0.0f;
        for (size_t c = 0; c < classes; c++)
            sum += row[c];
        for (size_t c = 0; c < classes; c++)
            row[c] = row[c] / sum;
        if (log_sum != NULL)
            log_sum[r] += ink__logf(sum);
    }
}

static void add(const float *a, const float *b, float *sum, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] = a[i] + b[i];
}

static void add_parts(const float *parts, size_t pitch, size_t count_of_parts, size_t count, float *sum)
{
    memcpy(sum, parts, count * sizeof *sum);
    for (size_t p = 1; p < count_of_parts; p++)
        add(sum, parts + p * pitch, sum, count);
}
