#include "format/json.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Not json_dumps: where the text it makes cannot grow, jansson 2.14 may leave out a part and say nothing. */
char *ink__json_text(const json_t *value, size_t flags)
{
    const size_t size = json_dumpb(value, NULL, 0, flags);
    char *text = size > 0 ? ink__array(size + 1, 1) : NULL;
    if (text != NULL && json_dumpb(value, text, size, flags) != size) {
        free(text);
        return NULL;
    }
    return text;
}

/* jansson 2.14 passes over a zero byte that follows a number or a word, so none is let through to it.
 *
 * Where a word it is reading cannot grow, jansson 2.14 goes on without some of its characters: one failure makes
 * another number of a number. So the text is read twice, and only what both readings say is taken. */
enum ink_status ink__json_parse(json_t **out, const char *text, size_t size, json_error_t *error)
{
    const char *const zero = memchr(text, 0, size);
    json_error_t other;
    *out = NULL;
    if (zero != NULL) {
        *error = (json_error_t){ .line = 1, .position = (int)(zero - text), .text = "a zero byte" };
        return INK_BAD_INPUT;
    }
    json_t *first = json_loadb(text, size, JSON_REJECT_DUPLICATES, error);
    json_t *second = json_loadb(text, size, JSON_REJECT_DUPLICATES, &other);
    enum ink_status status = INK_OK;
    if (first == NULL && second == NULL && json_error_code(error) != json_error_out_of_memory)
        status = INK_BAD_INPUT;
    else if (first == NULL || !json_equal(first, second))
        status = INK_FAILED;
    else
        *out = json_incref(first);
    json_decref(first);
    json_decref(second);
    return status;
}
