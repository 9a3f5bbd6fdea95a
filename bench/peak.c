/*
 * The peak of one core: independent chains of fused multiply-adds that stay in registers, as many as hide the latency
 * of a multiply-add (4 or 5 cycles, two a cycle) and as fit the registers.
 */
#include "bench.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include <string.h>

#define CHAINS 12
#define STEPS  10000

/* The values shrink to a fixed point near 1: no overflow, no denormals. */
#define FACTOR 0.5f
#define TERM   0.5f

/* Declares NAME, which does CHAINS * STEPS multiply-adds in each of LANES lanes. */
#define DECLARE_CHAINS(NAME, TARGET, VEC, LANES, SET1, FMA)                                                            \
    TARGET static void NAME(void *context)                                                                             \
    {                                                                                                                  \
        float *const seed = context;                                                                                   \
        const VEC factor = SET1(FACTOR), term = SET1(TERM);                                                            \
        VEC chain[CHAINS];                                                                                             \
        for (size_t c = 0; c < CHAINS; c++)                                                                            \
            chain[c] = SET1(seed[c]);                                                                                  \
        for (size_t step = 0; step < STEPS; step++)                                                                    \
            for (size_t c = 0; c < CHAINS; c++)                                                                        \
                chain[c] = FMA(chain[c], factor, term);                                                                \
        for (size_t c = 0; c < CHAINS; c++)                                                                            \
            memcpy(&seed[c], &chain[c], sizeof seed[c]);                                                               \
    }

#define PLAIN_SET1(x)      (x)
#define PLAIN_FMA(a, b, c) __builtin_fmaf(a, b, c)
DECLARE_CHAINS(chains_portable, , float, 1, PLAIN_SET1, PLAIN_FMA)
#if defined(__x86_64__)
DECLARE_CHAINS(chains_avx2, __attribute__((target("avx2,fma"))), __m256, 8, _mm256_set1_ps, _mm256_fmadd_ps)
DECLARE_CHAINS(chains_avx512, __attribute__((target("avx512f"))), __m512, 16, _mm512_set1_ps, _mm512_fmadd_ps)
#elif defined(__aarch64__)
#define NEON_FMA(a, b, c) vfmaq_f32(c, a, b)
DECLARE_CHAINS(chains_neon, , float32x4_t, 4, vdupq_n_f32, NEON_FMA)
#endif

/* By the name of the kernel set for which a machine has them. */
static const struct {
    const char *set;
    void (*run)(void *context);
    size_t lanes;
} widths[] = {
    { "portable", chains_portable, 1 },
#if defined(__x86_64__)
    { "avx2", chains_avx2, 8 },
    { "avx512", chains_avx512, 16 },
#elif defined(__aarch64__)
    { "neon", chains_neon, 4 },
#endif
};

double bench_peak(double seconds)
{
    double best = 0;
    for (size_t i = 0; ink_kernels_name(i) != NULL; i++) {
        for (size_t w = 0; w < sizeof widths / sizeof widths[0]; w++) {
            float seed[CHAINS];
            if (strcmp(widths[w].set, ink_kernels_name(i)) != 0)
                continue;
            for (size_t c = 0; c < CHAINS; c++)
                seed[c] = 1.0f + 0.01f * (float)c;
            /* The best of a few looks: a peak is what the core can do, not what it did beside others. */
            for (size_t look = 0; look < 5; look++) {
                const double time = bench_time(widths[w].run, seed, seconds / 5);
                const double rate = 2e-9 * (double)(CHAINS * STEPS * widths[w].lanes) / time;
                best = rate > best ? rate : best;
            }
        }
    }
    return best;
}
