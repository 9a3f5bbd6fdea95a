/*
 * One tile of the matrix product: C(i .. i + TILE_ROWS, j .. j + TILE_VECS * LANES), its accumulators in registers.
 * gemm.h includes this file once for each size of tile, which must be constant for that to be so.
 */
#define TILE_NAME PASTE(PASTE(tile_, TILE_ROWS), PASTE(x, TILE_VECS))

static void TILE_NAME(const struct ink__gemm *g, size_t i, size_t j)
{
    vec sum[TILE_ROWS][TILE_VECS];
    const float *a[TILE_ROWS];
    UNROLL
    for (size_t r = 0; r < TILE_ROWS; r++)
        a[r] = g->a + g->a_row[i + r];
    if (g->accumulate) {
        UNROLL
        for (size_t r = 0; r < TILE_ROWS; r++) {
            UNROLL
            for (size_t v = 0; v < TILE_VECS; v++)
                sum[r][v] = v_load(g->c + g->c_row[i + r] + j + v * LANES);
        }
    } else {
        UNROLL
        for (size_t v = 0; v < TILE_VECS; v++) {
            const vec start = g->bias != NULL ? v_load(g->bias + j + v * LANES) : v_set1(0.0f);
            UNROLL
            for (size_t r = 0; r < TILE_ROWS; r++)
                sum[r][v] = start;
        }
    }

    /* Nothing but A and B is loaded in here: two loads a cycle are what the multiply-adds themselves need. */
    const size_t ldb = g->ldb, step = g->a_step;
    const float *b = g->b + j;
    for (size_t run = 0; run < g->runs; run++) {
        const float *const end = b + g->run * ldb;
        for (size_t at = run * g->a_run; b != end; b += ldb, at += step) {
            vec row[TILE_VECS];
            UNROLL
            for (size_t v = 0; v < TILE_VECS; v++)
                row[v] = v_load(b + v * LANES);
            UNROLL
            for (size_t r = 0; r < TILE_ROWS; r++) {
                const vec x = v_set1(a[r][at]);
                UNROLL
                for (size_t v = 0; v < TILE_VECS; v++)
                    sum[r][v] = v_fma(x, row[v], sum[r][v]);
            }
        }
    }

    UNROLL
    for (size_t r = 0; r < TILE_ROWS; r++) {
        float *const c = g->c + g->c_row[i + r] + j;
        UNROLL
        for (size_t v = 0; v < TILE_VECS; v++) {
            const vec y = g->relu ? v_max(v_set1(0.0f), sum[r][v]) : sum[r][v]; /* in this order, NaN stays NaN */
            store_row(c + v * LANES, y, g->n - j - v * LANES);
        }
    }
}

#undef TILE_NAME
#undef TILE_ROWS
#undef TILE_VECS
