/* Which kernel sets there are, and which this machine can run. */
#include "kernel/kernel.h"

#include <string.h>

#include "base/cpu.h"
#include "inkling.h"

static bool always(void)
{
    return true;
}

/* From the reference to the fastest. */
static const struct {
    const struct ink__kernels *kernels;
    bool (*usable)(void);
} sets[] = {
    { &ink__kernels_portable, always },
#if defined(__x86_64__)
    { &ink__kernels_avx2, ink__cpu_has_avx2_fma },
    { &ink__kernels_avx512, ink__cpu_has_avx512 },
#endif
#ifdef __aarch64__
    { &ink__kernels_neon, ink__cpu_has_neon },
#endif
};

#define SETS (sizeof sets / sizeof sets[0])

const struct ink__kernels *ink__kernels_find(const char *name)
{
    for (size_t i = SETS; i-- > 0;)
        if (sets[i].usable() && (name == NULL || strcmp(name, sets[i].kernels->name) == 0))
            return sets[i].kernels;
    return NULL;
}

const char *ink_kernels_best(void)
{
    return ink__kernels_find(NULL)->name;
}

const char *ink_kernels_name(size_t i)
{
    for (size_t s = 0; s < SETS; s++)
        if (sets[s].usable() && i-- == 0)
            return sets[s].kernels->name;
    return NULL;
}
