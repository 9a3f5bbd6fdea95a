/* The matrix product: tiles of every size (tile.h), and their choice. A part of template.h. */
#define TILE_ROWS 1
#define TILE_VECS 1
#include "kernel/parts/tile.h"
#define TILE_ROWS 1
#define TILE_VECS 2
#include "kernel/parts/tile.h"
#define TILE_ROWS 1
#define TILE_VECS 4
#include "kernel/parts/tile.h"
#define TILE_ROWS 1
#define TILE_VECS 8
#include "kernel/parts/tile.h"
#if ROWS_1 >= 2
#define TILE_ROWS 2
#define TILE_VECS 1
#include "kernel/parts/tile.h"
#endif
#if ROWS_2 >= 2
#define TILE_ROWS 2
#define TILE_VECS 2
#include "kernel/parts/tile.h"
#endif
#if ROWS_1 >= 3
#define TILE_ROWS 3
#define TILE_VECS 1
#include "kernel/parts/tile.h"
#endif
#if ROWS_2 >= 3
#define TILE_ROWS 3
#define TILE_VECS 2
#include "kernel/parts/tile.h"
#endif
#if ROWS_1 >= 4
#define TILE_ROWS 4
#define TILE_VECS 1
#include "kernel/parts/tile.h"
#endif
#if ROWS_2 >= 4
#define TILE_ROWS 4
#define TILE_VECS 2
#include "kernel/parts/tile.h"
#endif
#if ROWS_1 >= 5
#define TILE_ROWS 5
#define TILE_VECS 1
#include "kernel/parts/tile.h"
#endif
#if ROWS_2 >= 5
#define TILE_ROWS 5
#define TILE_VECS 2
#include "kernel/parts/tile.h"
#endif
#if ROWS_1 >= 6
#define TILE_ROWS 6
#define TILE_VECS 1
#include "kernel/parts/tile.h"
#endif
#if ROWS_2 >= 6
#define TILE_ROWS 6
#define TILE_VECS 2
#include "kernel/parts/tile.h"
#endif
#if ROWS_1 >= 7
#define TILE_ROWS 7
#define TILE_VECS 1
#include "kernel/parts/tile.h"
#endif
#if ROWS_2 >= 7
#define TILE_ROWS 7
#define TILE_VECS 2
#include "kernel/parts/tile.h"
#endif
#if ROWS_1 >= 8
#define TILE_ROWS 8
#define TILE_VECS 1
#include "kernel/parts/tile.h"
#endif
#if ROWS_2 >= 8
#define TILE_ROWS 8
#define TILE_VECS 2
#include "kernel/parts/tile.h"
#endif
#if ROWS_1 >= 9
#define TILE_ROWS 9
#define TILE_VECS 1
#include "kernel/parts/tile.h"
#endif
#if ROWS_1 >= 10
#define TILE_ROWS 10
#define TILE_VECS 1
#include "kernel/parts/tile.h"
#endif
typedef void tile_fn(const struct ink__gemm *g, size_t i, size_t j);

/* tiles[v][r]: the tile of r rows and v + 1 vectors. */
static tile_fn *const tiles[2][ROWS_1 + 1] = {
    {
        NULL,
        tile_1x1,
#if ROWS_1 >= 2
        tile_2x1,
#endif
#if ROWS_1 >= 3
        tile_3x1,
#endif
#if ROWS_1 >= 4
        tile_4x1,
#endif
#if ROWS_1 >= 5
        tile_5x1,
#endif
#if ROWS_1 >= 6
        tile_6x1,
#endif
#if ROWS_1 >= 7
        tile_7x1,
#endif
#if ROWS_1 >= 8
        tile_8x1,
#endif
#if ROWS_1 >= 9
        tile_9x1,
#endif
#if ROWS_1 >= 10
        tile_10x1,
#endif
    },
    {
        NULL,
        tile_1x2,
#if ROWS_2 >= 2
        tile_2x2,
#endif
#if ROWS_2 >= 3
        tile_3x2,
#endif
#if ROWS_2 >= 4
        tile_4x2,
#endif
#if ROWS_2 >= 5
        tile_5x2,
#endif
#if ROWS_2 >= 6
        tile_6x2,
#endif
#if ROWS_2 >= 7
        tile_7x2,
#endif
#if ROWS_2 >= 8
        tile_8x2,
#endif
    },
};

static void gemm(const struct ink__gemm *g)
{
    size_t j = 0;
    /* One row against many columns (a single image through a dense layer): only columns side by side hide the latency.
     */
    if (g->m == 1) {
        for (; j + 8 * LANES <= g->n; j += 8 * LANES)
            tile_1x8(g, 0, j);
        for (; j + 4 * LANES <= g->n; j += 4 * LANES)
            tile_1x4(g, 0, j);
    }
    while (j < g->n) {
        /* Rows in tiles as equal as can be: a tile of one row at the end would wait on its own latency. */
        const size_t vecs = g->n - j > LANES ? 2 : 1, most = vecs == 2 ? ROWS_2 : ROWS_1;
        const size_t count = (g->m + most - 1) / most;
        for (size_t t = 0; t < count; t++) {
            const size_t begin = g->m * t / count, end = g->m * (t + 1) / count;
            tiles[vecs - 1][end - begin](g, begin, j);
        }
        j += vecs * LANES;
    }
}
