/*
 * One tile of the product of bytes: C(i .. i + TILE_ROWS, j .. j + TILE_VECTORS * LANES), its sums in registers.
 * int8_template.h includes this file once for each size of tile, which must be constant for that to be so.
 */
static void PASTE(PASTE(tile_, TILE_ROWS), PASTE(x, TILE_VECTORS))(const struct ink__int8_gemm *g, size_t i, size_t j)
{
    sums sum[TILE_ROWS][TILE_VECTORS];
    const uint8_t *a[TILE_ROWS];
    UNROLL
    for (size_t r = 0; r < TILE_ROWS; r++) {
        a[r] = g->a + g->a_row[i + r];
        UNROLL
        for (size_t v = 0; v < TILE_VECTORS; v++)
            sum[r][v] = s_load(g->bias + j + v * LANES);
    }

    const size_t groups = g->groups, pitch = g->ld * INK__INT8_GROUP;
    const int32_t *const a_col = g->a_col;
    const int8_t *b = g->b + j * INK__INT8_GROUP;
    for (size_t k = 0; k < groups; k++, b += pitch) {
        const ptrdiff_t column = a_col[k];
        weights w[TILE_VECTORS];
        UNROLL
        for (size_t v = 0; v < TILE_VECTORS; v++)
            w[v] = w_load(b + v * LANES * INK__INT8_GROUP);
        UNROLL
        for (size_t r = 0; r < TILE_ROWS; r++) {
            const four x = x_load(a[r] + column);
            UNROLL
            for (size_t v = 0; v < TILE_VECTORS; v++)
                sum[r][v] = s_dot(sum[r][v], x, w[v]);
        }
    }

    int32_t out[TILE_ROWS * TILE_VECTORS * LANES];
    UNROLL
    for (size_t r = 0; r < TILE_ROWS; r++) {
        UNROLL
        for (size_t v = 0; v < TILE_VECTORS; v++)
            s_keep(out + (r * TILE_VECTORS + v) * LANES, sum[r][v]);
    }
    finish(g, i, j, TILE_ROWS, TILE_VECTORS, out);
}

#undef TILE_ROWS
#undef TILE_VECTORS
