/* inkling convert: a data set in another format. */
#include "terminal.h"

#include <stdlib.h>
#include <string.h>

struct convert_arguments {
    const char *output, *format, *size;
    size_t threads;
    bool compress, quiet;
};

#define AT(member, kind) CLI_AT(struct convert_arguments, member, kind)

/* What --format says; else npz for a name that ends so, IDX for any other. */
static const char *choose_format(const struct convert_arguments *arguments)
{
    static const char ending[] = ".npz";
    const size_t length = strlen(arguments->output);
    if (arguments->format != NULL)
        return arguments->format;
    const bool npz = length > strlen(ending) && strcmp(arguments->output + length - strlen(ending), ending) == 0;
    return npz ? "npz" : "idx";
}

/* Both splits; *test stays NULL where there is none. */
static enum ink_status open_both(struct ink_dataset **train, struct ink_dataset **test, const char *name,
                                 const struct convert_arguments *arguments, struct ink_error *err)
{
    const struct cli_opening opening = { .size = arguments->size,
                                         .threads = arguments->threads,
                                         .quiet = arguments->quiet };
    enum ink_status status = cli_open_dataset_as(train, name, INK_TRAIN, &opening, err);
    if (status != INK_OK || ink_dataset_is_whole(*train))
        return status;
    status = cli_open_dataset_as(test, name, INK_TEST, &opening, err);
    if (status != INK_FAILED)
        return status;
    cli_print_error(err);
    *err = (struct ink_error){ .code = INK_OK };
    return INK_OK;
}

static void print_result(const struct convert_arguments *arguments, const char *format, const struct ink_dataset *train,
                         const struct ink_dataset *test)
{
    const struct ink_shape shape = ink_dataset_shape(train);
    char count[32];
    printf("saved %s (%s, %s images", arguments->output, format, terminal_number(count, ink_dataset_count(train)));
    if (test != NULL)
        printf(" and %s test images", terminal_number(count, ink_dataset_count(test)));
    printf(" of %zux%zux%zu, %zu classes)\n", shape.height, shape.width, shape.channels, ink_dataset_classes(train));
}

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct convert_arguments *arguments = call->arguments;
    const char *const format = choose_format(arguments);
    struct ink_dataset *train = NULL, *test = NULL;
    struct cli_work work;
    if (arguments->compress && strcmp(format, "png") == 0)
        return (int)cli_fail_usage(err, "convert", "--compress is for idx and npz; PNG files are compressed anyway");
    enum ink_status status = open_both(&train, &test, call->operands[0], arguments, err);
    if (status == INK_OK) {
        if (!arguments->quiet)
            cli_report_balance(train, "");
        cli_work_begin(&work, "writing", arguments->threads, arguments->quiet);
        status = ink_dataset_write(train, test, format, arguments->output, arguments->compress, &work.work, err);
        cli_work_end(&work);
    }
    if (status == INK_OK)
        print_result(arguments, format, train, test);
    ink_dataset_free(test);
    ink_dataset_free(train);
    return (int)status;
}

const struct command cmd_convert = {
    .name = "convert",
    .operands = "DATA",
    .least_operands = 1,
    .most_operands = 1,
    .summary = "write a data set as IDX files, as npz or as a folder of PNG files",
    .about = "Reads DATA, which is all that 'inkling train' takes, and writes it in another format: idx, a folder of "
             "files named as MNIST's are; npz, a file of NumPy's with the arrays x_train, y_train, x_test, y_test (x "
             "and y where there are no test images); png, a folder with a sub-folder for each class.",
    .options =
        (const struct cli_option[]){
            { "output", AT(output, CLI_STRING), .letter = 'o', .required = true, .value = "OUT",
              .help = "the file or the new folder to write" },
            { "format", AT(format, CLI_CHOICE), .value = "FORMAT", .choice = ink_dataset_format_name,
              .unset = "npz if OUT ends in .npz, else idx", .help = "what to write" },
            { "compress", AT(compress, CLI_FLAG), .help = "gzip the IDX files, deflate the npz" },
            CLI_OPTION_SIZE(struct convert_arguments, size),
            CLI_OPTION_THREADS(struct convert_arguments, threads),
            { "quiet", AT(quiet, CLI_FLAG), .letter = 'q', .help = "no progress and no notes, only the result" },
            { .name = NULL },
        },
    .examples = (const char *const[]){ "inkling convert mnist -o mnist-pictures --format png",
                                       "inkling convert ./pets -o pets.npz --size 32x32x3 --compress",
                                       "inkling convert train.csv.gz -o digits", NULL },
    .defaults = &(const struct convert_arguments){ .output = NULL },
    .size = sizeof(struct convert_arguments),
    .run = run,
};
