/* The sparse first layer: packing bytes, the product, the gradient of the weights. A part of template.h. */
#define TOGETHER INK__SPARSE_ROWS
_Static_assert(TOGETHER == sizeof(uint32_t), "the bytes of a group in one column are a word");

/* The bytes of a group's rows in one column, row 0's lowest. */
INK__INLINE uint32_t word_of(const uint8_t *const bytes[TOGETHER], size_t column)
{
    uint32_t word = 0;
    UNROLL
    for (size_t r = 0; r < TOGETHER; r++)
        word |= (uint32_t)bytes[r][column] << 8 * r;
    return word;
}

/* Writes the words of those of columns begin .. end that are not zero, and the columns; returns how many. One more may
 * be written. */
INK__INLINE size_t compress_words(const uint8_t *const bytes[TOGETHER], size_t begin, size_t end, float *words,
                                  uint16_t *columns)
{
    size_t filled = 0;
    for (size_t i = begin; i < end; i++) {
        const uint32_t word = word_of(bytes, i);
        memcpy(words + filled, &word, sizeof word);
        columns[filled] = (uint16_t)i;
        filled += word != 0;
    }
    return filled;
}

/* Likewise for a block of 16 columns; up to 16 may be written. */
#ifndef v_compress_words
#define v_compress_words(bytes, begin, words, columns) compress_words(bytes, begin, (begin) + 16, words, columns)
#endif

/* Words wait where the values of the last row, which are made last, will be. */
static void sparse_pack(const struct ink__sparse *x, size_t row, const uint8_t *const bytes[TOGETHER], float scale)
{
    const size_t group = row / TOGETHER, whole = x->columns / INK__SPARSE_BLOCK;
    uint16_t *const index = x->index + group * x->stride, *const block = x->block + group * (x->blocks + 1);
    float *const value = x->value + row * x->stride, *const words = value + (TOGETHER - 1) * x->stride;
    size_t filled = 0;
    for (size_t b = 0; b < x->blocks; b++) {
        const size_t column = b * INK__SPARSE_BLOCK;
        block[b] = (uint16_t)filled;
        filled += b < whole ? v_compress_words(bytes, column, words + filled, index + filled)
                            : compress_words(bytes, column, x->columns, words + filled, index + filled);
    }
    block[x->blocks] = (uint16_t)filled;
    filled = (filled + 15) / 16 * 16; /* whole vectors: what lies behind the last does not count */
    for (size_t r = 0; r < TOGETHER; r++) {
        for (size_t e = 0; e < filled; e++) {
            uint32_t word;
            memcpy(&word, words + e, sizeof word);
            value[r * x->stride + e] = ink__intensity(word >> 8 * r & 255) * scale;
        }
    }
}

/* How many vectors of columns to take together when `columns` are left: SPARSE_VECS, 2 or 1. */
INK__INLINE size_t columns_together(size_t columns)
{
    const size_t vecs = (columns + LANES - 1) / LANES;
    return vecs >= SPARSE_VECS ? SPARSE_VECS : vecs >= 2 ? 2 : 1;
}

/* `vecs` vectors of columns of y, of which `width` are left, for `rows` rows of a group: all of it or one. */
INK__INLINE void sparse_rows(const size_t vecs, const size_t rows, const struct ink__sparse *x, size_t first,
                             const float *w, size_t ld, const float *start, size_t start_pitch, size_t width, float *y,
                             size_t pitch)
{
    const size_t group = first / TOGETHER, stride = x->stride, count = x->block[group * (x->blocks + 1) + x->blocks];
    const uint16_t *const index = x->index + group * stride;
    const float *const value = x->value + first * stride;
    vec sum[TOGETHER][SPARSE_VECS];
    UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t v = 0; v < vecs; v++)
            sum[r][v] = load_row(start + r * start_pitch + v * LANES, width - v * LANES);
    }
    for (size_t e = 0; e < count; e++) {
        const float *const row = w + index[e] * ld;
        vec weight[SPARSE_VECS];
        UNROLL
        for (size_t v = 0; v < vecs; v++)
            weight[v] = v_load(row + v * LANES);
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            const vec element = v_set1(value[r * stride + e]);
            UNROLL
            for (size_t v = 0; v < vecs; v++)
                sum[r][v] = v_fma(element, weight[v], sum[r][v]);
        }
    }
    UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t v = 0; v < vecs; v++)
            store_row(y + r * pitch + v * LANES, sum[r][v], width - v * LANES);
    }
}

INK__INLINE void sparse_columns(const size_t vecs, const struct ink__sparse *x, size_t first, size_t n, const float *w,
                                size_t ld, const float *start, size_t start_pitch, size_t width, float *y, size_t pitch)
{
    size_t s = 0;
    for (; s + TOGETHER <= n; s += TOGETHER)
        sparse_rows(vecs, TOGETHER, x, first + s, w, ld, start + s * start_pitch, start_pitch, width, y + s * pitch,
                    pitch);
    for (; s < n; s++)
        sparse_rows(vecs, 1, x, first + s, w, ld, start + s * start_pitch, start_pitch, width, y + s * pitch, pitch);
}

static void sparse_forward(const struct ink__sparse *x, size_t first, size_t n, const float *w, size_t ld,
                           const float *start, size_t start_pitch, size_t columns, float *y, size_t pitch)
{
    for (size_t j = 0, vecs; j < columns; j += vecs * LANES) {
        vecs = columns_together(columns - j);
        if (vecs == SPARSE_VECS)
            sparse_columns(SPARSE_VECS, x, first, n, w + j, ld, start + j, start_pitch, columns - j, y + j, pitch);
        else if (vecs == 2)
            sparse_columns(2, x, first, n, w + j, ld, start + j, start_pitch, columns - j, y + j, pitch);
        else
            sparse_columns(1, x, first, n, w + j, ld, start + j, start_pitch, columns - j, y + j, pitch);
    }
}

/* Elements begin .. end of `rows` rows of a group, all of it or one, into `vecs` vectors of columns of dw (inputs, ld),
 * whose rows have `room` from there on: whole vectors if there are several, else perhaps less than one, and what is
 * behind it may be another thread's. The rows of dy are padded with zeros, so that dw's padding is written with the
 * rest, in whole vectors, and stays zero. */
INK__INLINE void sparse_scatter(const size_t vecs, const size_t rows, const struct ink__sparse *x, size_t first,
                                size_t begin, size_t end, const float *dy, size_t pitch, size_t width, float *dw,
                                size_t ld, size_t room)
{
    const size_t stride = x->stride;
    const uint16_t *const index = x->index + first / TOGETHER * stride;
    const float *const value = x->value + first * stride;
    vec row[TOGETHER][SPARSE_VECS];
    UNROLL
    for (size_t r = 0; r < rows; r++) {
        UNROLL
        for (size_t v = 0; v < vecs; v++)
            row[r][v] = load_row(dy + r * pitch + v * LANES, width - v * LANES);
    }
    for (size_t e = begin; e < end; e++) {
        float *const to = dw + index[e] * ld;
        vec sum[SPARSE_VECS];
        UNROLL
        for (size_t v = 0; v < vecs; v++)
            sum[v] = vecs > 1 ? v_load(to + v * LANES) : load_row(to, room);
        UNROLL
        for (size_t r = 0; r < rows; r++) {
            const vec element = v_set1(value[r * stride + e]);
            UNROLL
            for (size_t v = 0; v < vecs; v++)
                sum[v] = v_fma(element, row[r][v], sum[v]);
        }
        UNROLL
        for (size_t v = 0; v < vecs; v++) {
            if (vecs > 1)
                v_store(to + v * LANES, sum[v]);
            else
                store_row(to, sum[v], room);
        }
    }
}

/* Blocks first .. last of n samples. */
INK__INLINE void sparse_samples(const size_t vecs, const struct ink__sparse *x, size_t n, const float *dy, size_t pitch,
                                size_t width, size_t first, size_t last, float *dw, size_t ld, size_t room)
{
    for (size_t s = 0; s < n;) {
        const uint16_t *const block = x->block + s / TOGETHER * (x->blocks + 1);
        const size_t begin = block[first], end = block[last];
        if (s + TOGETHER <= n) {
            sparse_scatter(vecs, TOGETHER, x, s, begin, end, dy + s * pitch, pitch, width, dw, ld, room);
            s += TOGETHER;
        } else {
            sparse_scatter(vecs, 1, x, s, begin, end, dy + s * pitch, pitch, width, dw, ld, room);
            s++;
        }
    }
}

/* The caller asks for so few rows and columns that they stay in the first cache while the samples go by. */
static void sparse_gradient(const struct ink__sparse *x, size_t n, const float *dy, size_t pitch, size_t columns,
                            size_t begin, size_t end, float *dw, size_t ld)
{
    const size_t first = begin / INK__SPARSE_BLOCK, last = (end + INK__SPARSE_BLOCK - 1) / INK__SPARSE_BLOCK;
    memset(dw + begin * ld, 0, (end - begin) * ld * sizeof *dw);
    for (size_t j = 0, vecs; j < columns; j += vecs * LANES) {
        vecs = columns_together(columns - j);
        if (vecs == SPARSE_VECS)
            sparse_samples(SPARSE_VECS, x, n, dy + j, pitch, columns - j, first, last, dw + j, ld, ld - j);
        else if (vecs == 2)
            sparse_samples(2, x, n, dy + j, pitch, columns - j, first, last, dw + j, ld, ld - j);
        else
            sparse_samples(1, x, n, dy + j, pitch, columns - j, first, last, dw + j, ld, ld - j);
    }
}
