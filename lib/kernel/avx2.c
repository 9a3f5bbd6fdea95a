/* AVX2 with FMA: 8 lanes, 16 registers. */
#include <immintrin.h>
#include <stdint.h>

#define SET         avx2
#define LANES       8
#define ROWS_1      10
#define ROWS_2      6
#define SPARSE_VECS 3

typedef __m256 vec;
#define v_load(p)      _mm256_loadu_ps(p)
#define v_store(p, x)  _mm256_storeu_ps(p, x)
#define v_set1(s)      _mm256_set1_ps(s)
#define v_fma(a, b, c) _mm256_fmadd_ps(a, b, c)
#define v_add(a, b)    _mm256_add_ps(a, b)
#define v_max(a, b)    _mm256_max_ps(a, b)

static const int32_t part_mask[16] = { -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0 };
#define FIRST(count)              _mm256_loadu_si256((const __m256i *)(const void *)(part_mask + 8 - (count)))
#define v_load_part(p, count)     _mm256_maskload_ps(p, FIRST(count))
#define v_store_part(p, x, count) _mm256_maskstore_ps(p, FIRST(count), x)

#define v_where_equal(a, b, yes, no) _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_EQ_OQ))

#include "kernel/template.h"
