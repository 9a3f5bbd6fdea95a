/* The drawings of a report, as SVG that takes its colours from the page's style sheet. */
#include "report.h"

#include <stdlib.h>

enum { WIDTH = 330, HEIGHT = 220, LEFT = 50, RIGHT = 20, TOP = 12, BOTTOM = 40, MOST_DOTS = 40 };

/* An axis from least to most; its ticks are the multiples of step. */
struct axis {
    double least, most, step;
};

/* A quarter of `span`, rounded up to 1, 2 or 5 times a power of ten. */
static double step_of(double span)
{
    static const double nice[] = { 1, 2, 5, 10 };
    const double power = pow(10, floor(log10(span / 4)));
    size_t i = 0;
    while (i < 3 && nice[i] * power < span / 4)
        i++;
    return nice[i] * power;
}

static struct axis axis_of(double least, double most)
{
    const double step = step_of(most > least ? most - least : fabs(most) > 0 ? fabs(most) : 1);
    struct axis axis = { step * floor(least / step + 1e-9), step * ceil(most / step - 1e-9), step };
    if (axis.most <= axis.least)
        axis.most = axis.least + step;
    return axis;
}

/* ---- The frame --------------------------------------------------------------------------------------------------- */

static double place_x(const struct axis *x, double value)
{
    return LEFT + (value - x->least) / (x->most - x->least) * (WIDTH - LEFT - RIGHT);
}

static double place_y(const struct axis *y, double value)
{
    return HEIGHT - BOTTOM - (value - y->least) / (y->most - y->least) * (HEIGHT - TOP - BOTTOM);
}

static void begin(FILE *file, const char *title)
{
    fprintf(file, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">\n", WIDTH, HEIGHT, title);
}

/* Percents get as many decimals as the step needs; other numbers as many digits. */
static void print_tick(FILE *file, double value, double step, bool percent)
{
    const double shown = percent ? 100 * value : value, least = percent ? 100 * step : step;
    if (percent)
        fprintf(file, "%.*f%%", least < 0.095 ? 2 : least < 0.95 ? 1 : 0, shown);
    else
        fprintf(file, "%.3g", fabs(shown) < least / 1e3 ? 0 : shown);
}

static void frame(FILE *file, const struct axis *x, const char *x_title, bool x_percent, const struct axis *y,
                  bool y_percent)
{
    for (double v = y->least; v <= y->most + y->step / 2; v += y->step) {
        fprintf(file, "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text class=\"y\" x=\"%d\" y=\"%.1f\">", LEFT,
                place_y(y, v), WIDTH - RIGHT, LEFT - 8, place_y(y, v) + 4);
        print_tick(file, v, y->step, y_percent);
        fprintf(file, "</text>\n");
    }
    for (double v = x->step * ceil(x->least / x->step); v <= x->most * (1 + 1e-9); v += x->step) {
        fprintf(file, "<text class=\"x\" x=\"%.1f\" y=\"%d\">", place_x(x, v), HEIGHT - BOTTOM + 17);
        print_tick(file, v, x->step, x_percent);
        fprintf(file, "</text>\n");
    }
    fprintf(file, "<text class=\"x\" x=\"%d\" y=\"%d\">%s</text>\n", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 5, x_title);
}

/* ---- Over epochs ------------------------------------------------------------------------------------------------- */

static double value_at(const struct plot_line *line, size_t i)
{
    return *(const double *)((const unsigned char *)&line->epochs[i] + line->offset);
}

/* Parts of the curve are joined where the value is there epoch after epoch. */
static void print_curve(FILE *file, const struct plot_line *line, const struct axis *x, const struct axis *y)
{
    bool drawing = false;
    fprintf(file, "<path class=\"line c%zu%s\" d=\"", line->colour, line->dashed ? " dashed" : "");
    for (size_t i = 0; i < line->count; i++) {
        const double value = value_at(line, i);
        if (isfinite(value))
            fprintf(file, "%c%.1f %.1f", drawing ? 'L' : 'M', place_x(x, line->epochs[i].number), place_y(y, value));
        drawing = isfinite(value);
    }
    fprintf(file, "\"/>\n");
}

/* Dots can be pointed at: each tells its value. */
static void print_dots(FILE *file, const struct plot *plot, const struct plot_line *line, const struct axis *x,
                       const struct axis *y)
{
    for (size_t i = 0; i < line->count && line->count <= MOST_DOTS; i++) {
        const double value = value_at(line, i);
        if (!isfinite(value))
            continue;
        fprintf(file, "<circle class=\"dot c%zu%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\"><title>", line->colour,
                line->dashed ? " hollow" : "", place_x(x, line->epochs[i].number), place_y(y, value));
        page_text(file, line->name);
        fprintf(file, ", epoch %g: ", line->epochs[i].number);
        fprintf(file, plot->percent ? "%.2f%%" : "%.4g", plot->percent ? 100 * value : value);
        fprintf(file, "</title></circle>\n");
    }
}

void plot_epochs(FILE *file, const struct plot *plot)
{
    double first = INFINITY, last = -INFINITY, least = INFINITY, most = -INFINITY;
    for (size_t l = 0; l < plot->count; l++) {
        const struct plot_line *const line = &plot->lines[l];
        for (size_t i = 0; i < line->count; i++) {
            const double value = value_at(line, i);
            if (!isfinite(value))
                continue;
            first = fmin(first, line->epochs[i].number);
            last = fmax(last, line->epochs[i].number);
            least = fmin(least, value);
            most = fmax(most, value);
        }
    }
    if (first > last)
        return;
    /* Whole epochs; a loss and a rate begin at 0, an accuracy where it was. */
    struct axis x = { first, last > first ? last : first + 1, 1 };
    x.step = fmax(1, step_of((x.most - first) / 2)); /* its labels are short */
    const struct axis y = axis_of(plot->percent ? least : fmin(least, 0), most);
    fprintf(file, "<figure class=\"plot\"><figcaption>%s</figcaption>\n", plot->title);
    begin(file, plot->title);
    frame(file, &x, "epoch", false, &y, plot->percent);
    for (size_t l = 0; l < plot->count; l++) {
        print_curve(file, &plot->lines[l], &x, &y);
        print_dots(file, plot, &plot->lines[l], &x, &y);
    }
    fprintf(file, "</svg></figure>\n");
}

/* ---- Reliability ------------------------------------------------------------------------------------------------- */

/* A bar's height is the share of right answers, a bin's width its confidence: bars under the diagonal are too sure. */
void plot_reliability(FILE *file, const struct run *run)
{
    const struct axis axis = { 0, 1, 0.2 };
    begin(file, "Reliability diagram");
    frame(file, &axis, "confidence", true, &axis, true);
    for (size_t i = 0; i < REPORT_BINS; i++) {
        const struct run_bin *const b = &run->bins[i];
        if (b->count == 0)
            continue;
        const double from = place_x(&axis, (double)i / REPORT_BINS), to = place_x(&axis, (double)(i + 1) / REPORT_BINS);
        fprintf(file,
                "<rect class=\"bar\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%zu images, mean "
                "confidence %.1f%%, %.1f%% right</title></rect>\n",
                from + 1, place_y(&axis, b->accuracy), to - from - 2, place_y(&axis, 0) - place_y(&axis, b->accuracy),
                b->count, 100 * b->confidence, 100 * b->accuracy);
    }
    fprintf(file, "<path class=\"diagonal\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", place_x(&axis, 0), place_y(&axis, 0),
            place_x(&axis, 1), place_y(&axis, 1));
    for (size_t i = 0; i < REPORT_BINS; i++)
        if (run->bins[i].count > 0)
            fprintf(file, "<circle class=\"dot c0\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"/>\n",
                    place_x(&axis, run->bins[i].confidence), place_y(&axis, run->bins[i].accuracy));
    fprintf(file, "</svg>\n");
}
