/* What a terminal can show, and pictures and bars drawn with characters. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include "cli.h"

/* Columns of the terminal that `file` is; 80 if it is none. */
size_t terminal_width(FILE *file);

/* Whether the locale's characters are UTF-8, by $LC_ALL, $LC_CTYPE or $LANG. */
bool terminal_has_utf8(void);

/* "auto", "always", "never", for the row of --color. */
const char *terminal_colour_choice(size_t i);
/* The decision for one of them: auto means a terminal that is not dumb, UTF-8, and no $NO_COLOR. */
bool terminal_has_colour(FILE *file, const char *choice);

/* The row of --color (a const char *, "auto") in a command's table. */
#define CLI_OPTION_COLOUR(type, member)                                                                                \
    {                                                                                                                  \
        "color", CLI_AT(type, member, CLI_CHOICE),                                                                     \
            .value = "WHEN", .choice = terminal_colour_choice,                                                         \
            .help = "draw pictures in 24-bit colour half blocks, not in characters"                                    \
    }

/* Draws `count` pictures side by side, each (H, W, C) and reduced `shrink` times both ways, a column apart: as half
 * blocks, two pixels to a character, or in colourless characters, darker for brighter, two pixels averaged. */
void terminal_print_pictures(FILE *file, const uint8_t *const *pictures, size_t count, struct ink_shape shape,
                             size_t shrink, bool colour);
/* Columns that one of them takes. */
size_t terminal_picture_width(struct ink_shape shape, size_t shrink);

/* Writes a bar `fraction` of `width` characters long, padded with blanks to `width`. `text` has room for 3 * width + 1
 * bytes. */
void terminal_bar(char *text, double fraction, size_t width, bool utf8);

/* The course of a number that goes on, in few characters: when there are as many means as characters, each two become
 * one. Zero-initialised is empty. */
#define SPARK_WIDTH ((size_t)8)
#define SPARK_TEXT  (3 * SPARK_WIDTH + 1)
struct spark {
    double sums[SPARK_WIDTH];
    size_t used, inside, each; /* means begun, values in the last of them, values in each of the others */
};
/* Takes a number in; one that is not finite is left out. */
void spark_add(struct spark *spark, double value);
/* Writes it from lowest to highest, padded with blanks to SPARK_WIDTH columns. Returns text. */
const char *spark_text(const struct spark *spark, char text[SPARK_TEXT], bool utf8);

/* Columns that text takes, a character of UTF-8 one, and the bytes of those of them that fit in `most`. */
size_t terminal_columns(const char *text);
size_t terminal_fit(const char *text, size_t most);

/* Writes `number` with a comma between thousands. Returns text. */
const char *terminal_number(char text[32], size_t number);

/* Prints text from a file with everything that could steer a terminal replaced by '?'. */
void terminal_print_text(FILE *file, const char *text);

#endif
