/* One training step of a network, with all gradients formed. After cmocka.h. */
#ifndef INK_TESTS_STEP_H
#define INK_TESTS_STEP_H

#include "inkling.h"
#include "nn/plan.h"

struct step_result {
    double loss;
    size_t correct;
    float *gradient, *weights; /* in the net's layout; weights have the new running statistics */
};

static inline void *step_array(size_t count, size_t size)
{
    void *block = calloc(count + 1, size);
    assert_non_null(block);
    return block;
}

static inline struct ink__plan *step_plan(const struct ink_net *net, size_t count, bool training, double density,
                                          const char *kernels, size_t threads)
{
    struct ink__plan *plan;
    struct ink_error err = { 0 };
    const struct ink_compute compute = { .threads = threads, .kernels = kernels };
    /* Room for more than the batch, so that no distance is the batch's by chance. */
    if (ink__plan_new(&plan, net, count + 3, training, density, &compute, &err) != INK_OK)
        fail_msg("'%s': %s", ink_net_spec(net), err.message);
    return plan;
}

/* The net stays as it was. `density` as in ink__plan_new. */
static inline struct step_result step(struct ink_net *net, const struct ink__batch *batch, double density,
                                      const char *kernels, size_t threads)
{
    const size_t count = net->weight_count, size = count * sizeof(float);
    float *before = step_array(count, sizeof *before);
    struct step_result result = { .gradient = step_array(count, sizeof(float)),
                                  .weights = step_array(count, sizeof(float)) };
    struct ink__plan *plan = step_plan(net, batch->count, true, density, kernels, threads);
    struct ink__pool *pool = ink__pool_new(threads);
    memcpy(before, net->weights, size);
    ink__plan_step(plan, pool, batch);
    ink__plan_step(plan, pool, batch); /* again: nothing of the first may be left in any sum */
    for (size_t i = 0; i < plan->layer_count; i++) {
        const struct ink__layer_type *type = ink__layer_types[plan->layers[i].kind];
        const bool matrix = plan->layers[i].kind == INK__DENSE || plan->layers[i].kind == INK__CONV;
        for (size_t part = 0; type->gradient != NULL && part < INK__GROUPS; part++) {
            struct ink__range rows = { 0, 0 };
            if (matrix)
                rows = ink__rows_part(&net->parameters[plan->layers[i].parameter], part);
            type->gradient(&plan->work[i], plan, rows, part == 0);
        }
    }
    result.loss = ink__plan_loss(plan);
    result.correct = ink__plan_correct(plan);
    memcpy(result.gradient, plan->gradient, size);
    memcpy(result.weights, net->weights, size);
    memcpy(net->weights, before, size);
    ink__pool_free(pool);
    ink__plan_free(plan);
    free(before);
    return result;
}

static inline void step_free(struct step_result *result)
{
    free(result->gradient);
    free(result->weights);
}

#endif
