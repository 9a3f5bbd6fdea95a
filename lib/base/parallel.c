#include "base/parallel.h"

#ifdef _OPENMP
#include <omp.h>

void ink__parallel(size_t threads, ink__parallel_fn *fn, void *context)
{
    if (threads <= 1) {
        fn(context, (struct ink__team){ 0, 1 });
        return;
    }
#pragma omp parallel num_threads((int)threads)
    fn(context, (struct ink__team){ (size_t)omp_get_thread_num(), (size_t)omp_get_num_threads() });
}

void ink__barrier(struct ink__team team)
{
    if (team.threads > 1) {
#pragma omp barrier
    }
}

#else

void ink__parallel(size_t threads, ink__parallel_fn *fn, void *context)
{
    (void)threads;
    fn(context, (struct ink__team){ 0, 1 });
}

void ink__barrier(struct ink__team team)
{
    (void)team;
}

#endif
