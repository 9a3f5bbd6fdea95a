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

/* ---- Pieces that hang together ----------------------------------------------------------------------------------- */

static void include(struct ink_box *box, size_t y, size_t x)
{
    const size_t bottom = box->top + box->height, right = box->left + box->width;
    box->top = y < box->top ? y : box->top;
    box->left = x < box->left ? x : box->left;
    box->height = (y >= bottom ? y + 1 : bottom) - box->top;
    box->width = (x >= right ? x + 1 : right) - box->left;
}

/* Lists the piece that the pixel `first` belongs to, from drawing->pixels[begin] on; neighbours are eight. */
static struct ink__piece follow(struct ink__drawing *drawing, bool *seen, size_t begin, size_t first)
{
    const size_t height = drawing->height, width = drawing->width;
    struct ink__piece piece = { .begin = begin,
                                .end = begin,
                                .box = { .top = first / width, .left = first % width, .height = 1, .width = 1 } };
    drawing->pixels[piece.end++] = (uint32_t)first;
    seen[first] = true;
    for (size_t next = begin; next < piece.end; next++) {
        const size_t index = drawing->pixels[next], y = index / width, x = index % width;
        const size_t top = y > 0 ? y - 1 : 0, bottom = y + 1 < height ? y + 1 : y;
        const size_t left = x > 0 ? x - 1 : 0, right = x + 1 < width ? x + 1 : x;
        include(&piece.box, y, x);
        piece.mass += drawing->ink[index];
        piece.strongest = drawing->ink[index] > piece.strongest ? drawing->ink[index] : piece.strongest;
        for (size_t v = top; v <= bottom; v++) {
            for (size_t u = left; u <= right; u++) {
                const size_t neighbour = v * width + u;
                if (drawing->ink[neighbour] == 0 || seen[neighbour])
                    continue;
                seen[neighbour] = true;
                drawing->pixels[piece.end++] = (uint32_t)neighbour;
            }
        }
    }
    return piece;
}

/* Lists the pieces of the ink. Those that are faint or small are dust, and wiped out. */
static enum ink_status find_pieces(struct ink__drawing *drawing, unsigned strongest, struct ink_error *err)
{
    const size_t size = drawing->height * drawing->width;
    size_t found = 0, listed = 0, largest = 0;
    bool *const seen = ink__array(size, sizeof *seen);
    drawing->pixels = ink__array(size, sizeof *drawing->pixels);
    drawing->pieces = ink__array(size, sizeof *drawing->pieces);
    if (seen == NULL || drawing->pixels == NULL || drawing->pieces == NULL) {
        free(seen);
        return ink__fail_memory(err);
    }
    for (size_t i = 0; i < size; i++) {
        if (drawing->ink[i] == 0 || seen[i])
            continue;
        const struct ink__piece piece = follow(drawing, seen, listed, i);
        const bool sure = piece.strongest >= strongest / SURE_SHARE;
        listed = piece.end;
        largest = sure && piece.mass > largest ? piece.mass : largest;
        drawing->pieces[found++] = piece;
    }
    free(seen);
    for (size_t p = 0; p < found; p++) {
        const struct ink__piece piece = drawing->pieces[p];
        if (piece.strongest >= strongest / SURE_SHARE && piece.mass >= largest / DUST_SHARE) {
            drawing->pieces[drawing->count++] = piece;
            continue;
        }
        for (size_t i = piece.begin; i < piece.end; i++)
            drawing->ink[drawing->pixels[i]] = 0;
    }
    return INK_OK;
}

enum ink_status ink__drawing_find(struct ink__drawing *drawing, const struct ink_picture *picture,
                                  struct ink_error *err)
{
    size_t height = picture->shape.height, width = picture->shape.width;
    const size_t longer = height > width ? height : width;
    if (longer > LONGEST_SIDE) {
        height = (height * LONGEST_SIDE + longer - 1) / longer;
        width = (width * LONGEST_SIDE + longer - 1) / longer;
    }
    *drawing = (struct ink__drawing){ .ink = ink__array(height, width), .height = height, .width = width };
    if (drawing->ink == NULL)
        return ink__fail_memory(err);
    ink__picture_grey(picture, height, width, drawing->ink);
    const unsigned strongest = subtract_ground(drawing->ink, height, width);
    if (strongest == 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: no ink, all %zu x %zu pixels have nearly one colour", picture->name,
                         picture->shape.width, picture->shape.height);
    return find_pieces(drawing, strongest, err);
}

void ink__drawing_free(struct ink__drawing *drawing)
{
    free(drawing->ink);
    free(drawing->pixels);
    free(drawing->pieces);
}
