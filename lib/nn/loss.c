/*
 * The losses, from logits z through p = softmax(z), with target t (1 for the label, 0 elsewhere, smoothed over the
 * classes):
 *
 *   cross-entropy   L = -sum t log p            dL/dz = p - t      (fused: log p = z - log sum exp z)
 *   mse             L = 1/2 sum (p - t)^2       dL/dz = p (d - sum d p), d = p - t
 *
 * The loss of a batch is the mean over its samples, so gradients carry 1 / count. Where classes have weights, a
 * sample's loss is multiplied by the weight of its label.
 */
#include <math.h>

#include "nn/plan.h"

static size_t largest(const float *p, size_t classes)
{
    size_t best = 0;
    for (size_t c = 1; c < classes; c++)
        if (p[c] > p[best])
            best = c;
    return best;
}

/* p (classes) becomes the gradient of half the squared distance between p and the target, through softmax. */
static double square_error_step(float *p, const float *target, size_t classes)
{
    float inner = 0.0f;
    double loss = 0.0;
    for (size_t c = 0; c < classes; c++) {
        const float d = p[c] - target[c];
        inner = fmaf(d, p[c], inner);
        loss += 0.5 * (double)d * (double)d;
    }
    for (size_t c = 0; c < classes; c++)
        p[c] = p[c] * (p[c] - target[c] - inner);
    return loss;
}

static double cross_entropy_step(float *p, const float *z, float log_sum, const float *target, size_t classes)
{
    double loss = 0.0;
    for (size_t c = 0; c < classes; c++) {
        if (target[c] > 0.0f)
            loss += (double)target[c] * ((double)log_sum - (double)z[c]);
        p[c] = p[c] - target[c];
    }
    return loss;
}

void ink__loss_step(const struct ink__worker *worker, size_t first, size_t n, const float *logits, float *d_logits)
{
    struct ink__plan *plan = worker->plan;
    const struct ink__batch *batch = worker->batch;
    const size_t classes = plan->net->classes;
    const float share = 1.0f / (float)batch->count, rest = batch->smoothing / (float)classes;
    float *log_sum = plan->log_sum + worker->thread * INK__CHUNK;
    float *target = plan->target + worker->thread * ink__ld(classes);
    double loss = 0.0; /* added to the group's once: the groups' sums share a line of memory */
    size_t correct = 0;

    worker->kernels->softmax(logits, n, classes, d_logits, log_sum);
    for (size_t s = 0; s < n; s++) {
        const size_t label = batch->label[first + s];
        const float weight = batch->class_weight != NULL ? batch->class_weight[label] : 1.0f;
        const float *z = logits + s * classes;
        float *p = d_logits + s * classes;
        for (size_t c = 0; c < classes; c++)
            target[c] = rest;
        target[label] += 1.0f - batch->smoothing;
        correct += largest(p, classes) == label;
        loss += (double)weight * (plan->net->loss == INK__MSE ? square_error_step(p, target, classes)
                                                              : cross_entropy_step(p, z, log_sum[s], target, classes));
        for (size_t c = 0; c < classes; c++)
            p[c] *= weight * share;
    }
    plan->group_loss[worker->group] += loss;
    plan->group_correct[worker->group] += correct;
}

double ink__loss_of(enum ink__loss loss, const float *probabilities, size_t classes, size_t label)
{
    double sum = 0.0;
    if (loss == INK__CROSS_ENTROPY) /* the smallest probability a float softmax can tell from 0 bounds the loss */
        return -log(fmax((double)probabilities[label], 0x1p-149));
    for (size_t c = 0; c < classes; c++) {
        const double d = (double)probabilities[c] - (c == label ? 1.0 : 0.0);
        sum += 0.5 * d * d;
    }
    return sum;
}
