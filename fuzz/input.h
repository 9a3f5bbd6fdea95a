/* An input as a file, which the parsers that take a path want; in memory, so that no disk slows it down. */
#ifndef INK_FUZZ_INPUT_H
#define INK_FUZZ_INPUT_H

#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    int descriptor;
    char path[32];
};

static inline void input_write(const struct input *input, const void *bytes, size_t size)
{
    if (size > 0 && write(input->descriptor, bytes, size) != (ssize_t)size)
        abort();
}

static inline struct input input_open(const void *bytes, size_t size)
{
    struct input input = { .descriptor = memfd_create("input", MFD_CLOEXEC) };
    if (input.descriptor < 0)
        abort();
    snprintf(input.path, sizeof input.path, "/proc/self/fd/%d", input.descriptor);
    input_write(&input, bytes, size);
    return input;
}

/* A safetensors file. An input that begins with '{' gets the length of its header, which ends at the first zero byte or
 * the input's end: what mutates text finds that hard. Any other is the file as it is. */
static inline struct input input_open_safetensors(const uint8_t *data, size_t size)
{
    if (size == 0 || data[0] != '{')
        return input_open(data, size);
    const uint8_t *end = memchr(data, 0, size);
    const size_t header = end == NULL ? size : (size_t)(end - data), rest = end == NULL ? size : header + 1;
    unsigned char length[8];
    for (size_t i = 0; i < sizeof length; i++)
        length[i] = (unsigned char)((uint64_t)header >> 8 * i);
    const struct input input = input_open(length, sizeof length);
    input_write(&input, data, header);
    input_write(&input, data + rest, size - rest);
    return input;
}

static inline void input_close(const struct input *input)
{
    close(input->descriptor);
}

/* The input as text, ended by a zero byte. For free(). */
static inline char *input_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    if (text == NULL)
        abort();
    memcpy(text, data, size);
    text[size] = 0;
    return text;
}

#endif
