/*
 * Muon, after Jordan et al., "Muon: an optimizer for hidden layers in neural networks" (2024).
 *
 * The gradient with momentum, G = U S V^T, is replaced by about U V^T: three steps of a Newton-Schulz iteration
 *
 *   X <- a X + X (b A + c A A),  A = X^T X,  from X = G / |G|
 *
 * push every singular value that is not very small towards 1. So that a learning rate means what it means to Adam, the
 * result is multiplied by 0.2 sqrt(longer side) (Liu et al., arXiv 2502.16982). A matrix is one item of a job, and its
 * products are the kernels', so neither threads nor instruction sets change a bit.
 */
#include "train/muon.h"

#include <math.h>
#include <stdlib.h>

#include "kernel/math.h"

#define STEPS 3

/* One weight matrix; it is worked on as (rows, columns), rows >= columns, turned where it is wider than high. */
struct matrix {
    const struct ink__parameter *parameter;
    size_t index; /* of the parameter */
    size_t rows, columns, ld;
    bool turned;
    int32_t *row; /* (rows) i * ld, for all matrices here: none is wider */
    float scale;  /* of the direction */
};

/* A thread's memory. */
struct scratch {
    float *x, *y;            /* (rows, ld) of the largest matrix */
    float *a, *scaled, *sum; /* (columns, ld): A, c A, b A + c A A */
};

struct ink__muon {
    const struct ink__plan *plan;
    struct matrix *matrices;
    size_t count;
    struct scratch *scratch; /* (threads) */
    int32_t *unit;           /* 0, 1, 2, ... */
    struct ink__arena arena;
};

/* ---- Making ------------------------------------------------------------------------------------------------------ */

static void list_matrices(struct ink__muon *m)
{
    const struct ink_net *net = m->plan->net;
    size_t last = net->parameter_count;
    for (size_t i = 0; i < net->parameter_count; i++)
        last = net->parameters[i].decays ? i : last;
    for (size_t i = 0; i < last && i < net->parameter_count; i++) {
        const struct ink__parameter *p = &net->parameters[i];
        const bool turned = p->rows < p->columns;
        const size_t longer = turned ? p->columns : p->rows, shorter = turned ? p->rows : p->columns;
        if (p->decays)
            m->matrices[m->count++] = (struct matrix){ .parameter = p,
                                                       .index = i,
                                                       .rows = longer,
                                                       .columns = shorter,
                                                       .ld = ink__ld(shorter),
                                                       .turned = turned,
                                                       .scale = 0.2f * sqrtf((float)longer) };
    }
}

static size_t longest(const struct ink__muon *m)
{
    size_t rows = 1;
    for (size_t i = 0; i < m->count; i++)
        rows = m->matrices[i].rows > rows ? m->matrices[i].rows : rows;
    return rows;
}

static void take(struct ink__muon *m)
{
    size_t whole = 1, square = 1;
    for (size_t i = 0; i < m->count; i++) {
        struct matrix *x = &m->matrices[i];
        whole = x->rows * x->ld > whole ? x->rows * x->ld : whole;
        square = x->columns * x->ld > square ? x->columns * x->ld : square;
        x->row = ink__arena_take(&m->arena, x->rows, sizeof *x->row);
    }
    m->unit = ink__arena_take(&m->arena, longest(m), sizeof *m->unit);
    for (size_t t = 0; t < m->plan->threads; t++) {
        struct scratch *s = &m->scratch[t];
        float **const wholes[] = { &s->x, &s->y }, **const squares[] = { &s->a, &s->scaled, &s->sum };
        for (size_t i = 0; i < 2; i++)
            *wholes[i] = ink__arena_take(&m->arena, whole, sizeof(float));
        for (size_t i = 0; i < 3; i++)
            *squares[i] = ink__arena_take(&m->arena, square, sizeof(float));
    }
}

struct ink__muon *ink__muon_new(const struct ink__plan *plan)
{
    struct ink__muon *m = ink__array(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->plan = plan;
    m->matrices = ink__array(plan->net->parameter_count, sizeof *m->matrices);
    m->scratch = ink__array(plan->threads, sizeof *m->scratch);
    if (m->matrices == NULL || m->scratch == NULL)
        goto fail;
    list_matrices(m);
    take(m);
    if (!ink__arena_make(&m->arena))
        goto fail;
    take(m);
    for (size_t i = 0; i < m->count; i++)
        ink__table_fill(m->matrices[i].row, m->matrices[i].rows, m->matrices[i].ld);
    ink__table_fill(m->unit, longest(m), 1);
    return m;
fail:
    ink__muon_free(m);
    return NULL;
}

void ink__muon_free(struct ink__muon *m)
{
    if (m == NULL)
        return;
    ink__arena_free(&m->arena);
    free(m->matrices);
    free(m->scratch);
    free(m);
}

bool ink__muon_takes(const struct ink__muon *m, size_t i)
{
    for (size_t k = 0; k < m->count; k++)
        if (m->matrices[k].index == i)
            return true;
    return false;
}

size_t ink__muon_count(const struct ink__muon *m)
{
    return m->count;
}

/* ---- One matrix -------------------------------------------------------------------------------------------------- */

/* Where element (row, column) of the parameter lies in scratch. */
static size_t place_of(const struct matrix *x, size_t row, size_t column)
{
    return x->turned ? column * x->ld + row : row * x->ld + column;
}

/* Writes the gradient with Nesterov's momentum to `to`; returns its norm. */
static double gather(const struct ink__muon *m, const struct matrix *x, float *momentum, float beta, float *to)
{
    const struct ink__parameter *p = x->parameter;
    const float *gradient = m->plan->gradient;
    double squares = 0.0;
    for (size_t r = 0; r < p->rows; r++) {
        for (size_t c = 0; c < p->columns; c++) {
            const size_t at = p->offset + r * p->ld + c;
            momentum[at] = ink__faded(beta * momentum[at] + gradient[at]);
            const float value = beta * momentum[at] + gradient[at];
            squares += (double)value * (double)value;
            to[place_of(x, r, c)] = value;
        }
    }
    return sqrt(squares);
}

static void scatter(const struct ink__muon *m, const struct matrix *x, const float *from)
{
    const struct ink__parameter *p = x->parameter;
    for (size_t r = 0; r < p->rows; r++)
        for (size_t c = 0; c < p->columns; c++)
            m->plan->gradient[p->offset + r * p->ld + c] = x->scale * from[place_of(x, r, c)];
}

static void multiply(const float *from, float factor, float *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = factor * from[i];
}

/* y = a x + x (b A + c A A). The factors are the inventors', for the steepest rise of small singular values. */
static void iterate(const struct ink__muon *m, const struct matrix *x, const struct scratch *s)
{
    const size_t square = x->columns * x->ld;
    void (*const gemm)(const struct ink__gemm *) = m->plan->kernels->gemm;
    gemm(&(struct ink__gemm){ .m = x->columns,
                              .n = x->columns,
                              .runs = 1,
                              .run = x->rows,
                              .a = s->x,
                              .a_row = m->unit,
                              .a_step = x->ld,
                              .b = s->x,
                              .ldb = x->ld,
                              .c = s->a,
                              .c_row = x->row });
    multiply(s->a, 2.0315f, s->scaled, square);
    multiply(s->a, -4.7750f, s->sum, square);
    gemm(&(struct ink__gemm){ .m = x->columns,
                              .n = x->columns,
                              .runs = 1,
                              .run = x->columns,
                              .a = s->scaled,
                              .a_row = x->row,
                              .a_step = 1,
                              .b = s->a,
                              .ldb = x->ld,
                              .c = s->sum,
                              .c_row = x->row,
                              .accumulate = true });
    multiply(s->x, 3.4445f, s->y, x->rows * x->ld);
    gemm(&(struct ink__gemm){ .m = x->rows,
                              .n = x->columns,
                              .runs = 1,
                              .run = x->columns,
                              .a = s->x,
                              .a_row = x->row,
                              .a_step = 1,
                              .b = s->sum,
                              .ldb = x->ld,
                              .c = s->y,
                              .c_row = x->row,
                              .accumulate = true });
}

void ink__muon_turn(const struct ink__muon *m, size_t item, size_t thread, float *momentum, float beta)
{
    const struct matrix *x = &m->matrices[item];
    struct scratch s = m->scratch[thread];
    const double norm = gather(m, x, momentum, beta, s.x);
    multiply(s.x, (float)(1.0 / (norm + 1e-30)), s.x, x->rows * x->ld);
    for (size_t i = 0; i < STEPS; i++) {
        iterate(m, x, &s);
        float *const next = s.y;
        s.y = s.x;
        s.x = next;
    }
    scatter(m, x, s.x);
}
