/* inkling report: training runs as a page to look at, or as Markdown or JSON. */
#include "report.h"

struct report_arguments {
    const char *output, *data, *format;
    size_t threads;
};

#define AT(member, kind) CLI_AT(struct report_arguments, member, kind)

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct report_arguments *arguments = call->arguments;
    struct report_request request = { .data = arguments->data, .split = INK_TEST };
    struct run runs[REPORT_MOST_RUNS] = { { .name = NULL } };
    enum ink_status status = cli_compute(&request.compute, arguments->threads, err);
    for (size_t i = 0; status == INK_OK && i < call->operand_count; i++)
        status = run_open(&runs[i], call->operands[i], &request, err);
    if (status == INK_OK)
        status = report_write(arguments->output, arguments->format, runs, call->operand_count, err);
    for (size_t i = 0; i < call->operand_count; i++)
        run_free(&runs[i]);
    return (int)status;
}

const struct command cmd_report = {
    .name = "report",
    .operands = "RUN...",
    .least_operands = 1,
    .most_operands = REPORT_MOST_RUNS,
    .summary = "show training runs as a page: curves, mistakes, calibration",
    .about = "Tells about runs, side by side if there are several. RUN is the log that 'inkling train --log' wrote, or "
             "a model file, which has no curves. The model of a log is measured on the test images of the data set "
             "that it was trained on; doubtful labels are looked for among the training images. The page is one file "
             "that needs no other, and no script.",
    .options =
        (const struct cli_option[]){
            { "output", AT(output, CLI_STRING), .letter = 'o', .value = "FILE", .unset = "standard output",
              .help = "the file to write" },
            { "format", AT(format, CLI_CHOICE), .value = "NAME", .choice = report_format,
              .help = "a page, Markdown, or JSON for machines" },
            { "data", AT(data, CLI_STRING), .value = "DATA", .unset = "what the run was trained on",
              .help = "the data set to measure on" },
            CLI_OPTION_THREADS(struct report_arguments, threads),
            { .name = NULL },
        },
    .examples = (const char *const[]){ "inkling report digits.jsonl -o report.html",
                                       "inkling report a.jsonl b.jsonl c.safetensors -o compared.html",
                                       "inkling report digits.safetensors --data mnist --format json", NULL },
    .defaults = &(const struct report_arguments){ .format = "html" },
    .size = sizeof(struct report_arguments),
    .run = run,
};
