/* Integers in AVX-512 with VNNI: 16 sums, 32 registers; vpdpbusd adds four products to a sum, exactly. */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define SET    vnni
#define LANES  16
#define ROWS_1 8
#define ROWS_2 8
#define ROWS_4 6

typedef __m512i sums;
typedef __m512i four;
typedef __m512i weights;
#define s_load(p)      _mm512_loadu_si512(p)
#define s_keep(p, s)   _mm512_storeu_si512(p, s)
#define w_load(p)      _mm512_loadu_si512(p)
#define s_dot(s, x, w) _mm512_dpbusd_epi32(s, x, w)

static inline four x_load(const uint8_t *p)
{
    int32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    return _mm512_set1_epi32(bytes);
}

/* The products of 64 bits of the even lanes and of the odd ones, their high halves put together. */
static inline sums s_scale(sums s, sums m, int32_t half, int shift)
{
    const __m512i even = _mm512_mul_epi32(s, m);
    const __m512i odd = _mm512_mul_epi32(_mm512_srli_epi64(s, 32), _mm512_srli_epi64(m, 32));
    const __m512i high = _mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
    return _mm512_sra_epi32(_mm512_add_epi32(high, _mm512_set1_epi32(half)), _mm_cvtsi32_si128(shift));
}

static inline __mmask16 first(size_t count)
{
    return (__mmask16)(count >= LANES ? 0xffff : (1u << count) - 1u);
}

#define s_store(p, s, count) _mm512_mask_storeu_epi32(p, first(count), s)
#define s_store_bytes(p, s, count)                                                                                     \
    _mm_mask_storeu_epi8(p, first(count), _mm512_cvtusepi32_epi8(_mm512_max_epi32(s, _mm512_setzero_si512())))

#define OCTETS 16
typedef __m128i octets;
#define b_load(p)   _mm_loadu_si128((const __m128i *)(const void *)(p))
#define b_max(a, b) _mm_max_epu8(a, b)

#include "kernel/int8_template.h"
