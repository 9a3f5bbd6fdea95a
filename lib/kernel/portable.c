/* The reference kernels: one lane, plain C, any processor. */
#define SET         portable
#define LANES       1
#define ROWS_1      4
#define ROWS_2      2
#define SPARSE_VECS 4

typedef float vec;
#define v_load(p)                 (*(p))
#define v_store(p, x)             (*(p) = (x))
#define v_load_part(p, count)     (*(p))
#define v_store_part(p, x, count) (*(p) = (x))
#define v_set1(s)                 (s)
#define v_fma(a, b, c)            __builtin_fmaf(a, b, c)
#define v_add(a, b)               ((a) + (b))
#define v_max(a, b)               ((a) > (b) ? (a) : (b))

#define v_where_equal(a, b, yes, no) ((a) == (b) ? (yes) : (no))

#include "kernel/template.h"
