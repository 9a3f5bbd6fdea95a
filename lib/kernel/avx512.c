/* AVX-512 (F, DQ, BW, VL): 16 lanes, 32 registers. */
#include <immintrin.h>

#define SET    avx512
#define LANES  16
#define ROWS_1 10
#define ROWS_2 8

typedef __m512 vec;
#define v_load(p)                 _mm512_loadu_ps(p)
#define v_store(p, x)             _mm512_storeu_ps(p, x)
#define v_set1(s)                 _mm512_set1_ps(s)
#define v_fma(a, b, c)            _mm512_fmadd_ps(a, b, c)
#define v_add(a, b)               _mm512_add_ps(a, b)
#define v_max(a, b)               _mm512_max_ps(a, b)
#define v_store_part(p, x, count) _mm512_mask_storeu_ps(p, (__mmask16)((1u << (count)) - 1u), x)

#define v_where_equal(a, b, yes, no) _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ), no, yes)

#include "kernel/template.h"
