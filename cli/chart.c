#include "chart.h"

#include "output.h"

#include <string.h>

/* Where a value lies on its axis, from 0 to 1. */
static double across(const struct chart *chart, double x)
{
    const double first = log(chart->x[0]), last = log(chart->x[chart->count - 1]);
    return last > first ? (log(x) - first) / (last - first) : 0.5;
}

static double up(const struct chart *chart, double y)
{
    return (y - chart->least) / (chart->most - chart->least);
}

/* The first power of ten from `x` on. */
static double decade_from(double x)
{
    return pow(10.0, ceil(log10(x) - 1e-9));
}

/* ---- In characters ----------------------------------------------------------------------------------------------- */

enum { ROWS = 14, MOST_COLUMNS = 72, LABEL = 8, DOTS_ACROSS = 2, DOTS_UP = 4 };

/* One bit for each dot of a character, as braille numbers them. */
struct grid {
    size_t columns;
    unsigned char cells[ROWS][MOST_COLUMNS];
};

static void set_dot(struct grid *grid, long x, long y)
{
    static const unsigned char bits[DOTS_UP][DOTS_ACROSS] = {
        { 0x01, 0x08 }, { 0x02, 0x10 }, { 0x04, 0x20 }, { 0x40, 0x80 }
    };
    if (x < 0 || y < 0 || x >= (long)grid->columns * DOTS_ACROSS || y >= ROWS * DOTS_UP)
        return;
    const size_t row = (size_t)(ROWS * DOTS_UP - 1 - y), column = (size_t)x;
    grid->cells[row / DOTS_UP][column / DOTS_ACROSS] |= bits[row % DOTS_UP][column % DOTS_ACROSS];
}

static void draw_curve(struct grid *grid, const struct chart *chart)
{
    const double width = (double)(grid->columns * DOTS_ACROSS - 1), height = ROWS * DOTS_UP - 1;
    for (size_t i = 0; i + 1 < chart->count; i++) {
        const double x = width * across(chart, chart->x[i]), y = height * up(chart, chart->curve[i]);
        const double dx = width * across(chart, chart->x[i + 1]) - x, dy = height * up(chart, chart->curve[i + 1]) - y;
        const size_t steps = (size_t)fmin(ceil(fmax(fabs(dx), fabs(dy))), 1e4) + 1;
        for (size_t s = 0; s <= steps; s++)
            set_dot(grid, lround(x + dx * (double)s / (double)steps), lround(y + dy * (double)s / (double)steps));
    }
}

static void print_cell(FILE *file, unsigned char cell, bool marked, bool utf8)
{
    if (cell == 0)
        fputc(marked ? '|' : ' ', file);
    else if (utf8) /* U+2800 and the dots */
        fprintf(file, "\xe2%c%c", (char)(0xa0 + (cell >> 6)), (char)(0x80 + (cell & 0x3f)));
    else
        fputc('*', file);
}

/* The axis' decades, each beginning below its place. */
static void print_decades(FILE *file, const struct chart *chart, size_t columns)
{
    size_t at = 0;
    fprintf(file, "%*s", LABEL + 1, "");
    for (double x = decade_from(chart->x[0]); x <= chart->x[chart->count - 1] * (1 + 1e-9); x *= 10) {
        const size_t place = (size_t)lround(across(chart, x) * (double)(columns - 1));
        char label[24];
        snprintf(label, sizeof label, "%.0e", x);
        if ((at > 0 && place <= at) || place + strlen(label) > columns)
            continue;
        fprintf(file, "%*s%s", (int)(place - at), "", label);
        at = place + strlen(label);
    }
    fprintf(file, "\n%*s%s\n", LABEL + 1, "", chart->x_title);
}

void chart_print(FILE *file, const struct chart *chart, size_t width, bool utf8)
{
    struct grid grid = { .columns = width < LABEL + 12 ? 10 : width - LABEL - 2 };
    if (grid.columns > MOST_COLUMNS)
        grid.columns = MOST_COLUMNS;
    draw_curve(&grid, chart);
    const size_t mark = (size_t)lround(across(chart, chart->mark) * (double)(grid.columns - 1));
    fprintf(file, "%*s\n", LABEL, chart->y_title);
    for (size_t row = 0; row < ROWS; row++) {
        if (row == 0 || row == ROWS - 1)
            fprintf(file, "%*.4g ", LABEL, row == 0 ? chart->most : chart->least);
        else
            fprintf(file, "%*s", LABEL + 1, "");
        size_t columns = grid.columns; /* without blanks at the end */
        while (columns > 0 && grid.cells[row][columns - 1] == 0 && columns - 1 != mark)
            columns--;
        for (size_t c = 0; c < columns; c++)
            print_cell(file, grid.cells[row][c], c == mark, utf8);
        fputc('\n', file);
    }
    print_decades(file, chart, grid.columns);
}

/* ---- As a picture ------------------------------------------------------------------------------------------------ */

enum { WIDTH = 640, HEIGHT = 400, LEFT = 64, RIGHT = 16, TOP = 24, BOTTOM = 48 };

static double svg_x(const struct chart *chart, double x)
{
    return LEFT + across(chart, x) * (WIDTH - LEFT - RIGHT);
}

static double svg_y(const struct chart *chart, double y)
{
    return HEIGHT - BOTTOM - up(chart, y) * (HEIGHT - TOP - BOTTOM);
}

static bool is_inside(const struct chart *chart, double y)
{
    return y >= chart->least && y <= chart->most; /* no NaN either */
}

static void print_axes(FILE *file, const struct chart *chart)
{
    const int bottom = HEIGHT - BOTTOM;
    fprintf(file, "<path d=\"M%d %dV%dH%d\" fill=\"none\" stroke=\"#888\"/>\n", LEFT, TOP, bottom, WIDTH - RIGHT);
    for (double x = decade_from(chart->x[0]); x <= chart->x[chart->count - 1] * (1 + 1e-9); x *= 10)
        fprintf(
            file,
            "<path d=\"M%.1f %dv5\" stroke=\"#888\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.0e</text>\n",
            svg_x(chart, x), bottom, svg_x(chart, x), bottom + 18, x);
    for (int i = 0; i <= 4; i++) {
        const double y = chart->least + (chart->most - chart->least) * i / 4;
        fprintf(file,
                "<path d=\"M%d %.1fh-5\" stroke=\"#888\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.3g</text>\n",
                LEFT, svg_y(chart, y), LEFT - 8, svg_y(chart, y) + 4, y);
    }
    fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">%s</text>\n<text x=\"%d\" y=\"%d\">%s</text>\n",
            (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, chart->x_title, LEFT - 40, TOP - 8, chart->y_title);
}

static void print_svg(FILE *file, const struct chart *chart)
{
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" "
            "font-family=\"sans-serif\" font-size=\"12\" fill=\"#333\">\n<rect width=\"%d\" height=\"%d\" "
            "fill=\"#fff\"/>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, WIDTH, HEIGHT);
    print_axes(file, chart);
    for (size_t i = 0; i < chart->count; i++)
        if (is_inside(chart, chart->dots[i]))
            fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.5\" fill=\"#bbb\"/>\n", svg_x(chart, chart->x[i]),
                    svg_y(chart, chart->dots[i]));
    fprintf(file, "<path d=\"");
    bool drawing = false;
    for (size_t i = 0; i < chart->count; i++) {
        const bool inside = is_inside(chart, chart->curve[i]);
        if (inside)
            fprintf(file, "%c%.1f %.1f", drawing ? 'L' : 'M', svg_x(chart, chart->x[i]), svg_y(chart, chart->curve[i]));
        drawing = inside;
    }
    fprintf(file, "\" fill=\"none\" stroke=\"#06c\" stroke-width=\"2\"/>\n");
    fprintf(file, "<path d=\"M%.1f %dV%d\" stroke=\"#c30\" stroke-dasharray=\"4 3\"/>\n</svg>\n",
            svg_x(chart, chart->mark), TOP, HEIGHT - BOTTOM);
}

enum ink_status chart_write_svg(const char *path, const struct chart *chart, struct ink_error *err)
{
    struct cli_output output;
    const enum ink_status status = cli_output_open(&output, path, err);
    if (status != INK_OK)
        return status;
    print_svg(output.file, chart);
    return cli_output_close(&output, INK_OK, err);
}
