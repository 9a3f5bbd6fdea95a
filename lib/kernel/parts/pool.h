/* Pooling: largest and mean of windows, vectors over channels. A part of template.h. */
/* The top left corner of the window of output (row, column). */
INK__INLINE size_t corner(const struct ink__pooling *pool, size_t row, size_t column)
{
    return (row * pool->stride * pool->width + column * pool->stride) * pool->channels;
}

static void max_pool(const struct ink__pooling *pool, const float *x, float *y)
{
    const size_t channels = pool->channels, pitch = pool->width * channels;
    for (size_t row = 0; row < pool->out_height; row++) {
        for (size_t column = 0; column < pool->out_width; column++, y += channels) {
            const float *const window = x + corner(pool, row, column);
            for (size_t c = 0; c < channels; c += LANES) {
                vec largest = v_load(window + c);
                for (size_t i = 0; i < pool->kernel_height; i++) {
                    for (size_t j = 0; j < pool->kernel_width; j++) {
                        const vec here = v_load(window + i * pitch + j * channels + c);
                        largest = v_where_equal(here, here, v_max(here, largest), here); /* NaN is no equal of itself */
                    }
                }
                store_row(y + c, largest, channels - c);
            }
        }
    }
}

static void max_pool_backward(const struct ink__pooling *pool, const float *x, const float *y, const float *dy,
                              float *dx)
{
    const size_t channels = pool->channels, pitch = pool->width * channels;
    const bool overlap = pool->stride < pool->kernel_height || pool->stride < pool->kernel_width;
    memset(dx, 0, pool->height * pitch * sizeof *dx);
    for (size_t row = 0; row < pool->out_height; row++) {
        for (size_t column = 0; column < pool->out_width; column++, y += channels, dy += channels) {
            const size_t at = corner(pool, row, column);
            for (size_t c = 0; c < channels; c += LANES) {
                const vec largest = v_load(y + c), zero = v_set1(0.0f);
                vec left = v_load(dy + c); /* the gradient not yet given away */
                for (size_t i = 0; i < pool->kernel_height; i++) {
                    for (size_t j = 0; j < pool->kernel_width; j++) {
                        const size_t place = at + i * pitch + j * channels + c;
                        const vec here = v_load(x + place), given = v_where_equal(here, largest, left, zero);
                        store_row(dx + place, overlap ? v_add(v_load(dx + place), given) : given, channels - c);
                        left = v_where_equal(here, largest, zero, left);
                    }
                }
            }
        }
    }
}

static void mean_pool(const struct ink__pooling *pool, const float *x, float *y)
{
    const size_t channels = pool->channels, pitch = pool->width * channels;
    const vec share = v_set1(1.0f / (float)(pool->kernel_height * pool->kernel_width));
    for (size_t row = 0; row < pool->out_height; row++) {
        for (size_t column = 0; column < pool->out_width; column++, y += channels) {
            const float *const window = x + corner(pool, row, column);
            for (size_t c = 0; c < channels; c += LANES) {
                vec mean = v_set1(0.0f);
                for (size_t i = 0; i < pool->kernel_height; i++)
                    for (size_t j = 0; j < pool->kernel_width; j++)
                        mean = v_fma(share, v_load(window + i * pitch + j * channels + c), mean);
                store_row(y + c, mean, channels - c);
            }
        }
    }
}

static void mean_pool_backward(const struct ink__pooling *pool, const float *dy, float *dx)
{
    const size_t channels = pool->channels, pitch = pool->width * channels;
    const vec share = v_set1(1.0f / (float)(pool->kernel_height * pool->kernel_width));
    memset(dx, 0, pool->height * pitch * sizeof *dx);
    for (size_t row = 0; row < pool->out_height; row++) {
        for (size_t column = 0; column < pool->out_width; column++, dy += channels) {
            float *const window = dx + corner(pool, row, column);
            for (size_t c = 0; c < channels; c += LANES) {
                const vec d = v_load(dy + c);
                for (size_t i = 0; i < pool->kernel_height; i++) {
                    for (size_t j = 0; j < pool->kernel_width; j++) {
                        float *const place = window + i * pitch + j * channels + c;
                        store_row(place, v_fma(share, d, v_load(place)), channels - c);
                    }
                }
            }
        }
    }
}
