#include "bench.h"

#ifdef BENCH_OPENBLAS
#include <cblas.h>
#include <stdlib.h>

struct product {
    blasint m, n, depth;
    float *a, *b, *c; /* (m, depth), (depth, n), (m, n) */
};

static void release(void *work)
{
    struct product *p = work;
    free(p->a);
    free(p->b);
    free(p->c);
    free(p);
}

static float *matrix(blasint rows, blasint columns)
{
    const size_t count = (size_t)rows * (size_t)columns;
    float *x = aligned_alloc(64, (count * sizeof *x + 63) / 64 * 64);
    for (size_t i = 0; x != NULL && i < count; i++)
        x[i] = (float)(i % 17) / 17.0f;
    return x;
}

static const char *version(void)
{
    return openblas_get_config();
}

static void *make(const struct bench_shape *s)
{
    struct product *p = calloc(1, sizeof *p);
    if (p == NULL)
        return NULL;
    openblas_set_num_threads(1);
    p->m = (blasint)(s->n * s->out.height * s->out.width);
    p->n = (blasint)s->out.channels;
    p->depth = (blasint)(s->kernel_height * s->kernel_width * s->in.channels);
    p->a = matrix(p->m, p->depth);
    p->b = matrix(p->depth, p->n);
    p->c = matrix(p->m, p->n);
    if (p->a == NULL || p->b == NULL || p->c == NULL) {
        release(p);
        return NULL;
    }
    return p;
}

static void run(void *work)
{
    const struct product *p = work;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->m, p->n, p->depth, 1.0f, p->a, p->depth, p->b, p->n, 0.0f,
                p->c, p->n);
}

const struct bench_rival bench_openblas = { "openblas", version, make, run, release };
#else
const struct bench_rival bench_openblas = { .name = "openblas" };
#endif
