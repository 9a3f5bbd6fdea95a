/* JSON and text, by jansson, made sure of where memory runs out. */
#ifndef INK_FORMAT_JSON_H
#define INK_FORMAT_JSON_H

#include <jansson.h>

#include "inkling.h"

/* The text of `value`, for free(); NULL if memory runs out. */
char *ink__json_text(const json_t *value, size_t flags);

/* Reads a text of `size` bytes, in which no key may stand twice. INK_BAD_INPUT with *error filled, or INK_FAILED where
 * memory runs out; *out is then NULL. */
enum ink_status ink__json_parse(json_t **out, const char *text, size_t size, json_error_t *error);

#endif
