/* PGM and PPM: P2 and P3 in decimal digits, P5 and P6 in bytes; a number is followed by white space, and comments run
 * from # to the end of a line. */
#include "base/error.h"
#include "base/memory.h"
#include "data/picture.h"

enum {
    MOST_SIZE = 1000000000, /* of a number; more is no picture of ours */
    MOST_LEVELS = 65535
};

struct cursor {
    const unsigned char *bytes;
    size_t size, at;
    const char *name;
};

static bool is_space(unsigned char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_space(struct cursor *in)
{
    while (in->at < in->size && (is_space(in->bytes[in->at]) || in->bytes[in->at] == '#')) {
        if (in->bytes[in->at] == '#') {
            while (in->at < in->size && in->bytes[in->at] != '\n' && in->bytes[in->at] != '\r')
                in->at++;
        } else {
            in->at++;
        }
    }
}

/* The next decimal number, in [least, most]. */
static enum ink_status read_number(struct cursor *in, const char *what, size_t least, size_t most, size_t *number,
                                   struct ink_error *err)
{
    skip_space(in);
    const size_t start = in->at;
    *number = 0;
    while (in->at < in->size && in->bytes[in->at] >= '0' && in->bytes[in->at] <= '9' && *number <= most)
        *number = 10 * *number + (in->bytes[in->at++] - (size_t)'0');
    if (in->at == start && in->at == in->size)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: truncated, expected the %s", in->name, start, what);
    if (in->at == start)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: expected the %s, a number", in->name, start, what);
    if (*number < least || *number > most)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: %s %zu, expected %zu to %zu", in->name, start, what,
                         *number, least, most);
    return INK_OK;
}

static uint8_t scale(size_t sample, size_t levels)
{
    return (uint8_t)((sample * 255 + levels / 2) / levels);
}

static enum ink_status read_digits(struct cursor *in, uint8_t *pixels, size_t count, size_t levels,
                                   struct ink_error *err)
{
    for (size_t i = 0; i < count; i++) {
        size_t sample;
        const enum ink_status status = read_number(in, "sample", 0, levels, &sample, err);
        if (status != INK_OK)
            return status;
        pixels[i] = scale(sample, levels);
    }
    skip_space(in);
    return INK_OK;
}

static enum ink_status read_bytes(struct cursor *in, uint8_t *pixels, size_t count, size_t levels,
                                  struct ink_error *err)
{
    const bool wide = levels > 255; /* two bytes, the high one first */
    for (size_t i = 0; i < count; i++) {
        const size_t start = in->at;
        size_t sample = in->bytes[in->at++];
        if (wide)
            sample = sample << 8 | in->bytes[in->at++];
        if (sample > levels)
            return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: sample %zu, expected 0 to %zu", in->name, start, sample,
                             levels);
        pixels[i] = scale(sample, levels);
    }
    return INK_OK;
}

enum ink_status ink__pnm_decode(struct ink_picture **out, const void *bytes, size_t size, size_t most, const char *name,
                                struct ink_error *err)
{
    struct cursor in = { bytes, size, 2, name };
    const unsigned char kind = in.bytes[1];
    const size_t channels = kind == '3' || kind == '6' ? 3 : 1;
    const bool digits = kind == '2' || kind == '3';
    size_t width, height, levels, count, least;
    enum ink_status status = read_number(&in, "width", 1, MOST_SIZE, &width, err);
    if (status == INK_OK)
        status = read_number(&in, "height", 1, MOST_SIZE, &height, err);
    if (status == INK_OK)
        status = read_number(&in, "largest sample", 1, MOST_LEVELS, &levels, err);
    *out = NULL;
    if (status != INK_OK)
        return status;
    if (in.at == size || !is_space(in.bytes[in.at]))
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: expected white space after the largest sample", name,
                         in.at);
    in.at++;

    /* A digit and a space, or one or two bytes: no memory is taken for samples that cannot be there. The last digit
     * needs no space. */
    const size_t sample = digits || levels > 255 ? 2 : 1;
    if (!ink__multiply(&count, width, height) || !ink__multiply(&count, count, channels) ||
        !ink__multiply(&least, count, sample) || least - digits > size - in.at)
        return ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: truncated, expected %zu x %zu pixels", name, size, width,
                         height);
    status = ink__picture_new(out, height, width, channels, most, name, err);
    if (status != INK_OK)
        return status;
    status = (digits ? read_digits : read_bytes)(&in, (*out)->pixels, count, levels, err);
    if (status == INK_OK && in.at < size)
        status = ink__fail(err, INK_BAD_INPUT, "%s: byte %zu: %zu trailing bytes", name, in.at, size - in.at);
    if (status != INK_OK) {
        ink_picture_free(*out);
        *out = NULL;
    }
    return status;
}
