/* The sparse first layer: packing bytes, the product, the gradient of the weights. A part of template.h. */
#ifndef v_compress_bytes
/* Copies those of 16 bytes that are not zero to value, and their columns, from `column` on, to index; returns how many.
 */
INK__INLINE size_t v_compress_bytes(const uint8_t *bytes, size_t column, uint16_t *index, float *value)
{
    size_t filled = 0;
    uint64_t words[2];
    memcpy(words, bytes, sizeof words);
    for (size_t w = 0; w < 2; w++) {
        for (size_t i = 8 * w; words[w] != 0 && i < 8 * w + 8; i++) {
            index[filled] = (uint16_t)(column + i);
            value[filled] = (float)bytes[i];
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
        filled += v_compress_bytes(bytes + column, column, index + filled, value + filled);
    }
    if (column < x->columns)
        block[column / INK__SPARSE_BLOCK] = (uint16_t)filled;
    for (; column < x->columns; column++) {
        index[filled] = (uint16_t)column;
        value[filled] = (float)bytes[column];
        filled += bytes[column] != 0;
    }
    block[x->blocks] = (uint16_t)filled;
    for (size_t e = 0; e < filled; e++)
        value[e] = value[e] / 255.0f * scale;
}

/* Columns j .. j + vecs * LANES of y for one sparse row. */
INK__INLINE void sparse_row(const size_t vecs, const uint16_t *index, const float *value, size_t count, const float *w,
                            size_t ld, const float *bias, size_t j, size_t outputs, float *y)
{
    vec sum[8];
    UNROLL
    for (size_t v = 0; v < vecs; v++)
        sum[v] = v_load(bias + j + v * LANES);
    for (size_t e = 0; e < count; e++) {
        const float *const row = w + index[e] * ld + j;
        const vec x = v_set1(value[e]);
        UNROLL
        for (size_t v = 0; v < vecs; v++)
            sum[v] = v_fma(x, v_load(row + v * LANES), sum[v]);
    }
    UNROLL
    for (size_t v = 0; v < vecs; v++)
        store_row(y + j + v * LANES, sum[v], outputs - j - v * LANES);
}

/* How many vectors of columns to take together when `columns` are left: 8, 4, 2 or 1. */
INK__INLINE size_t columns_together(size_t columns)
{
    const size_t vecs = (columns + LANES - 1) / LANES;
    return vecs >= 8 ? 8 : vecs >= 4 ? 4 : vecs >= 2 ? 2 : 1;
}

static void sparse_forward(const struct ink__sparse *x, size_t first, size_t n, const float *w, size_t ld,
                           const float *bias, size_t outputs, float *y)
{
    for (size_t s = first; s < first + n; s++, y += outputs) {
        const uint16_t *const index = x->index + s * x->stride;
        const float *const value = x->value + s * x->stride;
        const size_t count = x->block[s * (x->blocks + 1) + x->blocks];
        for (size_t j = 0, vecs; j < outputs; j += vecs * LANES) {
            vecs = columns_together(outputs - j);
            if (vecs == 8)
                sparse_row(8, index, value, count, w, ld, bias, j, outputs, y);
            else if (vecs == 4)
                sparse_row(4, index, value, count, w, ld, bias, j, outputs, y);
            else if (vecs == 2)
                sparse_row(2, index, value, count, w, ld, bias, j, outputs, y);
            else
                sparse_row(1, index, value, count, w, ld, bias, j, outputs, y);
        }
    }
}

/* Elements begin .. end of one sample into columns j .. j + vecs * LANES of dw; d is the sample's gradient from j on.
 */
INK__INLINE void sparse_sample(const size_t vecs, const uint16_t *index, const float *value, size_t begin, size_t end,
                               const float *d, float *dw, size_t ld, size_t width)
{
    vec row[8];
    UNROLL
    for (size_t v = 0; v < vecs; v++)
        row[v] = v_load(d + v * LANES);
    for (size_t e = begin; e < end; e++) {
        float *const to = dw + index[e] * ld;
        const vec x = v_set1(value[e]);
        UNROLL
        for (size_t v = 0; v < vecs; v++)
            store_row(to + v * LANES, v_fma(x, row[v], v_load(to + v * LANES)), width - v * LANES);
    }
}

/* The caller asks for so few rows that their columns stay in the first cache while the samples go by. */
static void sparse_gradient(const struct ink__sparse *x, size_t n, const float *dy, size_t outputs, size_t begin,
                            size_t end, float *dw, size_t ld)
{
    const size_t first = begin / INK__SPARSE_BLOCK, last = (end + INK__SPARSE_BLOCK - 1) / INK__SPARSE_BLOCK;
    memset(dw + begin * ld, 0, (end - begin) * ld * sizeof *dw);
    for (size_t j = 0, vecs; j < outputs; j += vecs * LANES) {
        vecs = columns_together(outputs - j);
        for (size_t s = 0; s < n; s++) {
            const uint16_t *const index = x->index + s * x->stride;
            const float *const value = x->value + s * x->stride, *const d = dy + s * outputs + j;
            const uint16_t *const block = x->block + s * (x->blocks + 1);
            const size_t from = block[first], to = block[last];
            if (vecs == 8)
                sparse_sample(8, index, value, from, to, d, dw + j, ld, outputs - j);
            else if (vecs == 4)
                sparse_sample(4, index, value, from, to, d, dw + j, ld, outputs - j);
            else if (vecs == 2)
                sparse_sample(2, index, value, from, to, d, dw + j, ld, outputs - j);
            else
                sparse_sample(1, index, value, from, to, d, dw + j, ld, outputs - j);
        }
    }
}
