/* Builds safetensors files by hand, well formed and not. */
#ifndef INK_TESTS_MODEL_BYTES_H
#define INK_TESTS_MODEL_BYTES_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
    unsigned char *at; /* for free() */
    size_t size;
};

/* The length, `header` and `data`. */
static inline struct bytes model_bytes(const char *header, const void *data, size_t size)
{
    const size_t length = strlen(header);
    struct bytes bytes = { malloc(8 + length + size + 1), 8 + length + size };
    for (size_t i = 0; i < 8; i++)
        bytes.at[i] = (unsigned char)((uint64_t)length >> 8 * i);
    memcpy(bytes.at + 8, header, length);
    if (size > 0)
        memcpy(bytes.at + 8 + length, data, size);
    return bytes;
}

/* A file's content. */
static inline struct bytes read_bytes(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct bytes bytes = { malloc(1 << 20), 0 };
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    bytes.size = fread(bytes.at, 1, 1 << 20, file);
    fclose(file);
    return bytes;
}

#endif
