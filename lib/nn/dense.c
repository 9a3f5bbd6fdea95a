/*
 * dense N: y = f(x W + b), with x (n, in), W (in, out), b (out).
 *
 *   dx = dy W^T        dW = x^T dy        db = sum of dy over samples
 *
 * The weight gradient is formed after the whole batch went through, one chain over its samples for every element.
 */
#include "nn/plan.h"

static size_t inputs(const struct ink__work *work)
{
    return ink__elements(work->layer->in);
}

static size_t outputs(const struct ink__work *work)
{
    return work->layer->out.channels;
}

static bool is_sparse(const struct ink__work *work, const struct ink__plan *plan)
{
    return plan->sparse_input && work == &plan->work[0];
}

static void dense_take(struct ink__work *work, struct ink__plan *plan)
{
    const size_t in = inputs(work), out = outputs(work);
    work->row_in = ink__table(plan, plan->batch);
    work->row_out = ink__table(plan, plan->batch);
    work->row_weight = ink__table(plan, in);
    if (work->need_dx) {
        work->ld_t = ink__ld(in);
        size_t floats = out * work->ld_t;
        if (!ink__multiply(&floats, floats, plan->threads))
            plan->arena.overflow = true;
        work->transposed = ink__arena_take(&plan->arena, floats, sizeof *work->transposed);
    }
}

static void dense_fill(struct ink__work *work, const struct ink__plan *plan)
{
    ink__table_fill(work->row_in, plan->batch, inputs(work));
    ink__table_fill(work->row_out, plan->batch, outputs(work));
    ink__table_fill(work->row_weight, inputs(work), work->ld);
}

static float *transposed_of(const struct ink__work *work, size_t thread)
{
    return work->transposed + thread * outputs(work) * work->ld_t;
}

/* W^T, a block of 16 inputs at a time so that a line written is written whole. */
static void dense_turn(const struct ink__work *work, size_t thread)
{
    const size_t in = inputs(work);
    if (!work->need_dx)
        return;
    float *transposed = transposed_of(work, thread);
    for (size_t block = 0; block < in; block += 16) {
        const size_t end = block + 16 < in ? block + 16 : in;
        for (size_t o = 0; o < outputs(work); o++)
            for (size_t i = block; i < end; i++)
                transposed[o * work->ld_t + i] = work->weight[i * work->ld + o];
    }
}

static void dense_forward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    const struct ink__plan *plan = worker->plan;
    const bool relu = work->layer->activation == INK__RELU;
    if (is_sparse(work, plan)) { /* its sums are there already */
        ink__activate(work, worker, io);
        return;
    }
    worker->kernels->gemm(&(struct ink__gemm){ .m = io->n,
                                               .n = outputs(work),
                                               .runs = 1,
                                               .run = inputs(work),
                                               .a = io->x,
                                               .a_row = work->row_in,
                                               .a_step = 1,
                                               .b = work->weight,
                                               .ldb = work->ld,
                                               .c = io->y,
                                               .c_row = work->row_out,
                                               .bias = work->bias,
                                               .relu = relu });
    if (!relu)
        ink__activate(work, worker, io);
}

static void dense_backward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    ink__activate_backward(work, worker, io);
    if (io->dx == NULL)
        return;
    worker->kernels->gemm(&(struct ink__gemm){ .m = io->n,
                                               .n = inputs(work),
                                               .runs = 1,
                                               .run = outputs(work),
                                               .a = io->dy,
                                               .a_row = work->row_out,
                                               .a_step = 1,
                                               .b = transposed_of(work, worker->thread),
                                               .ldb = work->ld_t,
                                               .c = io->dx,
                                               .c_row = work->row_in });
}

static void sparse_gradient(const struct ink__work *work, const struct ink__plan *plan, struct ink__range range)
{
    const size_t out = outputs(work);
    for (size_t b = 0; b < plan->bands; b++) {
        const struct ink__range band = ink__band(plan, b);
        const size_t begin = range.begin > band.begin ? range.begin : band.begin;
        const size_t end = range.end < band.end ? range.end : band.end;
        if (begin < end)
            plan->kernels->sparse_gradient(&plan->sparse[b], plan->count, plan->slope[1].data, out, out,
                                           begin - band.begin, end - band.begin, work->d_weight + band.begin * work->ld,
                                           work->ld);
    }
}

static void dense_gradient(const struct ink__work *work, const struct ink__plan *plan, struct ink__range range,
                           bool whole)
{
    const size_t layer = (size_t)(work - plan->work), out = outputs(work), count = plan->count;
    const float *dy = plan->slope[layer + 1].data; /* (count, out) */
    if (whole && work->d_bias != NULL) {
        for (size_t o = 0; o < out; o++)
            work->d_bias[o] = 0.0f;
        plan->kernels->column_sums(dy, count, out, work->d_bias);
    }
    if (range.begin == range.end)
        return;
    if (is_sparse(work, plan)) {
        sparse_gradient(work, plan, range);
        return;
    }
    plan->kernels->gemm(&(struct ink__gemm){ .m = range.end - range.begin,
                                             .n = out,
                                             .runs = 1,
                                             .run = count,
                                             .a = plan->value[layer].data,
                                             .a_row = plan->unit + range.begin,
                                             .a_step = inputs(work),
                                             .b = dy,
                                             .ldb = out,
                                             .c = work->d_weight,
                                             .c_row = work->row_weight + range.begin });
}

const struct ink__layer_type ink__dense = {
    .take = dense_take,
    .fill = dense_fill,
    .turn = dense_turn,
    .forward = dense_forward,
    .backward = dense_backward,
    .gradient = dense_gradient,
};
