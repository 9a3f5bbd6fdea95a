/*
 * Telling ink from ground. Ground is what the border of a picture is mostly made of; ink is what differs from it by
 * more than the ground does from itself, and hangs together with something that differs much. Dust and shadows go.
 */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/picture.h"

enum {
    LONGEST_SIDE = 512,  /* larger pictures are shrunk to this first: for a digit it is plenty */
    LEAST_CONTRAST = 24, /* of 255, between ink and ground: less is an empty page */
    BORDER_SHARE = 20,   /* the border is a twentieth of the shorter side wide */
    FAINT_SHARE = 16,    /* less than a sixteenth of the strongest ink is none */
    SURE_SHARE = 2,      /* at least half of the strongest ink is ink for sure */
    DUST_SHARE = 50,     /* a part of less than a fiftieth of the largest is dust */
    LEVELS = 256
};

/* ---- Ground ------------------------------------------------------------------------------------------------------ */

/* The level that `share` of the counted ones do not exceed. */
static unsigned percentile(const size_t histogram[LEVELS], double share)
{
    size_t total = 0, counted = 0;
    unsigned level = 0;
    for (unsigned i = 0; i < LEVELS; i++)
        total += histogram[i];
    while (level < LEVELS - 1 && (double)(counted += histogram[level]) < share * (double)total)
        level++;
    return level;
}

static void count_border(size_t histogram[LEVELS], const uint8_t *levels, size_t height, size_t width)
{
    const size_t border = (height < width ? height : width) / BORDER_SHARE + 1;
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++) {
            if (y < border || y + border >= height || x < border || x + border >= width)
                histogram[levels[y * width + x]]++;
        }
    }
}

/* Turns levels of grey into levels of ink, 0 where there may be none. Returns the strongest, 0 if there is none. */
static unsigned subtract_ground(uint8_t *levels, size_t height, size_t width)
{
    size_t border[LEVELS] = { 0 }, uneven[LEVELS] = { 0 };
    unsigned darkest = 255, brightest = 0;
    for (size_t i = 0; i < height * width; i++) {
        darkest = levels[i] < darkest ? levels[i] : darkest;
        brightest = levels[i] > brightest ? levels[i] : brightest;
    }
    count_border(border, levels, height, width);
    const unsigned ground = percentile(border, 0.5);
    const bool dark_ink = ground - darkest > brightest - ground;
    const unsigned strongest = dark_ink ? ground - darkest : brightest - ground;
    if (strongest < LEAST_CONTRAST)
        return 0;

    uint8_t ink_of[LEVELS];
    for (unsigned level = 0; level < LEVELS; level++) {
        const unsigned above = level > ground ? level - ground : 0, below = level < ground ? ground - level : 0;
        ink_of[level] = (uint8_t)(dark_ink ? below : above);
        uneven[ink_of[level]] += border[level];
    }
    /* What nine tenths of the border do not exceed is no ink, nor is twice that; unless ink itself is on the border. */
    const unsigned twice = 2 * percentile(uneven, 0.9);
    const unsigned bounded = twice < strongest / SURE_SHARE ? twice : strongest / SURE_SHARE;
    const unsigned least = bounded > strongest / FAINT_SHARE ? bounded : strongest / FAINT_SHARE;
    for (size_t i = 0; i < height * width; i++)
        levels[i] = ink_of[levels[i]] < least ? 0 : ink_of[levels[i]];
    return strongest;
}

/* ---- Parts that hang together ------------------------------------------------------------------------------------ */

/* A part of the ink: where its pixels are listed, and what they add up to. */
struct part {
    size_t begin, end, mass;
    unsigned strongest;
};

struct search {
    const uint8_t *ink;
    size_t height, width;
    bool *seen;
    uint32_t *pixels; /* indices; those of one part follow each other */
};

/* Lists the part that the pixel `first` belongs to, from pixels[begin] on; neighbours are eight. */
static struct part follow(struct search *search, size_t begin, size_t first)
{
    struct part part = { begin, begin, 0, 0 };
    search->pixels[part.end++] = (uint32_t)first;
    search->seen[first] = true;
    for (size_t next = begin; next < part.end; next++) {
        const size_t index = search->pixels[next];
        const size_t y = index / search->width, x = index % search->width;
        const size_t top = y > 0 ? y - 1 : 0, bottom = y + 1 < search->height ? y + 1 : y;
        const size_t left = x > 0 ? x - 1 : 0, right = x + 1 < search->width ? x + 1 : x;
        part.mass += search->ink[index];
        part.strongest = search->ink[index] > part.strongest ? search->ink[index] : part.strongest;
        for (size_t v = top; v <= bottom; v++) {
            for (size_t u = left; u <= right; u++) {
                const size_t neighbour = v * search->width + u;
                if (search->ink[neighbour] == 0 || search->seen[neighbour])
                    continue;
                search->seen[neighbour] = true;
                search->pixels[part.end++] = (uint32_t)neighbour;
            }
        }
    }
    return part;
}

/* Wipes out the parts that are faint or small. */
static enum ink_status wipe_dust(uint8_t *ink, size_t height, size_t width, unsigned strongest, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    const size_t size = height * width;
    size_t count = 0, listed = 0, largest = 0;
    struct search search = { ink, height, width, ink__array(size, sizeof(bool)), ink__array(size, sizeof(uint32_t)) };
    struct part *parts = ink__array(size, sizeof *parts);
    if (search.seen == NULL || search.pixels == NULL || parts == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    for (size_t i = 0; i < size; i++) {
        if (ink[i] == 0 || search.seen[i])
            continue;
        const struct part part = follow(&search, listed, i);
        const bool sure = part.strongest >= strongest / SURE_SHARE;
        listed = part.end;
        largest = sure && part.mass > largest ? part.mass : largest;
        parts[count++] = part;
    }
    for (size_t p = 0; p < count; p++) {
        if (parts[p].strongest >= strongest / SURE_SHARE && parts[p].mass >= largest / DUST_SHARE)
            continue;
        for (size_t i = parts[p].begin; i < parts[p].end; i++)
            ink[search.pixels[i]] = 0;
    }
out:
    free(parts);
    free(search.seen);
    free(search.pixels);
    return status;
}

/* The smallest rectangle that holds all ink, of which there is some. */
static struct ink__view box_of(const uint8_t *ink, size_t height, size_t width)
{
    size_t top = height, bottom = 0, left = width, right = 0;
    for (size_t y = 0; y < height; y++) {
        for (size_t x = 0; x < width; x++) {
            if (ink[y * width + x] == 0)
                continue;
            top = y < top ? y : top;
            bottom = y + 1;
            left = x < left ? x : left;
            right = x + 1 > right ? x + 1 : right;
        }
    }
    return (struct ink__view){ ink + top * width + left, bottom - top, right - left, width, 1 };
}

enum ink_status ink__picture_ink(uint8_t **ink, struct ink__view *box, const struct ink_picture *picture,
                                 struct ink_error *err)
{
    size_t height = picture->shape.height, width = picture->shape.width;
    const size_t longer = height > width ? height : width;
    if (longer > LONGEST_SIDE) {
        height = (height * LONGEST_SIDE + longer - 1) / longer;
        width = (width * LONGEST_SIDE + longer - 1) / longer;
    }
    *ink = ink__array(height, width);
    if (*ink == NULL)
        return ink__fail_memory(err);
    ink__picture_grey(picture, height, width, *ink);

    enum ink_status status = INK_OK;
    const unsigned strongest = subtract_ground(*ink, height, width);
    if (strongest == 0)
        status = ink__fail(err, INK_BAD_INPUT, "%s: no ink, all %zu x %zu pixels have nearly one colour", picture->name,
                           picture->shape.width, picture->shape.height);
    else
        status = wipe_dust(*ink, height, width, strongest, err);
    if (status == INK_OK) {
        *box = box_of(*ink, height, width);
    } else {
        free(*ink);
        *ink = NULL;
    }
    return status;
}
