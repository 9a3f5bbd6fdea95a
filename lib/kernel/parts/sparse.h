/* The sparse first layer: packing bytes, the product, the gradient of the weights. A part of template.h. */
/* An element on its way into a row, where it waits in the place of its value: its byte above its column. */
#define ELEMENT(byte, column) ((uint32_t)(byte) << 16 | (uint32_t)(column))

#ifndef v_compress_bytes
/* Writes the elements of those of 16 bytes that are not zero, their columns counted from `column` on; returns how many.
 * Up to 16 may be written. */
INK__INLINE size_t v_compress_bytes(const uint8_t *bytes, size_t column, float *element)
{
    size_t filled = 0;
    uint64_t words[2];
    memcpy(words, bytes, sizeof words);
    for (size_t w = 0; w < 2; w++) {
        for (size_t i = 8 * w; words[w] != 0 && i < 8 * w + 8; i++) {
            const uint32_t bits = ELEMENT(bytes[i], column + i);
            memcpy(element + filled, &bits, sizeof bits);
            filled += bytes[i] != 0;
        }
    }
    return filled;
}
#endif

static void sparse_pack(const struct ink__sparse *x, size_t row, const uint8_t *bytes, float scale)
{
    uint16_t *const index = x->index + row * x->stride, *const block = x->block + row * (x->blocks + 1);
    float *const value = x->value + row * x->stride;
    size_t filled = 0, column = 0;
    for (; column + INK__SPARSE_BLOCK <= x->columns; column += INK__SPARSE_BLOCK) {
        block[column / INK__SPARSE_BLOCK] = (uint16_t)filled;
        filled += v_compress_bytes(bytes + column, column, value + filled);
    }
    if (column < x->columns)
        block[column / INK__SPARSE_BLOCK] = (uint16_t)filled;
    for (; column < x->columns; column++) {
        const uint32_t bits = ELEMENT(bytes[column], column);
        memcpy(value + filled, &bits, sizeof bits);
        filled += bytes[column] != 0;
    }
    block[x->blocks] = (uint16_t)filled;
    for (size_t e = 0; e < filled; e++) {
        uint32_t bits;
        memcpy(&bits, value + e, sizeof bits);
        index[e] = (uint16_t)bits;
        value[e] = (float)(bits >> 16) / 255.0f * scale;
    }
}

/* One more element of a row: sum += value[e] * row index[e] of w. */
INK__INLINE void sparse_add(const size_t vecs, const uint16_t *index, const float *value, size_t e, const float *w,
                            size_t ld, vec *sum)
{
    const float *const row = w + index[e] * ld;
    const vec x = v_set1(value[e]);
    UNROLL
    for (size_t v = 0; v < vecs; v++)
        sum[v] = v_fma(x, v_load(row + v * LANES), sum[v]);
}

/* `width` columns of y, which are `vecs` vectors, for two rows side by side: the chains of one alone, few and long,
 * would leave the arithmetic waiting. */
INK__INLINE void sparse_pair(const size_t vecs, const struct ink__sparse *x, size_t first, const float *w, size_t ld,
                             const float *start, size_t start_pitch, size_t width, float *y, size_t pitch)
{
    const uint16_t *const index0 = x->index + first * x->stride, *const index1 = index0 + x->stride;
    const float *const value0 = x->value + first * x->stride, *const value1 = value0 + x->stride;
    const uint16_t *const ends = x->block + first * (x->blocks + 1) + x->blocks;
    const size_t count0 = ends[0], count1 = ends[x->blocks + 1], both = count0 < count1 ? count0 : count1;
    vec sum0[4], sum1[4];
    UNROLL
    for (size_t v = 0; v < vecs; v++) {
        sum0[v] = v_load(start + v * LANES);
        sum1[v] = v_load(start + start_pitch + v * LANES);
    }
    for (size_t e = 0; e < both; e++) {
        sparse_add(vecs, index0, value0, e, w, ld, sum0);
        sparse_add(vecs, index1, value1, e, w, ld, sum1);
    }
    for (size_t e = both; e < count0; e++)
        sparse_add(vecs, index0, value0, e, w, ld, sum0);
    for (size_t e = both; e < count1; e++)
        sparse_add(vecs, index1, value1, e, w, ld, sum1);
    UNROLL
    for (size_t v = 0; v < vecs; v++) {
        store_row(y + v * LANES, sum0[v], width - v * LANES);
        store_row(y + pitch + v * LANES, sum1[v], width - v * LANES);
    }
}

INK__INLINE void sparse_single(const size_t vecs, const struct ink__sparse *x, size_t s, const float *w, size_t ld,
                               const float *start, size_t width, float *y)
{
    const uint16_t *const index = x->index + s * x->stride;
    const float *const value = x->value + s * x->stride;
    const size_t count = x->block[s * (x->blocks + 1) + x->blocks];
    vec sum[4];
    UNROLL
    for (size_t v = 0; v < vecs; v++)
        sum[v] = v_load(start + v * LANES);
    for (size_t e = 0; e < count; e++)
        sparse_add(vecs, index, value, e, w, ld, sum);
    UNROLL
    for (size_t v = 0; v < vecs; v++)
        store_row(y + v * LANES, sum[v], width - v * LANES);
}

INK__INLINE void sparse_columns(const size_t vecs, const struct ink__sparse *x, size_t first, size_t n, const float *w,
                                size_t ld, const float *start, size_t start_pitch, size_t width, float *y, size_t pitch)
{
    size_t s = 0;
    for (; s + 2 <= n; s += 2)
        sparse_pair(vecs, x, first + s, w, ld, start + s * start_pitch, start_pitch, width, y + s * pitch, pitch);
    if (s < n)
        sparse_single(vecs, x, first + s, w, ld, start + s * start_pitch, width, y + s * pitch);
}

/* How many vectors of columns to take together when `columns` are left: 4, 2 or 1. */
INK__INLINE size_t columns_together(size_t columns)
{
    const size_t vecs = (columns + LANES - 1) / LANES;
    return vecs >= 4 ? 4 : vecs >= 2 ? 2 : 1;
}

static void sparse_forward(const struct ink__sparse *x, size_t first, size_t n, const float *w, size_t ld,
                           const float *start, size_t start_pitch, size_t columns, float *y, size_t pitch)
{
    for (size_t j = 0, vecs; j < columns; j += vecs * LANES) {
        vecs = columns_together(columns - j);
        if (vecs == 4)
            sparse_columns(4, x, first, n, w + j, ld, start + j, start_pitch, columns - j, y + j, pitch);
        else if (vecs == 2)
            sparse_columns(2, x, first, n, w + j, ld, start + j, start_pitch, columns - j, y + j, pitch);
        else
            sparse_columns(1, x, first, n, w + j, ld, start + j, start_pitch, columns - j, y + j, pitch);
    }
}

/* `count` elements, 1 or 2, of one sample times row (vecs) of dy into `vecs` vectors of columns of dw (inputs, ld): all
 * are loaded before any is stored, since a load waits for a store before it whose address ends like its own. */
INK__INLINE void sparse_scatter(const size_t vecs, const size_t count, const uint16_t *index, const float *value,
                                const vec *row, float *dw, size_t ld, size_t room)
{
    vec sum[2][4];
    float *to[2];
    UNROLL
    for (size_t e = 0; e < count; e++) {
        const vec x = v_set1(value[e]);
        to[e] = dw + index[e] * ld;
        UNROLL
        for (size_t v = 0; v < vecs; v++)
            sum[e][v] = v_fma(x, row[v], v_load(to[e] + v * LANES));
    }
    UNROLL
    for (size_t e = 0; e < count; e++) {
        UNROLL
        for (size_t v = 0; v < vecs; v++) {
            if (vecs > 1) /* rows are whole vectors then */
                v_store(to[e] + v * LANES, sum[e][v]);
            else
                store_row(to[e], sum[e][v], room);
        }
    }
}

/* Elements begin .. end of one sample into `vecs` vectors of columns of dw, whose rows have `room` from there on. The
 * row of dy is padded with zeros, so that dw's padding is written with the rest, in whole vectors, and stays zero. */
INK__INLINE void sparse_sample(const size_t vecs, const uint16_t *index, const float *value, size_t begin, size_t end,
                               const float *dy, size_t width, float *dw, size_t ld, size_t room)
{
    vec row[4];
    UNROLL
    for (size_t v = 0; v < vecs; v++)
        row[v] = v * LANES < width ? load_row(dy + v * LANES, width - v * LANES) : v_set1(0.0f);
    size_t e = begin;
    for (; e + 2 <= end; e += 2)
        sparse_scatter(vecs, 2, index + e, value + e, row, dw, ld, room);
    if (e < end)
        sparse_scatter(vecs, 1, index + e, value + e, row, dw, ld, room);
}

/* The caller asks for so few rows and columns that they stay in the first cache while the samples go by. */
static void sparse_gradient(const struct ink__sparse *x, size_t n, const float *dy, size_t pitch, size_t columns,
                            size_t begin, size_t end, float *dw, size_t ld)
{
    const size_t first = begin / INK__SPARSE_BLOCK, last = (end + INK__SPARSE_BLOCK - 1) / INK__SPARSE_BLOCK;
    memset(dw + begin * ld, 0, (end - begin) * ld * sizeof *dw);
    for (size_t j = 0, vecs; j < columns; j += vecs * LANES) {
        vecs = columns_together(columns - j);
        for (size_t s = 0; s < n; s++) {
            const uint16_t *const index = x->index + s * x->stride;
            const float *const value = x->value + s * x->stride, *const row = dy + s * pitch + j;
            const uint16_t *const block = x->block + s * (x->blocks + 1);
            const size_t from = block[first], to = block[last];
            if (vecs == 4)
                sparse_sample(4, index, value, from, to, row, columns - j, dw + j, ld, ld - j);
            else if (vecs == 2)
                sparse_sample(2, index, value, from, to, row, columns - j, dw + j, ld, ld - j);
            else
                sparse_sample(1, index, value, from, to, row, columns - j, dw + j, ld, ld - j);
        }
    }
}
