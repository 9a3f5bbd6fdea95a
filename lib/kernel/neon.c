/* NEON on 64-bit Arm: 4 lanes, 32 registers. */
#include <arm_neon.h>
#include <stddef.h>
#include <string.h>

#define SET         neon
#define LANES       4
#define ROWS_1      10
#define ROWS_2      8
#define SPARSE_VECS 4

typedef float32x4_t vec;
#define v_load(p)      vld1q_f32(p)
#define v_store(p, x)  vst1q_f32(p, x)
#define v_set1(s)      vdupq_n_f32(s)
#define v_fma(a, b, c) vfmaq_f32(c, a, b)
#define v_add(a, b)    vaddq_f32(a, b)
#define v_max(a, b)    vbslq_f32(vcgtq_f32(a, b), a, b)
static inline float32x4_t load_part(const float *p, size_t count)
{
    float lanes[4] = { 0.0f };
    memcpy(lanes, p, count * sizeof *p);
    return vld1q_f32(lanes);
}
#define v_load_part(p, count) load_part(p, count)
#define v_store_part(p, x, count)                                                                                      \
    do {                                                                                                               \
        float lanes_[4];                                                                                               \
        vst1q_f32(lanes_, x);                                                                                          \
        for (size_t l_ = 0; l_ < (count); l_++)                                                                        \
            (p)[l_] = lanes_[l_];                                                                                      \
    } while (0)

#define v_where_equal(a, b, yes, no) vbslq_f32(vceqq_f32(a, b), yes, no)

#include "kernel/template.h"
