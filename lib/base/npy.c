/* The header of an npy: a small part of Python's syntax, read strictly. */
#include "base/npy.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/memory.h"

enum { ALIGNMENT = 64, MAGIC_SIZE = 6, BAD = -1 };
static const char magic[] = "\x93NUMPY";

#define HOST_IS_BIG_ENDIAN (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)

/* What an element may be. */
static const struct type {
    const char *name;
    char kind;
    size_t width; /* 0: any multiple of `step` */
    size_t step;
} types[] = {
    { "boolean", 'b', 1, 0 }, { "uint8", 'u', 1, 0 },   { "uint16", 'u', 2, 0 },  { "uint32", 'u', 4, 0 },
    { "uint64", 'u', 8, 0 },  { "int8", 'i', 1, 0 },    { "int16", 'i', 2, 0 },   { "int32", 'i', 4, 0 },
    { "int64", 'i', 8, 0 },   { "float16", 'f', 2, 0 }, { "float32", 'f', 4, 0 }, { "float64", 'f', 8, 0 },
    { "text", 'S', 0, 1 },    { "text", 'U', 0, 4 },
};

static const struct type *find_type(char kind, size_t width)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].kind == kind && (types[i].width == width || (types[i].width == 0 && width % types[i].step == 0)))
            return &types[i];
    return NULL;
}

const char *ink__npy_type(const struct ink__npy *array)
{
    return find_type(array->kind, array->width)->name;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* The dictionary, a text of `end` bytes of the file. */
struct cursor {
    const char *text;
    size_t at, end;
    const char *where;
};

static enum ink_status fail_at(const struct cursor *in, const char *expected, struct ink_error *err)
{
    return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu of the npy: expected %s", in->where, in->at, expected);
}

static void skip_blanks(struct cursor *in)
{
    while (in->at < in->end && (in->text[in->at] == ' ' || in->text[in->at] == '\n'))
        in->at++;
}

/* Moves over `word` if it comes next. */
static bool take(struct cursor *in, const char *word)
{
    skip_blanks(in);
    const size_t length = strlen(word);
    if (in->end - in->at < length || memcmp(in->text + in->at, word, length) != 0)
        return false;
    in->at += length;
    return true;
}

/* A text in single or double quotes, without escapes. */
static enum ink_status read_text(struct cursor *in, char *text, size_t room, const char *expected,
                                 struct ink_error *err)
{
    skip_blanks(in);
    const size_t start = in->at;
    const char quote = in->at < in->end ? in->text[in->at] : 0;
    size_t length = 0;
    if (quote != '\'' && quote != '"')
        return fail_at(in, expected, err);
    for (in->at++; in->at < in->end && in->text[in->at] != quote && length + 1 < room; in->at++)
        text[length++] = in->text[in->at];
    text[length] = '\0';
    if (in->at == in->end || in->text[in->at] != quote) {
        in->at = start;
        return fail_at(in, expected, err);
    }
    in->at++;
    return INK_OK;
}

/* Digits, of which the first may be 0 only where it is the last, as Python wants it. */
static bool read_digits(struct cursor *in, size_t *number)
{
    const size_t start = in->at;
    *number = 0;
    for (; in->at < in->end && in->text[in->at] >= '0' && in->text[in->at] <= '9'; in->at++)
        if (!ink__multiply(number, *number, 10) || !ink__add(number, *number, (size_t)(in->text[in->at] - '0')))
            return false;
    return in->at > start && (in->text[start] != '0' || in->at == start + 1);
}

/* '<f4': the byte order, what, how many bytes (of text: characters). */
static enum ink_status read_type(struct cursor *in, struct ink__npy *array, struct ink_error *err)
{
    char text[32];
    skip_blanks(in);
    if (in->at < in->end && in->text[in->at] == '[')
        return fail_at(in, "numbers or text, found records", err);
    const size_t start = in->at;
    enum ink_status status = read_text(in, text, sizeof text, "the type of the elements, such as '|u1'", err);
    if (status != INK_OK)
        return status;
    struct cursor type = { text, 0, strlen(text), in->where };
    const char order = text[0] != '\0' && strchr("<>|=", text[0]) != NULL ? text[type.at++] : '=';
    array->big_endian = order == '>' || (HOST_IS_BIG_ENDIAN && order != '<');
    array->kind = text[type.at];
    type.at += text[type.at] != '\0';
    const bool whole = read_digits(&type, &array->width) && type.at == type.end && array->width > 0;
    if (!whole || (array->kind == 'U' && !ink__multiply(&array->width, array->width, 4)) ||
        find_type(array->kind, array->width) == NULL) {
        in->at = start;
        return ink__fail(err, INK_BAD_INPUT,
                         "%s: byte %zu of the npy: elements of type '%s', expected integers, floats or text", in->where,
                         start, text);
    }
    return INK_OK;
}

static enum ink_status read_order(struct cursor *in, struct ink__npy *array, struct ink_error *err)
{
    array->fortran = take(in, "True");
    return array->fortran || take(in, "False") ? INK_OK : fail_at(in, "True or False", err);
}

/* (3, 4), (3,) or (). */
static enum ink_status read_shape(struct cursor *in, struct ink__npy *array, struct ink_error *err)
{
    array->rank = 0;
    if (!take(in, "("))
        return fail_at(in, "the shape, such as (3, 4)", err);
    while (!take(in, ")")) {
        if (array->rank == INK__NPY_MOST_DIMENSIONS)
            return fail_at(in, "at most 8 dimensions", err);
        skip_blanks(in);
        if (!read_digits(in, &array->shape[array->rank++]))
            return fail_at(in, "a size that is a number and fits into memory", err);
        take(in, "L"); /* Python 2's */
        if (!take(in, ",")) {
            skip_blanks(in);
            if (in->at == in->end || in->text[in->at] != ')' || array->rank == 1)
                return fail_at(in, "a comma between sizes", err);
        }
    }
    return INK_OK;
}

typedef enum ink_status read_fn(struct cursor *in, struct ink__npy *array, struct ink_error *err);
static const struct {
    const char *key;
    read_fn *read;
} members[] = { { "descr", read_type }, { "fortran_order", read_order }, { "shape", read_shape } };
enum { MEMBERS = sizeof members / sizeof members[0] };

static enum ink_status read_member(struct cursor *in, struct ink__npy *array, bool seen[MEMBERS], struct ink_error *err)
{
    char key[32];
    skip_blanks(in);
    const size_t start = in->at;
    const enum ink_status status = read_text(in, key, sizeof key, "a key of the header in quotes", err);
    if (status != INK_OK)
        return status;
    if (!take(in, ":"))
        return fail_at(in, "a colon after the key", err);
    for (size_t i = 0; i < MEMBERS; i++) {
        if (strcmp(key, members[i].key) == 0 && !seen[i]) {
            seen[i] = true;
            return members[i].read(in, array, err);
        }
    }
    in->at = start;
    return fail_at(in, "each of the keys descr, fortran_order and shape once", err);
}

static enum ink_status read_dictionary(struct cursor *in, struct ink__npy *array, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    bool seen[MEMBERS] = { false };
    if (!take(in, "{"))
        return fail_at(in, "a header that begins with {", err);
    while (!take(in, "}")) {
        status = read_member(in, array, seen, err);
        if (status != INK_OK)
            return status;
        skip_blanks(in);
        if (!take(in, ",") && (in->at == in->end || in->text[in->at] != '}'))
            return fail_at(in, "a comma or } after a value", err);
    }
    for (size_t i = 0; i < MEMBERS; i++)
        if (!seen[i])
            return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu of the npy: the header has no %s", in->where, in->at,
                             members[i].key);
    while (in->at < in->end && in->text[in->at] == ' ')
        in->at++;
    while (in->at < in->end && in->text[in->at] == '\n')
        in->at++;
    return in->at == in->end ? INK_OK : fail_at(in, "only blanks, then a line's end, after the header", err);
}

bool ink__npy_is(const unsigned char *bytes, size_t size)
{
    return size >= MAGIC_SIZE && memcmp(bytes, magic, MAGIC_SIZE) == 0;
}

enum ink_status ink__npy_read_header(struct ink__npy *array, const unsigned char *bytes, size_t available, size_t size,
                                     size_t *begin, const char *where, struct ink_error *err)
{
    if (!ink__npy_is(bytes, available))
        return ink__fail(err, INK_BAD_INPUT, "%s: byte 0: no npy, expected \\x93NUMPY", where);
    if (available < INK__NPY_PREFIX)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu of the npy: truncated", where, available);
    const unsigned version = bytes[MAGIC_SIZE];
    if (version < 1 || version > 3 || bytes[MAGIC_SIZE + 1] != 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %d of the npy: version %u.%u, expected 1.0 to 3.0", where,
                         MAGIC_SIZE, version, bytes[MAGIC_SIZE + 1]);
    const size_t prefix = version == 1 ? 10 : INK__NPY_PREFIX;
    const size_t length = version == 1 ? ink__little16(bytes + 8) : ink__little32(bytes + 8);
    if (length > INK__NPY_LONGEST_HEADER - prefix)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte 8 of the npy: a header of %zu bytes, expected at most %zu",
                         where, length, INK__NPY_LONGEST_HEADER - prefix);
    if (length > available - prefix)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu of the npy: truncated, expected a header of %zu bytes",
                         where, available, prefix + length);
    *begin = prefix + length;
    struct cursor in = { (const char *)bytes, prefix, *begin, where };
    const enum ink_status status = read_dictionary(&in, array, err);
    if (status != INK_OK)
        return status;

    size_t total;
    bool fits = true;
    array->count = 1;
    for (size_t d = 0; d < array->rank; d++)
        fits = fits && ink__multiply(&array->count, array->count, array->shape[d]);
    if (!fits || !ink__multiply(&total, array->count, array->width))
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu of the npy: the sizes overflow when multiplied", where,
                         prefix);
    if (total != size - *begin)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu of the npy: %zu bytes of elements, expected %zu%s", where,
                         *begin, size - *begin, total, total > size - *begin ? ": truncated" : "");
    return INK_OK;
}

/* ---- Elements ---------------------------------------------------------------------------------------------------- */

/* Half precision (IEEE binary16) as a double. */
static double half_value(uint64_t bits)
{
    const int exponent = (int)(bits >> 10 & 31);
    const double fraction = (double)(bits & 1023);
    const double size = exponent == 31  ? (fraction > 0 ? (double)NAN : (double)INFINITY)
                        : exponent == 0 ? ldexp(fraction, -24)
                                        : ldexp(fraction + 1024, exponent - 25);
    return bits >> 15 ? -size : size;
}

static double float_value(uint64_t bits, size_t width)
{
    const uint32_t low = (uint32_t)bits;
    float single;
    double value;
    if (width == 2)
        return half_value(bits);
    memcpy(&single, &low, sizeof single);
    memcpy(&value, &bits, sizeof value);
    return width == 4 ? (double)single : value;
}

/* Where element `i`, counted with the last index running fastest, is in an array whose first index does. */
static size_t fortran_place(const struct ink__npy *array, size_t i)
{
    size_t place = 0, step = array->count;
    for (size_t d = array->rank; d-- > 0; i /= array->shape[d]) {
        step /= array->shape[d];
        place += i % array->shape[d] * step;
    }
    return place;
}

double ink__npy_value(const struct ink__npy *array, size_t i)
{
    const size_t width = array->width, place = array->fortran ? fortran_place(array, i) : i;
    const uint64_t bits = ink__bytes_get((const unsigned char *)array->data + place * width, width, array->big_endian);
    if (array->kind == 'f')
        return float_value(bits, width);
    if (array->kind == 'b')
        return bits != 0;
    const unsigned unused = (unsigned)(64 - 8 * width); /* a shift up and down again extends the sign */
    return array->kind == 'i' ? (double)((int64_t)(bits << unused) >> unused) : (double)bits;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

size_t ink__npy_write_header(unsigned char *bytes, const struct ink__npy *array)
{
    const size_t prefix = 10, room = INK__NPY_LONGEST_HEADER - prefix;
    char *text = (char *)bytes + prefix;
    const char order = array->width == 1 || array->kind == 'S' ? '|' : HOST_IS_BIG_ENDIAN ? '>' : '<';
    size_t used = (size_t)snprintf(text, room, "{'descr': '%c%c%zu', 'fortran_order': False, 'shape': (", order,
                                   array->kind, array->kind == 'U' ? array->width / 4 : array->width);
    for (size_t d = 0; d < array->rank; d++)
        used += (size_t)snprintf(text + used, room - used, "%s%zu", d > 0 ? ", " : "", array->shape[d]);
    used += (size_t)snprintf(text + used, room - used, "%s), }", array->rank == 1 ? "," : "");
    const size_t begin = (prefix + used + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    memset(text + used, ' ', begin - prefix - used);
    bytes[begin - 1] = '\n';
    memcpy(bytes, magic, MAGIC_SIZE);
    bytes[MAGIC_SIZE] = 1;
    bytes[MAGIC_SIZE + 1] = 0;
    ink__put_little(bytes + 8, begin - prefix, 2);
    return begin;
}
