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

/* A running mean of gradients, or of their squares. Where the gradient stays 0 it fades for good: below 2^-100 it moves
 * no weight any more and becomes 0, since with numbers below the normal range, where it would end, many processors take
 * a hundred times as long. */
INK__INLINE float ink__faded(float mean)
{
    return __builtin_fabsf(mean) < 0x1p-100f ? 0.0f : mean;
}

/* byte / 255, a division rounded once: the product with the reciprocal is near, and what it leaves over corrects it.
 * tests/test_kernels.c tries every byte. A processor divides at a fraction of the speed it multiplies at. */
INK__INLINE float ink__intensity(uint32_t byte)
{
    const float reciprocal = 1.0f / 255.0f, x = (float)byte, near = x * reciprocal;
    return __builtin_fmaf(__builtin_fmaf(near, -255.0f, x), reciprocal, near);
}

/* ln 2 in two parts, the first with room for the bits of a whole factor. */
#define INK__LN2_HIGH 0x1.62e400p-1f
#define INK__LN2_LOW  0x1.7f7d1cp-20f

/* 2^n for n in [-126, 127]. Shifted as unsigned: out of NaN comes any n. */
INK__INLINE float ink__power(int32_t n)
{
    return ink__float((int32_t)((uint32_t)(n + 127) << 23));
}

/* exp(x) = 2^n exp(r) with n the integer nearest to x / ln 2, so |r| <= ln 2 / 2. The polynomial is a minimax fit of
 * degree 6 (constrained to 1 + r + ...); 2^n is applied in two halves, so that results below the normal range and above
 * the largest float come out as they should. At most 1.01 ulp, 0.75 below the normal range. NaN gives NaN. */
INK__INLINE float ink__expf(float x)
{
    const float shift = 0x1.8p23f; /* adding it rounds to an integer, which the low bits then hold */
    float t = x < -104.0f ? -104.0f : x;
    t = t > 89.0f ? 89.0f : t;
    const float shifted = __builtin_fmaf(t, 0x1.715476p+0f, shift);
    const float n = shifted - shift;
    float r = __builtin_fmaf(n, -INK__LN2_HIGH, t);
    r = __builtin_fmaf(n, -INK__LN2_LOW, r);
    float p = 0x1.6850e4p-10f;
    p = __builtin_fmaf(p, r, 0x1.123bccp-7f);
    p = __builtin_fmaf(p, r, 0x1.555b98p-5f);
    p = __builtin_fmaf(p, r, 0x1.55548ep-3f);
    p = __builtin_fmaf(p, r, 0x1.fffff8p-2f);
    p = __builtin_fmaf(p, r * r, r);
    p = p + 1.0f;
    const int32_t i = ink__bits(shifted) - ink__bits(shift);
    const int32_t half = i >> 1;
    return p * ink__power(half) * ink__power(i - half);
}

/* log(x) = e ln 2 + log(m), m in [sqrt(1/2), sqrt(2)). With s = m - 1 the polynomial is a minimax fit of degree 7 to
 * (log(1 + s) - s + s^2/2) / s^3. At most 0.90 ulp. Normal x only: 0 and below give -inf, as does what is below the
 * normal range; NaN and inf give themselves. */
INK__INLINE float ink__logf(float x)
{
    const uint32_t bits = (uint32_t)ink__bits(x);
    const int32_t e = (int32_t)(bits - 0x3f3504f3u) >> 23; /* 0x3f3504f3 is sqrt(1/2) */
    const float s = ink__float((int32_t)(bits - ((uint32_t)e << 23))) - 1.0f;
    const float n = (float)e;
    float p = -0x1.38b582p-4f;
    p = __builtin_fmaf(p, s, 0x1.055b6cp-3f);
    p = __builtin_fmaf(p, s, -0x1.0d8542p-3f);
    p = __builtin_fmaf(p, s, 0x1.22da1cp-3f);
    p = __builtin_fmaf(p, s, -0x1.547244p-3f);
    p = __builtin_fmaf(p, s, 0x1.99a008p-3f);
    p = __builtin_fmaf(p, s, -0x1.000226p-2f);
    p = __builtin_fmaf(p, s, 0x1.555554p-2f);
    float y = p * s * s * s;
    y = __builtin_fmaf(n, INK__LN2_LOW, y);
    y = __builtin_fmaf(s * s, -0.5f, y);
    y = y + s;
    y = __builtin_fmaf(n, INK__LN2_HIGH, y);
    y = x < 0x1p-126f ? -__builtin_inff() : y;
    return x < __builtin_inff() ? y : x;
}

/* With e = exp(-|x|) and q = e / (1 + e): 1 - q on the right, q = e - e q on the left, which keeps most of the rounding
 * of 1 + e out and reaches below the normal range. At most 1.66 ulp, 0.75 below the normal range. */
INK__INLINE float ink__sigmoidf(float x)
{
    const float e = ink__expf(-__builtin_fabsf(x));
    const float q = e / (1.0f + e);
    return x < 0.0f ? __builtin_fmaf(-e, q, e) : 1.0f - q;
}

/* An odd function: below 0.625, |x| + |x|^3 p(x^2) with p a minimax fit of degree 4; beyond, 1 - 2 / (exp(2|x|) + 1).
 * At most 1.34 ulp. */
INK__INLINE float ink__tanhf(float x)
{
    const float a = __builtin_fabsf(x), x2 = x * x;
    float p = -0x1.75e1ccp-8f;
    p = __builtin_fmaf(p, x2, 0x1.52269cp-6f);
    p = __builtin_fmaf(p, x2, -0x1.b83c5ap-5f);
    p = __builtin_fmaf(p, x2, 0x1.110726p-3f);
    p = __builtin_fmaf(p, x2, -0x1.555532p-2f);
    const float small = __builtin_fmaf(p * x2, a, a);
    const float large = 1.0f - 2.0f / (ink__expf(2.0f * a) + 1.0f);
    return __builtin_copysignf(a < 0.625f ? small : large, x);
}

/* 2 sqrt(2/pi) (x + 0.044715 x^3) = x (linear + cubic x^2). */
#define INK__GELU_LINEAR 0x1.988454p+0f
#define INK__GELU_CUBIC  0x1.2444f2p-4f

/* The argument of gelu's sigmoid, and its derivative by x. gelu(x) = x sigmoid(inner(x)) is within 2.70 ulp on the
 * right and 2.87 ulp down to x = -1; further left, where it runs out to zero, within 4.5e-8. */
INK__INLINE float ink__gelu_inner(float x)
{
    return x * __builtin_fmaf(INK__GELU_CUBIC, x * x, INK__GELU_LINEAR);
}

INK__INLINE float ink__gelu_slope(float x)
{
    return __builtin_fmaf(0x1.b6676cp-3f, x * x, INK__GELU_LINEAR);
}

#endif
