#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define HELP_COLUMN  28
#define LINE_WIDTH   80
#define LONGEST_WORD 32

enum ink_status cli_fail(struct ink_error *err, enum ink_status code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    err->code = code;
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return code;
}

enum ink_status cli_fail_usage(struct ink_error *err, const char *command, const char *format, ...)
{
    char message[sizeof err->message - 100];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return cli_fail(err, INK_BAD_ARGUMENT, "%s (see 'inkling %s --help')", message, command);
}

/* ---- The nearest word -------------------------------------------------------------------------------------------- */

/* Levenshtein's distance, a row at a time; LONGEST_WORD for words too long to be ours. */
static size_t distance(const char *a, const char *b)
{
    const size_t a_length = strlen(a), b_length = strlen(b);
    size_t row[LONGEST_WORD + 1];
    if (a_length > LONGEST_WORD || b_length > LONGEST_WORD)
        return LONGEST_WORD;
    for (size_t j = 0; j <= b_length; j++)
        row[j] = j;
    for (size_t i = 0; i < a_length; i++) {
        size_t diagonal = row[0];
        row[0] = i + 1;
        for (size_t j = 0; j < b_length; j++) {
            size_t least = diagonal + (a[i] != b[j]);
            least = row[j] + 1 < least ? row[j] + 1 : least;
            least = row[j + 1] + 1 < least ? row[j + 1] + 1 : least;
            diagonal = row[j + 1];
            row[j + 1] = least;
        }
    }
    return row[b_length];
}

const char *cli_nearest(const char *word, const char *(*candidate)(const void *context, size_t i), const void *context)
{
    const char *nearest = NULL, *name = NULL;
    size_t least = strlen(word) / 3 + 2; /* a third of the letters wrong, and one more, is another word */
    for (size_t i = 0; (name = candidate(context, i)) != NULL; i++) {
        const size_t d = distance(word, name);
        if (d < least) {
            least = d;
            nearest = name;
        }
    }
    return nearest;
}

bool cli_ends_with(const char *path, const char *ending)
{
    const size_t length = strlen(path), part = strlen(ending);
    return length > part && strcmp(path + length - part, ending) == 0;
}

/* ---- Layouts ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum ink_layout layout;
} layouts[] = {
    { "inkling", INK_LAYOUT_INKLING },
    { "torch", INK_LAYOUT_TORCH },
};
#define LAYOUTS (sizeof layouts / sizeof layouts[0])

const char *cli_layout_name(size_t i)
{
    return i < LAYOUTS ? layouts[i].name : NULL;
}

enum ink_layout cli_layout(const char *name)
{
    for (size_t i = 0; name != NULL && i < LAYOUTS; i++)
        if (strcmp(name, layouts[i].name) == 0)
            return layouts[i].layout;
    return INK_LAYOUT_ANY;
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

/* Every command has this one, after its own. */
static const struct cli_option help_option = { .name = "help", .letter = 'h', .help = "print this help" };

/* The i-th option of a command, --help last; NULL past it. */
static const struct cli_option *option_at(const struct command *command, size_t i)
{
    const struct cli_option *const tables[] = { command->options, command->shared_options };
    for (size_t t = 0; t < 2; t++)
        for (const struct cli_option *option = tables[t]; option != NULL && option->name != NULL; option++)
            if (i-- == 0)
                return option;
    return i == 0 ? &help_option : NULL;
}

static const char *option_name(const void *command, size_t i)
{
    const struct cli_option *option = option_at(command, i);
    return option != NULL ? option->name : NULL;
}

static bool is_word(const char *word, const char *text, size_t length)
{
    return word != NULL && strlen(word) == length && memcmp(word, text, length) == 0;
}

/* The option that `argument`, "--name...", "--name=value" or "-nvalue", begins with; NULL if there is none. */
static const struct cli_option *find_option(const struct command *command, const char *argument)
{
    const struct cli_option *option = NULL;
    const char *const name = argument + 2;
    const size_t length = strcspn(name, "=");
    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++)
        if (argument[1] == '-' ? is_word(option->name, name, length) || is_word(option->alias, name, length)
                               : option->letter == argument[1])
            break;
    return option;
}

/* Whether the value in `arguments` is the one that means "not given". */
static bool is_unset(const struct cli_option *option, const void *arguments)
{
    const void *const at = (const unsigned char *)arguments + option->offset;
    switch (option->kind) {
    case CLI_SIZE:
        return *(const size_t *)at == SIZE_MAX;
    case CLI_DOUBLE:
        return isnan(*(const double *)at);
    case CLI_STRING:
    case CLI_CHOICE:
        return *(const char *const *)at == NULL;
    case CLI_FLAG:
    case CLI_U64:
        break;
    }
    return false;
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

static enum ink_status fail_number(const struct cli_option *option, const char *text, struct ink_error *err)
{
    char limits[80];
    const int digits = option->kind == CLI_DOUBLE ? 6 : 17; /* significant ones: whole numbers in full */
    const int used = snprintf(limits, sizeof limits, "from %.*g", digits, option->least);
    if (option->most > 0)
        snprintf(limits + used, sizeof limits - (size_t)used, " to %.*g", digits, option->most);
    return cli_fail(err, INK_BAD_ARGUMENT, "--%s: found '%s', expected a %snumber %s", option->name, text,
                    option->kind == CLI_DOUBLE ? "" : "whole ", limits);
}

static bool in_range(const struct cli_option *option, double value)
{
    return value >= option->least && (option->most <= 0 || value <= option->most);
}

/* Whole numbers are digits alone: no sign, no blank, no base. */
static enum ink_status read_whole(uint64_t *value, const struct cli_option *option, const char *text, uint64_t limit,
                                  struct ink_error *err)
{
    errno = 0;
    *value = strtoull(text, NULL, 10);
    const bool digits = text[0] != 0 && text[strspn(text, "0123456789")] == 0;
    if (!digits || errno != 0 || *value > limit || !in_range(option, (double)*value))
        return fail_number(option, text, err);
    return INK_OK;
}

/* Decimal notation of a finite number; the program never leaves the C locale, so the point is a point. */
static enum ink_status read_double(double *value, const struct cli_option *option, const char *text,
                                   struct ink_error *err)
{
    char *end = NULL;
    *value = strtod(text, &end);
    const bool decimal = text[0] != 0 && text[strspn(text, "0123456789.eE+-")] == 0 && *end == 0;
    if (!decimal || !isfinite(*value) || !in_range(option, *value))
        return fail_number(option, text, err);
    return INK_OK;
}

static const char *choice_name(const void *option, size_t i)
{
    return ((const struct cli_option *)option)->choice(i);
}

/* "A, B, C" */
static void list_choices(char *list, size_t size, const struct cli_option *option)
{
    size_t used = 0;
    for (size_t i = 0; option->choice(i) != NULL && used < size; i++)
        used += (size_t)snprintf(list + used, size - used, "%s%s", i > 0 ? ", " : "", option->choice(i));
}

static enum ink_status read_choice(const char **value, const struct cli_option *option, const char *text,
                                   struct ink_error *err)
{
    for (size_t i = 0; (*value = option->choice(i)) != NULL; i++)
        if (strcmp(*value, text) == 0)
            return INK_OK;
    char list[512] = "", hint[64] = "";
    const char *nearest = cli_nearest(text, choice_name, option);
    list_choices(list, sizeof list, option);
    if (nearest != NULL)
        snprintf(hint, sizeof hint, "; did you mean '%s'?", nearest);
    return cli_fail(err, INK_BAD_ARGUMENT, "--%s: found '%s', expected one of %s%s", option->name, text, list, hint);
}

static enum ink_status read_value(const struct cli_option *option, void *arguments, const char *text,
                                  struct ink_error *err)
{
    void *const to = (unsigned char *)arguments + option->offset;
    enum ink_status status = INK_OK;
    uint64_t whole = 0;
    switch (option->kind) {
    case CLI_FLAG:
        *(bool *)to = true;
        break;
    case CLI_SIZE: /* SIZE_MAX means "not given" */
        if ((status = read_whole(&whole, option, text, SIZE_MAX - 1, err)) == INK_OK)
            *(size_t *)to = (size_t)whole;
        break;
    case CLI_U64:
        if ((status = read_whole(&whole, option, text, UINT64_MAX, err)) == INK_OK)
            *(uint64_t *)to = whole;
        break;
    case CLI_DOUBLE:
        status = read_double(to, option, text, err);
        break;
    case CLI_STRING:
        *(const char **)to = text;
        break;
    case CLI_CHOICE:
        status = read_choice(to, option, text, err);
        break;
    }
    return status;
}

static enum ink_status fail_unknown(const struct command *command, const char *argument, struct ink_error *err)
{
    char name[LONGEST_WORD + 2] = "", hint[64] = "";
    if (argument[1] == '-')
        snprintf(name, sizeof name, "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
    const char *nearest = name[0] != 0 ? cli_nearest(name, option_name, command) : NULL;
    if (nearest != NULL)
        snprintf(hint, sizeof hint, "; did you mean '--%s'?", nearest);
    return cli_fail_usage(err, command->name, "unknown option '%s'%s", argument, hint);
}

/* Checks what only the whole line can show: the number of operands, the required options. */
static enum ink_status check_complete(const struct command *command, const void *arguments, char *const *operands,
                                      size_t operand_count, struct ink_error *err)
{
    if (operand_count < command->least_operands)
        return cli_fail_usage(err, command->name, "%s: found %zu argument%s, expected %s", command->name, operand_count,
                              operand_count == 1 ? "" : "s", command->operands);
    if (operand_count > command->most_operands)
        return cli_fail_usage(err, command->name, "%s: unexpected argument '%s'", command->name,
                              operands[command->most_operands]);
    const struct cli_option *option = NULL;
    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++)
        if (option->required && is_unset(option, arguments))
            return cli_fail_usage(err, command->name, "%s: option '--%s %s' is required", command->name, option->name,
                                  option->value);
    return INK_OK;
}

/* What options stood for, cut into words; the texts of the words lie behind their list. */
struct cli_words {
    struct cli_words *next;
    char *list[];
};

void cli_words_free(struct cli_words *words)
{
    while (words != NULL) {
        struct cli_words *const next = words->next;
        free(words);
        words = next;
    }
}

static struct cli_words *split(const char *text)
{
    const size_t length = strlen(text), most = length / 2 + 2; /* words, each with a blank behind it, and NULL */
    struct cli_words *const words = calloc(1, sizeof *words + most * sizeof words->list[0] + length + 1);
    if (words == NULL)
        return NULL;
    char *to = (char *)&words->list[most];
    size_t count = 0;
    while (text[0] != 0) {
        const bool quoted = text[0] == '\'';
        const size_t size = quoted ? strcspn(text + 1, "'") : strcspn(text, " ");
        words->list[count++] = memcpy(to, text + quoted, size);
        to += size + 1;
        text += size + quoted;
        text += quoted && text[0] != 0; /* its other ' */
        text += strspn(text, " ");
    }
    return words;
}

struct parsing {
    const struct command *command;
    void *arguments;
    char **operands;
    size_t operand_count;
    bool help;
    struct cli_words *words;
    struct ink_error *err;
};

static enum ink_status read_words(struct parsing *p, char *const *argv);

/* Reads what the option's choice stands for. */
static enum ink_status read_expansion(struct parsing *p, const struct cli_option *option)
{
    const char *const *const choice = (const void *)((const unsigned char *)p->arguments + option->offset);
    struct cli_words *const words = split(option->stands_for(*choice));
    if (words == NULL)
        return cli_fail(p->err, INK_FAILED, "out of memory");
    words->next = p->words;
    p->words = words;
    return read_words(p, words->list);
}

static enum ink_status read_words(struct parsing *p, char *const *argv)
{
    const char *const name = p->command->name;
    enum ink_status status = INK_OK;
    bool options_ended = false;
    for (; *argv != NULL && status == INK_OK && !p->help; argv++) {
        char *const argument = *argv;
        if (options_ended || argument[0] != '-' || argument[1] == 0) {
            p->operands[p->operand_count++] = argument;
            continue;
        }
        if (strcmp(argument, "--") == 0) {
            options_ended = true;
            continue;
        }
        const struct cli_option *option = find_option(p->command, argument);
        if (option == NULL)
            return fail_unknown(p->command, argument, p->err);

        /* The value stands after '=' or after the letter, or else it is the next word. */
        const bool is_long = argument[1] == '-';
        const char *value = is_long ? strchr(argument, '=') : argument[2] != 0 ? argument + 2 : NULL;
        if (option->kind == CLI_FLAG && value != NULL)
            return cli_fail_usage(p->err, name, "option '--%s' takes no value, found '%s'", option->name, argument);
        if (option == &help_option) {
            p->help = true;
            continue;
        }
        if (option->kind != CLI_FLAG) {
            if (value != NULL)
                value += is_long;
            else if (argv[1] != NULL && strncmp(argv[1], "--", 2) != 0)
                value = *++argv;
            else
                return cli_fail_usage(p->err, name, "option '--%s' needs a value, %s", option->name, option->value);
        }
        status = read_value(option, p->arguments, value, p->err);
        if (status == INK_OK && option->stands_for != NULL)
            status = read_expansion(p, option);
    }
    return status;
}

enum ink_status cli_parse(const struct command *command, char *const *argv, void *arguments, char **operands,
                          size_t *operand_count, bool *help, struct cli_words **words, struct ink_error *err)
{
    struct parsing p = { .command = command, .arguments = arguments, .operands = operands, .err = err };
    const enum ink_status status = read_words(&p, argv);
    *operand_count = p.operand_count;
    *help = p.help;
    *words = p.words;
    return status != INK_OK || p.help ? status : check_complete(command, arguments, operands, p.operand_count, err);
}

/* ---- Help -------------------------------------------------------------------------------------------------------- */

void cli_print_wrapped(FILE *file, const char *text, size_t column)
{
    const size_t indent = column;
    bool first = true;
    while (*text != 0) {
        /* A remark in brackets stays on one line. */
        const size_t length = *text == '[' ? strcspn(text, "]") + (strchr(text, ']') != NULL) : strcspn(text, " ");
        if (!first && column + 1 + length > LINE_WIDTH) {
            fprintf(file, "\n%*s", (int)indent, "");
            column = indent;
            first = true;
        }
        fprintf(file, "%s%.*s", first ? "" : " ", (int)length, text);
        column += length + !first;
        first = false;
        text += length + (text[length] == ' ');
    }
    fputc('\n', file);
}

/* The default in words; "" if there is none to tell. */
static void describe_default(char *text, size_t size, const struct cli_option *option, const void *defaults)
{
    const void *const at = (const unsigned char *)defaults + option->offset;
    if (option->kind == CLI_FLAG)
        snprintf(text, size, "%s", "");
    else if (option->required)
        snprintf(text, size, " (required)");
    else if (is_unset(option, defaults))
        snprintf(text, size, option->unset != NULL ? " [default: %s]" : "%s",
                 option->unset != NULL ? option->unset : "");
    else if (option->kind == CLI_SIZE)
        snprintf(text, size, " [default: %zu]", *(const size_t *)at);
    else if (option->kind == CLI_U64)
        snprintf(text, size, " [default: %llu]", (unsigned long long)*(const uint64_t *)at);
    else if (option->kind == CLI_DOUBLE)
        snprintf(text, size, " [default: %g]", *(const double *)at);
    else
        snprintf(text, size, " [default: %s]", *(const char *const *)at);
}

static void print_option(FILE *file, const struct cli_option *option, const void *defaults)
{
    char left[LINE_WIDTH], right[1024], choices[512] = "", fallback[128];
    char letter[] = "   ";
    if (option->letter != 0)
        snprintf(letter, sizeof letter, "-%c,", option->letter);
    const int width =
        snprintf(left, sizeof left, "  %s --%s%s%s %s", letter, option->name, option->alias != NULL ? ", --" : "",
                 option->alias != NULL ? option->alias : "", option->value != NULL ? option->value : "");
    if (option->kind == CLI_CHOICE)
        list_choices(choices, sizeof choices, option);
    describe_default(fallback, sizeof fallback, option, defaults);
    snprintf(right, sizeof right, "%s%s%s%s", option->help, choices[0] != 0 ? ": " : "", choices, fallback);

    if (width + 2 > HELP_COLUMN)
        fprintf(file, "%s\n%*s", left, HELP_COLUMN, "");
    else
        fprintf(file, "%-*s", HELP_COLUMN, left);
    cli_print_wrapped(file, right, HELP_COLUMN);
}

void cli_print_help(FILE *file, const struct command *command)
{
    const struct cli_option *option = NULL;
    fprintf(file, "Usage: inkling %s%s%s", command->name, command->operands != NULL ? " " : "",
            command->operands != NULL ? command->operands : "");
    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++)
        if (option->required)
            fprintf(file, " --%s %s", option->name, option->value);
    fprintf(file, " [options]\n\n");
    cli_print_wrapped(file, command->about != NULL ? command->about : command->summary, 0);
    fprintf(file, "\nOptions:\n");
    for (size_t i = 0; (option = option_at(command, i)) != NULL; i++)
        print_option(file, option, command->defaults);
    if (command->more_help != NULL)
        command->more_help(file);
    if (command->examples == NULL)
        return;
    fprintf(file, "\nExamples:\n");
    for (size_t i = 0; command->examples[i] != NULL; i++)
        fprintf(file, "  %s\n", command->examples[i]);
}
