/* Sums and maps by channel, vectors over channels. A part of template.h. */
static void column_sums(const float *x, size_t rows, size_t columns, float *sum)
{
    for (size_t c = 0; c < columns; c += LANES) {
        vec s[4] = { v_set1(0.0f), v_set1(0.0f), v_set1(0.0f), v_set1(0.0f) };
        size_t r = 0;
        for (; r + 4 <= rows; r += 4) {
            UNROLL
            for (size_t i = 0; i < 4; i++)
                s[i] = v_add(s[i], v_load(x + (r + i) * columns + c));
        }
        for (size_t i = 0; r + i < rows; i++)
            s[i] = v_add(s[i], v_load(x + (r + i) * columns + c));
        const vec total = v_add(v_add(s[0], s[1]), v_add(s[2], s[3]));
        store_row(sum + c, v_add(v_load(sum + c), total), columns - c);
    }
}

static void channel_sums(const float *a, const float *b, size_t rows, size_t channels, float *sum, float *product)
{
    for (size_t c = 0; c < channels; c += LANES) {
        vec s[4] = { v_set1(0.0f), v_set1(0.0f), v_set1(0.0f), v_set1(0.0f) };
        vec p[4] = { v_set1(0.0f), v_set1(0.0f), v_set1(0.0f), v_set1(0.0f) };
        size_t r = 0;
        for (; r + 4 <= rows; r += 4) {
            UNROLL
            for (size_t i = 0; i < 4; i++) {
                const vec x = v_load(a + (r + i) * channels + c);
                s[i] = v_add(s[i], x);
                p[i] = v_fma(x, v_load(b + (r + i) * channels + c), p[i]);
            }
        }
        for (size_t i = 0; r + i < rows; i++) {
            const vec x = v_load(a + (r + i) * channels + c);
            s[i] = v_add(s[i], x);
            p[i] = v_fma(x, v_load(b + (r + i) * channels + c), p[i]);
        }
        store_row(sum + c, v_add(v_add(s[0], s[1]), v_add(s[2], s[3])), channels - c);
        store_row(product + c, v_add(v_add(p[0], p[1]), v_add(p[2], p[3])), channels - c);
    }
}

static void channel_affine(const float *x, const float *scale, const float *shift, bool relu, size_t rows,
                           size_t channels, float *y)
{
    for (size_t c = 0; c < channels; c += LANES) {
        const vec a = v_load(scale + c), b = v_load(shift + c);
        for (size_t r = 0; r < rows; r++) {
            const vec v = v_fma(v_load(x + r * channels + c), a, b);
            store_row(y + r * channels + c, relu ? v_max(v_set1(0.0f), v) : v, channels - c);
        }
    }
}

static void channel_mix(const float *dy, const float *x, const float *p, const float *q, const float *r, size_t rows,
                        size_t channels, float *dx)
{
    for (size_t c = 0; c < channels; c += LANES) {
        const vec pv = v_load(p + c), qv = v_load(q + c), rv = v_load(r + c);
        for (size_t i = 0; i < rows; i++) {
            const size_t at = i * channels + c;
            store_row(dx + at, v_fma(pv, v_load(dy + at), v_fma(qv, v_load(x + at), rv)), channels - c);
        }
    }
}
