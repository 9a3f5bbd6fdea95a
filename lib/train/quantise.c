/*
 * Quantisation: the integers of nn/int8.h from a trained network and some images.
 *
 * Layer by layer the grid of the output is chosen (calibrate.h), and then the integers that compute it. `unit` is what
 * a sum of 1 is worth. All is done in double precision and in a fixed order, so that the same network and images give
 * the same integers everywhere.
 */
#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "nn/plan.h"
#include "train/calibrate.h"
#include "train/metrics.h"

/* A unit is at most a quarter of the output's step, so that the multiplier fits its 31 bits with a shift of at least 1;
 * and at least so much of it that the zero and the bias fit the sum. */
#define MOST_OF_STEP    0.25
#define LEAST_OF_STEP   0x1p-21
#define MOST_BIAS       0x1p29
#define MOST_LINE_SHIFT 22

struct quantiser {
    const struct ink_net *net;
    const struct ink__plan *plan; /* whose weights have the norms in them */
    struct ink__int8 *q;
    const struct ink__histogram *histograms;
    struct ink_error *err;
};

static struct ink__grid grid_of(const struct quantiser *z, size_t value)
{
    return (struct ink__grid){ (double)z->q->scale[value], z->q->zero[value] };
}

static void set_grid(struct quantiser *z, size_t value, struct ink__grid grid)
{
    z->q->scale[value] = (float)grid.scale;
    z->q->zero[value] = (uint8_t)grid.zero;
}

static double clamp(double x, double least, double most)
{
    return x < least ? least : x > most ? most : x;
}

static double nearest(double x)
{
    return floor(x + 0.5);
}

static int32_t to_word(double x)
{
    return (int32_t)clamp(nearest(x), INT32_MIN, INT32_MAX);
}

/* Chooses the grid of layer i's output, and returns that of its sum, whose scale is at least `least`: the same one,
 * unless a table lies between them. */
static struct ink__grid choose_grids(struct quantiser *z, size_t i, double least)
{
    const struct ink__int8_layer *l = &z->q->layers[i];
    const struct ink__histogram *h = &z->histograms[i];
    const struct ink__grid out = ink__grid_choose(h, &l->layer);
    struct ink__grid sum = l->table != NULL ? ink__grid_choose_before(h, &l->layer, out) : out;
    sum = ink__grid_make(-sum.zero * sum.scale, (UINT8_MAX - sum.zero) * sum.scale, least);
    set_grid(z, i + 1, l->table != NULL ? out : sum);
    return sum;
}

static void fill_table(struct quantiser *z, size_t i, struct ink__grid in)
{
    const struct ink__int8_layer *l = &z->q->layers[i];
    if (l->table != NULL)
        ink__grid_table(&l->layer, in, grid_of(z, i + 1), l->table);
}

/* ---- Dense and convolution --------------------------------------------------------------------------------------- */

/* The float matrix of layer i, norms folded. */
struct matrix {
    const float *weight, *bias;
    size_t rows, columns, ld;
};

static struct matrix matrix_of(const struct quantiser *z, size_t i)
{
    const struct ink__int8_layer *l = &z->q->layers[i];
    const struct ink__work *work = &z->plan->work[i];
    return (struct matrix){ work->weight, work->bias, l->rows, l->columns, work->ld };
}

/* The unit of column c with an input of scale `in`: the largest weight is 127 of them. */
static double unit_of(const struct matrix *m, size_t c, double in)
{
    double largest = 0.0;
    for (size_t r = 0; r < m->rows; r++) {
        const double size = fabs((double)m->weight[r * m->ld + c]);
        largest = size > largest ? size : largest;
    }
    return fmax(largest * in / INT8_MAX, fabs((double)m->bias[c]) / MOST_BIAS);
}

static void quantise_column(struct quantiser *z, size_t i, size_t c, double unit, struct ink__grid sum)
{
    const struct ink__int8_layer *l = &z->q->layers[i];
    const struct matrix m = matrix_of(z, i);
    const struct ink__grid in = grid_of(z, i);
    int64_t total = 0;
    for (size_t r = 0; r < m.rows; r++) {
        const double w = (double)m.weight[r * m.ld + c] * in.scale / unit;
        l->weight[r * m.columns + c] = (int8_t)clamp(nearest(w), -INT8_MAX, INT8_MAX);
        total += l->weight[r * m.columns + c];
    }
    const double power = ldexp(1.0, 32 + l->shift[0]);
    l->multiplier[c] = to_word(unit / sum.scale * power);
    l->bias[c] = to_word((double)m.bias[c] / unit - in.zero * (double)total + sum.zero * (power / l->multiplier[c]));
}

static void quantise_matrix(struct quantiser *z, size_t i)
{
    const struct ink__int8_layer *l = &z->q->layers[i];
    const struct matrix m = matrix_of(z, i);
    const double in = grid_of(z, i).scale;
    double largest = 0.0;
    for (size_t c = 0; c < m.columns; c++)
        largest = fmax(largest, unit_of(&m, c, in));
    struct ink__grid sum;
    if (l->gives_scores) {
        int exponent;
        frexp(largest / MOST_OF_STEP, &exponent); /* the next power of two: what it scales stays exact */
        sum = (struct ink__grid){ largest > 0.0 ? ldexp(1.0, exponent) : 1.0, 0 };
        set_grid(z, i + 1, sum);
    } else {
        sum = choose_grids(z, i, largest / MOST_OF_STEP);
    }
    const double least = sum.scale * LEAST_OF_STEP;
    int exponent;
    frexp(fmax(largest, least) / sum.scale, &exponent); /* below 2^exponent */
    l->shift[0] = (uint8_t)clamp(-1 - exponent, 1, 31);
    for (size_t c = 0; c < m.columns; c++)
        quantise_column(z, i, c, fmax(unit_of(&m, c, in), least), sum);
    fill_table(z, i, sum);
}

/* ---- Layers that rescale ----------------------------------------------------------------------------------------- */

/* One line of a layer: output = factor[0] x0 (+ factor[1] x1) + offset, in steps of the output, the x's in bytes. */
struct line {
    double factor[2], offset;
};

static double line_size(const struct line *line, double pixels)
{
    return UINT8_MAX * pixels * (fabs(line->factor[0]) + fabs(line->factor[1])) + fabs(line->offset) + 1.0;
}

/* The largest shift with which sums of `most` steps fit 31 bits. */
static int line_shift(double most)
{
    int shift = MOST_LINE_SHIFT;
    while (shift > 0 && ldexp(most, shift) > INT32_MAX / 2)
        shift--;
    return shift;
}

static int32_t line_bias(const struct line *line, int shift)
{
    return to_word(ldexp(line->offset, shift) + (shift > 0 ? ldexp(1.0, shift - 1) : 0.0));
}

static void quantise_norm(struct quantiser *z, size_t i)
{
    const struct ink__int8_layer *l = &z->q->layers[i];
    const struct ink__grid in = grid_of(z, i), sum = choose_grids(z, i, 0.0);
    const size_t channels = l->layer.in.channels;
    const float *scale, *shift;
    double most = 0.0;
    ink__norm_factors(&z->plan->work[i], &scale, &shift);
    for (size_t pass = 0; pass < 2; pass++) {
        l->shift[0] = (uint8_t)(pass > 0 ? line_shift(most) : 0);
        for (size_t c = 0; c < channels; c++) {
            const double factor = in.scale * (double)scale[c] / sum.scale;
            const struct line line = { { factor }, (double)shift[c] / sum.scale - in.zero * factor + sum.zero };
            most = fmax(most, line_size(&line, 1.0));
            l->multiplier[c] = to_word(ldexp(factor, l->shift[0]));
            l->bias[c] = line_bias(&line, l->shift[0]);
        }
    }
    fill_table(z, i, sum);
}

static void quantise_mean(struct quantiser *z, size_t i)
{
    const struct ink__int8_layer *l = &z->q->layers[i];
    const double pixels = (double)(l->layer.kernel_height * l->layer.kernel_width);
    const struct ink__grid in = grid_of(z, i);
    struct ink__grid sum = { in.scale / pixels, 0 };
    if (l->gives_scores)
        set_grid(z, i + 1, sum);
    else
        sum = choose_grids(z, i, 0.0);
    const double factor = in.scale / pixels / sum.scale;
    const struct line line = { { factor }, sum.zero - in.zero * pixels * factor };
    l->shift[0] = (uint8_t)(l->gives_scores ? 0 : line_shift(line_size(&line, pixels)));
    l->multiplier[0] = to_word(ldexp(factor, l->shift[0]));
    l->bias[0] = line_bias(&line, l->shift[0]);
    fill_table(z, i, sum);
}

static void quantise_close(struct quantiser *z, size_t i)
{
    const struct ink__int8_layer *l = &z->q->layers[i];
    const struct ink__grid a = grid_of(z, i), b = grid_of(z, l->layer.partner);
    const struct ink__grid sum = choose_grids(z, i, 0.0);
    const struct line line = { { a.scale / sum.scale, b.scale / sum.scale },
                               sum.zero - (a.zero * a.scale + b.zero * b.scale) / sum.scale };
    l->shift[0] = (uint8_t)line_shift(line_size(&line, 1.0));
    l->multiplier[0] = to_word(ldexp(line.factor[0], l->shift[0]));
    l->multiplier[1] = to_word(ldexp(line.factor[1], l->shift[0]));
    l->bias[0] = line_bias(&line, l->shift[0]);
    fill_table(z, i, sum);
}

static void quantise_map(struct quantiser *z, size_t i)
{
    set_grid(z, i + 1, ink__grid_choose(&z->histograms[i], &z->q->layers[i].layer));
    fill_table(z, i, grid_of(z, i));
}

/* The largest of some bytes is one of them. */
static void quantise_max(struct quantiser *z, size_t i)
{
    set_grid(z, i + 1, grid_of(z, i));
}

static void (*const quantise_layer[INK__KINDS])(struct quantiser *z, size_t i) = {
    [INK__DENSE] = quantise_matrix,   [INK__CONV] = quantise_matrix, [INK__MAX_POOL] = quantise_max,
    [INK__MEAN_POOL] = quantise_mean, [INK__NORM] = quantise_norm,   [INK__CLOSE] = quantise_close,
    [INK__MAP] = quantise_map,
};

/* ---- The network ------------------------------------------------------------------------------------------------- */

/* Bytes of pixels are the input as they are, or through a table where there is a mean to take out. */
static void quantise_input(struct quantiser *z)
{
    const struct ink_net *net = z->net;
    double low = 0.0, high = 0.0;
    if (z->q->input == NULL) {
        set_grid(z, 0, (struct ink__grid){ 1.0 / UINT8_MAX, 0 });
        return;
    }
    for (size_t c = 0; c < net->input.channels; c++) {
        low = fmin(low, -(double)net->mean[c] / (double)net->deviation[c]);
        high = fmax(high, (1.0 - (double)net->mean[c]) / (double)net->deviation[c]);
    }
    const struct ink__grid grid = ink__grid_make(low, high, 0.0);
    set_grid(z, 0, grid);
    for (size_t c = 0; c < net->input.channels; c++)
        for (size_t byte = 0; byte < 256; byte++)
            z->q->input[c * 256 + byte] =
                ink__grid_byte(grid, ((double)byte / UINT8_MAX - (double)net->mean[c]) / (double)net->deviation[c]);
}

static enum ink_status quantise(struct quantiser *z)
{
    quantise_input(z);
    for (size_t i = 0; i < z->q->layer_count; i++) {
        if (z->q->layers[i].skip)
            set_grid(z, i + 1, grid_of(z, i));
        else
            quantise_layer[z->q->layers[i].layer.kind](z, i);
    }
    return ink__int8_check(z->q, "network", z->err);
}

/* All of a net but its weights. */
static enum ink_status copy_net(struct ink_net **out, const struct ink_net *net, struct ink_error *err)
{
    enum ink_status status = ink__net_make(out, net->input, net->spec, err);
    for (size_t c = 0; status == INK_OK && c < net->input.channels; c++) {
        (*out)->mean[c] = net->mean[c];
        (*out)->deviation[c] = net->deviation[c];
    }
    for (size_t c = 0; status == INK_OK && c < net->classes; c++)
        status = ink__net_set_class_name(*out, c, net->class_names[c], err);
    for (size_t i = 0; status == INK_OK && i < net->metadata_count; i++)
        status = ink__net_set(*out, net->metadata[i].key, net->metadata[i].value, err);
    if (status == INK_OK)
        status = ink__int8_new(&(*out)->int8, *out, err);
    return status == INK_OK ? ink__int8_allocate((*out)->int8, *out, err) : status;
}

enum ink_status ink_net_quantise(struct ink_net **out, const struct ink_net *net, const struct ink_dataset *data,
                                 const struct ink_compute *compute, struct ink_error *err)
{
    struct ink_net *made = NULL;
    struct ink__plan *plan = NULL;
    struct ink__histogram *histograms = NULL;
    *out = NULL;
    if (net->int8 != NULL)
        return ink__fail(err, INK_BAD_ARGUMENT, "network: quantised already");
    enum ink_status status = ink__check_data(net, data, err);
    if (status == INK_OK)
        status = copy_net(&made, net, err);
    if (status == INK_OK)
        status = ink__plan_new(&plan, net, 1, false, 1.0, compute, err);
    if (status != INK_OK)
        goto out;
    histograms = ink__array(net->layer_count, sizeof *histograms);
    if (histograms == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    status = ink__calibrate(histograms, net, made->int8, data, compute, err);
    if (status == INK_OK)
        status = quantise(&(struct quantiser){ net, plan, made->int8, histograms, err });
out:
    free(histograms);
    ink__plan_free(plan);
    if (status == INK_OK)
        *out = made;
    else
        ink_net_free(made);
    return status;
}
