/* Which integer kernels there are, and which this machine can run. */
#include "kernel/int8.h"

#include <string.h>

#include "base/cpu.h"

static bool always(void)
{
    return true;
}

/* From the reference to the fastest, each with the float sets it goes with. */
static const struct {
    const struct ink__int8_kernels *kernels;
    const char *sets;
    bool (*usable)(void);
} rows[] = {
    { &ink__int8_portable, "portable avx2 avx512 neon", always },
#if defined(__x86_64__)
    { &ink__int8_avx2, "avx2 avx512", ink__cpu_has_avx2_fma },
    { &ink__int8_vnni, "avx512", ink__cpu_has_avx512_vnni },
#endif
};

#define ROWS (sizeof rows / sizeof rows[0])

const struct ink__int8_kernels *ink__int8_find(const char *set)
{
    for (size_t i = ROWS; i-- > 0;)
        if (rows[i].usable() && (set == NULL || strstr(rows[i].sets, set) != NULL))
            return rows[i].kernels;
    return &ink__int8_portable;
}

const struct ink__int8_kernels *ink__int8_nth(size_t i)
{
    for (size_t r = 0; r < ROWS; r++)
        if (rows[r].usable() && i-- == 0)
            return rows[r].kernels;
    return NULL;
}
