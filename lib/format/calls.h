/* What a network of floats calls in lib/infer, and with which constants: the same list whatever the export, which an
 * exported C file has as text and a page as data. */
#ifndef INK_FORMAT_CALLS_H
#define INK_FORMAT_CALLS_H

#include "format/csource.h"

/* What an argument is. */
enum ink__given {
    INK__GIVEN_IMAGE,  /* the caller's image */
    INK__GIVEN_RESULT, /* the caller's memory for the probabilities */
    INK__GIVEN_VALUE,  /* the memory of value `number`: see ink__place_values */
    INK__GIVEN_ARRAY,  /* the constants called `what` of layer `number` */
    INK__GIVEN_WINDOW, /* the window of layer `number` */
    INK__GIVEN_SIZE,   /* `number` itself */
    INK__GIVEN_FACTOR  /* `factor` itself */
};
struct ink__argument {
    enum ink__given given;
    size_t number;
    const char *what;
    float factor;
};

#define INK__MOST_ARGUMENTS 6
struct ink__call {
    const char *function; /* "conv": infer_conv, of the section of that name */
    size_t count;
    struct ink__argument arguments[INK__MOST_ARGUMENTS];
};

/* Constants: rows of `columns` floats, `ld` apart. */
struct ink__constants {
    const char *what;
    size_t layer;
    const float *values;
    size_t rows, columns, ld;
};

#define INK__MOST_CALLS     2
#define INK__MOST_CONSTANTS 2

/* The calls of layer i, and its constants: how many there are. */
size_t ink__calls_of(const struct ink__source *s, size_t i, struct ink__call calls[INK__MOST_CALLS]);
size_t ink__constants_of(const struct ink__source *s, size_t i, struct ink__constants constants[INK__MOST_CONSTANTS]);

/* Before all layers, where the input is made from the image; and after them. */
struct ink__call ink__call_input(const struct ink__source *s);
size_t ink__constants_of_input(const struct ink__source *s, struct ink__constants constants[INK__MOST_CONSTANTS]);
struct ink__call ink__call_softmax(const struct ink__source *s);

#endif
