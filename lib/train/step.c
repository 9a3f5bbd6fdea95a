/*
 * One training step, as two jobs for the threads: samples forward and back (ink__plan_step), then the rows of the
 * parameters, each given its gradient, updated, and packed for the next step.
 */
#include <math.h>

#include "train/trainer.h"

/* A parameter is worked on in so many parts, which are the items of a job. */
#define PARTS INK__GROUPS

/* The part of the rows of layer i's weight matrix, empty where it has no matrix; and whether its vectors are in it. */
static struct ink__range matrix_rows(const struct ink_trainer *t, size_t i, size_t part, bool *whole)
{
    const struct ink__layer *layer = &t->plan->layers[i];
    *whole = ink__vectors_part(i) == part;
    if (layer->kind != INK__DENSE && layer->kind != INK__CONV)
        return (struct ink__range){ 0, 0 };
    return ink__rows_part(&t->net->parameters[layer->parameter], part);
}

static void form_gradients(struct ink_trainer *t, size_t part)
{
    const struct ink__plan *plan = t->plan;
    for (size_t i = 0; i < plan->layer_count; i++) {
        const struct ink__layer_type *type = ink__layer_types[plan->layers[i].kind];
        bool whole;
        const struct ink__range rows = matrix_rows(t, i, part, &whole);
        if (type->gradient != NULL)
            type->gradient(&plan->work[i], plan, rows, whole);
    }
}

/* The sum of the squares of row r of a parameter's gradient, columns ascending. */
static double squares_of(const struct ink__plan *plan, const struct ink__parameter *p, size_t r)
{
    const float *g = plan->gradient + p->offset + r * p->ld;
    double squares = 0.0;
    for (size_t c = 0; c < p->columns; c++)
        squares += (double)g[c] * (double)g[c];
    return squares;
}

/* The squares of the gradient, summed by whole rows whoever formed them; clipping() adds the rows in order. */
static void square_part(void *context, size_t part, size_t thread)
{
    struct ink_trainer *t = context;
    double *row = t->row_squares;
    (void)thread;
    for (size_t i = 0; i < t->net->parameter_count; i++) {
        const struct ink__parameter *p = &t->net->parameters[i];
        const struct ink__range mine = ink__part(part, PARTS, p->trained ? p->rows : 0);
        for (size_t r = mine.begin; r < mine.end; r++)
            row[r] = squares_of(t->plan, p, r);
        row += p->rows;
    }
}

/* The factor that clips the norm of the whole gradient to options.clip. */
static float clipping(const struct ink_trainer *t)
{
    double sum = 0.0;
    for (size_t r = 0; r < t->row_count; r++)
        sum += t->row_squares[r];
    const double norm = sqrt(sum);
    return norm > t->options.clip ? (float)(t->options.clip / norm) : 1.0f;
}

/* Biases, and the shifts of norms. */
static bool is_bias(const struct ink_trainer *t, size_t i)
{
    const struct ink__layer *layer = &t->plan->layers[t->net->parameters[i].layer];
    return i - layer->parameter == (layer->kind == INK__NORM ? INK__SHIFT : INK__BIAS);
}

static void update_rows(struct ink_trainer *t, size_t part)
{
    for (size_t i = 0; i < t->net->parameter_count; i++) {
        const struct ink__parameter *p = &t->net->parameters[i];
        const struct ink__range rows = ink__rows_part(p, part);
        const size_t from = p->offset + rows.begin * p->ld;
        if (!p->trained || rows.begin == rows.end)
            continue;
        struct ink__update own = t->update;
        if (!p->decays)
            own.decay = own.shrink = 0.0f;
        if (t->muon != NULL && ink__muon_takes(t->muon, i)) { /* what stands in its gradient is the direction */
            own.rule = INK__SGD;
            own.decay = (float)t->options.weight_decay;
            own.gradient_scale = 1.0f;
        }
        if (is_bias(t, i))
            own.rate *= (float)t->options.bias_rate;
        t->plan->kernels->update(&own, t->net->weights + from, t->plan->gradient + from,
                                 t->state1 + (t->optimizer->states > 0 ? from : 0),
                                 t->state2 + (t->optimizer->states > 1 ? from : 0), (rows.end - rows.begin) * p->ld);
    }
}

/* What the step made, the running statistics of norms too, flows into the mean. */
static void average_rows(struct ink_trainer *t, size_t part)
{
    for (size_t i = 0; i < t->net->parameter_count; i++) {
        const struct ink__parameter *p = &t->net->parameters[i];
        const struct ink__range rows = ink__rows_part(p, part);
        const size_t from = p->offset + rows.begin * p->ld;
        t->plan->kernels->average(t->average + from, t->net->weights + from, t->average_share,
                                  (rows.end - rows.begin) * p->ld);
    }
}

static void pack_rows(struct ink_trainer *t, size_t part)
{
    const struct ink__plan *plan = t->plan;
    for (size_t i = 0; i < plan->layer_count; i++) {
        const struct ink__layer_type *type = ink__layer_types[plan->layers[i].kind];
        bool whole;
        const struct ink__range rows = matrix_rows(t, i, part, &whole);
        if (type->pack != NULL)
            type->pack(&plan->work[i], plan, rows, whole);
    }
}

static void gradient_part(void *context, size_t part, size_t thread)
{
    (void)thread;
    form_gradients(context, part);
}

static void update_part(void *context, size_t part, size_t thread)
{
    (void)thread;
    struct ink_trainer *t = context;
    update_rows(t, part);
    if (t->options.ema > 0.0)
        average_rows(t, part);
    pack_rows(t, part);
}

static void turn_matrix(void *context, size_t item, size_t thread)
{
    struct ink_trainer *t = context;
    ink__muon_turn(t->muon, item, thread, t->state1, (float)t->options.momentum);
}

/* Without clipping a row is updated as soon as its gradient is there. */
static void learn_part(void *context, size_t part, size_t thread)
{
    form_gradients(context, part);
    update_part(context, part, thread);
}

/* A loss that is not finite changes no weight: the caller finds out why. */
void ink__trainer_step(struct ink_trainer *t)
{
    ink__plan_step(t->plan, t->pool, &t->now);
    if (!isfinite(ink__plan_loss(t->plan)))
        return;
    if (t->options.clip == 0.0 && t->muon == NULL) {
        ink__pool_do(t->pool, PARTS, learn_part, t);
        return;
    }
    ink__pool_do(t->pool, PARTS, gradient_part, t);
    if (t->options.clip > 0.0) {
        ink__pool_do(t->pool, PARTS, square_part, t);
        t->update.gradient_scale = clipping(t);
    }
    if (t->muon != NULL)
        ink__pool_do(t->pool, ink__muon_count(t->muon), turn_matrix, t);
    ink__pool_do(t->pool, PARTS, update_part, t);
}
