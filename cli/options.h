/* Reads a command line by a command's table of options, and prints help from the same table. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "cli.h"

/* The words that options stood for, which values in the arguments point into. */
struct cli_words;
void cli_words_free(struct cli_words *words);

/* Reads argv (ended by NULL), what follows the command's name: `--name value`, `--name=value`, `-n value`, `-nvalue`;
 * `--` ends the options and a lone `-` is an operand. Writes values into `arguments`, which holds the defaults, and
 * operands into `operands`, which has room for all of argv. Sets *help and stops there at --help. *words is for
 * cli_words_free when the arguments are no longer used, also after a failure. */
enum ink_status cli_parse(const struct command *command, char *const *argv, void *arguments, char **operands,
                          size_t *operand_count, bool *help, struct cli_words **words, struct ink_error *err);

/* The help of one command. */
void cli_print_help(FILE *file, const struct command *command);

/* Prints `text` in lines of at most 80 columns, the first starting at `column`, the others indented by as much. */
void cli_print_wrapped(FILE *file, const char *text, size_t column);

#endif
