/*
 * A digit is one of a few ways to write it, given as points on a 100 x 100 square. The points are moved a little,
 * joined by a smooth curve, slanted, turned and stretched as hands do, brought to the size and place of MNIST's digits,
 * and inked with a round pen.
 *
 * Only + - * / and sqrt on doubles are used, which IEEE 754 rounds correctly: so the bytes are the same everywhere.
 */
#include "data/synthetic.h"

#include <math.h>
#include <string.h>

#include "base/random.h"

/* ---- How digits are written -------------------------------------------------------------------------------------- */

enum join {
    NONE,   /* past the last point */
    START,  /* the pen is put down here */
    SMOOTH, /* passes through */
    CORNER  /* turns sharply, or ends */
};

enum { MOST_POINTS = 16 };

struct point {
    enum join join;
    double x, y; /* x to the right, y down */
};

static const struct glyph {
    unsigned digit;
    struct point points[MOST_POINTS];
} glyphs[] = {
    { 0,
      { { START, 55, 4 },
        { SMOOTH, 25, 20 },
        { SMOOTH, 15, 55 },
        { SMOOTH, 30, 92 },
        { SMOOTH, 58, 97 },
        { SMOOTH, 82, 70 },
        { SMOOTH, 82, 32 },
        { CORNER, 57, 5 } } },
    { 0,
      { { START, 66, 10 },
        { SMOOTH, 45, 2 },
        { SMOOTH, 20, 28 },
        { SMOOTH, 18, 72 },
        { SMOOTH, 45, 98 },
        { SMOOTH, 74, 76 },
        { SMOOTH, 78, 30 },
        { SMOOTH, 58, 6 },
        { CORNER, 36, 14 } } },
    { 1, { { START, 54, 0 }, { SMOOTH, 50, 50 }, { CORNER, 47, 100 } } },
    { 1, { { START, 32, 22 }, { CORNER, 54, 1 }, { SMOOTH, 53, 50 }, { CORNER, 52, 100 } } },
    { 1,
      { { START, 30, 24 },
        { CORNER, 54, 2 },
        { SMOOTH, 53, 50 },
        { CORNER, 53, 98 },
        { START, 28, 99 },
        { CORNER, 78, 97 } } },
    { 2,
      { { START, 18, 26 },
        { SMOOTH, 34, 5 },
        { SMOOTH, 64, 4 },
        { SMOOTH, 77, 27 },
        { SMOOTH, 56, 60 },
        { CORNER, 16, 95 },
        { CORNER, 86, 94 } } },
    { 2,
      { { START, 18, 20 },
        { SMOOTH, 46, 2 },
        { SMOOTH, 74, 22 },
        { SMOOTH, 58, 62 },
        { SMOOTH, 30, 94 },
        { SMOOTH, 13, 88 },
        { SMOOTH, 26, 76 },
        { SMOOTH, 58, 92 },
        { CORNER, 90, 90 } } },
    { 3,
      { { START, 20, 13 },
        { SMOOTH, 48, 2 },
        { SMOOTH, 74, 18 },
        { SMOOTH, 65, 40 },
        { CORNER, 42, 47 },
        { SMOOTH, 74, 57 },
        { SMOOTH, 80, 80 },
        { SMOOTH, 50, 99 },
        { CORNER, 17, 86 } } },
    { 3,
      { { START, 22, 5 },
        { CORNER, 75, 4 },
        { CORNER, 44, 42 },
        { SMOOTH, 76, 58 },
        { SMOOTH, 72, 88 },
        { SMOOTH, 42, 99 },
        { CORNER, 17, 88 } } },
    { 4, { { START, 28, 4 }, { CORNER, 14, 60 }, { CORNER, 87, 57 }, { START, 66, 10 }, { CORNER, 62, 100 } } },
    { 4,
      { { START, 62, 2 },
        { CORNER, 10, 66 },
        { CORNER, 90, 65 },
        { START, 64, 3 },
        { SMOOTH, 63, 50 },
        { CORNER, 62, 100 } } },
    { 4,
      { { START, 22, 4 },
        { SMOOTH, 15, 34 },
        { SMOOTH, 32, 55 },
        { CORNER, 76, 48 },
        { START, 77, 5 },
        { SMOOTH, 72, 50 },
        { CORNER, 66, 100 } } },
    { 5,
      { { START, 79, 4 },
        { CORNER, 31, 5 },
        { CORNER, 25, 45 },
        { SMOOTH, 56, 39 },
        { SMOOTH, 80, 62 },
        { SMOOTH, 66, 91 },
        { SMOOTH, 38, 99 },
        { CORNER, 15, 86 } } },
    { 5,
      { { START, 33, 5 },
        { CORNER, 27, 44 },
        { SMOOTH, 60, 42 },
        { SMOOTH, 79, 66 },
        { SMOOTH, 58, 95 },
        { CORNER, 17, 93 },
        { START, 33, 6 },
        { CORNER, 82, 3 } } },
    { 6,
      { { START, 66, 3 },
        { SMOOTH, 35, 27 },
        { SMOOTH, 18, 64 },
        { SMOOTH, 31, 95 },
        { SMOOTH, 63, 96 },
        { SMOOTH, 78, 74 },
        { SMOOTH, 58, 55 },
        { SMOOTH, 32, 63 },
        { CORNER, 22, 78 } } },
    { 6,
      { { START, 48, 0 },
        { SMOOTH, 24, 46 },
        { SMOOTH, 21, 82 },
        { SMOOTH, 46, 100 },
        { SMOOTH, 72, 84 },
        { SMOOTH, 62, 60 },
        { CORNER, 27, 70 } } },
    { 7, { { START, 14, 8 }, { CORNER, 81, 6 }, { SMOOTH, 58, 50 }, { CORNER, 42, 100 } } },
    { 7,
      { { START, 16, 7 },
        { CORNER, 82, 5 },
        { SMOOTH, 58, 50 },
        { CORNER, 46, 100 },
        { START, 32, 53 },
        { CORNER, 78, 49 } } },
    { 7,
      { { START, 14, 24 },
        { CORNER, 17, 8 },
        { SMOOTH, 50, 9 },
        { CORNER, 82, 5 },
        { SMOOTH, 55, 48 },
        { CORNER, 45, 100 } } },
    { 8,
      { { START, 71, 14 },
        { SMOOTH, 46, 2 },
        { SMOOTH, 25, 20 },
        { SMOOTH, 50, 47 },
        { SMOOTH, 76, 75 },
        { SMOOTH, 50, 99 },
        { SMOOTH, 23, 76 },
        { SMOOTH, 48, 48 },
        { SMOOTH, 73, 24 },
        { CORNER, 66, 8 } } },
    { 8,
      { { START, 50, 2 },
        { SMOOTH, 28, 12 },
        { SMOOTH, 30, 36 },
        { SMOOTH, 50, 46 },
        { SMOOTH, 71, 34 },
        { SMOOTH, 70, 11 },
        { CORNER, 50, 2 },
        { START, 50, 46 },
        { SMOOTH, 23, 62 },
        { SMOOTH, 25, 91 },
        { SMOOTH, 50, 99 },
        { SMOOTH, 76, 90 },
        { SMOOTH, 76, 60 },
        { CORNER, 50, 46 } } },
    { 9,
      { { START, 74, 22 },
        { SMOOTH, 52, 3 },
        { SMOOTH, 25, 22 },
        { SMOOTH, 32, 48 },
        { SMOOTH, 58, 45 },
        { CORNER, 76, 14 },
        { SMOOTH, 73, 56 },
        { CORNER, 64, 100 } } },
    { 9,
      { { START, 73, 25 },
        { SMOOTH, 48, 3 },
        { SMOOTH, 22, 28 },
        { SMOOTH, 42, 52 },
        { SMOOTH, 68, 37 },
        { CORNER, 77, 12 },
        { SMOOTH, 76, 66 },
        { SMOOTH, 60, 96 },
        { CORNER, 26, 93 } } },
};

enum { GLYPHS = sizeof glyphs / sizeof glyphs[0] };

/* ---- Chance ------------------------------------------------------------------------------------------------------ */

/* The numbers of one image. */
struct chance {
    struct ink__philox_key key;
    uint32_t block, words[4];
    unsigned used; /* of words; they are drawn when the first is wanted */
};

static uint32_t next_word(struct chance *chance)
{
    if (chance->used % 4 == 0)
        ink__philox(&chance->key, chance->block++, chance->words);
    return chance->words[chance->used++ % 4];
}

/* One of 0 to count - 1. */
static unsigned pick(struct chance *chance, unsigned count)
{
    return (unsigned)((uint64_t)next_word(chance) * count >> 32);
}

static double between(struct chance *chance, double low, double high)
{
    return low + (high - low) * ((double)next_word(chance) / 4294967296.0);
}

/* From -most to most, the middle likelier: the sum of two. */
static double about_zero(struct chance *chance, double most)
{
    const double a = between(chance, -0.5, 0.5);
    return most * (a + between(chance, -0.5, 0.5));
}

/* ---- A digit as lines -------------------------------------------------------------------------------------------- */

enum { LINES_A_CURVE = 6, MOST_LINES = LINES_A_CURVE * MOST_POINTS };

struct line {
    double x0, y0, x1, y1;
};

/* One coordinate of a cubic Hermite curve from p to q with tangents m and n, at t in [0, 1]. */
static double hermite(double p, double m, double q, double n, double t)
{
    const double u = 1 - t;
    return u * u * (1 + 2 * t) * p + t * u * u * m + t * t * (3 - 2 * t) * q - t * t * u * n;
}

/* Joins the points by Hermite curves, each cut into lines. A tangent is half the way from the point before to the point
 * after, as Catmull and Rom have it, and zero at corners and ends. */
static size_t trace(struct line *lines, const struct point *points)
{
    size_t count = 0;
    for (size_t i = 1; i < MOST_POINTS && points[i].join != NONE; i++) {
        const struct point *p = &points[i - 1], *q = &points[i];
        if (q->join == START)
            continue;
        const bool p_smooth = p->join == SMOOTH, q_smooth = q->join == SMOOTH;
        const double mx = p_smooth ? (q->x - p[-1].x) / 2 : 0, my = p_smooth ? (q->y - p[-1].y) / 2 : 0;
        const double nx = q_smooth ? (q[1].x - p->x) / 2 : 0, ny = q_smooth ? (q[1].y - p->y) / 2 : 0;
        double x0 = p->x, y0 = p->y;
        for (int step = 1; step <= LINES_A_CURVE; step++) {
            const double t = (double)step / LINES_A_CURVE;
            const double x1 = hermite(p->x, mx, q->x, nx, t), y1 = hermite(p->y, my, q->y, ny, t);
            lines[count++] = (struct line){ x0, y0, x1, y1 };
            x0 = x1;
            y0 = y1;
        }
    }
    return count;
}

/* A hand of its own: moves, stretches, slants and turns the points. */
static void distort(struct point *points, struct chance *chance)
{
    const double unsteady = between(chance, 3, 14);
    const double width = between(chance, 0.6, 1.2);
    const double slant = about_zero(chance, 0.6), bend = about_zero(chance, 0.004);
    /* The angle a by t = tan(a / 2): cos a = (1 - t^2) / (1 + t^2), sin a = 2 t / (1 + t^2). */
    const double t = about_zero(chance, 0.2);
    const double cosine = (1 - t * t) / (1 + t * t), sine = 2 * t / (1 + t * t);
    for (size_t i = 0; i < MOST_POINTS && points[i].join != NONE; i++) {
        const double x = points[i].x - 50 + about_zero(chance, unsteady);
        const double y = points[i].y - 50 + about_zero(chance, unsteady);
        const double leaning = width * x - slant * y + bend * y * y;
        points[i].x = cosine * leaning - sine * y;
        points[i].y = sine * leaning + cosine * y;
    }
}

/* The move nearest to `move` that keeps what spans low to high within the image, with a pixel to spare. */
static double keep_inside(double move, double low, double high)
{
    move = low + move < 1 ? 1 - low : move;
    return high + move > INK__SYNTHETIC_SIDE - 1 ? INK__SYNTHETIC_SIDE - 1 - high : move;
}

/* Scales the lines so that their box, pen included, has a longer side of `side` pixels, and moves their centre of mass
 * to (x, y), or as near as they fit. */
static void place(struct line *lines, size_t count, double side, double pen, double x, double y)
{
    double left = lines[0].x0, right = left, top = lines[0].y0, bottom = top, mass = 0, mass_x = 0, mass_y = 0;
    for (size_t i = 0; i < count; i++) {
        const struct line *l = &lines[i];
        const double dx = l->x1 - l->x0, dy = l->y1 - l->y0, length = sqrt(dx * dx + dy * dy);
        left = l->x1 < left ? l->x1 : left;
        right = l->x1 > right ? l->x1 : right;
        top = l->y1 < top ? l->y1 : top;
        bottom = l->y1 > bottom ? l->y1 : bottom;
        mass += length;
        mass_x += length * (l->x0 + l->x1) / 2;
        mass_y += length * (l->y0 + l->y1) / 2;
    }
    const double width = right - left, height = bottom - top;
    const double scale = (side - 2 * pen) / (width > height ? width : height);
    const double move_x = keep_inside(x - scale * mass_x / mass, scale * left - pen, scale * right + pen);
    const double move_y = keep_inside(y - scale * mass_y / mass, scale * top - pen, scale * bottom + pen);
    for (size_t i = 0; i < count; i++)
        lines[i] = (struct line){ scale * lines[i].x0 + move_x, scale * lines[i].y0 + move_y,
                                  scale * lines[i].x1 + move_x, scale * lines[i].y1 + move_y };
}

/* ---- Ink --------------------------------------------------------------------------------------------------------- */

/* The pixels from low to high, clipped to the image. */
struct span {
    int begin, end;
};

static struct span clip(double low, double high)
{
    const double most = INK__SYNTHETIC_SIDE;
    const double begin = low > 0 ? low : 0, end = high < most - 1 ? high + 1 : most;
    return (struct span){ begin < most ? (int)begin : INK__SYNTHETIC_SIDE, end > 0 ? (int)end : 0 };
}

/* Lowers each pixel's square of the distance to the nearest line, as far as `reach` from this one. */
static void approach(double *squares, const struct line *l, double reach)
{
    const double dx = l->x1 - l->x0, dy = l->y1 - l->y0, square = dx * dx + dy * dy;
    const struct span rows = clip((dy < 0 ? l->y1 : l->y0) - reach, (dy < 0 ? l->y0 : l->y1) + reach);
    const struct span columns = clip((dx < 0 ? l->x1 : l->x0) - reach, (dx < 0 ? l->x0 : l->x1) + reach);
    for (int row = rows.begin; row < rows.end; row++) {
        for (int column = columns.begin; column < columns.end; column++) {
            const double x = column + 0.5 - l->x0, y = row + 0.5 - l->y0;
            double along = square > 0 ? (x * dx + y * dy) / square : 0;
            along = along < 0 ? 0 : along > 1 ? 1 : along;
            const double ex = x - along * dx, ey = y - along * dy, distance = ex * ex + ey * ey;
            double *least = &squares[row * INK__SYNTHETIC_SIDE + column];
            *least = distance < *least ? distance : *least;
        }
    }
}

/* A round pen of radius `pen`, whose ink fades over `soft` pixels at its edge. */
static void draw_lines(uint8_t *pixels, const struct line *lines, size_t count, double pen, double soft)
{
    const double reach = pen + soft / 2;
    double squares[INK__SYNTHETIC_SIDE * INK__SYNTHETIC_SIDE];
    const size_t size = sizeof squares / sizeof squares[0];
    for (size_t i = 0; i < size; i++)
        squares[i] = reach * reach;
    for (size_t i = 0; i < count; i++)
        approach(squares, &lines[i], reach);
    for (size_t i = 0; i < size; i++) {
        const double ink = (reach - sqrt(squares[i])) / soft;
        pixels[i] = (uint8_t)(255 * (ink < 1 ? ink : 1) + 0.5);
    }
}

/* ---- Images ------------------------------------------------------------------------------------------------------ */

static struct chance chance_of(uint64_t seed, enum ink_split split, size_t sample, uint32_t purpose)
{
    return (struct chance){ .key = { seed, (uint32_t)split, (uint32_t)sample, INK__USE_SYNTHETIC | purpose << 8 } };
}

static void draw_digit(uint8_t *pixels, unsigned digit, struct chance *chance)
{
    struct point points[MOST_POINTS];
    struct line lines[MOST_LINES];
    size_t first = 0, ways = 0;
    while (glyphs[first].digit != digit)
        first++;
    while (first + ways < GLYPHS && glyphs[first + ways].digit == digit)
        ways++;
    memcpy(points, glyphs[first + pick(chance, (unsigned)ways)].points, sizeof points);

    distort(points, chance);
    const double pen = between(chance, 0.75, 1.75), soft = between(chance, 0.9, 1.4);
    const double side = between(chance, 18.5, 20.5);
    const double centre = 14.5; /* the middle of pixel 14, where MNIST's centres of mass are */
    const double x = centre + about_zero(chance, 1.5), y = centre + about_zero(chance, 1.5);
    const size_t count = trace(lines, points);
    place(lines, count, side, pen, x, y);
    draw_lines(pixels, lines, count, pen, soft);
}

void ink__synthetic_draw(uint8_t *pixels, uint16_t *labels, size_t count, enum ink_split split, uint64_t seed)
{
    enum { IMAGE, ORDER };
    uint8_t order[INK__SYNTHETIC_CLASSES] = { 0 };
    for (size_t i = 0; i < count; i++) {
        const unsigned turn = (unsigned)(i % INK__SYNTHETIC_CLASSES);
        if (turn == 0) { /* Fisher and Yates shuffle the next ten */
            struct chance chance = chance_of(seed, split, i, ORDER);
            for (unsigned c = 0; c < INK__SYNTHETIC_CLASSES; c++) {
                const unsigned other = pick(&chance, c + 1);
                order[c] = order[other];
                order[other] = (uint8_t)c;
            }
        }
        struct chance chance = chance_of(seed, split, i, IMAGE);
        labels[i] = order[turn];
        draw_digit(pixels + i * INK__SYNTHETIC_SIDE * INK__SYNTHETIC_SIDE, order[turn], &chance);
    }
}
