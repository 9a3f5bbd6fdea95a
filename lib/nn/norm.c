/*
 * norm: batch normalisation by channel, y = f(scale (x - mean) / sqrt(variance + epsilon) + shift)
 *
 * Ioffe and Szegedy, arXiv 1502.03167. In training mean and variance (1/N) are those of the whole batch, all positions;
 * they flow into the running statistics (variance by N/(N-1)) with momentum 0.1. With xhat = (x - mean) / deviation:
 *
 *   dshift = sum dy        dscale = sum dy xhat        dx = scale / deviation (dy - dshift / N - xhat dscale / N)
 *
 * Sums run by sample in float, over the samples of a group and then over the groups in double, always in order.
 */
#include <math.h>
#include <string.h>

#include "nn/plan.h"

#define MOMENTUM 0.1f

/* Per-channel factors of the batch; and the sums of one sample, which each thread has for itself. */
enum { FORWARD_SCALE, FORWARD_SHIFT, BACK_DY, BACK_X, BACK_ONE, FACTORS };
enum { SAMPLE_SUM, SAMPLE_PRODUCT, SAMPLE_SUMS };

struct ink__norm {
    float *factors;     /* (FACTORS, ld) */
    float *sample;      /* (threads, SAMPLE_SUMS, ld) */
    double *statistics; /* (2, C): mean and 1 / deviation of the batch */
    double *sums;       /* (INK__GROUPS, 2, C): of x, of x x */
    double *back;       /* (INK__GROUPS, 2, C): of dy, of dy x */
    float *scale, *shift, *mean, *variance;
    float *d_scale, *d_shift;
};

static size_t channels_of(const struct ink__work *work)
{
    return work->layer->in.channels;
}

static size_t positions_of(const struct ink__work *work)
{
    return work->layer->in.height * work->layer->in.width;
}

static float *factor(const struct ink__work *work, size_t which)
{
    return work->norm->factors + which * ink__ld(channels_of(work));
}

static bool norm_make(struct ink__work *work)
{
    work->norm = ink__array(1, sizeof *work->norm);
    return work->norm != NULL;
}

static void norm_take(struct ink__work *work, struct ink__plan *plan)
{
    struct ink__norm *norm = work->norm;
    const size_t c = channels_of(work);
    norm->factors = ink__arena_take(&plan->arena, FACTORS * ink__ld(c), sizeof *norm->factors);
    norm->sample = ink__arena_take(&plan->arena, plan->threads * SAMPLE_SUMS * ink__ld(c), sizeof *norm->sample);
    norm->statistics = ink__arena_take(&plan->arena, 2 * c, sizeof *norm->statistics);
    norm->sums = ink__arena_take(&plan->arena, INK__GROUPS * 2 * c, sizeof *norm->sums);
    norm->back = ink__arena_take(&plan->arena, INK__GROUPS * 2 * c, sizeof *norm->back);
}

static void norm_fill(struct ink__work *work, const struct ink__plan *plan)
{
    const struct ink__parameter *p = &plan->net->parameters[work->layer->parameter];
    float **const slots[] = { &work->norm->scale, &work->norm->shift, &work->norm->mean, &work->norm->variance };
    for (size_t i = 0; i < 4; i++)
        *slots[i] = plan->weights + p[i].offset;
    if (plan->training) {
        work->norm->d_scale = plan->gradient + p[INK__SCALE].offset;
        work->norm->d_shift = plan->gradient + p[INK__SHIFT].offset;
    }
}

/* Outside training the factors come from the running statistics. */
static void norm_pack(const struct ink__work *work, const struct ink__plan *plan, struct ink__range range, bool whole)
{
    const struct ink__norm *norm = work->norm;
    (void)range;
    if (plan->training || !whole)
        return;
    for (size_t c = 0; c < channels_of(work); c++) {
        const double scale = norm->scale[c] / sqrt(norm->variance[c] + INK__NORM_EPSILON);
        factor(work, FORWARD_SCALE)[c] = (float)scale;
        factor(work, FORWARD_SHIFT)[c] = (float)(norm->shift[c] - norm->mean[c] * scale);
    }
}

void ink__norm_factors(const struct ink__work *work, const float **scale, const float **shift)
{
    *scale = factor(work, FORWARD_SCALE);
    *shift = factor(work, FORWARD_SHIFT);
}

/* Adds the sums of a and a b over the samples of io to (2, C) doubles of the worker's group. */
static void measure(const struct ink__work *work, const struct ink__worker *worker, const float *a, const float *b,
                    size_t n, double *groups)
{
    const size_t c = channels_of(work), rows = positions_of(work);
    double *group = groups + worker->group * 2 * c;
    float *own = work->norm->sample + worker->thread * SAMPLE_SUMS * ink__ld(c);
    float *sum = own + SAMPLE_SUM * ink__ld(c), *product = own + SAMPLE_PRODUCT * ink__ld(c);
    if (worker->group_starts)
        memset(group, 0, 2 * c * sizeof *group);
    for (size_t s = 0; s < n; s++) {
        worker->kernels->channel_sums(a + s * rows * c, b + s * rows * c, rows, c, sum, product);
        for (size_t i = 0; i < c; i++) {
            group[i] += (double)sum[i];
            group[c + i] += (double)product[i];
        }
    }
}

/* The sum over groups of entry i. */
static double total(const double *groups, size_t channels, size_t i)
{
    double sum = 0.0;
    for (size_t g = 0; g < INK__GROUPS; g++)
        sum += groups[g * 2 * channels + i];
    return sum;
}

static void norm_measure(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    measure(work, worker, io->x, io->x, io->n, work->norm->sums);
}

static void norm_ready(const struct ink__work *work, const struct ink__plan *plan)
{
    const struct ink__norm *norm = work->norm;
    const size_t channels = channels_of(work);
    const double count = (double)(plan->count * positions_of(work));
    double *statistics = norm->statistics;
    for (size_t c = 0; c < channels; c++) {
        const double mean = total(norm->sums, channels, c) / count;
        const double variance = total(norm->sums, channels, channels + c) / count - mean * mean;
        const double inverse = 1.0 / sqrt((variance > 0.0 ? variance : 0.0) + INK__NORM_EPSILON);
        const double scale = norm->scale[c] * inverse;
        statistics[c] = mean;
        statistics[channels + c] = inverse;
        factor(work, FORWARD_SCALE)[c] = (float)scale;
        factor(work, FORWARD_SHIFT)[c] = (float)(norm->shift[c] - mean * scale);
    }
}

static void norm_forward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    const bool relu = work->layer->activation == INK__RELU;
    worker->kernels->channel_affine(io->x, factor(work, FORWARD_SCALE), factor(work, FORWARD_SHIFT), relu,
                                    io->n * positions_of(work), channels_of(work), io->y);
    if (!relu)
        ink__activate(work, worker, io);
}

static void norm_measure_back(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    ink__activate_backward(work, worker, io);
    measure(work, worker, io->dy, io->x, io->n, work->norm->back);
}

/* dscale of a channel, from the sums of dy and dy x. */
static double scale_gradient(const struct ink__norm *norm, const double *statistics, size_t channels, size_t c)
{
    return (total(norm->back, channels, channels + c) - statistics[c] * total(norm->back, channels, c)) *
           statistics[channels + c];
}

static void norm_ready_back(const struct ink__work *work, const struct ink__plan *plan)
{
    const struct ink__norm *norm = work->norm;
    const size_t channels = channels_of(work);
    const double count = (double)(plan->count * positions_of(work));
    const double *statistics = norm->statistics;
    for (size_t c = 0; c < channels; c++) {
        const double scale = norm->scale[c] * statistics[channels + c];
        const double by_x = -scale * statistics[channels + c] * scale_gradient(norm, statistics, channels, c) / count;
        factor(work, BACK_DY)[c] = (float)scale;
        factor(work, BACK_X)[c] = (float)by_x;
        factor(work, BACK_ONE)[c] = (float)(-scale * total(norm->back, channels, c) / count - by_x * statistics[c]);
    }
}

static void norm_backward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    if (io->dx == NULL)
        return;
    worker->kernels->channel_mix(io->dy, io->x, factor(work, BACK_DY), factor(work, BACK_X), factor(work, BACK_ONE),
                                 io->n * positions_of(work), channels_of(work), io->dx);
}

static void norm_gradient(const struct ink__work *work, const struct ink__plan *plan, struct ink__range range,
                          bool whole)
{
    const struct ink__norm *norm = work->norm;
    const size_t channels = channels_of(work);
    const double count = (double)(plan->count * positions_of(work));
    const double *statistics = norm->statistics;
    (void)range;
    for (size_t c = 0; whole && c < channels; c++) {
        const double inverse = statistics[channels + c];
        const double variance =
            (1.0 / (inverse * inverse) - INK__NORM_EPSILON) * (count > 1.0 ? count / (count - 1.0) : 1.0);
        norm->d_scale[c] = (float)scale_gradient(norm, statistics, channels, c);
        norm->d_shift[c] = (float)total(norm->back, channels, c);
        norm->mean[c] += MOMENTUM * ((float)statistics[c] - norm->mean[c]);
        norm->variance[c] += MOMENTUM * ((float)variance - norm->variance[c]);
    }
}

const struct ink__layer_type ink__norm = {
    .make = norm_make,
    .take = norm_take,
    .fill = norm_fill,
    .pack = norm_pack,
    .forward = norm_forward,
    .backward = norm_backward,
    .gradient = norm_gradient,
    .measure = norm_measure,
    .measure_back = norm_measure_back,
    .ready = norm_ready,
    .ready_back = norm_ready_back,
};
