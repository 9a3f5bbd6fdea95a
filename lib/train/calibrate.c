#include "train/calibrate.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "nn/plan.h"

#define IMAGES ((size_t)1000)
/* Ends tried on each side: the whole, and each 6% shorter than the one before, down to a sixth. */
#define STEPS   30
#define SHORTER 0.94

/* ---- Looking at the values --------------------------------------------------------------------------------------- */

enum look { LOOK_BOUNDS, LOOK_COUNTS };

static void look_at(struct ink__histogram *h, enum look look, const float *x, size_t count)
{
    const double width = ((double)h->most - (double)h->least) / (double)INK__BINS;
    for (size_t i = 0; i < count; i++) {
        if (look == LOOK_BOUNDS) {
            const float value = isfinite(x[i]) ? x[i] : INFINITY;
            h->least = fminf(h->least, value);
            h->most = fmaxf(h->most, value);
        } else if (x[i] != 0.0f) {
            const size_t bin = (size_t)(((double)x[i] - (double)h->least) / width);
            h->count[bin < INK__BINS ? bin : INK__BINS - 1] += 1.0;
        }
    }
}

struct calibration {
    struct ink__plan *plan;
    const struct ink__int8 *q;
    struct ink__histogram *histograms;
    struct ink__layer *activations; /* of the layers; the plan's own are taken out, so that the sums can be seen */
    const struct ink_dataset *data;
    size_t first; /* image of the batch */
    size_t images;
};

static const uint8_t *image_of(void *context, size_t i, size_t thread)
{
    const struct calibration *c = context;
    (void)thread;
    return ink_dataset_pixels(c->data, (c->first + i) * ink_dataset_count(c->data) / c->images);
}

static void run_batch(struct calibration *c, size_t n, enum look look)
{
    struct ink__plan *plan = c->plan;
    const struct ink__batch batch = { .count = n, .image = image_of, .context = c };
    ink__plan_load_input(plan, &batch);
    for (size_t i = 0; i < plan->layer_count; i++) {
        const float *x = ink__at(&plan->value[i], 0, 0);
        float *y = ink__at(&plan->value[i + 1], 0, 0);
        if (plan->work[i].skip)
            continue;
        if (!c->q->layers[i].skip && plan->layers[i].kind == INK__MAP)
            look_at(&c->histograms[i], look, x, n * plan->value[i].size);
        ink__plan_forward(plan, i, &batch);
        if (!c->q->layers[i].skip && plan->layers[i].kind != INK__MAP)
            look_at(&c->histograms[i], look, y, n * plan->value[i + 1].size);
        if (c->activations[i].activation != INK__IDENTITY)
            plan->kernels->activate(c->activations[i].activation, c->activations[i].slope, y, y,
                                    n * plan->value[i + 1].size);
    }
}

static enum ink_status look_at_all(struct calibration *c, enum look look, struct ink_error *err)
{
    for (c->first = 0; c->first < c->images; c->first += INK__CHUNK) {
        const size_t left = c->images - c->first;
        run_batch(c, left < INK__CHUNK ? left : INK__CHUNK, look);
    }
    for (size_t i = 0; i < c->plan->layer_count; i++)
        if (!isfinite(c->histograms[i].least) || !isfinite(c->histograms[i].most))
            return ink__fail(err, INK_BAD_INPUT, "network: layer %zu (%s) gives a number that is not finite", i,
                             c->plan->layers[i].text);
    return INK_OK;
}

enum ink_status ink__calibrate(struct ink__histogram *histograms, const struct ink_net *net, const struct ink__int8 *q,
                               const struct ink_dataset *data, const struct ink_compute *compute, struct ink_error *err)
{
    const size_t count = ink_dataset_count(data);
    const struct ink_compute one = { .threads = 1, .kernels = compute != NULL ? compute->kernels : NULL };
    struct calibration c = {
        .q = q, .histograms = histograms, .data = data, .images = count < IMAGES ? count : IMAGES
    };
    enum ink_status status = ink__plan_new(&c.plan, net, INK__CHUNK, false, 1.0, &one, err);
    if (status != INK_OK)
        return status;
    c.activations = ink__array(net->layer_count, sizeof *c.activations);
    if (c.activations == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    for (size_t i = 0; i < net->layer_count; i++) {
        struct ink__layer *l = &c.plan->layers[i];
        if (l->kind == INK__MAP)
            continue;
        c.activations[i] = *l;
        l->activation = INK__IDENTITY;
    }
    status = look_at_all(&c, LOOK_BOUNDS, err);
    if (status == INK_OK)
        status = look_at_all(&c, LOOK_COUNTS, err);
out:
    free(c.activations);
    ink__plan_free(c.plan);
    return status;
}

/* ---- Grids ------------------------------------------------------------------------------------------------------- */

uint8_t ink__grid_byte(struct ink__grid grid, double x)
{
    const double byte = floor(x / grid.scale + 0.5) + grid.zero;
    return (uint8_t)(byte > 0.0 ? byte < UINT8_MAX ? byte : UINT8_MAX : 0.0);
}

struct ink__grid ink__grid_make(double low, double high, double least)
{
    const double step = fmax((high - low) / UINT8_MAX, least), scale = step > 0.0 ? (double)(float)step : 1.0;
    return (struct ink__grid){ scale, (int)fmin(floor(-low / scale + 0.5), UINT8_MAX) };
}

/* y = f(x), by the kernels that run the float net. */
static void apply(const struct ink__layer *f, const float *x, float *y, size_t count)
{
    ink__kernels_portable.activate(f->activation, f->slope, x, y, count);
}

void ink__grid_table(const struct ink__layer *f, struct ink__grid in, struct ink__grid out, uint8_t *table)
{
    float x[256], y[256];
    for (int byte = 0; byte < 256; byte++)
        x[byte] = (float)((byte - in.zero) * in.scale);
    apply(f, x, y, 256);
    for (size_t byte = 0; byte < 256; byte++)
        table[byte] = ink__grid_byte(out, (double)y[byte]);
}

/* A choice of grid: of what the bins hold after f, or of what goes into f. */
struct search {
    const struct ink__histogram *h;
    const struct ink__layer *f;
    const struct ink__grid *out; /* of f's values, while the grid of what goes into f is sought; else NULL */
    float x[INK__BINS], y[INK__BINS];
};

static double error_of(const struct search *s, struct ink__grid grid)
{
    const float *const held = s->out != NULL ? s->x : s->y;
    uint8_t table[256] = { 0 };
    double found[256], sum = 0.0; /* what comes out for each byte of the grid */
    if (s->out != NULL)
        ink__grid_table(s->f, grid, *s->out, table);
    for (int byte = 0; byte < 256; byte++)
        found[byte] = s->out != NULL ? (table[byte] - s->out->zero) * s->out->scale : (byte - grid.zero) * grid.scale;
    for (size_t b = 0; b < INK__BINS; b++) {
        if (s->h->count[b] == 0.0)
            continue;
        const double error = found[ink__grid_byte(grid, (double)held[b])] - (double)s->y[b];
        sum += s->h->count[b] * error * error;
    }
    return sum;
}

/* Shortens one side, then the other. */
static struct ink__grid best_of(const struct search *s, double low, double high)
{
    double ends[2] = { low, high };
    for (size_t side = 2; side-- > 0;) {
        double best_end = ends[side], least = INFINITY;
        for (int step = 0; step < STEPS; step++, ends[side] *= SHORTER) {
            const double error = error_of(s, ink__grid_make(ends[0], ends[1], 0.0));
            if (error < least) {
                least = error;
                best_end = ends[side];
            }
        }
        ends[side] = best_end;
    }
    return ink__grid_make(ends[0], ends[1], 0.0);
}

static void fill_search(struct search *s)
{
    const double width = ((double)s->h->most - (double)s->h->least) / (double)INK__BINS;
    for (size_t b = 0; b < INK__BINS; b++)
        s->x[b] = (float)((double)s->h->least + ((double)b + 0.5) * width);
    apply(s->f, s->x, s->y, INK__BINS);
}

struct ink__grid ink__grid_choose(const struct ink__histogram *h, const struct ink__layer *f)
{
    struct search s = { .h = h, .f = f };
    double low = 0.0, high = 0.0;
    fill_search(&s);
    for (size_t b = 0; b < INK__BINS; b++) {
        if (h->count[b] == 0.0)
            continue;
        low = (double)s.y[b] < low ? (double)s.y[b] : low;
        high = (double)s.y[b] > high ? (double)s.y[b] : high;
    }
    return best_of(&s, low, high);
}

struct ink__grid ink__grid_choose_before(const struct ink__histogram *h, const struct ink__layer *f,
                                         struct ink__grid out)
{
    struct search s = { .h = h, .f = f, .out = &out };
    fill_search(&s);
    return best_of(&s, (double)h->least, (double)h->most);
}
