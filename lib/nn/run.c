/* Running a plan: samples through the layers, forward and back. */
#include <math.h>
#include <string.h>

#include "nn/plan.h"

/* ---- Input ------------------------------------------------------------------------------------------------------- */

/* Row `row` of x from intensities, of which zero is zero to the layer too. */
static void sparse_row_of_floats(struct ink__sparse *x, size_t row, const float *from, float scale)
{
    uint16_t *index = x->index + row * x->stride, *block = x->block + row * (x->blocks + 1);
    float *value = x->value + row * x->stride;
    size_t filled = 0;
    for (size_t i = 0; i < x->columns; i++) {
        if (i % INK__SPARSE_BLOCK == 0)
            block[i / INK__SPARSE_BLOCK] = (uint16_t)filled;
        index[filled] = (uint16_t)i;
        value[filled] = from[i] * scale;
        filled += from[i] != 0.0f;
    }
    block[x->blocks] = (uint16_t)filled;
}

static void load_input(const struct ink__worker *worker, size_t first, size_t n)
{
    struct ink__plan *plan = worker->plan;
    const struct ink__batch *batch = worker->batch;
    const size_t size = plan->value[0].size, channels = plan->net->input.channels;
    const size_t begin = ink__band(plan, worker->band).begin;
    struct ink__sparse *const sparse = &plan->sparse[worker->band];
    float *x = plan->sparse_input ? NULL : ink__at(&plan->value[0], worker->thread, first);
    for (size_t s = 0; s < n; s++) {
        if (batch->floats != NULL) {
            const float *from = batch->floats + (first + s) * size;
            if (plan->sparse_input) {
                sparse_row_of_floats(sparse, first + s, from + begin, plan->input_scale[0]);
                continue;
            }
            for (size_t i = 0; i < size; i++)
                x[s * size + i] = (from[i] - plan->net->mean[i % channels]) * plan->input_scale[i % channels];
            continue;
        }
        const uint8_t *bytes = batch->image(batch->context, first + s, worker->thread);
        if (plan->sparse_input)
            worker->kernels->sparse_pack(sparse, first + s, bytes + begin, plan->input_scale[0]);
        else
            worker->kernels->from_bytes(bytes, size, channels, plan->net->mean, plan->input_scale, x + s * size);
    }
}

/* ---- One layer, one chunk ---------------------------------------------------------------------------------------- */

static struct ink__io io_of(const struct ink__worker *worker, size_t i, size_t first, size_t n)
{
    const struct ink__plan *plan = worker->plan;
    const struct ink__layer *layer = &plan->layers[i];
    const size_t thread = worker->thread;
    struct ink__io io = { .first = first, .n = n, .y = ink__at(&plan->value[i + 1], thread, first) };
    if (i > 0 || !plan->sparse_input)
        io.x = ink__at(&plan->value[i], thread, first);
    if (plan->training) {
        io.dy = ink__at(&plan->slope[i + 1], thread, first);
        io.dx = plan->work[i].need_dx ? ink__at(&plan->slope[i], thread, first) : NULL;
    }
    if (layer->kind == INK__CLOSE)
        io.partner = ink__at(&plan->value[layer->partner], thread, first);
    else if (layer->kind == INK__OPEN && plan->training)
        io.partner = ink__at(&plan->slope[layer->partner + 1], thread, first);
    return io;
}

static const struct ink__layer_type *type_of(const struct ink__plan *plan, size_t i)
{
    return ink__layer_types[plan->layers[i].kind];
}

static void forward(const struct ink__worker *worker, size_t begin, size_t end, size_t first, size_t n)
{
    for (size_t i = begin; i < end; i++) {
        const struct ink__io io = io_of(worker, i, first, n);
        if (!worker->plan->work[i].skip)
            type_of(worker->plan, i)->forward(&worker->plan->work[i], worker, &io);
    }
}

/* Layer i backward: a norm only measures here, and gives its gradient once all have measured. */
static void backward(const struct ink__worker *worker, size_t i, size_t first, size_t n)
{
    const struct ink__layer_type *type = type_of(worker->plan, i);
    const struct ink__io io = io_of(worker, i, first, n);
    (type->measure_back != NULL ? type->measure_back : type->backward)(&worker->plan->work[i], worker, &io);
}

/* ---- A training step --------------------------------------------------------------------------------------------- */

/* Segment s of one chunk: forward, and what the next norm wants measured; the last segment also turns round. */
static void forward_segment(struct ink__worker *worker, size_t s, size_t first, size_t n)
{
    struct ink__plan *plan = worker->plan;
    const size_t begin = plan->segment[s], end = plan->segment[s + 1];
    if (s == 0 && plan->bands == 1)
        load_input(worker, first, n);
    forward(worker, begin, end, first, n);
    if (s + 1 < plan->segments) {
        const struct ink__io io = io_of(worker, end, first, n);
        type_of(plan, end)->measure(&plan->work[end], worker, &io);
        return;
    }
    if (worker->group_starts) {
        plan->group_loss[worker->group] = 0.0;
        plan->group_correct[worker->group] = 0;
    }
    ink__loss_step(worker, first, n, ink__at(&plan->value[end], worker->thread, first),
                   ink__at(&plan->slope[end], worker->thread, first));
    for (size_t i = end; i-- > begin;)
        backward(worker, i, first, n);
}

/* The norm behind segment s gives its gradient, then the layers of the segment. */
static void backward_segment(struct ink__worker *worker, size_t s, size_t first, size_t n)
{
    struct ink__plan *plan = worker->plan;
    const size_t begin = plan->segment[s], end = plan->segment[s + 1];
    const struct ink__io io = io_of(worker, end, first, n);
    type_of(plan, end)->backward(&plan->work[end], worker, &io);
    for (size_t i = end; i-- > begin;)
        backward(worker, i, first, n);
}

typedef void segment_fn(struct ink__worker *worker, size_t s, size_t first, size_t n);

/* One pass of a step: a segment, forward or back. */
struct pass {
    struct ink__plan *plan;
    const struct ink__batch *batch;
    segment_fn *run;
    size_t segment;
};

/* One group, chunk by chunk. A group without samples is run too: its sums become zero. */
static void run_group(void *context, size_t group, size_t thread)
{
    const struct pass *pass = context;
    struct ink__worker worker = { .plan = pass->plan,
                                  .kernels = pass->plan->kernels,
                                  .batch = pass->batch,
                                  .thread = thread,
                                  .group = group,
                                  .group_starts = true };
    const struct ink__range samples = ink__part(group, INK__GROUPS, pass->batch->count);
    size_t first = samples.begin;
    do {
        const size_t left = samples.end - first;
        const size_t n = left < INK__CHUNK ? left : INK__CHUNK;
        pass->run(&worker, pass->segment, first, n);
        worker.group_starts = false;
        first += n;
    } while (first < samples.end);
}

/* One band of the first layer for one chunk: the chains go on from the sums of the band before it. The activation is
 * left to the first segment. A band's items are neighbours, so that each thread has a band of its own. */
static void run_band(void *context, size_t item, size_t thread)
{
    const struct pass *pass = context;
    struct ink__plan *plan = pass->plan;
    const struct ink__work *work = &plan->work[0];
    const size_t chunks = ink__chunks(plan->count), band = item / chunks, chunk = item % chunks;
    const size_t first = chunk * INK__CHUNK, left = plan->count - first, n = left < INK__CHUNK ? left : INK__CHUNK;
    const size_t outputs = plan->value[1].size;
    const struct ink__worker worker = {
        .plan = plan, .kernels = plan->kernels, .batch = pass->batch, .thread = thread, .band = band
    };
    const float *weight = work->weight + ink__band(plan, band).begin * work->ld;
    float *const sums = plan->band_sums + first * plan->sums_ld;
    const bool is_first = band == 0, is_last = band + 1 == plan->bands;
    load_input(&worker, first, n);
    ink__await(&plan->bands_done[chunk], (unsigned)band);
    plan->kernels->sparse_forward(
        &plan->sparse[band], first, n, weight, work->ld, is_first ? work->bias : sums, is_first ? 0 : plan->sums_ld,
        outputs, is_last ? ink__at(&plan->value[1], thread, first) : sums, is_last ? outputs : plan->sums_ld);
    atomic_store_explicit(&plan->bands_done[chunk], (unsigned)band + 1, memory_order_release);
}

/* The sparse first layer, where several threads share it. */
static void run_bands(struct ink__pool *pool, struct pass *pass)
{
    struct ink__plan *plan = pass->plan;
    const size_t chunks = ink__chunks(plan->count);
    if (plan->bands == 1)
        return;
    for (size_t c = 0; c < chunks; c++)
        atomic_store_explicit(&plan->bands_done[c], 0, memory_order_relaxed);
    ink__pool_do(pool, plan->bands * chunks, run_band, pass);
}

void ink__plan_step(struct ink__plan *plan, struct ink__pool *pool, const struct ink__batch *batch)
{
    struct pass pass = { .plan = plan, .batch = batch, .run = forward_segment };
    plan->count = batch->count;
    run_bands(pool, &pass);
    for (size_t s = 0; s < plan->segments; s++) {
        const size_t norm = plan->segment[s];
        if (s > 0)
            type_of(plan, norm)->ready(&plan->work[norm], plan);
        pass.segment = s;
        ink__pool_do(pool, INK__GROUPS, run_group, &pass);
    }
    pass.run = backward_segment;
    for (size_t s = plan->segments - 1; s-- > 0;) {
        const size_t norm = plan->segment[s + 1];
        type_of(plan, norm)->ready_back(&plan->work[norm], plan);
        pass.segment = s;
        ink__pool_do(pool, INK__GROUPS, run_group, &pass);
    }
}

double ink__plan_loss(const struct ink__plan *plan)
{
    double sum = 0.0;
    for (size_t g = 0; g < INK__GROUPS; g++)
        sum += plan->group_loss[g];
    return sum / (double)plan->count;
}

size_t ink__plan_correct(const struct ink__plan *plan)
{
    size_t sum = 0;
    for (size_t g = 0; g < INK__GROUPS; g++)
        sum += plan->group_correct[g];
    return sum;
}

/* ---- Inference --------------------------------------------------------------------------------------------------- */

struct inference {
    struct ink__plan *plan;
    const struct ink__batch *batch;
    float *probabilities;
};

static void infer_chunk(void *context, size_t chunk, size_t thread)
{
    const struct inference *run = context;
    const struct ink__plan *plan = run->plan;
    const struct ink__worker worker = {
        .plan = run->plan, .kernels = plan->kernels, .batch = run->batch, .thread = thread
    };
    const size_t first = chunk * INK__CHUNK, left = run->batch->count - first;
    const size_t n = left < INK__CHUNK ? left : INK__CHUNK;
    load_input(&worker, first, n);
    forward(&worker, 0, plan->layer_count, first, n);
    plan->kernels->softmax(ink__at(&plan->value[plan->layer_count], thread, first), n, plan->net->classes,
                           run->probabilities + first * plan->net->classes, NULL);
}

void ink__plan_infer(struct ink__plan *plan, struct ink__pool *pool, const struct ink__batch *batch,
                     float *probabilities)
{
    struct inference run = { plan, batch, probabilities };
    if (plan->int8 != NULL) {
        ink__int8_infer(plan->int8, pool, batch, probabilities);
        return;
    }
    ink__pool_do(pool, ink__chunks(batch->count), infer_chunk, &run);
}

void ink__plan_load_input(struct ink__plan *plan, const struct ink__batch *batch)
{
    const struct ink__worker worker = { .plan = plan, .kernels = plan->kernels, .batch = batch };
    load_input(&worker, 0, batch->count);
}

void ink__plan_forward(struct ink__plan *plan, size_t i, const struct ink__batch *batch)
{
    const struct ink__worker worker = { .plan = plan, .kernels = plan->kernels, .batch = batch };
    forward(&worker, i, i + 1, 0, batch->count);
}

/* ---- What went wrong --------------------------------------------------------------------------------------------- */

static bool all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i]))
            return false;
    return true;
}

/* Where a batch's values were kept they are looked at; where not, the samples go forward once more. */
size_t ink__plan_diagnose(struct ink__plan *plan, const struct ink__batch *batch)
{
    const struct ink__worker worker = { .plan = plan, .kernels = plan->kernels, .batch = batch };
    struct pass pass = { .plan = plan, .batch = batch };
    size_t guilty = plan->layer_count;
    run_bands(NULL, &pass);
    for (size_t first = 0; first < batch->count; first += INK__CHUNK) {
        const size_t n = batch->count - first < INK__CHUNK ? batch->count - first : INK__CHUNK;
        if (plan->segments == 1) {
            if (plan->bands == 1)
                load_input(&worker, first, n);
            forward(&worker, 0, plan->layer_count, first, n);
        }
        for (size_t i = 0; i < guilty; i++)
            if (!all_finite(ink__at(&plan->value[i + 1], 0, first), n * plan->value[i + 1].size))
                guilty = i;
    }
    return guilty;
}
