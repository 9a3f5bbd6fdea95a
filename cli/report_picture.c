/* The pictures of a report: PNG in data URIs, and the first layer's weights made visible. */
#include "report.h"

#include <stdlib.h>
#include <string.h>

#define MOST_FILTERS 64
#define MOST_PER_ROW 16

/* Base64 of RFC 4648. */
static void print_base64(FILE *file, const unsigned char *bytes, size_t size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const unsigned group =
            (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        fputc(letters[group >> 18], file);
        fputc(letters[group >> 12 & 63], file);
        fputc(left > 1 ? letters[group >> 6 & 63] : '=', file);
        fputc(left > 2 ? letters[group & 63] : '=', file);
    }
}

void picture_print_uri(FILE *file, struct ink_shape shape, const uint8_t *pixels)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    /* A picture that cannot be encoded is an empty one; the text beside it says all the same what it shows. */
    if (ink_picture_encode_png(&bytes, &size, shape, pixels, "a picture", NULL) == INK_OK) {
        fputs("data:image/png;base64,", file);
        print_base64(file, bytes, size);
    }
    free(bytes);
}

/* ---- Filters ----------------------------------------------------------------------------------------------------- */

/* The first layer's weights, (height, width, channels, count). */
struct filters {
    size_t height, width, channels, count;
    const float *weights;
};

/* The weights of a first layer that sees the image itself: dense (H W C, N) or conv (K, K, C, N). */
static bool find_filters(const struct ink_net *net, struct filters *f, float **weights)
{
    const struct ink_shape input = ink_net_input(net);
    struct ink_parameter_info info;
    if (!ink_net_parameter(net, 0, &info, NULL) || strcmp(info.name, "0.weight") != 0 ||
        (input.channels != 1 && input.channels != 3))
        return false;
    if (info.rank == 2)
        *f = (struct filters){ input.height, input.width, input.channels, info.shape[1], NULL };
    else if (info.rank == 4)
        *f = (struct filters){ info.shape[0], info.shape[1], info.shape[2], info.shape[3], NULL };
    else
        return false;
    if (f->height * f->width < 2 || (*weights = calloc(info.count, sizeof **weights)) == NULL)
        return false;
    f->weights = *weights;
    return ink_net_parameter(net, 0, &info, *weights);
}

static float weight_at(const struct filters *f, size_t n, size_t pixel, size_t channel)
{
    return f->weights[(pixel * f->channels + channel) * f->count + n];
}

/* Grey networks: blue below zero, red above, white at it; colour networks: the weights as colours around grey. Each
 * filter is scaled by its own largest weight. */
static void draw_filter(const struct filters *f, size_t n, uint8_t *to, size_t row_bytes)
{
    float largest = 0;
    for (size_t pixel = 0; pixel < f->height * f->width; pixel++)
        for (size_t c = 0; c < f->channels; c++)
            largest = fmaxf(largest, fabsf(weight_at(f, n, pixel, c)));
    for (size_t pixel = 0; pixel < f->height * f->width; pixel++) {
        uint8_t *const rgb = to + pixel / f->width * row_bytes + pixel % f->width * 3;
        for (size_t c = 0; c < 3; c++) {
            static const float positive[] = { 0.70f, 0.09f, 0.17f }, negative[] = { 0.13f, 0.40f, 0.67f };
            const float w = largest > 0 ? weight_at(f, n, pixel, f->channels == 3 ? c : 0) / largest : 0;
            const float full = w > 0 ? positive[c] : negative[c];
            const float level = f->channels == 3 ? 0.5f + 0.5f * w : 1 - fabsf(w) * (1 - full);
            rgb[c] = (uint8_t)(255 * level + 0.5f);
        }
    }
}

/* As many as leave no gap in the last row, unless these are few. */
static size_t columns_for(size_t count)
{
    for (size_t columns = MOST_PER_ROW; columns >= MOST_PER_ROW / 2; columns--)
        if (count % columns == 0)
            return columns;
    return count < MOST_PER_ROW ? count : MOST_PER_ROW;
}

size_t picture_print_filters(FILE *file, const struct ink_net *net)
{
    struct filters f;
    float *weights = NULL;
    uint8_t *sheet = NULL;
    size_t shown = 0;
    if (find_filters(net, &f, &weights)) {
        const size_t count = f.count < MOST_FILTERS ? f.count : MOST_FILTERS;
        const size_t columns = columns_for(count), rows = (count + columns - 1) / columns;
        const struct ink_shape shape = { rows * (f.height + 1) - 1, columns * (f.width + 1) - 1, 3 };
        sheet = malloc(shape.height * shape.width * shape.channels);
        if (sheet != NULL) {
            memset(sheet, 128, shape.height * shape.width * shape.channels);
            for (size_t n = 0; n < count; n++)
                draw_filter(&f, n,
                            sheet + 3 * (n / columns * (f.height + 1) * shape.width + n % columns * (f.width + 1)),
                            3 * shape.width);
            const size_t zoom = f.width < 12 ? 8 : 2;
            fprintf(file,
                    "<img class=\"filters\" alt=\"The weights of %zu filters of %zu by %zu pixels\" width=\"%zu\" "
                    "src=\"",
                    count, f.height, f.width, zoom * shape.width);
            picture_print_uri(file, shape, sheet);
            fprintf(file, "\">\n");
            shown = count;
        }
    }
    free(sheet);
    free(weights);
    return shown;
}
