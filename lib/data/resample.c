#include "data/resample.h"

#include <math.h>

struct ink__window ink__window_of(size_t i, size_t count, size_t size)
{
    if (count == size)
        return (struct ink__window){ (double)i + 0.5, 1.0, i, i + 1 }; /* its neighbours would count for nothing */
    const double scale = (double)size / (double)count;
    const double centre = ((double)i + 0.5) * scale, reach = (scale > 1 ? scale : 1) / 2 + 0.5;
    const double begin = floor(centre - reach), end = ceil(centre + reach);
    return (struct ink__window){ centre, reach, begin > 0 ? (size_t)begin : 0,
                                 end < (double)size ? (size_t)end : size };
}

static double weight(const struct ink__window *window, size_t i)
{
    const double w = window->reach - fabs((double)i + 0.5 - window->centre);
    return w < 0 ? 0 : w > 1 ? 1 : w;
}

double ink__view_sample(const struct ink__view *view, const struct ink__window *rows, const struct ink__window *columns)
{
    double sum = 0, weights = 0;
    for (size_t y = rows->begin; y < rows->end; y++) {
        const uint8_t *row = view->origin + y * view->stride;
        double row_sum = 0, row_weights = 0;
        for (size_t x = columns->begin; x < columns->end; x++) {
            const double w = weight(columns, x);
            row_sum += w * row[x * view->step];
            row_weights += w;
        }
        sum += weight(rows, y) * row_sum;
        weights += weight(rows, y) * row_weights;
    }
    return sum / weights;
}

uint8_t ink__round_byte(double value)
{
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value + 0.5);
}
