/* AVX-512 (F, DQ, BW, VL): 16 lanes, 32 registers. */
#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define SET         avx512
#define LANES       16
#define ROWS_1      10
#define ROWS_2      8
#define SPARSE_VECS 4

typedef __m512 vec;
#define v_load(p)                 _mm512_loadu_ps(p)
#define v_store(p, x)             _mm512_storeu_ps(p, x)
#define v_set1(s)                 _mm512_set1_ps(s)
#define v_fma(a, b, c)            _mm512_fmadd_ps(a, b, c)
#define v_add(a, b)               _mm512_add_ps(a, b)
#define v_max(a, b)               _mm512_max_ps(a, b)
#define FIRST(count)              ((__mmask16)((1u << (count)) - 1u))
#define v_load_part(p, count)     _mm512_maskz_loadu_ps(FIRST(count), p)
#define v_store_part(p, x, count) _mm512_mask_storeu_ps(p, FIRST(count), x)

#define v_where_equal(a, b, yes, no) _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), no, yes)

static inline __m512i widened(const uint8_t *bytes)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)bytes));
}

/* 16 columns at a time, compressed in registers: see parts/sparse.h for what this does. */
static inline size_t compress_16_words(const uint8_t *const bytes[4], size_t begin, float *words, uint16_t *columns)
{
    const __m512i lanes = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    const __m512i column = _mm512_add_epi32(lanes, _mm512_set1_epi32((int)begin));
    const __m512i low = _mm512_or_si512(widened(bytes[0] + begin), _mm512_slli_epi32(widened(bytes[1] + begin), 8));
    const __m512i high = _mm512_or_si512(widened(bytes[2] + begin), _mm512_slli_epi32(widened(bytes[3] + begin), 8));
    const __m512i word = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
    const __mmask16 some = _mm512_test_epi32_mask(word, word);
    _mm512_storeu_si512(words, _mm512_maskz_compress_epi32(some, word));
    _mm256_storeu_si256((__m256i *)(void *)columns, _mm512_cvtepi32_epi16(_mm512_maskz_compress_epi32(some, column)));
    return (size_t)__builtin_popcount(some);
}
#define v_compress_words compress_16_words

#include "kernel/template.h"
