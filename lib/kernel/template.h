/*
 * Every kernel, once. The including file defines, for one instruction set:
 *
 *   SET             its name, which becomes ink__kernels_SET
 *   LANES           floats in a vector
 *   ROWS_1, ROWS_2  the most rows of a tile of the matrix product one and two vectors wide: what its registers hold
 *   SPARSE_VECS     vectors of columns of the sparse products, for all rows of a group: likewise
 *   vec             the vector type
 *   v_load, v_store, v_set1          unaligned
 *   v_load_part, v_store_part        the first `count` lanes; the others are 0, or left alone
 *   v_fma, v_add                     a b + c, rounded once
 *   v_max, v_where_equal             by lane: a > b ? a : b, a == b ? yes : no
 *   v_compress_words                 where it has something better than the plain loop (see parts/sparse.h)
 *
 * The products, pools and sums by channel are written in vectors. The element-wise kernels are plain loops: the
 * compiler vectorises them for the instruction set, and IEEE arithmetic gives each element the same bits however many
 * there are.
 */
#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel.h"
#include "kernel/math.h"

#define PASTE_(a, b) a##b
#define PASTE(a, b)  PASTE_(a, b)

/* Loops whose bounds are constants are unrolled whole, so that what they index lives in registers. */
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Stores one vector of a row that ends `width` floats after p: all of it, or what is left. */
INK__INLINE void store_row(float *p, vec x, size_t width)
{
    if (width >= LANES)
        v_store(p, x);
    else
        v_store_part(p, x, width);
}

/* One vector of such a row, with zeros past its end. */
INK__INLINE vec load_row(const float *p, size_t width)
{
    return width >= LANES ? v_load(p) : v_load_part(p, width);
}

#include "kernel/parts/channel.h"
#include "kernel/parts/gemm.h"
#include "kernel/parts/map.h"
#include "kernel/parts/pool.h"
#include "kernel/parts/sparse.h"
#include "kernel/parts/update.h"
#include "kernel/parts/warp.h"

#define STRING_(name) #name
#define STRING(name)  STRING_(name)

const struct ink__kernels PASTE(ink__kernels_, SET) = {
    .name = STRING(SET),
    .gemm = gemm,
    .sparse_pack = sparse_pack,
    .sparse_forward = sparse_forward,
    .sparse_gradient = sparse_gradient,
    .from_bytes = from_bytes,
    .from_floats = from_floats,
    .warp = warp,
    .activate = activate,
    .activate_backward = activate_backward,
    .softmax = softmax,
    .max_pool = max_pool,
    .max_pool_backward = max_pool_backward,
    .mean_pool = mean_pool,
    .mean_pool_backward = mean_pool_backward,
    .column_sums = column_sums,
    .channel_sums = channel_sums,
    .channel_affine = channel_affine,
    .channel_mix = channel_mix,
    .add = add,
    .add_parts = add_parts,
    .update = update,
    .average = average,
    .exp = exp_all,
    .log = log_all,
};
