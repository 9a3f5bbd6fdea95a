/* Recipes: the options that reach an accuracy, by name. */
#ifndef CLI_RECIPES_H
#define CLI_RECIPES_H

#include <stddef.h>

struct recipe {
    const char *name;    /* NULL in the last row */
    const char *about;   /* one line */
    const char *data;    /* the data set it was made for */
    const char *options; /* of `inkling train`, as one would type them */
};
extern const struct recipe recipes[];

/* The i-th name, NULL past the last. */
const char *recipe_name(size_t i);
/* The options of a recipe that there is. */
const char *recipe_options(const char *name);

#endif
