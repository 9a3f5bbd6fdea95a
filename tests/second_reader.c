/*
 * Reads many inputs and tells what is in them, for differential.py, which has them read by NumPy and Python too.
 *
 * On standard input, for each: 'n' (npy or npz) or 'j' (JSON), its size in 8 bytes, its bytes. On standard output, for
 * each: a byte, the status; 8 bytes, the size of the rest; the error's message, or what was found: of JSON the value as
 * JSON again, of every array its name, '\n', its kind, then as numbers of 8 bytes width, rank, shape and whether the first
 * index runs fastest, then its elements: numbers as doubles, text as it stands in the file. All numbers are little-endian.
 */
#include "input.h"

#include "base/bytes.h"
#include "base/npz.h"
#include "format/json.h"

static void put(FILE *out, uint64_t number)
{
    unsigned char bytes[8];
    ink__put_little(bytes, number, sizeof bytes);
    fwrite(bytes, 1, sizeof bytes, out);
}

static void put_array(FILE *out, const struct ink__npy *array)
{
    fprintf(out, "%s\n%c", array->name, array->kind);
    put(out, array->width);
    put(out, array->rank);
    for (size_t d = 0; d < array->rank; d++)
        put(out, array->shape[d]);
    put(out, array->fortran);
    if (array->kind == 'S' || array->kind == 'U') {
        fwrite(array->data, array->width, array->count, out);
        return;
    }
    for (size_t i = 0; i < array->count; i++) {
        const double value = ink__npy_value(array, i);
        fwrite(&value, sizeof value, 1, out);
    }
}

static enum ink_status read_arrays(FILE *out, const unsigned char *bytes, size_t size, struct ink_error *err)
{
    const struct input input = input_open(bytes, size);
    struct ink__npz *npz;
    const struct ink__npy *array;
    enum ink_status status = ink__npz_open(&npz, input.path, err);
    for (size_t i = 0; status == INK_OK && (array = ink__npz_array(npz, i)) != NULL; i++)
        if ((status = ink__npz_load(npz, array, err)) == INK_OK)
            put_array(out, array);
    if (npz != NULL)
        ink__npz_free(npz);
    input_close(&input);
    return status;
}

static enum ink_status read_json(FILE *out, const unsigned char *bytes, size_t size, struct ink_error *err)
{
    json_t *value;
    json_error_t error;
    const enum ink_status status = ink__json_parse(&value, (const char *)bytes, size, &error);
    if (status != INK_OK) {
        snprintf(err->message, sizeof err->message, "%s", error.text);
        return status;
    }
    char *const text = ink__json_text(value, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(17));
    if (text == NULL)
        abort();
    fputs(text, out);
    free(text);
    json_decref(value);
    return INK_OK;
}

int main(void)
{
    unsigned char head[9];
    while (fread(head, 1, sizeof head, stdin) == sizeof head) {
        struct ink_error err = { .message = "" };
        char *found = NULL;
        size_t found_size = 0;
        const size_t size = (size_t)ink__little64(head + 1);
        unsigned char *const bytes = malloc(size + 1);
        FILE *const out = open_memstream(&found, &found_size);
        if (bytes == NULL || out == NULL || fread(bytes, 1, size, stdin) != size)
            abort();
        const enum ink_status status =
            head[0] == 'n' ? read_arrays(out, bytes, size, &err) : read_json(out, bytes, size, &err);
        fclose(out);
        putchar((int)status);
        put(stdout, status == INK_OK ? found_size : strlen(err.message));
        fwrite(status == INK_OK ? found : err.message, 1, status == INK_OK ? found_size : strlen(err.message), stdout);
        free(found);
        free(bytes);
    }
    return ferror(stdin) || fflush(stdout) != 0;
}
