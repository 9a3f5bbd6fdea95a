/* Integers in AVX2: 8 sums, 16 registers. vpmaddubsw, which multiplies bytes, saturates; so bytes are widened, those at
 * even and at odd places apart, and multiplied by vpmaddwd, which is exact. */
#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define SET    avx2
#define LANES  8
#define ROWS_1 8
#define ROWS_2 4

typedef __m256i sums;
typedef struct {
    __m256i even, odd;
} pairs;
typedef pairs four;
typedef pairs weights;

#define s_load(p)    _mm256_loadu_si256((const __m256i *)(const void *)(p))
#define s_keep(p, s) _mm256_storeu_si256((__m256i *)(void *)(p), s)

static inline four x_load(const uint8_t *p)
{
    int32_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    const __m256i x = _mm256_set1_epi32(bytes);
    return (four){ _mm256_and_si256(x, _mm256_set1_epi16(0xff)), _mm256_srli_epi16(x, 8) };
}

static inline weights w_load(const int8_t *p)
{
    const __m256i w = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return (weights){ _mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8), _mm256_srai_epi16(w, 8) };
}

static inline sums s_dot(sums s, four x, weights w)
{
    s = _mm256_add_epi32(s, _mm256_madd_epi16(x.even, w.even));
    return _mm256_add_epi32(s, _mm256_madd_epi16(x.odd, w.odd));
}

/* The products of 64 bits of the even lanes and of the odd ones, their high halves put together. */
static inline sums s_scale(sums s, sums m, int32_t half, int shift)
{
    const __m256i even = _mm256_mul_epi32(s, m);
    const __m256i odd = _mm256_mul_epi32(_mm256_srli_epi64(s, 32), _mm256_srli_epi64(m, 32));
    const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xaa);
    return _mm256_sra_epi32(_mm256_add_epi32(high, _mm256_set1_epi32(half)), _mm_cvtsi32_si128(shift));
}

static inline void s_store(int32_t *p, sums s, size_t count)
{
    int32_t lanes[LANES];
    s_keep(lanes, s);
    memcpy(p, lanes, (count < LANES ? count : LANES) * sizeof *p);
}

static inline void s_store_bytes(uint8_t *p, sums s, size_t count)
{
    s = _mm256_min_epi32(_mm256_max_epi32(s, _mm256_setzero_si256()), _mm256_set1_epi32(UINT8_MAX));
    const __m128i words = _mm_packus_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
    const int64_t bytes = _mm_cvtsi128_si64(_mm_packus_epi16(words, words));
    if (count >= LANES)
        memcpy(p, &bytes, LANES);
    else
        memcpy(p, &bytes, count);
}

#define OCTETS 16
typedef __m128i octets;
#define b_load(p)   _mm_loadu_si128((const __m128i *)(const void *)(p))
#define b_max(a, b) _mm_max_epu8(a, b)

#include "kernel/int8_template.h"
