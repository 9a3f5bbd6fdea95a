/*
 * exp, log, sigmoid, tanh and gelu in fused multiply-adds: the same operations, so the same bits, in every instruction
 * set.
 *
 * Branch-free, one element at a time: the loops in template.h are what the compiler turns into vectors. The bounds in
 * ulp are measured over every float by tests/test_math.c.
 */
#ifndef INK_KERNEL_MATH_H
#define INK_KERNEL_MATH_H

#include <stdint.h>
#include <string.h>

#define INK__INLINE static inline __attribute__((always_inline))

INK__INLINE int32_t ink__bits(float x)
{
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

INK__INLINE float ink__float(int32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* exp(x) = 2^n exp(r) with n the integer nearest to x / ln 2, so |r| <= ln 2 / 2. The polynomial is a minimax fit of
 * degree 6 (constrained to 1 + r + ...); 2^n is applied in two halves, so that results below the normal range and above
 * the largest float come out as they should. At most 1 ulp in the normal range. NaN gives NaN. */
INK__INLINE float ink__expf(float x)
{
    const float shift = 0x1.8p23f; /* adding it rounds to an integer, which the low bits then hold */
    float t = x < -104.0f ? -104.0f : x;
    t = t > 89.0f ? 89.0f : t;
    const float shifted = __builtin_fmaf(t, 0x1.715476p+0f, shift);
    const float n = shifted - shift;
    float r = __builtin_fmaf(n, -0x1.62e400p-1f, t); /* ln 2 in two parts, the first with room for n's bits */
    r = __builtin_fmaf(n, -0x1.7f7d1cp-20f, r);
    float p = 0x1.6850e4p-10f;
    p = __builtin_fmaf(p, r, 0x1.123bccp-7f);
    p = __builtin_fmaf(p, r, 0x1.555b98p-5f);
    p = __builtin_fmaf(p, r, 0x1.55548ep-3f);
    p = __builtin_fmaf(p, r, 0x1.fffff8p-2f);
    p = __builtin_fmaf(p, r * r, r);
    p = p + 1.0f;
    const int32_t i = ink__bits(shifted) - ink__bits(shift);
    const int32_t half = i >> 1;
    return p * ink__float((half + 127) << 23) * ink__float((i - half + 127) << 23);
}

/* log(x) = e ln 2 + log(m), m in [sqrt(1/2), sqrt(2)). With s = m - 1 the polynomial fits (log(1 + s) - s + s^2/2) /
 * s^3. Normal x only; 0 and below give -inf, as does what is below the normal range; NaN and inf give themselves. */
INK__INLINE float ink__logf(float x)
{
    const int32_t bits = ink__bits(x);
    const int32_t e = (bits - 0x3f3504f3) >> 23; /* 0x3f3504f3 is sqrt(1/2) */
    const float s = ink__float(bits - (e << 23)) - 1.0f;
    const float n = (float)e;
    float p = 7.0376836292e-2f;
    p = __builtin_fmaf(p, s, -1.1514610310e-1f);
    p = __builtin_fmaf(p, s, 1.1676998740e-1f);
    p = __builtin_fmaf(p, s, -1.2420140846e-1f);
    p = __builtin_fmaf(p, s, 1.4249322787e-1f);
    p = __builtin_fmaf(p, s, -1.6668057665e-1f);
    p = __builtin_fmaf(p, s, 2.0000714765e-1f);
    p = __builtin_fmaf(p, s, -2.4999993993e-1f);
    p = __builtin_fmaf(p, s, 3.3333331174e-1f);
    float y = p * s * s * s;
    y = __builtin_fmaf(n, -2.12194440e-4f, y);
    y = __builtin_fmaf(s * s, -0.5f, y);
    y = y + s;
    y = __builtin_fmaf(n, 0.693359375f, y);
    y = x < 0x1p-126f ? -__builtin_inff() : y;
    return x < __builtin_inff() ? y : x;
}

INK__INLINE float ink__sigmoidf(float x)
{
    return 1.0f / (1.0f + ink__expf(-x));
}

/* Near zero the odd polynomial of x keeps the relative error small; beyond, 1 - 2 / (exp(2|x|) + 1). */
INK__INLINE float ink__tanhf(float x)
{
    const float a = __builtin_fabsf(x), x2 = x * x;
    float p = -5.70498872745e-3f;
    p = __builtin_fmaf(p, x2, 2.06390887954e-2f);
    p = __builtin_fmaf(p, x2, -5.37397155531e-2f);
    p = __builtin_fmaf(p, x2, 1.33314422036e-1f);
    p = __builtin_fmaf(p, x2, -3.33332819422e-1f);
    const float small = __builtin_fmaf(p * x2, x, x);
    const float large = 1.0f - 2.0f / (ink__expf(2.0f * a) + 1.0f);
    return a < 0.625f ? small : __builtin_copysignf(large, x);
}

/* The argument of gelu's sigmoid, and its derivative by x. */
INK__INLINE float ink__gelu_inner(float x)
{
    return x * __builtin_fmaf(0.071354814f, x * x, 1.5957691f);
}

INK__INLINE float ink__gelu_slope(float x)
{
    return __builtin_fmaf(0.214064442f, x * x, 1.5957691f);
}

#endif
