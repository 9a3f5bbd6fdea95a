/*
 * Augmentation: the line of text, and one image.
 *
 * Shift, rotation, scale, shear and flip become one affine map, which the kernel `warp` follows together with the
 * elastic bend, so that an image is sampled once however much is asked for. Rounding aside, all is whole numbers; the
 * few real ones are computed by + - * / alone, for the same bits everywhere. What each part draws comes from a place of
 * its own in the sample's stream, so asking for one part does not change what another does.
 */
#include "train/augment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/reader.h"

/* ---- The line of text -------------------------------------------------------------------------------------------- */

enum unit { NOTHING, WHOLE, DECIMAL, SHARE };

static const struct {
    const char *name;
    enum unit unit;
    double most; /* of SHARE in percent */
    const char *expected;
} parts[INK__AUGMENT_PARTS] = {
    [INK__AUGMENT_SHIFT] = { "shift", WHOLE, 64, "a whole number of pixels from 0 to 64" },
    [INK__AUGMENT_ROTATE] = { "rotate", DECIMAL, 180, "degrees from 0 to 180" },
    [INK__AUGMENT_SCALE] = { "scale", SHARE, 50, "a share from 0 to 50%, such as 12% or 0.12" },
    [INK__AUGMENT_SHEAR] = { "shear", DECIMAL, 45, "degrees from 0 to 45" },
    [INK__AUGMENT_ELASTIC] = { "elastic", DECIMAL, 64, "pixels from 0 to 64" },
    [INK__AUGMENT_FLIP] = { "flip", NOTHING, 1, NULL },
    [INK__AUGMENT_ERASE] = { "erase", SHARE, 100, "a chance from 0 to 100%, such as 25% or 0.25" },
    [INK__AUGMENT_BRIGHTNESS] = { "brightness", SHARE, 100, "a share from 0 to 100%, such as 20% or 0.2" },
    [INK__AUGMENT_CONTRAST] = { "contrast", SHARE, 100, "a share from 0 to 100%, such as 20% or 0.2" },
};

static const char *part_name(size_t i)
{
    return i < INK__AUGMENT_PARTS ? parts[i].name : NULL;
}

/* "12%" or "0.12", in percent. */
static enum ink_status read_share(struct ink__reader *r, double most, double *percent, const char *expected)
{
    const char *const begin = r->at;
    const enum ink_status status = ink__read_decimal(r, 100.0, percent, expected);
    if (status != INK_OK)
        return status;
    if (*r->at == '%')
        r->at++;
    else
        *percent *= 100.0;
    if (*percent <= most)
        return INK_OK;
    r->at = begin;
    ink__read_space(r);
    return ink__read_wrong(r, expected, false);
}

static enum ink_status read_part(struct ink__reader *r, double *most, enum ink__augment_part part)
{
    size_t whole = 0;
    enum ink_status status = INK_OK;
    switch (parts[part].unit) {
    case NOTHING:
        *most = 1.0;
        break;
    case WHOLE:
        status = ink__read_whole(r, 0, (size_t)parts[part].most, &whole, parts[part].expected);
        *most = (double)whole;
        break;
    case DECIMAL:
        status = ink__read_decimal(r, parts[part].most, most, parts[part].expected);
        break;
    case SHARE:
        status = read_share(r, parts[part].most, most, parts[part].expected);
        break;
    }
    return status;
}

/* What is less could not be told, in nine decimals, and changes no pixel. */
#define LEAST 6e-10

enum ink_status ink__augment_parse(struct ink__augment *augment, const char *text, struct ink_error *err)
{
    struct ink__reader r = { .what = "augment", .text = text, .at = text, .word = part_name, .err = err };
    bool seen[INK__AUGMENT_PARTS] = { false }, more = true;
    *augment = (struct ink__augment){ 0 };
    ink__read_space(&r);
    if (*r.at == '\0')
        return INK_OK;
    while (more) {
        size_t part = 0;
        ink__read_space(&r);
        while (part < INK__AUGMENT_PARTS && !ink__word_is(r.at, parts[part].name))
            part++;
        if (part == INK__AUGMENT_PARTS)
            return ink__read_wrong(&r, "a way to change an image", true);
        if (seen[part])
            return ink__read_wrong(&r, "each word once", false);
        seen[part] = true;
        r.at += strlen(parts[part].name);
        const enum ink_status status = read_part(&r, &augment->most[part], (enum ink__augment_part)part);
        if (status != INK_OK)
            return status;
        if (augment->most[part] < LEAST)
            augment->most[part] = 0.0;
        ink__read_space(&r);
        more = *r.at == ',';
        if (more)
            r.at++;
        else if (*r.at != '\0')
            return ink__read_wrong(&r, "',' or the end of the line", true);
    }
    return INK_OK;
}

/* With no exponent, which ink__augment_parse does not read. */
static void print_decimal(char text[32], double number)
{
    const int length = snprintf(text, 32, "%.9f", number);
    char *end = text + length;
    while (end[-1] == '0')
        end--;
    end -= end[-1] == '.';
    *end = '\0';
}

void ink__augment_print(const struct ink__augment *augment, char text[256])
{
    char number[32];
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; i < INK__AUGMENT_PARTS; i++) {
        if (augment->most[i] == 0.0)
            continue;
        used += (size_t)snprintf(text + used, 256 - used, "%s%s", used > 0 ? ", " : "", parts[i].name);
        print_decimal(number, augment->most[i]);
        if (parts[i].unit != NOTHING)
            used += (size_t)snprintf(text + used, 256 - used, " %s%s", number, parts[i].unit == SHARE ? "%" : "");
    }
}

/* ---- Random numbers ---------------------------------------------------------------------------------------------- */

/* The blocks of a sample's stream, of four words each, and what is drawn from them. */
enum { BLOCK_MAP, BLOCK_MORE, BLOCK_ERASE, BLOCK_PLACE, BLOCK_NODES = 16, BLOCK_NOISE = 32 };

/* In [-most, most). */
static double symmetric(uint32_t word, double most)
{
    return most * ((double)word / 2147483648.0 - 1.0);
}

/* A whole number from least to most. */
static size_t between(uint32_t word, size_t least, size_t most)
{
    return least + (size_t)((uint64_t)word * (most - least + 1) >> 32);
}

/* ---- Making ------------------------------------------------------------------------------------------------------ */

#define NODES INK__BEND_NODES
#define CELLS (NODES - 3) /* of the bend's grid, along a side: a cubic spline reaches over four nodes */
#define ONE   65536.0     /* a pixel, to the kernel */

/* A thread's memory. */
struct scratch {
    uint8_t *image, *padded;
    uint32_t *corners;
    int32_t *nodes, *columns;
};

struct ink__augmenter {
    struct ink__augment augment;
    struct ink_shape shape;
    const struct ink__kernels *kernels;
    int32_t *across, *down;  /* the bend's weights, as the kernel wants them */
    struct scratch *scratch; /* (threads) */
    size_t threads;
    struct ink__arena arena;
};

static void take(struct ink__augmenter *a)
{
    struct ink__arena *arena = &a->arena;
    const size_t h = a->shape.height, w = a->shape.width;
    a->across = ink__arena_take(arena, NODES * w, sizeof *a->across);
    a->down = ink__arena_take(arena, NODES * h, sizeof *a->down);
    for (size_t t = 0; t < a->threads; t++) {
        struct scratch *s = &a->scratch[t];
        s->image = ink__arena_take(arena, h * w * a->shape.channels, sizeof *s->image);
        s->padded = ink__arena_take(arena, (h + 3) * (w + 3), sizeof *s->padded);
        s->corners = ink__arena_take(arena, (h + 2) * (w + 3), sizeof *s->corners);
        s->nodes = ink__arena_take(arena, 2 * NODES * NODES, sizeof *s->nodes);
        s->columns = ink__arena_take(arena, 2 * NODES * ((w + 15) / 16 * 16), sizeof *s->columns);
    }
}

/* The weights of the cubic B-spline's nodes at each of `count` pixels of a side, in 1/256, adding to 256. Node n of
 * pixel i goes to weights[n * by_node + i * by_pixel]. */
static void fill_weights(int32_t *weights, size_t count, size_t by_node, size_t by_pixel)
{
    for (size_t i = 0; i < count; i++) {
        const size_t cell = (2 * i + 1) * CELLS / (2 * count);
        const double t = ((double)i + 0.5) * (double)CELLS / (double)count - (double)cell, u = 1.0 - t;
        const int32_t first = (int32_t)(256.0 * u * u * u / 6.0 + 0.5);
        const int32_t last = (int32_t)(256.0 * t * t * t / 6.0 + 0.5);
        const int32_t second = (int32_t)(256.0 * (3.0 * t * t * t - 6.0 * t * t + 4.0) / 6.0 + 0.5);
        const int32_t four[4] = { first, second, 256 - first - second - last, last };
        for (size_t k = 0; k < 4; k++)
            weights[(cell + k) * by_node + i * by_pixel] = four[k];
    }
}

enum ink_status ink__augmenter_new(struct ink__augmenter **out, const struct ink__augment *augment,
                                   struct ink_shape shape, const struct ink__kernels *kernels, size_t threads,
                                   struct ink_error *err)
{
    *out = NULL;
    struct ink__augmenter *a = ink__array(1, sizeof *a);
    if (a == NULL)
        return ink__fail_memory(err);
    *a = (struct ink__augmenter){ .augment = *augment, .shape = shape, .kernels = kernels, .threads = threads };
    a->scratch = ink__array(threads, sizeof *a->scratch);
    if (a->scratch == NULL)
        goto fail;
    take(a);
    if (!ink__arena_make(&a->arena))
        goto fail;
    take(a);
    fill_weights(a->across, shape.width, shape.width, 1);
    fill_weights(a->down, shape.height, 1, NODES);
    *out = a;
    return INK_OK;
fail:
    ink__augmenter_free(a);
    return ink__fail_memory(err);
}

void ink__augmenter_free(struct ink__augmenter *a)
{
    if (a == NULL)
        return;
    ink__arena_free(&a->arena);
    free(a->scratch);
    free(a);
}

/* ---- Where pixels come from -------------------------------------------------------------------------------------- */

#define RADIANS (3.14159265358979323846 / 180.0)

/* The series about 0, far enough for half a turn at a hundredth of what a pixel is divided into:
 * x - x^3 / 3! + ... = x (1 - y / (2 3) (1 - y / (4 5) (1 - ...))) with y = x x, and the cosine's likewise. */
static double series(double y, int first)
{
    double sum = 1.0;
    for (int n = first + 16; n >= first; n -= 2)
        sum = 1.0 - sum * y * (1.0 / (double)(n * (n + 1)));
    return sum;
}

static double sine(double x)
{
    return x * series(x * x, 2);
}

static double cosine(double x)
{
    return series(x * x, 1);
}

static int32_t rounded(double x)
{
    return (int32_t)(x + (x < 0.0 ? -0.5 : 0.5));
}

/* The map of a result's pixel p to its place in the image: centre + M (p - shift - centre), M being the inverse of
 * rotation times shear times scale, and then the mirror. */
static void draw_map(const struct ink__augmenter *a, const struct ink__philox_key *key, struct ink__warp *warp)
{
    const double *const most = a->augment.most;
    uint32_t map[4], more[4];
    ink__philox(key, BLOCK_MAP, map);
    ink__philox(key, BLOCK_MORE, more);
    const int64_t steps = (int64_t)most[INK__AUGMENT_SHIFT];
    const int64_t shift_x = (int64_t)between(map[0], 0, (size_t)(2 * steps)) - steps;
    const int64_t shift_y = (int64_t)between(map[1], 0, (size_t)(2 * steps)) - steps;
    const double angle = RADIANS * symmetric(map[2], most[INK__AUGMENT_ROTATE]), sin = sine(angle), cos = cosine(angle);
    const double by = 1.0 / (1.0 + symmetric(map[3], most[INK__AUGMENT_SCALE] / 100.0));
    const double lean = RADIANS * symmetric(more[0], most[INK__AUGMENT_SHEAR]), slope = sine(lean) / cosine(lean);
    const double mirror = most[INK__AUGMENT_FLIP] != 0.0 && more[1] >> 31 != 0 ? -1.0 : 1.0;
    warp->by_x[0] = rounded(ONE * mirror * by * (cos + slope * sin));
    warp->by_y[0] = rounded(ONE * mirror * by * (sin - slope * cos));
    warp->by_x[1] = rounded(ONE * -by * sin);
    warp->by_y[1] = rounded(ONE * by * cos);

    const int64_t right = (int64_t)a->shape.width - 1, bottom = (int64_t)a->shape.height - 1; /* twice the centre */
    for (size_t d = 0; d < 2; d++) {
        const int64_t centre = (d == 0 ? right : bottom) * 65536;
        warp->origin[d] = (int32_t)((centre - warp->by_x[d] * right - warp->by_y[d] * bottom) / 2 -
                                    warp->by_x[d] * shift_x - warp->by_y[d] * shift_y);
    }
}

/* The two halves of a word nudge a node across and down. */
static void draw_nodes(const struct ink__augmenter *a, const struct ink__philox_key *key, int32_t *nodes)
{
    const int64_t most = rounded(ONE * a->augment.most[INK__AUGMENT_ELASTIC]);
    uint32_t words[4];
    for (uint32_t n = 0; n < NODES * NODES; n++) {
        if (n % 4 == 0)
            ink__philox(key, BLOCK_NODES + n / 4, words);
        nodes[n] = (int32_t)(most * ((int64_t)(words[n % 4] & 0xffff) - 32768) / 32768);
        nodes[NODES * NODES + n] = (int32_t)(most * ((int64_t)(words[n % 4] >> 16) - 32768) / 32768);
    }
}

static bool is_asked_for(const struct ink__augmenter *a, enum ink__augment_part first, enum ink__augment_part last)
{
    bool asked = false;
    for (size_t i = first; i <= last; i++)
        asked = asked || a->augment.most[i] != 0.0;
    return asked;
}

static bool is_identity(const struct ink__warp *w)
{
    const int32_t one = (int32_t)ONE;
    return w->nodes == NULL && w->origin[0] == 0 && w->origin[1] == 0 && w->by_x[0] == one && w->by_x[1] == 0 &&
           w->by_y[0] == 0 && w->by_y[1] == one;
}

static const uint8_t *move(const struct ink__augmenter *a, const struct ink__philox_key *key, const struct scratch *s,
                           const uint8_t *image)
{
    struct ink__warp warp = { .height = a->shape.height,
                              .width = a->shape.width,
                              .channels = a->shape.channels,
                              .across = a->across,
                              .down = a->down,
                              .columns = s->columns,
                              .padded = s->padded,
                              .corners = s->corners };
    draw_map(a, key, &warp);
    if (a->augment.most[INK__AUGMENT_ELASTIC] != 0.0) {
        draw_nodes(a, key, s->nodes);
        warp.nodes = s->nodes;
    }
    if (is_identity(&warp))
        return image;
    a->kernels->warp(&warp, image, s->image);
    return s->image;
}

/* ---- What pixels become ------------------------------------------------------------------------------------------ */

/* Contrast stretches intensities about the image's mean, brightness multiplies them; in 1/4096. */
static const uint8_t *light(const struct ink__augmenter *a, const struct ink__philox_key *key, const struct scratch *s,
                            const uint8_t *image)
{
    const size_t count = a->shape.height * a->shape.width * a->shape.channels;
    uint32_t more[4];
    uint64_t sum = 0;
    ink__philox(key, BLOCK_MORE, more);
    for (size_t i = 0; i < count; i++)
        sum += image[i];
    const double brightness = 1.0 + symmetric(more[2], a->augment.most[INK__AUGMENT_BRIGHTNESS] / 100.0);
    const double contrast = 1.0 + symmetric(more[3], a->augment.most[INK__AUGMENT_CONTRAST] / 100.0);
    const double mean = (double)sum / (double)count;
    const int32_t gain = rounded(4096.0 * brightness * contrast);
    const int32_t offset = rounded(4096.0 * brightness * (1.0 - contrast) * mean) + 2048;
    for (size_t i = 0; i < count; i++) {
        const int32_t value = (image[i] * gain + offset) >> 12;
        s->image[i] = (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
    }
    return s->image;
}

/* Zhong et al., "Random erasing data augmentation", arXiv 1708.04896: a rectangle of noise, each side between 15% and
 * 60% of the image's. */
static const uint8_t *erase(const struct ink__augmenter *a, const struct ink__philox_key *key, const struct scratch *s,
                            const uint8_t *image)
{
    const size_t height = a->shape.height, width = a->shape.width, channels = a->shape.channels;
    uint32_t size[4], place[4], noise[4];
    ink__philox(key, BLOCK_ERASE, size);
    ink__philox(key, BLOCK_PLACE, place);
    if ((double)size[0] >= a->augment.most[INK__AUGMENT_ERASE] / 100.0 * 4294967296.0)
        return image;
    if (image != s->image)
        memcpy(s->image, image, height * width * channels);
    const size_t rows = between(size[1], (3 * height + 19) / 20, (12 * height + 19) / 20);
    const size_t columns = between(size[2], (3 * width + 19) / 20, (12 * width + 19) / 20);
    const size_t top = between(place[0], 0, height - rows), left = between(place[1], 0, width - columns);
    for (size_t y = 0, drawn = 0; y < rows; y++) {
        uint8_t *const row = s->image + ((top + y) * width + left) * channels;
        for (size_t i = 0; i < columns * channels; i++, drawn++) {
            if (drawn % 16 == 0)
                ink__philox(key, BLOCK_NOISE + (uint32_t)(drawn / 16), noise);
            row[i] = (uint8_t)(noise[drawn / 4 % 4] >> 8 * (drawn % 4));
        }
    }
    return s->image;
}

/* ---- One image --------------------------------------------------------------------------------------------------- */

const uint8_t *ink__augmenter_apply(const struct ink__augmenter *a, const struct ink__philox_key *key, size_t thread,
                                    const uint8_t *image)
{
    const struct scratch *s = &a->scratch[thread];
    if (is_asked_for(a, INK__AUGMENT_SHIFT, INK__AUGMENT_FLIP))
        image = move(a, key, s, image);
    if (is_asked_for(a, INK__AUGMENT_BRIGHTNESS, INK__AUGMENT_CONTRAST))
        image = light(a, key, s, image);
    if (is_asked_for(a, INK__AUGMENT_ERASE, INK__AUGMENT_ERASE))
        image = erase(a, key, s, image);
    return image;
}
