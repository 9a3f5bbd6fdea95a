/* The program's front door: the list of commands, and what surrounds every one of them. */
#include "options.h"
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct command *const commands[] = { &cmd_train,    &cmd_eval,    &cmd_predict,  &cmd_show,
                                                  &cmd_convert,  &cmd_import,  &cmd_export,   &cmd_verify,
                                                  &cmd_serve,    &cmd_recipes, &cmd_tune,     &cmd_fetch,
                                                  &cmd_notebook, &cmd_bench,   &cmd_selftest, NULL };

static const char *command_name(const void *context, size_t i)
{
    (void)context;
    return commands[i] != NULL ? commands[i]->name : NULL;
}

static const struct command *find_command(const char *name, struct ink_error *err)
{
    for (size_t i = 0; commands[i] != NULL; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    const char *nearest = cli_nearest(name, command_name, NULL);
    if (nearest != NULL)
        cli_fail(err, INK_BAD_ARGUMENT, "unknown command '%s'; did you mean '%s'?", name, nearest);
    else
        cli_fail(err, INK_BAD_ARGUMENT, "unknown command '%s' (see 'inkling --help')", name);
    return NULL;
}

static void print_program_help(FILE *file)
{
    fprintf(file, "Usage: inkling COMMAND ...\n\n"
                  "Trains a small image classifier in seconds on a CPU, and ships it as plain C.\n\n"
                  "Commands:\n");
    for (size_t i = 0; commands[i] != NULL; i++)
        fprintf(file, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(file, "\n'inkling COMMAND --help' tells the options of a command, 'inkling --version'\n"
                  "what this build can do.\n\n"
                  "Environment:\n"
                  "  INKLING_DATA     where data sets are; looked for there, in ./data, in\n"
                  "                   $XDG_DATA_HOME/inkling or ~/.local/share/inkling, and in\n"
                  "                   /usr/share/datasets\n"
                  "  INKLING_KERNELS  kernels to use: portable, avx2, avx512, neon; results are the\n"
                  "                   same bits with any of them\n"
                  "  NO_COLOR         no colours\n\n"
                  "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 bad input, 4 below a threshold\n"
                  "that was asked for, 5 training diverged, 130 interrupted, checkpoint saved.\n");
}

void cli_print_error(const struct ink_error *err)
{
    if (err->message[0] == 0)
        return;
    fputs("inkling: ", stderr);
    terminal_print_text(stderr, err->message);
    fputc('\n', stderr);
}

static int print_version(struct ink_error *err)
{
    struct ink_compute compute;
    const enum ink_status status = cli_compute(&compute, 0, err);
    if (status != INK_OK)
        return (int)status;
    printf("inkling %s\nkernels: %s (this machine runs", INK_VERSION,
           compute.kernels != NULL ? compute.kernels : ink_kernels_best());
    for (size_t i = 0; ink_kernels_name(i) != NULL; i++)
        printf("%s %s", i > 0 ? "," : "", ink_kernels_name(i));
    printf(")\nprocessors: %zu\nfeatures:", ink_usable_cpus());
    for (const struct ink_feature *feature = ink_features(); feature->name != NULL; feature++)
        printf(" %c%s", feature->present ? '+' : '-', feature->name);
#ifdef INK_FETCH
    printf(" +fetch");
#else
    printf(" -fetch");
#endif
#ifdef INK_SERVE
    printf(" +serve\n");
#else
    printf(" -serve\n");
#endif
    return INK_OK;
}

static int run_command(const struct command *command, int argc, char **argv, struct ink_error *err)
{
    int status = INK_FAILED;
    bool help = false;
    struct cli_words *words = NULL;
    struct cli_call call = { .command = command, .argv = argv };
    void *const arguments = calloc(1, command->size + 1);
    char **const operands = calloc((size_t)argc, sizeof *operands);
    if (arguments == NULL || operands == NULL) {
        cli_fail(err, INK_FAILED, "out of memory");
        goto out;
    }
    if (command->size > 0)
        memcpy(arguments, command->defaults, command->size);
    status = (int)cli_parse(command, argv + 2, arguments, operands, &call.operand_count, &help, &words, err);
    if (status != INK_OK)
        goto out;
    if (help) {
        cli_print_help(stdout, command);
        goto out;
    }
    call.arguments = arguments;
    call.operands = operands;
    status = command->run(&call, err);
out:
    cli_words_free(words);
    free(operands);
    free(arguments);
    return status;
}

static int dispatch(int argc, char **argv, struct ink_error *err)
{
    if (argc < 2) {
        print_program_help(stderr);
        return INK_BAD_ARGUMENT;
    }
    const char *const first = argv[1];
    const bool help = strcmp(first, "help") == 0;
    if (strcmp(first, "--version") == 0)
        return print_version(err);
    if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0 || (help && argc == 2)) {
        print_program_help(stdout);
        return INK_OK;
    }
    if (first[0] == '-')
        return (int)cli_fail(err, INK_BAD_ARGUMENT, "unknown option '%s' (see 'inkling --help')", first);
    const struct command *command = find_command(help ? argv[2] : first, err);
    if (command == NULL)
        return INK_BAD_ARGUMENT;
    if (help) {
        cli_print_help(stdout, command);
        return INK_OK;
    }
    return run_command(command, argc, argv, err);
}

/* A file opened while stdin, stdout or stderr is closed would take its number, and what is printed would land in that
 * file. So the closed ones are opened in the direction that makes every use of them an error. */
static bool occupy_standard_files(void)
{
    for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
        if (fcntl(file, F_GETFD) < 0 && open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY) != file)
            return false;
    return true;
}

int main(int argc, char **argv)
{
    if (!occupy_standard_files())
        return INK_FAILED;
    struct ink_error err = { .code = INK_OK };
    int status = dispatch(argc, argv, &err);
    if (status != INK_OK)
        cli_print_error(&err);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "inkling: standard output: cannot write: %s\n", strerror(errno));
        status = status == INK_OK ? INK_FAILED : status;
    }
    return status;
}
