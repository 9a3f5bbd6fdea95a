#include "text.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_ROOM = 512 };

/* Makes room for `size` bytes more. */
static bool reserve(struct text *text, size_t size)
{
    size_t room = text->room;
    while (room - text->used < size && room < SIZE_MAX / 4)
        room = 2 * room + LEAST_ROOM;
    if (room > text->room && !text->failed) {
        char *const bytes = realloc(text->bytes, room);
        text->failed = bytes == NULL;
        text->bytes = bytes != NULL ? bytes : text->bytes;
        text->room = bytes != NULL ? room : text->room;
    }
    text->failed = text->failed || room - text->used < size;
    return !text->failed;
}

void text_add(struct text *text, const char *bytes, size_t size)
{
    if (!reserve(text, size))
        return;
    memcpy(text->bytes + text->used, bytes, size);
    text->used += size;
}

void text_print(struct text *text, const char *format, ...)
{
    for (bool grown = false;; grown = true) {
        const size_t left = text->room - text->used;
        va_list arguments;
        va_start(arguments, format);
        const int length = vsnprintf(left > 0 ? text->bytes + text->used : NULL, left, format, arguments);
        va_end(arguments);
        if (length >= 0 && (size_t)length < left) {
            text->used += (size_t)length;
            return;
        }
        if (length < 0 || grown || !reserve(text, (size_t)length + 1))
            return;
    }
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

/* The length of the UTF-8 character that `string` begins with, 0 if it begins with none (RFC 3629). */
static size_t character_length(const unsigned char *string)
{
    static const struct {
        unsigned char least, most; /* of the first byte */
        unsigned char second_least, second_most;
        size_t length;
    } forms[] = {
        { 0x20, 0x7e, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (string[0] < forms[i].least || string[0] > forms[i].most)
            continue;
        if (forms[i].length > 1 && (string[1] < forms[i].second_least || string[1] > forms[i].second_most))
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if ((string[k] & 0xc0) != 0x80)
                return 0;
        return forms[i].length;
    }
    return 0;
}

void text_string(struct text *text, const char *string)
{
    text_add(text, "\"", 1);
    while (*string != 0) {
        const size_t length = character_length((const unsigned char *)string);
        if (*string == '"' || *string == '\\')
            text_add(text, "\\", 1);
        if (length > 0)
            text_add(text, string, length);
        else
            text_add(text, "?", 1);
        string += length > 0 ? length : 1;
    }
    text_add(text, "\"", 1);
}

void text_float(struct text *text, float number)
{
    if (isfinite(number))
        text_print(text, "%.9g", (double)number);
    else
        text_add(text, "null", 4);
}

/* ---- Base64 ------------------------------------------------------------------------------------------------------ */

static const char digits64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void text_base64(struct text *text, const unsigned char *bytes, size_t size)
{
    text_add(text, "\"", 1);
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const unsigned long group = (unsigned long)bytes[i] << 16 | (left > 1 ? (unsigned long)bytes[i + 1] << 8 : 0) |
                                    (left > 2 ? bytes[i + 2] : 0);
        const char four[4] = { digits64[group >> 18], digits64[group >> 12 & 63],
                               left > 1 ? digits64[group >> 6 & 63] : '=', left > 2 ? digits64[group & 63] : '=' };
        text_add(text, four, sizeof four);
    }
    text_add(text, "\"", 1);
}

size_t base64_decode(unsigned char *bytes, const char *base64, size_t size)
{
    size_t used = 0, count = 0, padding = 0;
    unsigned long group = 0;
    for (size_t i = 0; i < size; i++) {
        if (base64[i] == '\\' && i + 1 < size && base64[i + 1] == '/')
            continue;
        const char *const digit = base64[i] != 0 && padding == 0 ? strchr(digits64, base64[i]) : NULL;
        if (digit == NULL && (base64[i] != '=' || padding == 2 || count % 4 < 2))
            return SIZE_MAX;
        padding += digit == NULL;
        group = group << 6 | (digit != NULL ? (unsigned long)(digit - digits64) : 0);
        if (++count % 4 != 0)
            continue;
        for (size_t k = 0; k < 3 - padding; k++)
            bytes[used++] = (unsigned char)(group >> (16 - 8 * k));
        group = 0;
    }
    return count % 4 == 0 ? used : SIZE_MAX;
}
