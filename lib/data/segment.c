/*
 * Several digits in one picture, told apart. Ink that hangs together is a piece; a digit is a piece or several, since
 * the bar of a 5 or the stroke of a 4 often stands by itself. Pieces are of one digit if one stands above the other, or
 * if one is small and near. Digits that touch are one piece, and stay one digit.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/picture.h"

enum {
    NEAR_SHARE = 16, /* nearer than a sixteenth of the tallest piece is near */
    SMALL_SHARE = 4  /* a piece that lacks a quarter of the tallest one's height is small */
};

struct ink_box ink__box_union(struct ink_box a, struct ink_box b)
{
    const size_t top = a.top < b.top ? a.top : b.top, left = a.left < b.left ? a.left : b.left;
    const size_t bottom = a.top + a.height > b.top + b.height ? a.top + a.height : b.top + b.height;
    const size_t right = a.left + a.width > b.left + b.width ? a.left + a.width : b.left + b.width;
    return (struct ink_box){ top, left, bottom - top, right - left };
}

/* ---- Grouping ---------------------------------------------------------------------------------------------------- */

/* What two intervals have in common; negative is the gap between them. */
static ptrdiff_t overlap(size_t begin_a, size_t size_a, size_t begin_b, size_t size_b)
{
    const size_t begin = begin_a > begin_b ? begin_a : begin_b;
    const size_t end = begin_a + size_a < begin_b + size_b ? begin_a + size_a : begin_b + size_b;
    return (ptrdiff_t)end - (ptrdiff_t)begin;
}

static bool belong_together(struct ink_box a, struct ink_box b, size_t tallest)
{
    const ptrdiff_t across = overlap(a.left, a.width, b.left, b.width),
                    down = overlap(a.top, a.height, b.top, b.height);
    const size_t narrower = a.width < b.width ? a.width : b.width, shorter = a.height < b.height ? a.height : b.height;
    const ptrdiff_t near = -(ptrdiff_t)(tallest / NEAR_SHARE);
    const bool stacked = 2 * across >= (ptrdiff_t)narrower;
    const bool small = shorter < tallest - tallest / SMALL_SHARE;
    return stacked || (small && across >= near && down >= near);
}

static int from_left(const void *a, const void *b)
{
    const struct ink__piece *p = a, *q = b;
    return p->box.left != q->box.left ? (p->box.left < q->box.left ? -1 : 1)
                                      : (p->begin > q->begin) - (p->begin < q->begin);
}

/* Sorts the pieces from left to right and writes to digits[p] the digit of piece p; digits are numbered from left to
 * right. Returns their number. A piece is only held against the digit before it, so this is quick for any picture. */
static size_t group(struct ink__drawing *drawing, struct ink_box *boxes, size_t *digits)
{
    size_t tallest = 0, count = 0;
    qsort(drawing->pieces, drawing->count, sizeof *drawing->pieces, from_left);
    for (size_t p = 0; p < drawing->count; p++)
        tallest = drawing->pieces[p].box.height > tallest ? drawing->pieces[p].box.height : tallest;
    for (size_t p = 0; p < drawing->count; p++) {
        const struct ink_box box = drawing->pieces[p].box;
        if (count > 0 && belong_together(boxes[count - 1], box, tallest))
            boxes[count - 1] = ink__box_union(boxes[count - 1], box);
        else
            boxes[count++] = box;
        digits[p] = count - 1;
    }
    return count;
}

/* ---- One digit after the other ----------------------------------------------------------------------------------- */

/* A box of the drawing, in the pixels of the picture that it was shrunk from. */
static struct ink_box enlarge(struct ink_box box, const struct ink__drawing *drawing, struct ink_shape shape)
{
    const size_t top = box.top * shape.height / drawing->height, left = box.left * shape.width / drawing->width;
    const size_t bottom = (box.top + box.height) * shape.height / drawing->height;
    const size_t right = (box.left + box.width) * shape.width / drawing->width;
    return (struct ink_box){ top, left, bottom - top, right - left };
}

/* Copies the ink of pieces [begin, end); wipes it out if `from` is NULL. */
static void copy_pieces(uint8_t *to, const uint8_t *from, const struct ink__drawing *drawing, size_t begin, size_t end)
{
    for (size_t p = begin; p < end; p++) {
        for (size_t i = drawing->pieces[p].begin; i < drawing->pieces[p].end; i++) {
            const size_t pixel = drawing->pixels[i];
            to[pixel] = from != NULL ? from[pixel] : 0;
        }
    }
}

enum ink_status ink_picture_segment(const struct ink_picture *picture, struct ink_shape shape, size_t most,
                                    struct ink_box *boxes, uint8_t *pixels, size_t *count, struct ink_error *err)
{
    const size_t image = shape.height * shape.width * shape.channels;
    struct ink__drawing drawing = { 0 };
    struct ink_box *all = NULL;
    size_t *digits = NULL;
    uint8_t *alone = NULL; /* the drawing with the ink of one digit */
    double *scratch = NULL;
    *count = 0;
    enum ink_status status = ink__fit_check(picture, shape, err);
    if (status == INK_OK)
        status = ink__drawing_find(&drawing, picture, err);
    if (status != INK_OK)
        goto out;
    all = ink__array(drawing.count, sizeof *all);
    digits = ink__array(drawing.count, sizeof *digits);
    alone = ink__array(drawing.height, drawing.width);
    scratch = ink__array(shape.height * shape.width, sizeof *scratch);
    if (all == NULL || digits == NULL || alone == NULL || scratch == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    const size_t found = group(&drawing, all, digits);
    if (found > most) {
        status = ink__fail(err, INK_BAD_INPUT, "%s: found %zu pieces of ink side by side, expected at most %zu digits",
                           picture->name, found, most);
        goto out;
    }
    for (size_t d = 0, begin = 0, end = 0; d < found; d++, begin = end) {
        while (end < drawing.count && digits[end] == d)
            end++;
        const struct ink__view view = { alone + all[d].top * drawing.width + all[d].left, all[d].height, all[d].width,
                                        drawing.width, 1 };
        copy_pieces(alone, drawing.ink, &drawing, begin, end);
        ink__digit_place(&view, shape, pixels + d * image, scratch);
        copy_pieces(alone, NULL, &drawing, begin, end);
        boxes[d] = enlarge(all[d], &drawing, picture->shape);
    }
    *count = found;
out:
    ink__drawing_free(&drawing);
    free(all);
    free(digits);
    free(alone);
    free(scratch);
    return status;
}
