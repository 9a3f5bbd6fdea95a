/* The layer table, and the layers that are a few lines: activations, dropout, residual groups. */
#include <string.h>

#include "nn/plan.h"

void ink__activate(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    const struct ink__layer *l = work->layer;
    if (l->activation != INK__IDENTITY)
        worker->kernels->activate(l->activation, l->slope, io->y, io->y, io->n * ink__elements(l->out));
}

void ink__activate_backward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    const struct ink__layer *l = work->layer;
    if (l->activation != INK__IDENTITY)
        worker->kernels->activate_backward(l->activation, l->slope, io->x, io->y, io->dy, io->dy,
                                           io->n * ink__elements(l->out));
}

/* ---- An activation by itself ------------------------------------------------------------------------------------- */

static void map_forward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    const struct ink__layer *l = work->layer;
    worker->kernels->activate(l->activation, l->slope, io->x, io->y, io->n * ink__elements(l->out));
}

static void map_backward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    const struct ink__layer *l = work->layer;
    if (io->dx != NULL)
        worker->kernels->activate_backward(l->activation, l->slope, io->x, io->y, io->dy, io->dx,
                                           io->n * ink__elements(l->out));
}

/* ---- Dropout ----------------------------------------------------------------------------------------------------- */

/* Srivastava et al., JMLR 15 (2014), scaled in training. The mask is drawn anew in backward from the sample's own key:
 * it is the same whichever thread asks. Element e of sample s takes word e % 4 of block e / 4. */
static void drop(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io,
                 const float *from, float *to)
{
    const struct ink__plan *plan = worker->plan;
    const size_t size = ink__elements(work->layer->in);
    const float rate = work->layer->rate, keep = 1.0f / (1.0f - rate);
    const uint32_t threshold = (uint32_t)((double)rate * 0x1p32);
    for (size_t s = 0; s < io->n; s++) {
        const struct ink__philox_key key = { .seed = worker->batch->seed,
                                             .epoch = worker->batch->epoch,
                                             .sample = worker->batch->sample[io->first + s],
                                             .use = INK__USE_DROPOUT | (uint32_t)(work - plan->work) << 8 };
        for (size_t e = 0; e < size; e += 4) {
            uint32_t words[4];
            ink__philox(&key, (uint32_t)(e / 4), words);
            for (size_t i = 0; i < 4 && e + i < size; i++)
                to[s * size + e + i] = words[i] < threshold ? 0.0f : from[s * size + e + i] * keep;
        }
    }
}

static void dropout_forward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    drop(work, worker, io, io->x, io->y);
}

static void dropout_backward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    if (io->dx != NULL)
        drop(work, worker, io, io->dy, io->dx);
}

/* ---- res [ ... ]: y = x + F(x) ----------------------------------------------------------------------------------- */

static void open_forward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    (void)worker;
    memcpy(io->y, io->x, io->n * ink__elements(work->layer->in) * sizeof *io->y);
}

/* The gradient arrives twice: through the group, and from its end directly. */
static void open_backward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    if (io->dx != NULL)
        worker->kernels->add(io->dy, io->partner, io->dx, io->n * ink__elements(work->layer->in));
}

static void close_forward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    worker->kernels->add(io->x, io->partner, io->y, io->n * ink__elements(work->layer->in));
}

static void close_backward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    (void)worker;
    if (io->dx != NULL)
        memcpy(io->dx, io->dy, io->n * ink__elements(work->layer->in) * sizeof *io->dx);
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

static const struct ink__layer_type map = { .forward = map_forward, .backward = map_backward };
static const struct ink__layer_type dropout = { .forward = dropout_forward, .backward = dropout_backward };
static const struct ink__layer_type group_open = { .forward = open_forward, .backward = open_backward };
static const struct ink__layer_type group_close = { .forward = close_forward, .backward = close_backward };

const struct ink__layer_type *const ink__layer_types[INK__KINDS] = {
    [INK__DENSE] = &ink__dense,
    [INK__CONV] = &ink__conv,
    [INK__MAX_POOL] = &ink__max_pool,
    [INK__MEAN_POOL] = &ink__mean_pool,
    [INK__NORM] = &ink__norm,
    [INK__DROPOUT] = &dropout,
    [INK__MAP] = &map,
    [INK__OPEN] = &group_open,
    [INK__CLOSE] = &group_close,
};
