#include "base/reader.h"

#include <ctype.h>
#include <string.h>

#include "base/error.h"
#include "base/suggest.h"

#define LONGEST_FOUND 40 /* bytes of the line that a message shows */

static size_t word_length(const char *at)
{
    size_t length = 0;
    while (isalpha((unsigned char)at[length]) || (length > 0 && at[length] == '-'))
        length++;
    return length;
}

bool ink__word_is(const char *at, const char *word)
{
    const size_t length = word_length(at);
    return length == strlen(word) && memcmp(at, word, length) == 0;
}

void ink__read_space(struct ink__reader *r)
{
    while (isspace((unsigned char)*r->at))
        r->at++;
}

bool ink__read_word(struct ink__reader *r, const char *word)
{
    ink__read_space(r);
    if (!ink__word_is(r->at, word))
        return false;
    r->at += strlen(word);
    return true;
}

enum ink_status ink__read_whole(struct ink__reader *r, size_t least, size_t most, size_t *number, const char *what)
{
    size_t value = 0;
    ink__read_space(r);
    const char *from = r->at;
    while (isdigit((unsigned char)*from) && value <= most)
        value = 10 * value + (size_t)(*from++ - '0');
    if (from == r->at || value < least || value > most)
        return ink__read_wrong(r, what, false);
    r->at = from;
    *number = value;
    return INK_OK;
}

enum ink_status ink__read_decimal(struct ink__reader *r, double most, double *number, const char *what)
{
    double value = 0.0, unit = 1.0;
    bool digits = false;
    ink__read_space(r);
    const char *from = r->at;
    for (; isdigit((unsigned char)*from); from++) {
        value = 10.0 * value + (*from - '0');
        digits = true;
    }
    if (*from == '.') {
        for (from++; isdigit((unsigned char)*from); from++) {
            unit /= 10.0;
            value += unit * (*from - '0');
            digits = true;
        }
    }
    if (!digits || value > most)
        return ink__read_wrong(r, what, false);
    r->at = from;
    *number = value;
    return INK_OK;
}

int ink__reader_column(const struct ink__reader *r, const char *at)
{
    return (int)(at - r->text) + 1;
}

enum ink_status ink__read_wrong(const struct ink__reader *r, const char *what, bool word)
{
    const int column = ink__reader_column(r, r->at);
    if (*r->at == '\0')
        return ink__fail(r->err, INK_BAD_ARGUMENT, "%s: column %d: expected %s, found the end of the line", r->what,
                         column, what);
    size_t length = strcspn(r->at, ", \t\n[]");
    if (length == 0)
        length = 1;
    if (length > LONGEST_FOUND)
        length = LONGEST_FOUND;
    while (length > 1 && ((unsigned char)r->at[length] & 0xc0) == 0x80) /* in the middle of a UTF-8 character */
        length--;
    const char *near = word ? ink__nearest(r->at, length, r->word) : NULL;
    if (near != NULL && strlen(near) == length && memcmp(r->at, near, length) == 0)
        near = NULL; /* the right word in the wrong place */
    if (near == NULL)
        return ink__fail(r->err, INK_BAD_ARGUMENT, "%s: column %d: expected %s, found '%.*s'", r->what, column, what,
                         (int)length, r->at);
    return ink__fail(r->err, INK_BAD_ARGUMENT, "%s: column %d: expected %s, found '%.*s' (did you mean '%s'?)", r->what,
                     column, what, (int)length, r->at, near);
}
