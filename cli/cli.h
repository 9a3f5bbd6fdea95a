/*
 * The program: what a command is, and what all commands share. It sees the library only through inkling.h.
 *
 * A command is one file, cmd_NAME.c, which describes itself in a struct command: its operands, its options as a table,
 * its help. main.c holds the list of them; options.c reads the command line by the table and prints the help from it.
 * Results go to stdout, everything else to stderr.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "inkling.h"
#include "progress.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

/* Exit codes are the values of enum ink_status, and this one. */
#define CLI_BELOW_THRESHOLD 4

/* ---- Options ----------------------------------------------------------------------------------------------------- */

enum cli_kind {
    CLI_FLAG,   /* bool */
    CLI_SIZE,   /* size_t */
    CLI_U64,    /* uint64_t */
    CLI_DOUBLE, /* double */
    CLI_STRING, /* const char *, which points into argv */
    CLI_CHOICE  /* const char *, one of choice(0), choice(1), ... */
};

/* One option. Its default is what the command's `defaults` hold at `offset`; the values that mean "not given" are
 * SIZE_MAX, CLI_NO_NUMBER and NULL. */
#define CLI_NO_NUMBER ((double)NAN)
struct cli_option {
    const char *name;  /* without its dashes; NULL in the last row of a table */
    const char *alias; /* a second long name, or NULL */
    const char *value; /* what help calls the value: "FILE", "N"; NULL for a flag */
    const char *help;  /* one sentence, without a full stop */
    const char *unset; /* what help gives as the default where the value means "not given"; NULL: nothing */
    const char *(*choice)(size_t i);
    /* Of a choice that stands for other options, and nothing else: their text, which is read as if it stood there.
     * Words are apart by blanks; what is between two ' is one. */
    const char *(*stands_for)(const char *choice);
    double least, most; /* of a number; most == 0 sets no limit */
    size_t offset;      /* of the value in the command's arguments */
    enum cli_kind kind;
    char letter; /* its short name, or 0 */
    bool required;
};

/* ---- Commands ---------------------------------------------------------------------------------------------------- */

struct command;

/* The command line, read. */
struct cli_call {
    const struct command *command;
    const void *arguments; /* the command's own struct: its defaults, and over them what was given */
    char *const *operands; /* what is neither an option nor a value */
    size_t operand_count;
    char *const *argv; /* the whole line as it was typed */
};

struct command {
    const char *name;
    const char *operands; /* "MODEL PICTURE...", for help; NULL: none */
    size_t least_operands, most_operands;
    const char *summary;                     /* one line, for the list of commands */
    const char *about;                       /* a paragraph for its own help, or NULL */
    void (*more_help)(FILE *file);           /* what help adds before the examples, or NULL */
    const char *const *examples;             /* lines, ended by NULL; or NULL */
    const struct cli_option *options;        /* ended by a row whose name is NULL; or NULL */
    const struct cli_option *shared_options; /* more of them, likewise, that other commands have too */
    const void *defaults;                    /* the arguments before anything is given, `size` bytes */
    size_t size;
    /* Returns the exit code. On failure fills *err, whose message the caller prints, unless it is empty. */
    int (*run)(const struct cli_call *call, struct ink_error *err);
};

extern const struct command cmd_train, cmd_eval, cmd_predict, cmd_show, cmd_convert, cmd_import, cmd_export, cmd_verify,
    cmd_serve, cmd_recipes, cmd_tune, cmd_fetch, cmd_notebook, cmd_bench, cmd_selftest;

/* ---- What commands share ----------------------------------------------------------------------------------------- */

/* Fills *err with `code` and the formatted message, and returns `code`. */
enum ink_status cli_fail(struct ink_error *err, enum ink_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* INK_BAD_ARGUMENT, with a pointer to the command's help after the message. */
enum ink_status cli_fail_usage(struct ink_error *err, const char *command, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Prints `inkling: MESSAGE` on stderr, on one line whatever a file put into it; nothing if the message is empty. */
void cli_print_error(const struct ink_error *err);

/* The candidate nearest to a misspelt `word`, or NULL if none is near. `candidate(context, i)` gives the i-th word,
 * NULL past the last. */
const char *cli_nearest(const char *word, const char *(*candidate)(const void *context, size_t i), const void *context);

/* Whether `path` is a name that ends in `ending`, with something before it. */
bool cli_ends_with(const char *path, const char *ending);

/* The layouts of weights by name, for --layout; and the one called `name`, INK_LAYOUT_ANY if it is NULL. */
const char *cli_layout_name(size_t i);
enum ink_layout cli_layout(const char *name);

/* The folders in which data sets are looked for, ended by NULL: $INKLING_DATA, ./data, $XDG_DATA_HOME/inkling (or
 * ~/.local/share/inkling), /usr/share/datasets. Those that are not set are left out. One allocation: release it with
 * free(). NULL if memory runs out, with *err filled. */
const char **cli_data_folders(struct ink_error *err);

/* How to open a data set. Zero-initialised is the default. */
struct cli_opening {
    const char *size;          /* "HxW" or "HxWxC", of --size; NULL: no resizing, */
    const struct ink_net *net; /* but pictures to what this network sees, unless it is NULL */
    size_t threads;
    bool quiet; /* neither progress nor remarks */
};

/* ink_dataset_open with that search path; a bar on a terminal shows how far it is, and what the library remarks is
 * printed on stderr. `opening` may be NULL. */
enum ink_status cli_open_dataset_as(struct ink_dataset **out, const char *name_or_path, enum ink_split split,
                                    const struct cli_opening *opening, struct ink_error *err);
enum ink_status cli_open_dataset(struct ink_dataset **out, const char *name_or_path, enum ink_split split,
                                 struct ink_error *err);

/* A long operation of the library that tells its progress on a bar: cli_work_begin fills *work, cli_work_end takes the
 * bar off. `label` is what stands before it. */
struct cli_work {
    struct progress progress;
    const char *label;
    double begun;
    struct ink_work work;
};
void cli_work_begin(struct cli_work *work, const char *label, size_t threads, bool quiet);
void cli_work_end(struct cli_work *work);

/* Says on stderr when some class has more than twice the images of another. `hint` is what could be done. */
void cli_report_balance(const struct ink_dataset *data, const char *hint);

/* How to compute: --threads, and the kernel set from $INKLING_KERNELS, which must be one that this machine runs. */
enum ink_status cli_compute(struct ink_compute *compute, size_t threads, struct ink_error *err);

/* The part of an option's row that says what it is and where its value goes. */
#define CLI_AT(type, member, kind_) .kind = kind_, .offset = offsetof(type, member)

/* The rows that several commands have: --threads (a size_t), --size (a text) and --json (a bool). */
#define CLI_OPTION_THREADS(type, member)                                                                               \
    {                                                                                                                  \
        "threads", CLI_AT(type, member, CLI_SIZE),                                                                     \
            .value = "N", .most = 1024,                                                                                \
            .help = "threads to use, 0 for all processors; changes the speed, never a result"                          \
    }
#define CLI_OPTION_SIZE(type, member)                                                                                  \
    {                                                                                                                  \
        "size", CLI_AT(type, member, CLI_STRING),                                                                      \
            .value = "HxW", .help = "resize all images to H rows and W columns; HxWx1 makes them grey, HxWx3 colour"   \
    }
#define CLI_OPTION_JSON(type, member)                                                                                  \
    {                                                                                                                  \
        "json", CLI_AT(type, member, CLI_FLAG), .help = "print one JSON object instead of text"                        \
    }

#endif
