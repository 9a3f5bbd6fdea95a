#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define UPPER_HALF_BLOCK "\xe2\x96\x80"
#define FULL_BLOCK       "\xe2\x96\x88"

size_t terminal_width(FILE *file)
{
    struct winsize size;
    if (isatty(fileno(file)) && ioctl(fileno(file), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

bool terminal_has_utf8(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *const value = getenv(names[i]), *const set = value != NULL ? strrchr(value, '.') : NULL;
        if (value != NULL && value[0] != 0)
            return set != NULL && (strncasecmp(set, ".UTF-8", 6) == 0 || strncasecmp(set, ".utf8", 5) == 0);
    }
    return false;
}

const char *terminal_colour_choice(size_t i)
{
    static const char *const choices[] = { "auto", "always", "never", NULL };
    return choices[i];
}

bool terminal_has_colour(FILE *file, const char *choice)
{
    if (strcmp(choice, "auto") != 0)
        return strcmp(choice, "always") == 0;
    const char *const no_colour = getenv("NO_COLOR"), *const type = getenv("TERM");
    return isatty(fileno(file)) && (no_colour == NULL || no_colour[0] == 0) &&
           (type == NULL || strcmp(type, "dumb") != 0) && terminal_has_utf8();
}

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

struct rgb {
    unsigned red, green, blue;
};

/* The mean of the `shrink` x `shrink` pixels at (row, column) of the reduced picture, black past its end. */
static struct rgb pixel_at(const uint8_t *pixels, struct ink_shape shape, size_t shrink, size_t row, size_t column)
{
    size_t sums[3] = { 0 }, count = 0;
    for (size_t y = row * shrink; y < (row + 1) * shrink && y < shape.height; y++)
        for (size_t x = column * shrink; x < (column + 1) * shrink && x < shape.width; x++, count++)
            for (size_t c = 0; c < 3; c++)
                sums[c] += pixels[(y * shape.width + x) * shape.channels + (shape.channels == 3 ? c : 0)];
    count = count > 0 ? count : 1;
    return (struct rgb){ (unsigned)(sums[0] / count), (unsigned)(sums[1] / count), (unsigned)(sums[2] / count) };
}

/* A character of two pixels, one above the other; NULL for `left` at the start of a line. */
struct cell {
    struct rgb upper, lower;
};

static void print_cell(FILE *file, const struct cell *cell, const struct cell *left, bool colour)
{
    static const char ramp[] = " .:-=+*#%@";
    const struct rgb u = cell->upper, l = cell->lower;
    if (!colour) {
        const unsigned sum = u.red + u.green + u.blue + l.red + l.green + l.blue;
        fputc(ramp[sum * (sizeof ramp - 1) / (6 * 256)], file);
        return;
    }
    if (left == NULL || memcmp(cell, left, sizeof *cell) != 0)
        fprintf(file, "\x1b[38;2;%u;%u;%u;48;2;%u;%u;%um", u.red, u.green, u.blue, l.red, l.green, l.blue);
    fputs(UPPER_HALF_BLOCK, file);
}

size_t terminal_picture_width(struct ink_shape shape, size_t shrink)
{
    return (shape.width + shrink - 1) / shrink;
}

void terminal_print_pictures(FILE *file, const uint8_t *const *pictures, size_t count, struct ink_shape shape,
                             size_t shrink, bool colour)
{
    const size_t width = terminal_picture_width(shape, shrink), height = (shape.height + shrink - 1) / shrink;
    for (size_t row = 0; row < height; row += 2) {
        for (size_t i = 0; i < count; i++) {
            fputs(i > 0 ? " " : "", file);
            struct cell cell, left;
            for (size_t column = 0; column < width; column++, left = cell) {
                cell = (struct cell){ pixel_at(pictures[i], shape, shrink, row, column),
                                      pixel_at(pictures[i], shape, shrink, row + 1, column) };
                print_cell(file, &cell, column > 0 ? &left : NULL, colour);
            }
            fputs(colour ? "\x1b[0m" : "", file);
        }
        fputc('\n', file);
    }
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */

void terminal_bar(char *text, double fraction, size_t width, bool utf8)
{
    /* U+2588 is the full block; U+2589 to U+258F are seven eighths to one eighth of it. */
    const double clamped = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
    const size_t eighths = (size_t)(clamped * (double)width * 8 + 0.5);
    for (size_t i = 0; i < width; i++) {
        const size_t part = eighths > 8 * i ? eighths - 8 * i : 0;
        if (!utf8)
            *text++ = part >= 4 ? '#' : ' ';
        else if (part >= 8)
            text = stpcpy(text, FULL_BLOCK);
        else if (part > 0)
            text += sprintf(text, "\xe2\x96%c", (char)(0x90 - part));
        else
            *text++ = ' ';
    }
    *text = 0;
}

void spark_add(struct spark *spark, double value)
{
    if (!isfinite(value))
        return;
    if (spark->each == 0)
        *spark = (struct spark){ .each = 1 };
    if (spark->used == SPARK_WIDTH && spark->inside == spark->each) {
        for (size_t i = 0; i < SPARK_WIDTH / 2; i++)
            spark->sums[i] = spark->sums[2 * i] + spark->sums[2 * i + 1];
        spark->used = SPARK_WIDTH / 2;
        spark->each *= 2;
        spark->inside = spark->each;
    }
    if (spark->used == 0 || spark->inside == spark->each) {
        spark->sums[spark->used++] = 0;
        spark->inside = 0;
    }
    spark->sums[spark->used - 1] += value;
    spark->inside++;
}

const char *spark_text(const struct spark *spark, char text[SPARK_TEXT], bool utf8)
{
    static const char levels[] = "_.-=+*#%"; /* as many as U+2581 to U+2588, the lower blocks */
    double means[SPARK_WIDTH], least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < spark->used; i++) {
        means[i] = spark->sums[i] / (double)(i + 1 < spark->used ? spark->each : spark->inside);
        least = fmin(least, means[i]);
        most = fmax(most, means[i]);
    }
    char *to = text;
    for (size_t i = 0; i < SPARK_WIDTH; i++) {
        const size_t level = i < spark->used && most > least ? (size_t)(7.99 * (means[i] - least) / (most - least)) : 0;
        if (i >= spark->used)
            *to++ = ' ';
        else if (utf8)
            to += sprintf(to, "\xe2\x96%c", (char)(0x81 + level));
        else
            *to++ = levels[level];
    }
    *to = 0;
    return text;
}

size_t terminal_columns(const char *text)
{
    size_t columns = 0;
    for (; *text != 0; text++)
        columns += ((unsigned char)*text & 0xc0) != 0x80;
    return columns;
}

size_t terminal_fit(const char *text, size_t most)
{
    size_t bytes = 0;
    for (size_t columns = 0; text[bytes] != 0; bytes++) {
        columns += ((unsigned char)text[bytes] & 0xc0) != 0x80;
        if (columns > most)
            break;
    }
    return bytes;
}

const char *terminal_number(char text[32], size_t number)
{
    char digits[24];
    const int length = snprintf(digits, sizeof digits, "%zu", number);
    char *to = text;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = 0;
    return text;
}

void terminal_print_text(FILE *file, const char *text)
{
    for (; *text != 0; text++)
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text, file);
}
