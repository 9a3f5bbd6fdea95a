/*
 * The JSON of a body. It is read by hand, in one pass over the bytes and straight into images, since a general parser
 * would make a tree that is many times larger than what a stranger sent:
 *
 *   {"images": [IMAGE, ...]}        IMAGE: H * W * C whole numbers from 0 to 255, in nested arrays or not
 *   {"png": "BASE64"}               a picture, PNG or PGM or PPM
 *   {"png": ["BASE64", ...]}        several
 */
#include "server.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 3 }; /* of arrays in an image: its rows, its columns, its channels */

struct reader {
    struct request *request;
    const char *text;
    size_t size, at;
};

/* ---- Tokens ------------------------------------------------------------------------------------------------------ */

static bool refuse(struct reader *reader, const char *expected)
{
    return request_refuse(reader->request, MHD_HTTP_BAD_REQUEST, "JSON: byte %zu: expected %s", reader->at, expected);
}

/* The next byte that is not blank, 0 at the end. */
static char peek(struct reader *reader)
{
    while (reader->at < reader->size && memchr(" \t\r\n", reader->text[reader->at], 4) != NULL)
        reader->at++;
    return reader->at < reader->size ? reader->text[reader->at] : 0;
}

/* Takes the byte if it is the next one. */
static bool take(struct reader *reader, char byte)
{
    const bool next = peek(reader) == byte && reader->at < reader->size;
    reader->at += next;
    return next;
}

/* Finds a string of printable ASCII, whose escapes are left in it. */
static bool read_string(struct reader *reader, const char **string, size_t *length, const char *expected)
{
    if (!take(reader, '"'))
        return refuse(reader, expected);
    *string = reader->text + reader->at;
    const char *const end = memchr(*string, '"', reader->size - reader->at);
    if (end == NULL)
        return refuse(reader, "the end of the string");
    *length = (size_t)(end - *string);
    reader->at += *length + 1;
    return true;
}

/* ---- Images ------------------------------------------------------------------------------------------------------ */

static bool read_pixel(struct reader *reader, uint8_t *image, size_t *filled)
{
    const size_t image_size = reader->request->connection->worker->server->image, start = reader->at;
    unsigned value = 0;
    while (reader->at < reader->size && reader->text[reader->at] >= '0' && reader->text[reader->at] <= '9' &&
           value <= 255)
        value = 10 * value + (unsigned)(reader->text[reader->at++] - '0');
    const char next = reader->at < reader->size ? reader->text[reader->at] : 0;
    if (reader->at == start || value > 255 || next == '.' || next == 'e' || next == 'E') {
        reader->at = start;
        return refuse(reader, "a whole number from 0 to 255");
    }
    if (*filled == image_size)
        return request_refuse(reader->request, MHD_HTTP_BAD_REQUEST,
                              "JSON: byte %zu: image %zu has more than %zu numbers", start, reader->request->count - 1,
                              image_size);
    image[(*filled)++] = (uint8_t)value;
    return true;
}

/* A number, or an array of the same. */
static bool read_pixels(struct reader *reader, uint8_t *image, size_t *filled, size_t depth)
{
    if (peek(reader) != '[')
        return read_pixel(reader, image, filled);
    if (depth == MOST_DEPTH)
        return refuse(reader, "no deeper arrays");
    reader->at++;
    do {
        if (!read_pixels(reader, image, filled, depth + 1))
            return false;
    } while (take(reader, ','));
    return take(reader, ']') || refuse(reader, "a comma or the end of an array");
}

static bool read_image(struct reader *reader)
{
    const size_t image_size = reader->request->connection->worker->server->image;
    size_t filled = 0;
    if (peek(reader) != '[')
        return refuse(reader, "an image, an array");
    uint8_t *const image = predict_add_image(reader->request);
    if (image == NULL || !read_pixels(reader, image, &filled, 0))
        return false;
    if (filled < image_size)
        return request_refuse(reader->request, MHD_HTTP_BAD_REQUEST,
                              "JSON: byte %zu: image %zu has %zu numbers, expected %zu", reader->at,
                              reader->request->count - 1, filled, image_size);
    return true;
}

static bool read_picture(struct reader *reader)
{
    const char *base64 = NULL;
    size_t length = 0;
    if (!read_string(reader, &base64, &length, "a picture, a string in base64"))
        return false;
    unsigned char *const bytes = malloc(length / 4 * 3 + 1);
    if (bytes == NULL)
        return request_refuse(reader->request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    const size_t size = base64_decode(bytes, base64, length);
    const bool good = size != SIZE_MAX ? predict_add_picture(reader->request, bytes, size)
                                       : request_refuse(reader->request, MHD_HTTP_BAD_REQUEST,
                                                        "JSON: byte %zu: a string that is not base64", reader->at);
    free(bytes);
    return good;
}

/* ---- The whole --------------------------------------------------------------------------------------------------- */

static bool read_list(struct reader *reader, bool (*read)(struct reader *reader))
{
    if (!take(reader, '['))
        return refuse(reader, "an array");
    do {
        if (!read(reader))
            return false;
    } while (take(reader, ','));
    return take(reader, ']') || refuse(reader, "a comma or the end of the array");
}

static bool is_key(const char *name, const char *key, size_t length)
{
    return strlen(name) == length && memcmp(name, key, length) == 0;
}

bool body_read_json(struct request *request)
{
    struct reader reader = { request, (const char *)request->body, request->size, 0 };
    const char *key = NULL;
    size_t length = 0;
    if (!take(&reader, '{'))
        return refuse(&reader, "{\"images\": ...} or {\"png\": ...}");
    if (!read_string(&reader, &key, &length, "a key, \"images\" or \"png\""))
        return false;
    const bool images = is_key("images", key, length);
    if (!images && !is_key("png", key, length))
        return refuse(&reader, "the key \"images\" or \"png\" before it");
    if (!take(&reader, ':'))
        return refuse(&reader, "a colon");
    const bool one = !images && peek(&reader) == '"';
    if (one ? !read_picture(&reader) : !read_list(&reader, images ? read_image : read_picture))
        return false;
    if (!take(&reader, '}'))
        return refuse(&reader, "}");
    return (peek(&reader) == 0 && reader.at == reader.size) || refuse(&reader, "nothing more");
}
