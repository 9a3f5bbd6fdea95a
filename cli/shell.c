/* A command line, printed so that a shell reads it again. */
#include "cli.h"

#include <string.h>

/* Prints a word as a POSIX shell reads it. */
static void print_quoted(FILE *file, const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
    if (word[0] != 0 && word[strspn(word, plain)] == 0) {
        fputs(word, file);
        return;
    }
    fputc('\'', file);
    for (; *word != 0; word++)
        if (*word == '\'')
            fputs("'\\''", file);
        else
            fputc(*word, file);
    fputc('\'', file);
}

void cli_print_command(FILE *file, char *const *argv, bool resume)
{
    bool options_ended = false;
    for (size_t i = 0; argv[i] != NULL; i++) {
        options_ended = options_ended || strcmp(argv[i], "--") == 0;
        if (!options_ended && strcmp(argv[i], "--resume") == 0)
            continue;
        fputs(i > 0 ? " " : "", file);
        print_quoted(file, argv[i]);
        fputs(i == 1 && resume ? " --resume" : "", file);
    }
}
