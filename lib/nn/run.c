/* Running a plan: samples through the layers, forward and back. */
#include <math.h>
#include <string.h>

#include "nn/plan.h"

/* ---- Input, and a sparse first layer ----------------------------------------------------------------------------- */

/* The input of n samples, for a network whose first layer is not sparse. */
static void load_input(const struct ink__worker *worker, size_t first, size_t n)
{
    const struct ink__plan *plan = worker->plan;
    const struct ink__batch *batch = worker->batch;
    const struct ink__kernels *kernels = worker->kernels;
    const size_t size = plan->value[0].size, channels = plan->net->input.channels;
    const float *mean = plan->net->mean, *scale = plan->input_scale;
    float *x = ink__at(&plan->value[0], worker->thread, first);
    if (batch->floats != NULL) {
        kernels->from_floats(batch->floats + first * size, n * size, channels, mean, scale, x);
        return;
    }
    for (size_t s = first; s < first + n; s++, x += size)
        kernels->from_bytes(batch->image(batch->context, s, worker->thread), size, channels, mean, scale, x);
}

/* What sparse_pack does, for `rows` rows of intensities that are `pitch` apart. Zero is zero to the layer too. */
static void pack_floats(const struct ink__sparse *x, size_t row, const float *from, size_t pitch, size_t rows,
                        float scale)
{
    const size_t group = row / INK__SPARSE_ROWS;
    uint16_t *const index = x->index + group * x->stride, *const block = x->block + group * (x->blocks + 1);
    size_t filled = 0;
    for (size_t b = 0; b < x->blocks; b++) {
        const size_t begin = b * INK__SPARSE_BLOCK, left = x->columns - begin;
        const size_t count = left < INK__SPARSE_BLOCK ? left : INK__SPARSE_BLOCK;
        int some[INK__SPARSE_BLOCK] = { 0 };
        for (size_t r = 0; r < rows; r++)
            for (size_t i = 0; i < count; i++)
                some[i] |= from[r * pitch + begin + i] != 0.0f;
        block[b] = (uint16_t)filled;
        for (size_t i = 0; i < count; i++) {
            index[filled] = (uint16_t)(begin + i);
            filled += (size_t)some[i];
        }
    }
    block[x->blocks] = (uint16_t)filled;
    for (size_t r = 0; r < rows; r++)
        for (size_t e = 0; e < filled; e++)
            x->value[(row + r) * x->stride + e] = from[r * pitch + index[e]] * scale;
}

/* The same from the bytes of images. Rows of the last group that have no sample repeat the last. */
static void pack_images(const struct ink__worker *worker, size_t row, size_t begin, size_t rows)
{
    const struct ink__plan *plan = worker->plan;
    const struct ink__batch *batch = worker->batch;
    const uint8_t *bytes[INK__SPARSE_ROWS];
    for (size_t r = 0; r < INK__SPARSE_ROWS; r++)
        bytes[r] = r < rows ? batch->image(batch->context, row + r, worker->thread) + begin : bytes[r - 1];
    worker->kernels->sparse_pack(&plan->sparse[worker->band], row, bytes, plan->input_scale[0]);
}

_Static_assert(INK__CHUNK % INK__SPARSE_ROWS == 0, "chunks are whole groups");

/* The worker's band of the inputs of n samples. */
static void pack_input(const struct ink__worker *worker, size_t first, size_t n)
{
    const struct ink__plan *plan = worker->plan;
    const float *floats = worker->batch->floats;
    const size_t size = plan->value[0].size, begin = ink__band(plan, worker->band).begin;
    for (size_t row = first; row < first + n; row += INK__SPARSE_ROWS) {
        const size_t left = first + n - row, rows = left < INK__SPARSE_ROWS ? left : INK__SPARSE_ROWS;
        if (floats != NULL)
            pack_floats(&plan->sparse[worker->band], row, floats + row * size + begin, size, rows,
                        plan->input_scale[0]);
        else
            pack_images(worker, row, begin, rows);
    }
}

static const struct ink__layer_type *type_of(const struct ink__plan *plan, size_t i)
{
    return ink__layer_types[plan->layers[i].kind];
}

void ink__plan_turn(const struct ink__plan *plan, size_t thread)
{
    for (size_t i = 0; i < plan->layer_count; i++)
        if (type_of(plan, i)->turn != NULL)
            type_of(plan, i)->turn(&plan->work[i], thread);
}

/* Once a step for every thread that takes part, the first time that it has nothing better to do. */
static void turn_weights(const struct ink__plan *plan, size_t thread)
{
    if (plan->turned[thread].step == plan->step)
        return;
    plan->turned[thread].step = plan->step;
    ink__plan_turn(plan, thread);
}

/* The worker's band of a sparse first layer for n samples: the chains go on from the sums that the band before it left.
 * Its activation is left to `forward`. */
static void sparse_layer(const struct ink__worker *worker, size_t first, size_t n)
{
    const struct ink__plan *plan = worker->plan;
    const struct ink__work *work = &plan->work[0];
    const size_t band = worker->band, outputs = plan->value[1].size;
    const float *weight = work->weight + ink__band(plan, band).begin * work->ld;
    float *const y = ink__at(&plan->value[1], worker->thread, first);
    atomic_uint *const done = &plan->bands_done[first / INK__CHUNK];
    pack_input(worker, first, n);
    if (band > 0) {
        turn_weights(plan, worker->thread); /* something to do until the band before this one is a chunk ahead */
        ink__await(done, (unsigned)band);
    }
    worker->kernels->sparse_forward(&plan->sparse[band], first, n, weight, work->ld, band > 0 ? y : work->bias,
                                    band > 0 ? outputs : 0, outputs, y, outputs);
    atomic_store_explicit(done, (unsigned)band + 1, memory_order_release);
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
    if (s == 0 && !plan->sparse_input)
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
    turn_weights(pass->plan, thread);
    do {
        const size_t left = samples.end - first;
        const size_t n = left < INK__CHUNK ? left : INK__CHUNK;
        pass->run(&worker, pass->segment, first, n);
        worker.group_starts = false;
        first += n;
    } while (first < samples.end);
}

/* One band of a sparse first layer for one chunk. A band's items are neighbours, so that each thread has a band of its
 * own. */
static void run_band(void *context, size_t item, size_t thread)
{
    const struct pass *pass = context;
    const size_t chunks = ink__chunks(pass->batch->count), first = item % chunks * INK__CHUNK;
    const size_t left = pass->batch->count - first;
    const struct ink__worker worker = { .plan = pass->plan,
                                        .kernels = pass->plan->kernels,
                                        .batch = pass->batch,
                                        .thread = thread,
                                        .band = item / chunks };
    sparse_layer(&worker, first, left < INK__CHUNK ? left : INK__CHUNK);
    if (left <= INK__CHUNK) /* all chunks are done, but the bands behind this one are not */
        turn_weights(pass->plan, thread);
}

/* The sparse first layer of the whole batch, where there is one. */
static void run_bands(struct ink__pool *pool, struct pass *pass)
{
    if (pass->plan->sparse_input)
        ink__pool_do(pool, pass->plan->bands * ink__chunks(pass->batch->count), run_band, pass);
}

void ink__plan_step(struct ink__plan *plan, struct ink__pool *pool, const struct ink__batch *batch)
{
    struct pass pass = { .plan = plan, .batch = batch, .run = forward_segment };
    plan->count = batch->count;
    plan->step++;
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
    if (plan->sparse_input)
        sparse_layer(&worker, first, n);
    else
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
            if (!plan->sparse_input)
                load_input(&worker, first, n);
            forward(&worker, 0, plan->layer_count, first, n);
        }
        for (size_t i = 0; i < guilty; i++)
            if (!all_finite(ink__at(&plan->value[i + 1], 0, first), n * plan->value[i + 1].size))
                guilty = i;
    }
    return guilty;
}
