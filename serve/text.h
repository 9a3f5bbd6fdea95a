/* Text that grows, for answers: JSON and the exposition of metrics. */
#ifndef SERVE_TEXT_H
#define SERVE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialised is empty. `bytes` is released with free(). When memory runs out, `failed` is set and what follows is
 * left out: it is enough to look at the end. */
struct text {
    char *bytes;
    size_t used, room;
    bool failed;
};

void text_add(struct text *text, const char *bytes, size_t size);
void text_print(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A JSON string, quoted; bytes that are not printable ASCII or UTF-8 become '?'. */
void text_string(struct text *text, const char *string);
/* A JSON number that reads back as the same float; null if it is not finite. */
void text_float(struct text *text, float number);
/* A JSON string of bytes in base64. */
void text_base64(struct text *text, const unsigned char *bytes, size_t size);

/* Decodes base64 (RFC 4648, padded; a slash may be written \/ as JSON allows) to `bytes`, which has room for
 * size / 4 * 3. Returns how many it made, or SIZE_MAX if it is none. */
size_t base64_decode(unsigned char *bytes, const char *base64, size_t size);

#endif
