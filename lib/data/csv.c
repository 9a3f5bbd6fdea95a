/*
 * CSV: a line an image, a number a cell; the label stands in the first or in the last column. Cells end with a comma, a
 * semicolon or a tab, may stand in double quotes, and lines end with \n or \r\n. Plain text is read where it is mapped,
 * gzipped text in pieces, so that memory holds little more than the images.
 *
 * Which column holds the labels is said by the headings, if there are any, or by the values: labels are fewer than the
 * levels of a pixel, but more than one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/gzip.h"

enum {
    PIECE = 256 * 1024, /* bytes decompressed at a time */
    CELL = 24,          /* of a cell's text that is kept */
    MOST_COLUMNS = 1 << 26,
    END = -1 /* what next_byte gives behind the text */
};

/* ---- Text -------------------------------------------------------------------------------------------------------- */

struct text {
    const char *path;
    struct ink__file file;
    struct ink__gunzip *gunzip; /* NULL: plain */
    unsigned char *piece;       /* (PIECE) */
    const unsigned char *at, *end;
    struct ink_error err; /* of decompression */
};

static void text_close(struct text *text)
{
    ink__gunzip_free(text->gunzip);
    ink__file_close(&text->file);
    free(text->piece);
}

static void next_piece(struct text *text)
{
    size_t got = 0;
    if (text->gunzip != NULL && text->err.code == INK_OK)
        ink__gunzip_read(text->gunzip, text->piece, PIECE, &got, &text->err);
    text->at = text->piece;
    text->end = text->piece != NULL ? text->piece + got : NULL;
}

static enum ink_status text_open(struct text *text, const char *path, struct ink_error *err)
{
    static const unsigned char mark[] = { 0xef, 0xbb, 0xbf }; /* of UTF-8 */
    *text = (struct text){ .path = path };
    enum ink_status status = ink__file_open(&text->file, path, err);
    if (status != INK_OK)
        return status;
    if (!ink__gzip_is(&text->file)) {
        text->at = text->file.bytes;
        text->end = text->at + text->file.size;
    } else {
        text->piece = ink__array(PIECE, 1);
        status = text->piece != NULL ? ink__gunzip_new(&text->gunzip, &text->file, path, err) : ink__fail_memory(err);
        if (status != INK_OK)
            return status;
        next_piece(text);
    }
    if ((size_t)(text->end - text->at) >= sizeof mark && memcmp(text->at, mark, sizeof mark) == 0)
        text->at += sizeof mark;
    return INK_OK;
}

static int next_byte(struct text *text)
{
    if (text->at == text->end)
        next_piece(text);
    return text->at == text->end ? END : *text->at++;
}

/* ---- Cells ------------------------------------------------------------------------------------------------------- */

/* One cell, read. */
struct cell {
    bool is_number; /* whole, not negative, below 2^31 */
    uint32_t number;
    char text[CELL]; /* without the blanks and quotes around it */
    bool is_void;    /* no byte at all */
    bool ends_line, ends_text;
};

/* "7", and "7.0" too, as programs write that know one kind of number only. */
static void read_number(struct cell *cell)
{
    const char *at = cell->text;
    uint64_t number = 0;
    for (; *at >= '0' && *at <= '9' && number <= INT32_MAX; at++)
        number = 10 * number + (uint64_t)(*at - '0');
    const bool digits = at > cell->text;
    if (digits && *at == '.')
        at += 1 + strspn(at + 1, "0");
    cell->is_number = digits && *at == '\0' && number <= INT32_MAX;
    cell->number = (uint32_t)number;
}

/* Takes away the blanks around, then two quotes that are alike, then the blanks in these. */
static void trim(char text[CELL])
{
    size_t begin = 0, end = strlen(text);
    bool quoted = false;
    do {
        begin += strspn(text + begin, " \r");
        while (end > begin && (text[end - 1] == ' ' || text[end - 1] == '\r'))
            end--;
        quoted = !quoted && end - begin >= 2 && text[begin] == text[end - 1] && strchr("\"'", text[begin]) != NULL;
        begin += quoted;
        end -= quoted;
    } while (quoted);
    memmove(text, text + begin, end - begin);
    text[end - begin] = '\0';
}

/* What nearly every cell is: a few digits and the separator, all in the piece at hand. Two thirds of the time that
 * reading took were spent on looking more closely. */
static bool read_digits(struct text *text, int separator, struct cell *cell)
{
    enum { DIGITS = 4 };
    const unsigned char *at = text->at;
    uint32_t number = 0;
    if (text->end - at <= DIGITS)
        return false;
    for (; *at >= '0' && *at <= '9' && at - text->at < DIGITS; at++)
        number = 10 * number + (uint32_t)(*at - '0');
    if (at == text->at || *at != separator)
        return false;
    text->at = at + 1;
    cell->number = number;
    cell->is_number = true;
    cell->is_void = cell->ends_line = cell->ends_text = false;
    return true;
}

static void read_cell(struct text *text, int separator, struct cell *cell)
{
    size_t length = 0;
    int c;
    if (read_digits(text, separator, cell))
        return;
    /* A zero byte would end the text before what is behind it, and what is not kept could be anything but a number. */
    while ((c = next_byte(text)) != separator && c != '\n' && c != END)
        if (length < CELL - 1)
            cell->text[length++] = c != 0 ? (char)c : '?';
        else
            cell->text[CELL - 2] = '?';
    cell->text[length] = '\0';
    cell->ends_line = c != separator;
    cell->ends_text = c == END;
    cell->is_void = length == 0 || (cell->ends_line && strcmp(cell->text, "\r") == 0);
    trim(cell->text);
    read_number(cell);
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

struct csv {
    struct text text;
    int separator;
    size_t line;                                  /* being read, from 1 */
    size_t first_line;                            /* of the images */
    size_t columns;                               /* in every line */
    char first_heading[CELL], last_heading[CELL]; /* empty if there are none */

    /* Every cell, and those of the first and last column, one of which is a label, in full. */
    uint8_t *cells; /* (count, columns), room for `cell_room` */
    uint32_t *ends; /* (count, 2), room for `end_room` */
    size_t count, used, cell_room, end_room;
};

/* A line, read into the room behind the images. */
struct line {
    size_t columns;
    struct cell first, last;
    size_t wrong; /* the first column with no level of a pixel, from 1; neither of the ends; 0: none */
    char found[CELL];
};

static enum ink_status fail_cell(const struct csv *csv, size_t line, size_t column, const char *found, unsigned most,
                                 struct ink_error *err)
{
    return ink__fail(err, INK_BAD_INPUT, "%s: line %zu, column %zu: found '%s', expected a whole number from 0 to %u",
                     csv->text.path, line, column, found, most);
}

/* The first of the three separators that the first line has. */
static int find_separator(const struct text *text)
{
    for (const unsigned char *at = text->at; at < text->end && *at != '\n'; at++)
        if (*at == ',' || *at == ';' || *at == '\t')
            return *at;
    return ',';
}

/* Doubles the room of an array of `size` bytes an element, in place where the system can. */
static bool grow(void **array, size_t *room, size_t size)
{
    size_t bytes;
    const size_t larger = *room > 0 ? 2 * *room : 4096;
    void *const moved = ink__multiply(&bytes, larger, size) ? realloc(*array, bytes) : NULL;
    if (moved == NULL)
        return false;
    *array = moved;
    *room = larger;
    return true;
}

static enum ink_status read_line(struct csv *csv, struct line *line, struct ink_error *err)
{
    struct cell *const cell = &line->last;
    line->columns = line->wrong = 0;
    csv->used = csv->count * csv->columns;
    do {
        read_cell(&csv->text, csv->separator, cell);
        if (line->columns == MOST_COLUMNS)
            return ink__fail(err, INK_BAD_INPUT, "%s: line %zu: expected at most %d columns", csv->text.path, csv->line,
                             MOST_COLUMNS);
        if (csv->used == csv->cell_room && !grow((void **)&csv->cells, &csv->cell_room, 1))
            return ink__fail_memory(err);
        csv->cells[csv->used++] = (uint8_t)cell->number;
        if (line->columns++ == 0) {
            line->first = *cell;
        } else if (!cell->ends_line && line->wrong == 0 && (!cell->is_number || cell->number > UINT8_MAX)) {
            line->wrong = line->columns;
            if (cell->is_number)
                snprintf(line->found, CELL, "%u", cell->number);
            else
                memcpy(line->found, cell->text, CELL);
        }
    } while (!cell->ends_line);
    if (csv->text.err.code != INK_OK && err != NULL)
        *err = csv->text.err;
    return csv->text.err.code;
}

/* Checks a line of numbers and adds its ends. */
static enum ink_status add_line(struct csv *csv, const struct line *line, struct ink_error *err)
{
    if (line->columns != csv->columns)
        return ink__fail(err, INK_BAD_INPUT, "%s: line %zu: %zu columns, expected %zu as in line 1", csv->text.path,
                         csv->line, line->columns, csv->columns);
    if (!line->first.is_number)
        return fail_cell(csv, csv->line, 1, line->first.text, UINT8_MAX, err);
    if (line->wrong > 0)
        return fail_cell(csv, csv->line, line->wrong, line->found, UINT8_MAX, err);
    if (!line->last.is_number)
        return fail_cell(csv, csv->line, line->columns, line->last.text, UINT8_MAX, err);
    if (csv->count == csv->end_room && !grow((void **)&csv->ends, &csv->end_room, 2 * sizeof *csv->ends))
        return ink__fail_memory(err);
    csv->ends[2 * csv->count] = line->first.number;
    csv->ends[2 * csv->count + 1] = line->last.number;
    csv->count++;
    return INK_OK;
}

/* The first line says how many columns there are. It is one of headings if it begins or ends with no number. */
static enum ink_status add_first_line(struct csv *csv, const struct line *line, struct ink_error *err)
{
    csv->columns = line->columns;
    csv->first_line = 1;
    if (line->columns < 2)
        return ink__fail(err, INK_BAD_INPUT, "%s: line 1: 1 column, expected a label and pixels, with commas between",
                         csv->text.path);
    if (line->first.is_number && line->last.is_number)
        return add_line(csv, line, err);
    csv->first_line = 2;
    memcpy(csv->first_heading, line->first.text, CELL);
    memcpy(csv->last_heading, line->last.text, CELL);
    return INK_OK;
}

static enum ink_status read_lines(struct csv *csv, struct ink_error *err)
{
    struct line line = { .last.ends_text = false };
    size_t blank = 0; /* a line; only the last may be */
    while (!line.last.ends_text) {
        enum ink_status status = read_line(csv, &line, err);
        csv->line++;
        if (status == INK_OK && line.columns == 1 && line.last.is_void && csv->line > 1) {
            blank = blank == 0 ? csv->line : blank;
            continue;
        }
        if (status == INK_OK && blank > 0)
            status = ink__fail(err, INK_BAD_INPUT, "%s: line %zu: is blank, expected %zu columns", csv->text.path,
                               blank, csv->columns);
        if (status == INK_OK)
            status = (csv->line == 1 ? add_first_line : add_line)(csv, &line, err);
        if (status != INK_OK)
            return status;
    }
    if (csv->count == 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: line %zu: no images, expected a line for each", csv->text.path,
                         csv->line);
    return INK_OK;
}

/* ---- Labels and pixels ------------------------------------------------------------------------------------------- */

/* Whether a heading is one that labels have. */
static bool names_labels(const char *heading)
{
    static const char *const names[] = { "label", "labels", "class", "target", "category", "digit", "y" };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcasecmp(heading, names[i]) == 0)
            return true;
    return false;
}

/* How many different values an end has; 0 if some are too large for labels. */
static size_t count_values(const struct csv *csv, size_t end)
{
    bool seen[INK__MOST_CLASSES] = { false };
    size_t values = 0;
    for (size_t i = 0; i < csv->count; i++) {
        const uint32_t value = csv->ends[2 * i + end];
        if (value >= INK__MOST_CLASSES)
            return 0;
        values += !seen[value];
        seen[value] = true;
    }
    return values;
}

/* The end that holds the labels: 0 the first column, 1 the last; *guessed unless a heading says so. */
static size_t find_labels(const struct csv *csv, bool *guessed)
{
    *guessed = false;
    if (names_labels(csv->first_heading) || names_labels(csv->last_heading))
        return !names_labels(csv->first_heading);
    *guessed = true;
    const size_t first = count_values(csv, 0), last = count_values(csv, 1);
    return last > 1 && (first < 2 || last < first);
}

/* Takes the labels out of the lines, so that the pixels lie side by side. */
static enum ink_status take_labels(struct csv *csv, size_t end, uint16_t *labels, struct ink_error *err)
{
    const size_t pixels = csv->columns - 1, columns[2] = { 1, csv->columns };
    for (size_t i = 0; i < csv->count; i++) {
        const uint32_t *const ends = csv->ends + 2 * i;
        for (size_t e = 0; e < 2; e++) {
            const unsigned most = e == end ? INK__MOST_CLASSES - 1 : UINT8_MAX;
            char found[CELL];
            snprintf(found, sizeof found, "%u", ends[e]);
            if (ends[e] > most)
                return fail_cell(csv, csv->first_line + i, columns[e], found, most, err);
        }
        labels[i] = (uint16_t)ends[end];
        memmove(csv->cells + i * pixels, csv->cells + i * csv->columns + (end == 0), pixels);
    }
    return INK_OK;
}

static enum ink_status find_shape(struct ink_shape *shape, const struct csv *csv, struct ink_shape size,
                                  struct ink_error *err)
{
    const size_t pixels = csv->columns - 1;
    if (ink__shape_of(shape, pixels, size))
        return INK_OK;
    const bool no_labels = ink__shape_of(shape, csv->columns, size);
    return ink__fail(err, INK_BAD_INPUT,
                     "%s: line 1: %zu columns, %zu besides the label, expected a square number, or %s", csv->text.path,
                     csv->columns, pixels,
                     no_labels ? "are the labels missing?" : "three times one (or --size HxWxC with as many pixels)");
}

enum ink_status ink__load_csv(struct ink_dataset *data, const char *path, enum ink_split split,
                              const struct ink_dataset_options *options, struct ink_error *err)
{
    struct csv csv = { .line = 0 };
    struct ink_shape shape;
    bool guessed;
    (void)split;
    data->whole = true;
    enum ink_status status = text_open(&csv.text, path, err);
    if (status == INK_OK) {
        csv.separator = find_separator(&csv.text);
        status = read_lines(&csv, err);
    }
    if (status == INK_OK)
        status = find_shape(&shape, &csv, options->size, err);
    if (status != INK_OK)
        goto out;
    const size_t end = find_labels(&csv, &guessed);
    data->own_labels = ink__array(csv.count, sizeof *data->own_labels);
    if (data->own_labels == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    status = take_labels(&csv, end, data->own_labels, err);
    if (status != INK_OK)
        goto out;
    data->own_pixels = csv.cells;
    csv.cells = NULL;
    ink__dataset_set(data, shape, csv.count, data->own_pixels, data->own_labels);
    if (guessed && !ink__dataset_remark(data, "%s: the %s column is taken for the labels, as no heading names one",
                                        path, end == 0 ? "first" : "last"))
        status = ink__fail_memory(err);
out:
    free(csv.cells);
    free(csv.ends);
    text_close(&csv.text);
    return status;
}
