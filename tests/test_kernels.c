/*
 * The kernels other than the products and sums by channel (test_products.c), in every set this machine has, against
 * naive oracles. Where the contract fixes the operations they must agree bit for bit, which makes the sets equal to
 * each other as well; where it leaves them to kernel/math.h, the portable set is the oracle, and double precision says
 * that it is right.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernels.h"

/* ---- Element by element ------------------------------------------------------------------------------------------ */

static void inputs(void **state)
{
    (void)state;
    for (size_t channels = 1; channels <= 4; channels++) {
        for (size_t s = 0; s < SIZES; s++) {
            const size_t count = sizes[s] * channels;
            uint8_t *bytes = guard_array(count, 1);
            float *mean = floats(channels), *scale = floats(channels), *expected = floats(count);
            for (size_t i = 0; i < count; i++) {
                bytes[i] = (uint8_t)(i < 256 ? i : next() % 256);
                expected[i] = ((float)bytes[i] / 255.0f - mean[i % channels]) * scale[i % channels];
            }
            for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
                float *y = floats(count);
                (*k)->from_bytes(bytes, count, channels, mean, scale, y);
                assert_same("from_bytes", *k, y, expected, count);
            }
            float *x = floats(count);
            for (size_t i = 0; i < count; i++)
                expected[i] = (x[i] - mean[i % channels]) * scale[i % channels];
            for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
                float *y = floats(count);
                (*k)->from_floats(x, count, channels, mean, scale, y);
                assert_same("from_floats", *k, y, expected, count);
            }
            release("from_bytes, from_floats");
        }
    }
}

static double sigmoid_of(double x)
{
    return 1.0 / (1.0 + exp(-x));
}

static double gelu_inner(double x)
{
    return 2.0 * sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x);
}

static double activation(enum ink__activation f, double slope, double x)
{
    switch (f) {
    case INK__IDENTITY:
        return x;
    case INK__RELU:
        return x < 0.0 ? 0.0 : x;
    case INK__LEAKY:
        return x > 0.0 ? x : slope * x;
    case INK__SIGMOID:
        return sigmoid_of(x);
    case INK__TANH:
        return tanh(x);
    case INK__GELU:
        return x * sigmoid_of(gelu_inner(x));
    }
    return NAN;
}

/* By central differences; the kinks of relu and leaky are not asked. */
static double derivative(enum ink__activation f, double slope, double x)
{
    const double h = 1e-5;
    return (activation(f, slope, x + h) - activation(f, slope, x - h)) / (2.0 * h);
}

static void activations(void **state)
{
    (void)state;
    const float slope = 0.1f;
    for (enum ink__activation f = INK__IDENTITY; f <= INK__GELU; f++) {
        for (size_t s = 0; s < SIZES; s++) {
            const size_t n = sizes[s];
            float *x = floats(n), *dy = floats(n), *y = floats(n), *dx = floats(n);
            double *truth = guard_array(n, sizeof *truth), *slopes = guard_array(n, sizeof *slopes);
            for (size_t i = 0; i < n; i++) {
                x[i] = uniform(-6.0f, 6.0f);
                x[i] += x[i] < 0.0f ? -1e-3f : 1e-3f; /* away from the kinks */
                truth[i] = activation(f, (double)slope, (double)x[i]);
                slopes[i] = (double)dy[i] * derivative(f, (double)slope, (double)x[i]);
            }
            const struct ink__kernels *portable = kernel_sets[0];
            portable->activate(f, slope, x, y, n);
            assert_near("activate", y, truth, n, 3e-7);
            portable->activate_backward(f, slope, x, y, dy, dx, n);
            assert_near("activate_backward", dx, slopes, n, 1e-6);

            add_edges(x, n);
            add_edges(dy, n);
            portable->activate(f, slope, x, y, n);
            portable->activate_backward(f, slope, x, y, dy, dx, n);
            for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
                float *found = floats(n), *in_place = copy(x, n), *back = floats(n), *back_in_place = copy(dy, n);
                (*k)->activate(f, slope, x, found, n);
                assert_same("activate", *k, found, y, n);
                (*k)->activate(f, slope, in_place, in_place, n);
                assert_same("activate in place", *k, in_place, y, n);
                (*k)->activate_backward(f, slope, x, y, dy, back, n);
                assert_same("activate_backward", *k, back, dx, n);
                (*k)->activate_backward(f, slope, x, y, back_in_place, back_in_place, n);
                assert_same("activate_backward in place", *k, back_in_place, dx, n);
            }
            release("activate");
        }
    }
}

/* What NaN and the zeros become is part of the contract: a NaN must come out, or nobody learns of it. */
static void activations_at_the_edges(void **state)
{
    (void)state;
    static const float x[] = { NAN, INFINITY, -INFINITY, 0.0f, -0.0f, FLT_TRUE_MIN, -FLT_TRUE_MIN, -1.0f };
    static const float relu[] = { NAN, INFINITY, 0.0f, 0.0f, -0.0f, FLT_TRUE_MIN, 0.0f, 0.0f };
    static const float leaky[] = { NAN, INFINITY, -INFINITY, 0.0f, -0.0f, FLT_TRUE_MIN, -0.0f, -0.25f };
    float y[8];
    for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
        (*k)->activate(INK__IDENTITY, 0.0f, x, y, 8);
        assert_same("identity", *k, y, x, 8);
        (*k)->activate(INK__RELU, 0.0f, x, y, 8);
        assert_same("relu", *k, y, relu, 8);
        (*k)->activate(INK__LEAKY, 0.25f, x, y, 8);
        assert_same("leaky", *k, y, leaky, 8);
    }
}

static void check_softmax(size_t n, size_t classes, float spread)
{
    const size_t count = n * classes;
    float *z = guard_array(count, sizeof *z), *p = floats(count), *log_sum = floats(n);
    double *truth = guard_array(count, sizeof *truth), *log_truth = guard_array(n, sizeof *log_truth);
    for (size_t r = 0; r < n; r++) {
        double sum = 0.0, max = -INFINITY;
        for (size_t c = 0; c < classes; c++) {
            z[r * classes + c] = uniform(-spread, spread);
            max = fmax(max, (double)z[r * classes + c]);
        }
        for (size_t c = 0; c < classes; c++)
            sum += truth[r * classes + c] = exp((double)z[r * classes + c] - max);
        for (size_t c = 0; c < classes; c++)
            truth[r * classes + c] /= sum;
        log_truth[r] = max + log(sum);
    }
    const struct ink__kernels *portable = kernel_sets[0];
    portable->softmax(z, n, classes, p, log_sum);
    assert_near("softmax", p, truth, count, 1e-7 * (1.0 + (double)spread));
    assert_near("softmax: log of the sum", log_sum, log_truth, n, 4e-7);
    for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
        float *found = floats(count), *in_place = copy(z, count), *found_sum = floats(n);
        (*k)->softmax(z, n, classes, found, found_sum);
        assert_same("softmax", *k, found, p, count);
        assert_same("softmax: log of the sum", *k, found_sum, log_sum, n);
        (*k)->softmax(in_place, n, classes, in_place, NULL);
        assert_same("softmax in place", *k, in_place, p, count);
    }
    release("softmax");
}

static void softmax(void **state)
{
    (void)state;
    static const size_t classes[] = { 1, 2, 3, 10, 15, 16, 17, 100 };
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        for (size_t n = 0; n < 20; n += 3) {
            check_softmax(n, classes[i], 1.0f);
            check_softmax(n, classes[i], 100.0f);
        }
    }
    /* No overflow, and no class that counts is lost. */
    const float z[] = { 3e38f, -3e38f, 3e38f, -INFINITY };
    float p[4];
    for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
        (*k)->softmax(z, 1, 4, p, NULL);
        assert_same("softmax of large values", *k, p, (const float[]){ 0.5f, 0.0f, 0.5f, 0.0f }, 4);
    }
}

static void sums(void **state)
{
    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        const size_t n = sizes[s];
        float *a = floats(n), *b = floats(n), *expected = floats(n), *parts = floats(4 * (n + 5));
        for (size_t i = 0; i < n; i++)
            expected[i] = a[i] + b[i];
        for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
            float *sum = floats(n), *in_place = copy(a, n);
            (*k)->add(a, b, sum, n);
            assert_same("add", *k, sum, expected, n);
            (*k)->add(in_place, b, in_place, n);
            assert_same("add in place", *k, in_place, expected, n);
        }
        for (size_t count = 1; count <= 4; count++) {
            for (size_t i = 0; i < n; i++) {
                expected[i] = parts[i];
                for (size_t p = 1; p < count; p++)
                    expected[i] += parts[p * (n + 5) + i];
            }
            for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
                float *sum = floats(n);
                (*k)->add_parts(parts, n + 5, count, n, sum);
                assert_same("add_parts", *k, sum, expected, n);
            }
        }
        release("add");
    }
}

/* ---- Pooling ----------------------------------------------------------------------------------------------------- */

typedef void check_pool_fn(const struct ink__pooling *pool);

/* Windows side by side, overlapping, apart, with a remainder, and of the whole image. */
static void each_pool(check_pool_fn *check)
{
    static const size_t channels[] = { 1, 3, 7, 8, 9, 15, 16, 17, 33, 64 };
    static const struct ink__pooling shapes[] = {
        { .height = 1, .width = 1, .kernel_height = 1, .kernel_width = 1, .stride = 1 },
        { .height = 6, .width = 8, .kernel_height = 2, .kernel_width = 2, .stride = 2 },
        { .height = 7, .width = 5, .kernel_height = 2, .kernel_width = 2, .stride = 2 },
        { .height = 7, .width = 9, .kernel_height = 3, .kernel_width = 3, .stride = 2 },
        { .height = 5, .width = 6, .kernel_height = 3, .kernel_width = 2, .stride = 1 },
        { .height = 9, .width = 8, .kernel_height = 1, .kernel_width = 2, .stride = 3 },
        { .height = 4, .width = 7, .kernel_height = 4, .kernel_width = 7, .stride = 1 },
    };
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        for (size_t c = 0; c < sizeof channels / sizeof channels[0]; c++) {
            struct ink__pooling pool = shapes[s];
            pool.channels = channels[c];
            pool.out_height = (pool.height - pool.kernel_height) / pool.stride + 1;
            pool.out_width = (pool.width - pool.kernel_width) / pool.stride + 1;
            check(&pool);
        }
    }
}

static size_t pool_in(const struct ink__pooling *pool)
{
    return pool->height * pool->width * pool->channels;
}

static size_t pool_out(const struct ink__pooling *pool)
{
    return pool->out_height * pool->out_width * pool->channels;
}

/* The place in the input of row i, column j of the window of output element o. */
static size_t place(const struct ink__pooling *pool, size_t o, size_t i, size_t j)
{
    const size_t c = o % pool->channels, column = o / pool->channels % pool->out_width,
                 row = o / pool->channels / pool->out_width;
    return ((row * pool->stride + i) * pool->width + column * pool->stride + j) * pool->channels + c;
}

/* Few different values, so that the largest is often there twice. */
static float *with_ties(size_t count)
{
    float *x = guard_array(count, sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)below(4) - 1.0f;
    if (below(2) == 0)
        add_edges(x, count);
    return x;
}

static void check_max_pool(const struct ink__pooling *pool)
{
    const size_t in = pool_in(pool), out = pool_out(pool);
    float *x = with_ties(in), *y = floats(out), *dy = floats(out), *dx = guard_array(in, sizeof *dx);
    for (size_t o = 0; o < out; o++) {
        size_t best = place(pool, o, 0, 0);
        for (size_t i = 0; i < pool->kernel_height; i++) {
            for (size_t j = 0; j < pool->kernel_width; j++) {
                const float here = x[place(pool, o, i, j)];
                best = here > x[best] || isnan(here) ? place(pool, o, i, j) : best; /* a NaN is not lost */
            }
        }
        y[o] = x[best];
        if (!isnan(y[o])) /* a NaN is equal to nothing, so nothing gets its gradient */
            dx[best] += dy[o];
    }
    for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
        float *found = floats(out), *back = floats(in);
        (*k)->max_pool(pool, x, found);
        assert_same("max_pool", *k, found, y, out);
        (*k)->max_pool_backward(pool, x, y, dy, back);
        assert_same("max_pool_backward", *k, back, dx, in);
    }
    release("max_pool");
}

static void max_pool(void **state)
{
    (void)state;
    each_pool(check_max_pool);
}

static void check_mean_pool(const struct ink__pooling *pool)
{
    const size_t in = pool_in(pool), out = pool_out(pool);
    const float share = 1.0f / (float)(pool->kernel_height * pool->kernel_width);
    float *x = floats(in), *y = guard_array(out, sizeof *y), *dy = floats(out), *dx = guard_array(in, sizeof *dx);
    for (size_t o = 0; o < out; o++) {
        for (size_t i = 0; i < pool->kernel_height; i++) {
            for (size_t j = 0; j < pool->kernel_width; j++) {
                const size_t at = place(pool, o, i, j);
                y[o] = fmaf(share, x[at], y[o]);
                dx[at] = fmaf(share, dy[o], dx[at]);
            }
        }
    }
    for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
        float *found = floats(out), *back = floats(in);
        (*k)->mean_pool(pool, x, found);
        assert_same("mean_pool", *k, found, y, out);
        (*k)->mean_pool_backward(pool, dy, back);
        assert_same("mean_pool_backward", *k, back, dx, in);
    }
    release("mean_pool");
}

static void mean_pool(void **state)
{
    (void)state;
    each_pool(check_mean_pool);
}

/* ---- Optimizers -------------------------------------------------------------------------------------------------- */

/* One step of one parameter as the papers have it. */
static void update_oracle(const struct ink__update *u, double *w, double g, double *s1, double *s2)
{
    const double rate = (double)u->rate, beta1 = (double)u->beta1, beta2 = (double)u->beta2;
    const double epsilon = (double)u->epsilon, d = g * (double)u->gradient_scale + (double)u->decay * *w;
    switch (u->rule) {
    case INK__SGD:
        *w -= rate * d;
        break;
    case INK__MOMENTUM:
        *s1 = beta1 * *s1 + d;
        *w -= rate * *s1;
        break;
    case INK__NESTEROV:
        *s1 = beta1 * *s1 + d;
        *w -= rate * (d + beta1 * *s1);
        break;
    case INK__ADAGRAD:
        *s1 += d * d;
        *w -= rate * d / (sqrt(*s1) + epsilon);
        break;
    case INK__RMSPROP:
        *s1 = beta2 * *s1 + (1.0 - beta2) * d * d;
        *w -= rate * d / (sqrt(*s1) + epsilon);
        break;
    case INK__ADAM:
        *s1 = beta1 * *s1 + (1.0 - beta1) * d;
        *s2 = beta2 * *s2 + (1.0 - beta2) * d * d;
        *w -= (double)u->shrink * *w;
        *w -= rate * *s1 * (double)u->correction1 / (sqrt(*s2 * (double)u->correction2) + epsilon);
        break;
    }
}

/* The running values that a rule does not need it does not touch, so they may be NULL. */
static size_t states_of(enum ink__rule rule)
{
    return rule == INK__SGD ? 0 : rule == INK__ADAM ? 2 : 1;
}

static void check_update(struct ink__update u, size_t n)
{
    enum { STEPS = 6 };
    float *start = floats(n), *g = floats(STEPS * n);
    double *truth = guard_array(n, sizeof *truth), *s1 = guard_array(n, sizeof *s1), *s2 = guard_array(n, sizeof *s2);
    float *reference = NULL;
    for (size_t i = 0; i < n; i++)
        truth[i] = (double)start[i];
    for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
        const size_t states = states_of(u.rule);
        float *w = copy(start, n);
        float *first = states > 0 ? guard_array(n, sizeof *first) : NULL;
        float *second = states > 1 ? guard_array(n, sizeof *second) : NULL;
        for (size_t step = 0; step < STEPS; step++) {
            u.correction1 = (float)(1.0 / (1.0 - pow((double)u.beta1, (double)step + 1.0)));
            u.correction2 = (float)(1.0 / (1.0 - pow((double)u.beta2, (double)step + 1.0)));
            (*k)->update(&u, w, g + step * n, first, second, n);
            for (size_t i = 0; reference == NULL && i < n; i++)
                update_oracle(&u, &truth[i], (double)g[step * n + i], &s1[i], &s2[i]);
        }
        if (reference == NULL)
            reference = w;
        assert_near("update", w, truth, n, 1e-6);
        assert_same("update", *k, w, reference, n);
    }
    release("update");
}

static void optimizers(void **state)
{
    (void)state;
    for (enum ink__rule rule = INK__SGD; rule <= INK__ADAM; rule++) {
        for (size_t s = 0; s < SIZES; s++) {
            struct ink__update u = {
                .rule = rule, .rate = 0.01f, .gradient_scale = 1.0f, .beta1 = 0.9f, .beta2 = 0.99f, .epsilon = 1e-3f
            };
            check_update(u, sizes[s]);
            u.gradient_scale = 0.3f;
            u.decay = 0.1f;
            u.shrink = rule == INK__ADAM ? 0.02f : 0.0f;
            check_update(u, sizes[s]);
        }
    }
}

static void average(void **state)
{
    (void)state;
    for (size_t s = 0; s < SIZES; s++) {
        const size_t n = sizes[s];
        const float weight = 0.125f;
        float *before = floats(n), *w = floats(n), *expected = floats(n);
        for (size_t i = 0; i < n; i++)
            expected[i] = fmaf(weight, w[i] - before[i], before[i]);
        for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
            float *mean = copy(before, n);
            (*k)->average(mean, w, weight, n);
            assert_same("average", *k, mean, expected, n);
        }
        release("average");
    }
}

/* ---- Moving images ----------------------------------------------------------------------------------------------- */

/* Weights of a spline's nodes: four neighbours of each place, adding to 256. Node n of place i is at n * by_node + i *
 * by_place. */
static int32_t *spline(size_t count, size_t by_node, size_t by_place)
{
    int32_t *weights = guard_array(count * INK__BEND_NODES, sizeof *weights);
    for (size_t i = 0; i < count; i++) {
        const size_t first = below(INK__BEND_NODES - 3);
        int32_t left = 256;
        for (size_t n = first; n < first + 4; n++) {
            const int32_t weight = n == first + 3 ? left : (int32_t)below((size_t)left + 1);
            weights[n * by_node + i * by_place] = weight;
            left -= weight;
        }
    }
    return weights;
}

static int64_t bend_of(const struct ink__warp *w, size_t direction, size_t x, size_t y)
{
    int64_t sum = 0;
    for (size_t r = 0; r < INK__BEND_NODES; r++) {
        int64_t column = 0;
        for (size_t n = 0; n < INK__BEND_NODES; n++)
            column += (int64_t)w->across[n * w->width + x] *
                      w->nodes[(direction * INK__BEND_NODES + r) * INK__BEND_NODES + n];
        sum += (int64_t)w->down[y * INK__BEND_NODES + r] * (column >> 8);
    }
    return sum >> 8;
}

static int64_t byte_at(const struct ink__warp *w, const uint8_t *image, int64_t x, int64_t y, size_t c)
{
    if (x < 0 || y < 0 || x >= (int64_t)w->width || y >= (int64_t)w->height)
        return 0;
    return image[((size_t)y * w->width + (size_t)x) * w->channels + c];
}

static uint8_t warped(const struct ink__warp *w, const uint8_t *image, size_t x, size_t y, size_t c)
{
    int64_t place[2], whole[2], part[2];
    for (size_t d = 0; d < 2; d++) {
        const int64_t side = (int64_t)(d == 0 ? w->width : w->height) * 65536;
        place[d] = w->origin[d] + (int64_t)x * w->by_x[d] + (int64_t)y * w->by_y[d];
        place[d] += w->nodes != NULL ? bend_of(w, d, x, y) : 0;
        place[d] = place[d] < -65536 ? -65536 : place[d] > side ? side : place[d];
        whole[d] = place[d] >> 16;
        part[d] = place[d] >> 8 & 255;
    }
    int64_t sum = 32768;
    for (int64_t dy = 0; dy < 2; dy++)
        for (int64_t dx = 0; dx < 2; dx++)
            sum += byte_at(w, image, whole[0] + dx, whole[1] + dy, c) * (dx == 1 ? part[0] : 256 - part[0]) *
                   (dy == 1 ? part[1] : 256 - part[1]);
    return (uint8_t)(sum >> 16);
}

static int32_t near_zero(size_t most)
{
    return (int32_t)below(2 * most + 1) - (int32_t)most;
}

static void warp(void **state)
{
    (void)state;
    static const struct ink_shape shapes[] = { { 1, 1, 1 },  { 28, 28, 1 }, { 7, 16, 1 }, { 16, 17, 2 },
                                               { 5, 64, 1 }, { 3, 65, 3 },  { 40, 1, 4 }, { 2, 130, 1 } };
    for (size_t s = 0; s < 12 * sizeof shapes / sizeof shapes[0]; s++) {
        const struct ink_shape shape = shapes[s / 12];
        const size_t h = shape.height, width = shape.width, count = h * width * shape.channels;
        const bool identity = s % 12 == 0, bends = s % 2 == 1;
        struct ink__warp w = { .height = h, .width = width, .channels = shape.channels };
        int32_t *nodes = guard_array(2 * INK__BEND_NODES * INK__BEND_NODES, sizeof *nodes);
        uint8_t *image = guard_array(count, 1);
        for (size_t i = 0; i < 2 * INK__BEND_NODES * INK__BEND_NODES; i++)
            nodes[i] = near_zero(s % 4 == 1 ? 3 << 16 : 64 << 16);
        for (size_t i = 0; i < count; i++)
            image[i] = (uint8_t)next();
        w.across = spline(width, width, 1);
        w.down = spline(h, 1, INK__BEND_NODES);
        w.by_x[0] = w.by_y[1] = 65536;
        for (size_t d = 0; !identity && d < 2; d++) {
            w.origin[d] = near_zero(8 << 16);
            w.by_x[d] += near_zero(s % 3 == 0 ? 4 << 16 : 1 << 14);
            w.by_y[d] += near_zero(s % 3 == 0 ? 4 << 16 : 1 << 14);
        }
        w.nodes = bends ? nodes : NULL;
        for (const struct ink__kernels **k = kernel_sets; *k != NULL; k++) {
            uint8_t *found = guard_array(count, 1);
            w.columns = guard_array(2 * INK__BEND_NODES * ((width + 15) / 16 * 16), sizeof *w.columns);
            w.padded = guard_array((h + 3) * (width + 3), 1);
            w.corners = guard_array((h + 2) * (width + 3), sizeof *w.corners);
            for (size_t times = 0; times < 2; times++) { /* again: its scratch is not what it was */
                (*k)->warp(&w, image, found);
                for (size_t i = 0; i < count; i++) {
                    const size_t c = i % shape.channels, x = i / shape.channels % width, y = i / shape.channels / width;
                    const uint8_t expected = identity ? image[i] : warped(&w, image, x, y, c);
                    if (found[i] != expected)
                        fail_msg("%s: warp %zu of %zux%zux%zu: byte %zu is %d, expected %d", (*k)->name, s, h, width,
                                 shape.channels, i, found[i], expected);
                }
            }
        }
        release("warp");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs),    cmocka_unit_test(activations), cmocka_unit_test(activations_at_the_edges),
        cmocka_unit_test(softmax),   cmocka_unit_test(sums),        cmocka_unit_test(max_pool),
        cmocka_unit_test(mean_pool), cmocka_unit_test(optimizers),  cmocka_unit_test(average),
        cmocka_unit_test(warp),
    };
    return cmocka_run_group_tests(tests, kernels_setup, NULL);
}
