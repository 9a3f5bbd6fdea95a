#define _GNU_SOURCE
#include "base/cpu.h"

#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "inkling.h"

#if defined(__x86_64__) || defined(__i386__)
/* The compiler's run-time asks CPUID and XGETBV both. */
bool ink__cpu_has_avx2_fma(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool ink__cpu_has_avx512(void)
{
    return ink__cpu_has_avx2_fma() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}

bool ink__cpu_has_avx512_vnni(void)
{
    return ink__cpu_has_avx512() && __builtin_cpu_supports("avx512vnni");
}
#else
bool ink__cpu_has_avx2_fma(void)
{
    return false;
}

bool ink__cpu_has_avx512(void)
{
    return false;
}

bool ink__cpu_has_avx512_vnni(void)
{
    return false;
}
#endif

bool ink__cpu_has_neon(void)
{
#ifdef __aarch64__
    return true;
#else
    return false;
#endif
}

/* The cgroup's CPU quota, rounded up, or `most` if there is none: "200000 100000" or "max 100000" (version 2). */
static size_t quota(size_t most)
{
    size_t usable = most;
    long long limit, period;
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    if (file == NULL)
        return most;
    if (fscanf(file, "%lld %lld", &limit, &period) == 2 && limit > 0 && period > 0)
        usable = (size_t)((limit + period - 1) / period);
    fclose(file);
    return usable < most ? usable : most;
}

size_t ink_usable_cpus(void)
{
    size_t usable = 0;
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        usable = (size_t)CPU_COUNT(&set);
#endif
    if (usable == 0) {
        const long online = sysconf(_SC_NPROCESSORS_ONLN);
        usable = online > 0 ? (size_t)online : 1;
    }
    usable = quota(usable);
    return usable > 0 ? usable : 1;
}
