/*
 * conv N KxK: y[oh][ow][f] = f(b[f] + sum over kh, kw, c of x[oh s + kh - p][ow s + kw - p][c] W[kh][kw][c][f])
 *
 * Images are (H, W, C). The convolution is the indirect matrix product of kernel.h over the padded image as it lies:
 * rows are output pixels, the summed index is the tap (kh, kw, c). The gradient of the weights is the same product with
 * pixels and taps exchanged, summed over the samples of a group; the gradient of the input is a
 * convolution of the output's gradient, spread out by the stride and bordered with zeros, with the filters turned
 * round.
 *
 * A layer of few filters would leave most lanes of a vector idle. It is folded: `fold` neighbouring pixels of a row
 * become the columns of one product, (fold * N) wide, over the window that covers them all; the packed filters are zero
 * where a pixel does not see a tap. A zero more in a chain changes nothing. Only the weights' gradient is split by
 * this, pixel by pixel of the fold, and added up in order: its result depends on the shape alone.
 */
#include <string.h>

#include "nn/plan.h"

#define FOLDED_LANES ((size_t)16)

/* One direction: input to output, or the output's gradient to the input's. */
struct pass {
    size_t fold;
    size_t rows, columns;           /* of output pixels, columns counted in folds */
    size_t taps, row_taps;          /* in all, and of one row of the window */
    size_t height, width, channels; /* of the padded image that the window slides over */
    int32_t *pixel;                 /* (rows * columns) where the window of an output fold begins */
    int32_t *out;                   /* (rows * columns) where the output fold begins */
    float *filters; /* (taps, ld): packed, or the weights themselves where nothing is folded or turned */
    size_t ld;
    float *image; /* (threads, height * width * channels), its border zero; NULL: the input itself */
};

struct ink__conv {
    struct pass forward, backward;
    float *bias;       /* (fold * N) */
    int32_t *tap;      /* (taps) from the corner of a forward window to a tap */
    int32_t *part_row; /* (taps) to the row of its sums in a part */
    float *parts; /* (INK__GROUPS, part) sums of one group: (taps, ld) for the weights, then (fold * N) for the bias */
    size_t part;
    bool by_row; /* backward: rows see so much of the border that leaving it out pays */
};

/* The fold that needs the fewest products: from 1 to as many pixels as fit the lanes and divide the row. */
static size_t choose_fold(size_t filters, size_t width, size_t kernel, size_t stride)
{
    size_t best = 1, cost = kernel * width;
    for (size_t fold = 2; fold * filters <= FOLDED_LANES; fold++) {
        const size_t products = (kernel + (fold - 1) * stride) * (width / fold);
        if (width % fold == 0 && products < cost) {
            best = fold;
            cost = products;
        }
    }
    return best;
}

static size_t image_size(const struct pass *p)
{
    return p->height * p->width * p->channels;
}

static float *image_of(const struct pass *p, size_t thread)
{
    return p->image + thread * image_size(p);
}

static void take_pass(struct pass *p, struct ink__plan *plan, bool own_filters, bool own_image)
{
    const size_t pixels = p->rows * p->columns;
    size_t floats;
    /* Offsets must fit the kernels' 32-bit tables; the net's own layout answers for the weights alone. */
    if (!ink__multiply(&floats, p->taps, p->ld) || floats > INT32_MAX || image_size(p) > INT32_MAX)
        plan->arena.overflow = true;
    p->pixel = ink__table(plan, pixels);
    p->out = ink__table(plan, pixels);
    if (own_filters)
        p->filters = ink__arena_take(&plan->arena, p->taps * p->ld, sizeof *p->filters);
    if (own_image)
        p->image = ink__arena_take(&plan->arena, plan->threads * image_size(p), sizeof *p->image);
}

static void fill_pass(struct pass *p, size_t stride, size_t filters)
{
    int32_t *pixel = p->pixel;
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->columns; c++)
            *pixel++ = (int32_t)((r * stride * p->width + c * p->fold * stride) * p->channels);
    ink__table_fill(p->out, p->rows * p->columns, p->fold * filters);
}

static bool conv_make(struct ink__work *work)
{
    work->conv = ink__array(1, sizeof *work->conv);
    return work->conv != NULL;
}

static void conv_take(struct ink__work *work, struct ink__plan *plan)
{
    const struct ink__layer *l = work->layer;
    struct ink__conv *conv = work->conv;
    const size_t filters = l->out.channels;

    struct pass *p = &conv->forward;
    *p = (struct pass){ .fold = choose_fold(filters, l->out.width, l->kernel_width, l->stride),
                        .rows = l->out.height,
                        .height = l->in.height + 2 * l->pad,
                        .width = l->in.width + 2 * l->pad,
                        .channels = l->in.channels };
    p->columns = l->out.width / p->fold;
    p->row_taps = (l->kernel_width + (p->fold - 1) * l->stride) * l->in.channels;
    p->taps = l->kernel_height * p->row_taps;
    p->ld = p->fold > 1 ? FOLDED_LANES : work->ld;
    take_pass(p, plan, p->fold > 1, l->pad > 0);
    conv->bias = ink__arena_take(&plan->arena, p->fold * filters, sizeof *conv->bias);
    if (!plan->training)
        return;

    conv->tap = ink__table(plan, p->taps);
    conv->part_row = ink__table(plan, p->taps);
    conv->part = (p->taps * p->ld + p->fold * filters + 15) / 16 * 16;
    conv->parts = ink__arena_take(&plan->arena, INK__GROUPS * conv->part, sizeof *conv->parts);
    if (!work->need_dx)
        return;
    p = &conv->backward;
    *p = (struct pass){ .fold = choose_fold(l->in.channels, l->in.width, l->kernel_width, 1),
                        .rows = l->in.height,
                        .height = l->in.height + l->kernel_height - 1,
                        .width = l->in.width + l->kernel_width - 1,
                        .channels = filters };
    p->columns = l->in.width / p->fold;
    p->row_taps = (l->kernel_width + p->fold - 1) * filters;
    p->taps = l->kernel_height * p->row_taps;
    p->ld = ink__ld(p->fold * l->in.channels);
    take_pass(p, plan, true, true);
    /* A row of dx sees the border through kernel - 1 - pad rows of taps at either end. */
    const size_t border = l->kernel_height - 1 - l->pad;
    conv->by_row = 8 * border * (border + 1) > l->in.height * l->kernel_height;
}

static void conv_fill(struct ink__work *work, const struct ink__plan *plan)
{
    const struct ink__layer *l = work->layer;
    struct ink__conv *conv = work->conv;
    fill_pass(&conv->forward, l->stride, l->out.channels);
    if (conv->forward.fold == 1)
        conv->forward.filters = work->weight;
    if (!plan->training)
        return;
    const struct pass *p = &conv->forward;
    for (size_t k = 0; k < p->taps; k++)
        conv->tap[k] = (int32_t)(k / p->row_taps * p->width * p->channels + k % p->row_taps);
    ink__table_fill(conv->part_row, p->taps, p->ld);
    if (work->need_dx)
        fill_pass(&conv->backward, 1, l->in.channels);
}

/* Row (kh, kw, c) of the weights goes to every pixel of the fold: forward to tap (kh, kw + q s, c), columns q N ...;
 * backward, turned round, to taps (K-1-kh, K-1-kw + q, f), column q C + c, for every filter f. */
static void conv_pack(const struct ink__work *work, const struct ink__plan *plan, struct ink__range range, bool whole)
{
    const struct ink__layer *l = work->layer;
    const struct ink__conv *conv = work->conv;
    const struct pass *p = &conv->forward;
    const size_t filters = l->out.channels, channels = l->in.channels;
    for (size_t q = 0; whole && q < p->fold; q++)
        memcpy(conv->bias + q * filters, work->bias, filters * sizeof *work->bias);
    for (size_t r = range.begin; r < range.end; r++) {
        const size_t c = r % channels, kw = r / channels % l->kernel_width, kh = r / channels / l->kernel_width;
        const float *row = work->weight + r * work->ld;
        for (size_t q = 0; p->fold > 1 && q < p->fold; q++) {
            const size_t tap = kh * p->row_taps + (kw + q * l->stride) * channels + c;
            memcpy(p->filters + tap * p->ld + q * filters, row, filters * sizeof *row);
        }
    }
    p = &conv->backward;
    if (!plan->training || !work->need_dx)
        return;
    for (size_t r = range.begin; r < range.end; r++) {
        const size_t c = r % channels, kw = r / channels % l->kernel_width, kh = r / channels / l->kernel_width;
        const float *row = work->weight + r * work->ld;
        for (size_t q = 0; q < p->fold; q++) {
            const size_t tap = (l->kernel_height - 1 - kh) * p->row_taps + (l->kernel_width - 1 - kw + q) * filters;
            float *column = p->filters + tap * p->ld + q * channels + c;
            for (size_t f = 0; f < filters; f++)
                column[f * p->ld] = row[f];
        }
    }
}

/* The image that the window slides over: sample x itself, or x inside its border of zeros. */
static const float *padded(const struct ink__work *work, const struct ink__worker *worker, const float *x)
{
    const struct ink__layer *l = work->layer;
    const struct pass *p = &work->conv->forward;
    if (p->image == NULL)
        return x;
    float *image = image_of(p, worker->thread);
    const size_t row = l->in.width * l->in.channels;
    for (size_t h = 0; h < l->in.height; h++)
        memcpy(image + ((h + l->pad) * p->width + l->pad) * p->channels, x + h * row, row * sizeof *x);
    return image;
}

static void conv_forward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    const struct ink__layer *l = work->layer;
    const struct ink__conv *conv = work->conv;
    const struct pass *p = &conv->forward;
    const size_t in = ink__elements(l->in), out = ink__elements(l->out);
    const bool relu = l->activation == INK__RELU;
    for (size_t s = 0; s < io->n; s++)
        worker->kernels->gemm(&(struct ink__gemm){ .m = p->rows * p->columns,
                                                   .n = p->fold * l->out.channels,
                                                   .runs = l->kernel_height,
                                                   .run = p->row_taps,
                                                   .a = padded(work, worker, io->x + s * in),
                                                   .a_row = p->pixel,
                                                   .a_run = p->width * p->channels,
                                                   .a_step = 1,
                                                   .b = p->filters,
                                                   .ldb = p->ld,
                                                   .c = io->y + s * out,
                                                   .c_row = p->out,
                                                   .bias = conv->bias,
                                                   .relu = relu });
    if (!relu)
        ink__activate(work, worker, io);
}

/* dy of one sample, spread by the stride, inside its border. */
static const float *spread(const struct ink__work *work, const struct ink__worker *worker, const float *dy)
{
    const struct ink__layer *l = work->layer;
    const struct pass *p = &work->conv->backward;
    float *image = image_of(p, worker->thread);
    const size_t top = l->kernel_height - 1 - l->pad, left = l->kernel_width - 1 - l->pad;
    for (size_t h = 0; h < l->out.height; h++) {
        float *row = image + ((top + h * l->stride) * p->width + left) * p->channels;
        if (l->stride == 1) {
            memcpy(row, dy, l->out.width * p->channels * sizeof *dy);
            dy += l->out.width * p->channels;
            continue;
        }
        for (size_t w = 0; w < l->out.width; w++, dy += p->channels)
            memcpy(row + w * l->stride * p->channels, dy, p->channels * sizeof *dy);
    }
    return image;
}

/* dx of one sample; where rows see much border, row by row with the rows of taps that are not all border. */
static void input_gradient(const struct ink__work *work, const struct ink__worker *worker, const float *dy, float *dx)
{
    const struct ink__layer *l = work->layer;
    const struct pass *p = &work->conv->backward;
    const size_t row = p->width * p->channels;
    struct ink__gemm g = { .m = p->rows * p->columns,
                           .n = p->fold * l->in.channels,
                           .runs = l->kernel_height,
                           .run = p->row_taps,
                           .a = spread(work, worker, dy),
                           .a_row = p->pixel,
                           .a_run = row,
                           .a_step = 1,
                           .b = p->filters,
                           .ldb = p->ld,
                           .c = dx,
                           .c_row = p->out };
    if (!work->conv->by_row) {
        worker->kernels->gemm(&g);
        return;
    }
    const float *image = g.a, *filters = g.b;
    const size_t top = l->kernel_height - 1 - l->pad, bottom = top + (l->out.height - 1) * l->stride;
    g.m = p->columns;
    for (size_t h = 0; h < p->rows; h++) {
        const size_t first = h < top ? top - h : 0;
        const size_t end = bottom + 1 > h ? bottom + 1 - h : 0;
        const size_t last = end < l->kernel_height ? end : l->kernel_height;
        g.runs = last > first ? last - first : 0;
        g.a = image + (h + first) * row;
        g.b = filters + first * p->row_taps * p->ld;
        g.c = dx + h * l->in.width * l->in.channels;
        worker->kernels->gemm(&g);
    }
}

static void conv_backward(const struct ink__work *work, const struct ink__worker *worker, const struct ink__io *io)
{
    const struct ink__layer *l = work->layer;
    const struct ink__conv *conv = work->conv;
    const struct pass *p = &conv->forward;
    const size_t in = ink__elements(l->in), out = ink__elements(l->out);
    const size_t pixels = p->rows * p->columns, wide = p->fold * l->out.channels;
    float *part = conv->parts + worker->group * conv->part, *d_bias = part + p->taps * p->ld;
    if (worker->group_starts)
        memset(part, 0, conv->part * sizeof *part);
    ink__activate_backward(work, worker, io);
    for (size_t s = 0; s < io->n; s++) {
        const float *dy = io->dy + s * out;
        worker->kernels->gemm(&(struct ink__gemm){ .m = p->taps,
                                                   .n = wide,
                                                   .runs = p->rows,
                                                   .run = p->columns,
                                                   .a = padded(work, worker, io->x + s * in),
                                                   .a_row = conv->tap,
                                                   .a_run = l->stride * p->width * p->channels,
                                                   .a_step = p->fold * l->stride * p->channels,
                                                   .b = dy,
                                                   .ldb = wide,
                                                   .c = part,
                                                   .c_row = conv->part_row,
                                                   .accumulate = true });
        if (work->d_bias != NULL)
            worker->kernels->column_sums(dy, pixels, wide, d_bias);
        if (io->dx != NULL)
            input_gradient(work, worker, dy, io->dx + s * in);
    }
}

static void conv_gradient(const struct ink__work *work, const struct ink__plan *plan, struct ink__range range,
                          bool whole)
{
    const struct ink__layer *l = work->layer;
    const struct ink__conv *conv = work->conv;
    const struct pass *p = &conv->forward;
    const size_t filters = l->out.channels, channels = l->in.channels;
    const float *bias_parts = conv->parts + p->taps * p->ld;
    if (whole && work->d_bias != NULL) {
        for (size_t f = 0; f < filters; f++)
            work->d_bias[f] = 0.0f;
        for (size_t g = 0; g < INK__GROUPS; g++)
            for (size_t q = 0; q < p->fold; q++)
                plan->kernels->add(work->d_bias, bias_parts + g * conv->part + q * filters, work->d_bias, filters);
    }
    if (p->fold == 1) {
        plan->kernels->add_parts(conv->parts + range.begin * p->ld, conv->part, INK__GROUPS,
                                 (range.end - range.begin) * p->ld, work->d_weight + range.begin * work->ld);
        return;
    }
    for (size_t r = range.begin; r < range.end; r++) {
        const size_t c = r % channels, kw = r / channels % l->kernel_width, kh = r / channels / l->kernel_width;
        float *row = work->d_weight + r * work->ld;
        memset(row, 0, filters * sizeof *row);
        for (size_t q = 0; q < p->fold; q++) {
            const size_t tap = kh * p->row_taps + (kw + q * l->stride) * channels + c;
            for (size_t g = 0; g < INK__GROUPS; g++)
                plan->kernels->add(row, conv->parts + g * conv->part + tap * p->ld + q * filters, row, filters);
        }
    }
}

const struct ink__layer_type ink__conv = {
    .make = conv_make,
    .take = conv_take,
    .fill = conv_fill,
    .pack = conv_pack,
    .forward = conv_forward,
    .backward = conv_backward,
    .gradient = conv_gradient,
};
