/* Resizing: the part of each sample that an output pixel covers when shrinking, bilinear when enlarging, and the very
 * samples where the size stays. */
#ifndef INK_DATA_RESAMPLE_H
#define INK_DATA_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

/* A rectangle of one channel of a picture. */
struct ink__view {
    const uint8_t *origin;
    size_t height, width; /* pixels, at least 1 */
    size_t stride, step;  /* bytes from row to row, from pixel to pixel */
};

/* The samples along one side that one output sample is made of. */
struct ink__window {
    double centre, reach;
    size_t begin, end;
};

/* The window of output `i` of `count`, along a side of `size` samples. */
struct ink__window ink__window_of(size_t i, size_t count, size_t size);

/* The weighted mean of the samples in both windows: 0 to 255. */
double ink__view_sample(const struct ink__view *view, const struct ink__window *rows,
                        const struct ink__window *columns);

/* Rounds to a byte, 0 or 255 beyond the ends. */
uint8_t ink__round_byte(double value);

#endif
