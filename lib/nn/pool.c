/* pool K, avgpool K, globalpool, globalavg: the largest or the mean of each window, (H, W, C) -> (OH, OW, C). */
#include "nn/plan.h"

struct ink__pooling ink__pooling_of(const struct ink__layer *l)
{
    return (struct ink__pooling){ .height = l->in.height,
                                  .width = l->in.width,
                                  .channels = l->in.channels,
                                  .out_height = l->out.height,
                                  .out_width = l->out.width,
                                  .kernel_height = l->kernel_height,
                                  .kernel_width = l->kernel_width,
                                  .stride = l->stride };
}

static void max_forward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    const struct ink__pooling pool = ink__pooling_of(work->layer);
    const size_t in = ink__elements(work->layer->in), out = ink__elements(work->layer->out);
    for (size_t s = 0; s < io->n; s++)
        worker->kernels->max_pool(&pool, io->x + s * in, io->y + s * out);
}

static void max_backward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    const struct ink__pooling pool = ink__pooling_of(work->layer);
    const size_t in = ink__elements(work->layer->in), out = ink__elements(work->layer->out);
    for (size_t s = 0; io->dx != NULL && s < io->n; s++)
        worker->kernels->max_pool_backward(&pool, io->x + s * in, io->y + s * out, io->dy + s * out, io->dx + s * in);
}

static void mean_forward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    const struct ink__pooling pool = ink__pooling_of(work->layer);
    const size_t in = ink__elements(work->layer->in), out = ink__elements(work->layer->out);
    for (size_t s = 0; s < io->n; s++)
        worker->kernels->mean_pool(&pool, io->x + s * in, io->y + s * out);
}

static void mean_backward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    const struct ink__pooling pool = ink__pooling_of(work->layer);
    const size_t in = ink__elements(work->layer->in), out = ink__elements(work->layer->out);
    for (size_t s = 0; io->dx != NULL && s < io->n; s++)
        worker->kernels->mean_pool_backward(&pool, io->dy + s * out, io->dx + s * in);
}

const struct ink__layer_type ink__max_pool = { .forward = max_forward, .backward = max_backward };
const struct ink__layer_type ink__mean_pool = { .forward = mean_forward, .backward = mean_backward };
