/* C as text: comments, strings, and numbers that come back as they were. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/csource.h"

void ink__put_text(struct ink__writer *out, const char *text)
{
    ink__writer_write(out, text, strlen(text));
}

void ink__put(struct ink__writer *out, const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ink__put_text(out, text);
}

void ink__put_comment(struct ink__writer *out, const char *text)
{
    for (char last = 0; *text != 0; last = *text++) {
        const bool plain = *text >= ' ' && *text <= '~' && !(last == '*' && *text == '/');
        ink__writer_write(out, plain ? text : "?", 1);
    }
}

/* An octal escape has three digits, so that what follows cannot belong to it; '?' is escaped for the sake of trigraphs.
 */
void ink__put_string(struct ink__writer *out, const char *text)
{
    ink__put_text(out, "\"");
    for (; *text != 0; text++) {
        const unsigned char c = (unsigned char)*text;
        if (strchr("\"\\?", c) != NULL)
            ink__put(out, "\\%c", c);
        else if (c < ' ' || c > '~')
            ink__put(out, "\\%03o", c);
        else
            ink__put(out, "%c", c);
    }
    ink__put_text(out, "\"");
}

/* The locale's decimal sign, whatever it is, becomes a point. */
void ink__put_float(struct ink__writer *out, float value)
{
    char text[64], plain[64];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    size_t length = 0;
    bool is_real = false;
    for (const char *c = text; *c != 0; c++) {
        const bool usual = isdigit((unsigned char)*c) || strchr("-+e", *c) != NULL;
        if (usual || !is_real)
            plain[length++] = usual ? *c : '.';
        is_real |= !usual || *c == 'e';
    }
    plain[length] = 0;
    ink__put(out, "%s%sf", plain, is_real ? "" : ".0");
}
