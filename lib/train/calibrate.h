/* What a network computes on images, and the grid of bytes that holds it with the least error. */
#ifndef INK_TRAIN_CALIBRATE_H
#define INK_TRAIN_CALIBRATE_H

#include "nn/int8.h"

#define INK__BINS ((size_t)2048)

/* How often which numbers occur: `count` bins from least to most, exact zeros left out, which bytes hold exactly. */
struct ink__histogram {
    float least, most;
    double count[INK__BINS];
};

/* Runs the float net over some images of `data` and fills a histogram a layer of `q`: of what its sum is, before its
 * activation; of a map, what goes into it. INK_BAD_INPUT if a number is not finite. */
enum ink_status ink__calibrate(struct ink__histogram *histograms, const struct ink_net *net, const struct ink__int8 *q,
                               const struct ink_dataset *data, const struct ink_compute *compute,
                               struct ink_error *err);

/* The numbers that bytes stand for: (byte - zero) * scale. The scale is a float's value, and 0 is one of them. */
struct ink__grid {
    double scale;
    int zero;
};
/* The byte nearest to x. */
uint8_t ink__grid_byte(struct ink__grid grid, double x);
/* The grid from low <= 0 to high >= 0, its scale at least `least`. */
struct ink__grid ink__grid_make(double low, double high, double least);

/* The grid that holds f of the histogram's numbers with the least mean square error. */
struct ink__grid ink__grid_choose(const struct ink__histogram *h, const struct ink__layer *f);
/* The grid of what goes into f, for the least error of what comes out and is held by `out`. */
struct ink__grid ink__grid_choose_before(const struct ink__histogram *h, const struct ink__layer *f,
                                         struct ink__grid out);
/* f from bytes to bytes: 256 entries. */
void ink__grid_table(const struct ink__layer *f, struct ink__grid in, struct ink__grid out, uint8_t *table);

#endif
