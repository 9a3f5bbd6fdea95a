/* Running a quantised network: its arrays packed for the kernels, and images through the layers. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "nn/int8.h"
#include "nn/plan.h"

/* A layer's arrays as they are computed with. */
struct step {
    const struct ink__int8_layer *layer;
    struct ink__int8_gemm gemm; /* dense and conv: all but where its matrices lie */
    size_t fold;                /* conv: pixels that are one row of the product, see conv.c */
    size_t width, height;       /* conv: of the image in its border */
    uint8_t *image;             /* conv with a border: (threads, height * width * channels) */
    int8_t *b;
    int32_t *a_row, *a_col, *c_row, *bias, *multiplier;
};

struct ink__int8_plan {
    const struct ink_net *net;
    const struct ink__int8 *q;
    const struct ink__kernels *floats;
    const struct ink__int8_kernels *kernels;
    size_t threads;
    struct step *steps; /* (layer_count) */
    uint8_t **value;    /* (layer_count + 1): (threads, INK__INT8_CHUNK, size), NULL where it is scores */
    int32_t *scores;    /* (threads, INK__INT8_CHUNK, classes) */
    size_t last;        /* the value that the scores are, or are made of */
    struct ink__arena arena;
};

static size_t size_of(const struct ink__int8_plan *plan, size_t value)
{
    return ink__elements(value > 0 ? plan->net->layers[value - 1].out : plan->net->input);
}

static size_t image_size(const struct step *s)
{
    return s->width * s->height * s->layer->layer.in.channels;
}

static size_t round_up(size_t x, size_t step)
{
    return (x + step - 1) / step * step;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

/* Memory for `count` times `each` elements; offsets into it must fit the kernels' 32-bit tables. */
static void *take(struct ink__int8_plan *plan, size_t count, size_t each, size_t size)
{
    size_t all;
    if (!ink__multiply(&all, count, each) || all > INT32_MAX) {
        plan->arena.overflow = true;
        return NULL;
    }
    return ink__arena_take(&plan->arena, all, size);
}

/* Groups of bytes that the window of `fold` pixels has in one row. */
static size_t row_groups(const struct ink__layer *l, size_t fold)
{
    const size_t bytes = (l->kernel_width + (fold - 1) * l->stride) * l->in.channels;
    return round_up(bytes, INK__INT8_GROUP) / INK__INT8_GROUP;
}

/* The fold that needs the fewest products. */
static size_t choose_fold(const struct ink__layer *l)
{
    size_t best = 1;
    for (size_t fold = 2; fold * l->out.channels <= INK__INT8_COLUMNS; fold++)
        if (l->out.width % fold == 0 && row_groups(l, fold) * best < row_groups(l, best) * fold)
            best = fold;
    return best;
}

static void take_gemm(struct ink__int8_plan *plan, struct step *s, size_t rows, size_t groups, size_t columns)
{
    const size_t ld = round_up(columns, INK__INT8_COLUMNS);
    s->a_row = take(plan, rows, 1, sizeof *s->a_row);
    s->c_row = take(plan, rows, 1, sizeof *s->c_row);
    s->a_col = take(plan, groups, 1, sizeof *s->a_col);
    s->b = take(plan, groups, ld * INK__INT8_GROUP, 1);
    s->bias = take(plan, ld, 1, sizeof *s->bias);
    s->multiplier = take(plan, ld, 1, sizeof *s->multiplier);
    s->gemm = (struct ink__int8_gemm){ .m = rows,
                                       .n = columns,
                                       .groups = groups,
                                       .a_row = s->a_row,
                                       .a_col = s->a_col,
                                       .b = s->b,
                                       .ld = ld,
                                       .bias = s->bias,
                                       .multiplier = s->multiplier,
                                       .c_row = s->c_row };
}

static void take_step(struct ink__int8_plan *plan, struct step *s)
{
    const struct ink__layer *l = &s->layer->layer;
    if (l->kind == INK__DENSE) {
        take_gemm(plan, s, INK__INT8_CHUNK, round_up(s->layer->rows, INK__INT8_GROUP) / INK__INT8_GROUP,
                  s->layer->columns);
    } else if (l->kind == INK__CONV) {
        s->fold = choose_fold(l);
        s->height = l->in.height + 2 * l->pad;
        s->width = l->in.width + 2 * l->pad;
        take_gemm(plan, s, l->out.height * (l->out.width / s->fold), l->kernel_height * row_groups(l, s->fold),
                  s->fold * l->out.channels);
        if (l->pad > 0)
            s->image = take(plan, plan->threads, image_size(s), 1);
    }
}

static void take_all(struct ink__int8_plan *plan)
{
    const struct ink__int8 *q = plan->q;
    size_t from = 0;
    plan->value[0] = take(plan, plan->threads * INK__INT8_CHUNK, size_of(plan, 0), 1);
    plan->scores = take(plan, plan->threads * INK__INT8_CHUNK, plan->net->classes, sizeof *plan->scores);
    for (size_t i = 0; i < q->layer_count; i++) {
        plan->value[i + 1] = plan->value[from];
        if (q->layers[i].skip)
            continue;
        from = i + 1;
        plan->value[from] =
            q->layers[i].gives_scores ? NULL : take(plan, plan->threads * INK__INT8_CHUNK, size_of(plan, from), 1);
        take_step(plan, &plan->steps[i]);
    }
    plan->last = from;
}

/* ---- Packing ----------------------------------------------------------------------------------------------------- */

/* Where weight row (kh, kw, c), seen by pixel `pixel` of a fold, lies in the window: its byte. */
static size_t tap_of(const struct step *s, size_t row, size_t pixel)
{
    const struct ink__layer *l = &s->layer->layer;
    const size_t row_bytes = l->kernel_width * l->in.channels;
    return row / row_bytes * row_groups(l, s->fold) * INK__INT8_GROUP + row % row_bytes +
           pixel * l->stride * l->in.channels;
}

static void pack_gemm(struct step *s, size_t fold)
{
    const struct ink__int8_layer *l = s->layer;
    s->gemm.shift = l->shift[0];
    for (size_t pixel = 0; pixel < fold; pixel++) {
        const size_t at = pixel * l->columns;
        memcpy(s->bias + at, l->bias, l->columns * sizeof *l->bias);
        memcpy(s->multiplier + at, l->multiplier, l->columns * sizeof *l->multiplier);
        for (size_t r = 0; r < l->rows; r++) {
            const size_t tap = l->layer.kind == INK__CONV ? tap_of(s, r, pixel) : r;
            int8_t *to = s->b + (tap / INK__INT8_GROUP * s->gemm.ld + at) * INK__INT8_GROUP + tap % INK__INT8_GROUP;
            for (size_t c = 0; c < l->columns; c++)
                to[c * INK__INT8_GROUP] = l->weight[r * l->columns + c];
        }
    }
}

static void fill_step(struct ink__int8_plan *plan, size_t i)
{
    struct step *s = &plan->steps[i];
    const struct ink__layer *l = &s->layer->layer;
    const size_t channels = l->in.channels;
    if (l->kind == INK__DENSE) {
        ink__table_fill(s->a_row, INK__INT8_CHUNK, s->layer->rows);
        ink__table_fill(s->c_row, INK__INT8_CHUNK, s->layer->columns);
        ink__table_fill(s->a_col, s->gemm.groups, INK__INT8_GROUP);
        pack_gemm(s, 1);
    } else if (l->kind == INK__CONV) {
        const size_t columns = l->out.width / s->fold, groups = row_groups(l, s->fold);
        for (size_t r = 0; r < s->gemm.m; r++)
            s->a_row[r] = (int32_t)((r / columns * s->width + r % columns * s->fold) * l->stride * channels);
        ink__table_fill(s->c_row, s->gemm.m, s->gemm.n);
        for (size_t k = 0; k < s->gemm.groups; k++)
            s->a_col[k] = (int32_t)(k / groups * s->width * channels + k % groups * INK__INT8_GROUP);
        pack_gemm(s, s->fold);
        if (s->image != NULL) /* the border stays as it is */
            memset(s->image, plan->q->zero[i], plan->threads * image_size(s));
    }
}

enum ink_status ink__int8_plan_new(struct ink__int8_plan **out, const struct ink_net *net, size_t threads,
                                   const struct ink__kernels *kernels, struct ink_error *err)
{
    const struct ink__int8 *q = net->int8;
    enum ink_status status = INK_OK;
    *out = NULL;
    struct ink__int8_plan *plan = ink__array(1, sizeof *plan);
    if (plan == NULL)
        return ink__fail_memory(err);
    *plan = (struct ink__int8_plan){ .net = net,
                                     .q = q,
                                     .floats = kernels,
                                     .kernels = ink__int8_find(kernels->name),
                                     .threads = threads,
                                     .steps = ink__array(q->layer_count, sizeof *plan->steps),
                                     .value = ink__array(q->layer_count + 1, sizeof *plan->value) };
    if (plan->steps == NULL || plan->value == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    for (size_t i = 0; i < q->layer_count; i++)
        plan->steps[i].layer = &q->layers[i];
    take_all(plan);
    if (!ink__arena_make(&plan->arena)) {
        status = plan->arena.overflow ? ink__fail(err, INK_BAD_ARGUMENT, "this network is too large to run")
                                      : ink__fail_memory(err);
        goto out;
    }
    take_all(plan);
    for (size_t i = 0; i < q->layer_count; i++)
        if (!q->layers[i].skip)
            fill_step(plan, i);
    *out = plan;
    plan = NULL;
out:
    ink__int8_plan_free(plan);
    return status;
}

void ink__int8_plan_free(struct ink__int8_plan *plan)
{
    if (plan == NULL)
        return;
    ink__arena_free(&plan->arena);
    free(plan->steps);
    free(plan->value);
    free(plan);
}

/* ---- Layers ------------------------------------------------------------------------------------------------------ */

/* What a layer works on: n images. */
struct io {
    size_t n, thread;
    const uint8_t *x, *partner; /* (n, in); close: what the group adds to */
    uint8_t *y;                 /* (n, out), NULL if it gives scores */
    int32_t *scores;
};

typedef void layer_fn(const struct ink__int8_plan *plan, const struct step *s, const struct io *io);

static void run_dense(const struct ink__int8_plan *plan, const struct step *s, const struct io *io)
{
    struct ink__int8_gemm gemm = s->gemm;
    gemm.m = io->n;
    gemm.a = io->x;
    gemm.bytes = io->y;
    gemm.scores = io->scores;
    plan->kernels->gemm(&gemm);
}

static void run_conv(const struct ink__int8_plan *plan, const struct step *s, const struct io *io)
{
    const struct ink__layer *l = &s->layer->layer;
    const size_t in = ink__elements(l->in), out = ink__elements(l->out), row = l->in.width * l->in.channels;
    struct ink__int8_gemm gemm = s->gemm;
    uint8_t *image = s->image != NULL ? s->image + io->thread * image_size(s) : NULL;
    for (size_t n = 0; n < io->n; n++) {
        gemm.a = image != NULL ? image : io->x + n * in;
        for (size_t h = 0; image != NULL && h < l->in.height; h++)
            memcpy(image + ((h + l->pad) * s->width + l->pad) * l->in.channels, io->x + n * in + h * row, row);
        gemm.bytes = io->y + n * out;
        plan->kernels->gemm(&gemm);
    }
}

static struct ink__int8_line line_of(const struct step *s)
{
    return (struct ink__int8_line){ s->layer->multiplier, s->layer->bias, s->layer->shift[0] };
}

static void run_max_pool(const struct ink__int8_plan *plan, const struct step *s, const struct io *io)
{
    const struct ink__layer *l = &s->layer->layer;
    const struct ink__pooling window = ink__pooling_of(l);
    for (size_t n = 0; n < io->n; n++)
        plan->kernels->max_pool(&window, io->x + n * ink__elements(l->in), io->y + n * ink__elements(l->out));
}

static void run_mean_pool(const struct ink__int8_plan *plan, const struct step *s, const struct io *io)
{
    const struct ink__layer *l = &s->layer->layer;
    const struct ink__pooling window = ink__pooling_of(l);
    const struct ink__int8_line line = line_of(s);
    const size_t in = ink__elements(l->in), out = ink__elements(l->out);
    for (size_t n = 0; n < io->n; n++)
        plan->kernels->mean_pool(&window, &line, io->x + n * in, io->y != NULL ? io->y + n * out : NULL,
                                 io->scores + n * out);
}

static void run_norm(const struct ink__int8_plan *plan, const struct step *s, const struct io *io)
{
    const struct ink_shape in = s->layer->layer.in;
    const struct ink__int8_line line = line_of(s);
    plan->kernels->affine(&line, io->x, io->y, io->n * in.height * in.width, in.channels);
}

static void run_close(const struct ink__int8_plan *plan, const struct step *s, const struct io *io)
{
    const struct ink__int8_line line = line_of(s);
    plan->kernels->add(&line, io->x, io->partner, io->y, io->n * ink__elements(s->layer->layer.in));
}

/* Its table follows. */
static void run_map(const struct ink__int8_plan *plan, const struct step *s, const struct io *io)
{
    plan->kernels->map(s->layer->table, io->x, io->y, io->n * ink__elements(s->layer->layer.in));
}

static layer_fn *const runs[INK__KINDS] = {
    [INK__DENSE] = run_dense,       [INK__CONV] = run_conv,
    [INK__MAX_POOL] = run_max_pool, [INK__MEAN_POOL] = run_mean_pool,
    [INK__NORM] = run_norm,         [INK__CLOSE] = run_close,
    [INK__MAP] = run_map,
};

/* ---- Images ------------------------------------------------------------------------------------------------------ */

struct inference {
    struct ink__int8_plan *plan;
    const struct ink__batch *batch;
    int32_t *scores;      /* (count, classes), or NULL, and */
    float *probabilities; /* (count, classes) */
};

/* Intensities are bytes divided by 255, as pictures are. */
static void bytes_of(const float *from, uint8_t *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = (uint8_t)((from[i] > 0.0f ? from[i] < 1.0f ? from[i] : 1.0f : 0.0f) * 255.0f + 0.5f);
}

static void load(const struct inference *run, size_t thread, size_t first, size_t n, uint8_t *x)
{
    const struct ink__batch *batch = run->batch;
    const struct ink__int8_plan *plan = run->plan;
    const size_t size = size_of(plan, 0), channels = plan->net->input.channels;
    for (size_t s = 0; s < n; s++, x += size) {
        if (batch->floats != NULL) {
            bytes_of(batch->floats + (first + s) * size, x, size);
        } else {
            memcpy(x, batch->image(batch->context, first + s, thread), size);
        }
        for (size_t i = 0; plan->q->input != NULL && i < size; i++)
            x[i] = plan->q->input[i % channels * 256 + x[i]];
    }
}

/* Scores to probabilities. */
static void answer(const struct ink__int8_plan *plan, const int32_t *scores, size_t n, float *p)
{
    const size_t classes = plan->net->classes;
    const float scale = plan->q->scale[plan->last];
    for (size_t i = 0; i < n * classes; i++)
        p[i] = (float)scores[i] * scale;
    plan->floats->softmax(p, n, classes, p, NULL);
}

static void infer_chunk(void *context, size_t chunk, size_t thread)
{
    const struct inference *run = context;
    const struct ink__int8_plan *plan = run->plan;
    const struct ink__int8 *q = plan->q;
    const size_t first = chunk * INK__INT8_CHUNK, left = run->batch->count - first,
                 n = left < INK__INT8_CHUNK ? left : INK__INT8_CHUNK;
    const size_t classes = plan->net->classes, here = thread * INK__INT8_CHUNK;
    int32_t *scores = plan->scores + here * classes;
    load(run, thread, first, n, plan->value[0] + here * size_of(plan, 0));
    for (size_t i = 0; i < q->layer_count; i++) {
        const struct ink__int8_layer *l = &q->layers[i];
        if (l->skip)
            continue;
        uint8_t *y = l->gives_scores ? NULL : plan->value[i + 1] + here * size_of(plan, i + 1);
        const struct io io = { .n = n,
                               .thread = thread,
                               .x = plan->value[i] + here * size_of(plan, i),
                               .partner = plan->value[l->layer.partner] + here * size_of(plan, l->layer.partner),
                               .y = y,
                               .scores = scores };
        runs[l->layer.kind](plan, &plan->steps[i], &io);
        if (l->table != NULL && l->layer.kind != INK__MAP)
            plan->kernels->map(l->table, y, y, n * size_of(plan, i + 1));
    }
    for (size_t i = 0; plan->value[plan->last] != NULL && i < n * classes; i++)
        scores[i] = plan->value[plan->last][here * classes + i] - q->zero[plan->last];
    if (run->scores != NULL)
        memcpy(run->scores + first * classes, scores, n * classes * sizeof *scores);
    else
        answer(plan, scores, n, run->probabilities + first * classes);
}

void ink__int8_infer(struct ink__int8_plan *plan, struct ink__pool *pool, const struct ink__batch *batch,
                     float *probabilities)
{
    struct inference run = { .plan = plan, .batch = batch, .probabilities = probabilities };
    ink__pool_do(pool, (batch->count + INK__INT8_CHUNK - 1) / INK__INT8_CHUNK, infer_chunk, &run);
}

void ink__int8_scores(struct ink__int8_plan *plan, const struct ink__batch *batch, int32_t *scores)
{
    struct inference run = { .plan = plan, .batch = batch, .scores = scores };
    ink__pool_do(NULL, (batch->count + INK__INT8_CHUNK - 1) / INK__INT8_CHUNK, infer_chunk, &run);
}

void ink__int8_value(const struct ink__int8_plan *plan, size_t value, size_t place, float *out)
{
    const size_t size = size_of(plan, value);
    const float scale = plan->q->scale[value];
    const uint8_t *bytes = plan->value[value];
    for (size_t i = 0; i < size; i++)
        out[i] = scale * (float)(bytes != NULL ? bytes[place * size + i] - plan->q->zero[value]
                                               : plan->scores[place * size + i]);
}
