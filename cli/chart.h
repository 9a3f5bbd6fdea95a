/* A curve over a logarithmic axis, drawn with characters or as an SVG picture. */
#ifndef CLI_CHART_H
#define CLI_CHART_H

#include "cli.h"

struct chart {
    const char *x_title, *y_title;
    size_t count;
    const double *x;     /* above 0, ascending */
    const double *curve; /* its finite values */
    const double *dots;  /* what the curve was made from; only the picture shows them */
    double least, most;  /* of the vertical axis, least < most; what lies outside is left out */
    double mark;         /* a place on x that is pointed out */
};

/* At most `width` columns wide; with braille where the terminal has UTF-8, else in ASCII. */
void chart_print(FILE *file, const struct chart *chart, size_t width, bool utf8);

/* INK_FAILED if the file cannot be written; then there is none. */
enum ink_status chart_write_svg(const char *path, const struct chart *chart, struct ink_error *err);

#endif
