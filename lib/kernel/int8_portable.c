/* The reference integer kernels: one sum at a time, plain C, any processor. */
#include <stddef.h>
#include <stdint.h>

#define SET    portable
#define LANES  1
#define ROWS_1 8
#define ROWS_2 2

typedef int32_t sums;
typedef const uint8_t *four;
typedef const int8_t *weights;
#define s_load(p)    (*(p))
#define s_keep(p, s) (*(p) = (s))
#define x_load(p)    (p)
#define w_load(p)    (p)

static inline sums s_dot(sums s, four x, weights w)
{
    return s + x[0] * w[0] + x[1] * w[1] + x[2] * w[2] + x[3] * w[3];
}

static inline sums s_scale(sums s, sums multiplier, int32_t half, int shift)
{
    return ((int32_t)(((int64_t)s * multiplier) >> 32) + half) >> shift;
}

static inline void s_store(int32_t *p, sums s, size_t count)
{
    (void)count;
    *p = s;
}

static inline void s_store_bytes(uint8_t *p, sums s, size_t count)
{
    (void)count;
    *p = (uint8_t)(s < 0 ? 0 : s > UINT8_MAX ? UINT8_MAX : s);
}

#define OCTETS 1
typedef uint8_t octets;
#define b_load(p)   (*(p))
#define b_max(a, b) ((a) > (b) ? (a) : (b))

#include "kernel/int8_template.h"
