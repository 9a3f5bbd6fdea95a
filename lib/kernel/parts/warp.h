/* Moving an image about. Plain loops for the compiler to vectorise. A part of template.h. */
#define WARP_BLOCK ((size_t)16)     /* pixels of a row are taken in whole blocks, */
#define WARP_RUN   (4 * WARP_BLOCK) /* at most so many together */

INK__INLINE size_t warp_blocks(size_t pixels)
{
    return (pixels + WARP_BLOCK - 1) / WARP_BLOCK;
}

/* Each place of the image, the border around it counted in, with its right, lower and lower right neighbour, a byte
 * each: so a pixel of the result takes one read. */
static void warp_corners(const struct ink__warp *w, const uint8_t *restrict from)
{
    const size_t height = w->height, width = w->width, channels = w->channels;
    const size_t pitch = width + 3, places = (height + 2) * pitch;
    uint8_t *const restrict pad = w->padded;
    uint32_t *const restrict corners = w->corners;
    for (size_t y = 0; y < height; y++) {
        uint8_t *const row = pad + (y + 1) * pitch + 1;
        if (channels == 1)
            memcpy(row, from + y * width, width);
        for (size_t x = 0; channels > 1 && x < width; x++)
            row[x] = from[(y * width + x) * channels];
    }
    for (size_t i = 0; i < places; i++)
        corners[i] = (uint32_t)pad[i] | (uint32_t)pad[i + 1] << 8 | (uint32_t)pad[i + pitch] << 16 |
                     (uint32_t)pad[i + pitch + 1] << 24;
}

/* The bend's columns: for each row of nodes, what it gives at each x. */
static void bend_columns(const struct ink__warp *w)
{
    const size_t width = w->width, pitch = warp_blocks(width) * WARP_BLOCK;
    for (size_t row = 0; row < 2 * INK__BEND_NODES; row++) {
        int32_t *const restrict column = w->columns + row * pitch;
        memset(column, 0, width * sizeof *column);
        for (size_t n = 0; n < INK__BEND_NODES; n++) {
            const int32_t *const restrict weight = w->across + n * width;
            const int32_t node = w->nodes[row * INK__BEND_NODES + n];
            for (size_t x = 0; x < width; x++)
                column[x] += weight[x] * node;
        }
        for (size_t x = 0; x < width; x++)
            column[x] >>= 8;
    }
}

/* place[i] += the bend of pixel (x + i, y) in one direction, for whole blocks of pixels. */
INK__INLINE void bend_run(const struct ink__warp *w, size_t direction, size_t x, size_t y, size_t count,
                          int32_t *restrict place)
{
    const size_t pitch = warp_blocks(w->width) * WARP_BLOCK;
    const int32_t *const columns = w->columns + direction * INK__BEND_NODES * pitch + x;
    const int32_t *const weights = w->down + y * INK__BEND_NODES;
    size_t n = 0;
    while (n + 4 < INK__BEND_NODES &&
           weights[n] == 0) /* of a column's nodes at most four count, which are neighbours */
        n++;
    const int32_t w0 = weights[n], w1 = weights[n + 1], w2 = weights[n + 2], w3 = weights[n + 3];
    const int32_t *const restrict c0 = columns + n * pitch, *const restrict c1 = c0 + pitch;
    const int32_t *const restrict c2 = c1 + pitch, *const restrict c3 = c2 + pitch;
    for (size_t i = 0; i < count; i++)
        place[i] += (w0 * c0[i] + w1 * c1[i] + w2 * c2[i] + w3 * c3[i]) >> 8;
}

/* The places of pixels (x .. x + count, y) in one direction, held to the image of `side` and one pixel around it. */
INK__INLINE void place_run(const struct ink__warp *w, size_t direction, size_t x, size_t y, size_t count, size_t side,
                           int32_t *restrict place)
{
    const uint32_t step = (uint32_t)w->by_x[direction];
    const uint32_t start =
        (uint32_t)w->origin[direction] + (uint32_t)x * step + (uint32_t)y * (uint32_t)w->by_y[direction];
    const int32_t least = -65536, most = (int32_t)side * 65536;
    for (uint32_t i = 0; i < count; i++)
        place[i] = (int32_t)(start + i * step);
    if (w->nodes != NULL)
        bend_run(w, direction, x, y, count, place);
    for (size_t i = 0; i < count; i++) {
        const int32_t at_least = place[i] < least ? least : place[i];
        place[i] = at_least > most ? most : at_least;
    }
}

/* Pixels (x .. x + count, y). Two values lie in a word, in bytes 0 and 2, until they are mixed. */
INK__INLINE void warp_run(const struct ink__warp *w, size_t x, size_t y, size_t count, uint8_t *restrict mixed)
{
    const int32_t pitch = (int32_t)w->width + 3;
    const uint32_t *const corners = w->corners;
    int32_t across[WARP_RUN], down[WARP_RUN], at[WARP_RUN];
    uint32_t corner[WARP_RUN];
    place_run(w, 0, x, y, count, w->width, across);
    place_run(w, 1, x, y, count, w->height, down);
    for (size_t i = 0; i < count; i++)
        at[i] = ((down[i] >> 16) + 1) * pitch + (across[i] >> 16) + 1;
    for (size_t i = 0; i < count; i++)
        corner[i] = corners[at[i]];
    for (size_t i = 0; i < count; i++) {
        const uint32_t right = (uint32_t)across[i] >> 8 & 0xff, low = (uint32_t)down[i] >> 8 & 0xff;
        const uint32_t columns = (corner[i] & 0xff00ff) * (256 - right) + (corner[i] >> 8 & 0xff00ff) * right;
        mixed[i] = (uint8_t)(((columns & 0xffff) * (256 - low) + (columns >> 16) * low + 32768) >> 16);
    }
}

static void warp(const struct ink__warp *w, const uint8_t *from, uint8_t *to)
{
    const size_t width = w->width, channels = w->channels;
    if (w->nodes != NULL)
        bend_columns(w);
    for (size_t c = 0; c < channels; c++) {
        warp_corners(w, from + c);
        for (size_t y = 0; y < w->height; y++) {
            for (size_t x = 0; x < width; x += WARP_RUN) {
                const size_t left = width - x, n = left < WARP_RUN ? left : WARP_RUN;
                uint8_t *const restrict row = to + (y * width + x) * channels + c;
                uint8_t mixed[WARP_RUN];
                warp_run(w, x, y, warp_blocks(n) * WARP_BLOCK, mixed);
                if (channels == 1)
                    memcpy(row, mixed, n);
                for (size_t i = 0; channels > 1 && i < n; i++)
                    row[i * channels] = mixed[i];
            }
        }
    }
}
