/* inkling eval: how well a model does on a data set. */
#include "report.h"
#include "terminal.h"

#include <string.h>

struct eval_arguments {
    const char *split, *size, *report, *colour;
    double min_accuracy;
    size_t threads, shifts;
    bool json, confusion;
};

#define AT(member, kind) CLI_AT(struct eval_arguments, member, kind)

static const char *split_name(size_t i)
{
    static const char *const names[] = { "test", "train", NULL };
    return names[i];
}

/* ---- Images ------------------------------------------------------------------------------------------------------ */

/* What a model is measured on. */
struct images {
    struct ink_dataset *data;
    const char *split, *words; /* which they are, for JSON and in words */
};

/* Of a data set without test images, those are left that training held out, if the model was trained on it. */
static enum ink_status choose_held_out(struct images *images, const struct ink_net *net, struct ink_error *err)
{
    struct ink_dataset *held_out = NULL;
    if (!ink_net_trained_on(net, images->data))
        return INK_OK;
    if (ink_dataset_held_out(&held_out, images->data, net, err) != INK_OK) {
        cli_print_error(err);
        fprintf(stderr, "note: the model was trained on all of these images; others would tell how good it is\n");
        *err = (struct ink_error){ .code = INK_OK };
        return INK_OK;
    }
    fprintf(stderr, "note: no test images beside these; measured on those that training held out for validation\n");
    ink_dataset_free(images->data);
    *images = (struct images){ held_out, "validation", "images held out in training" };
    return INK_OK;
}

static enum ink_status open_images(struct images *images, const struct cli_call *call, const struct ink_net *net,
                                   struct ink_error *err)
{
    const struct eval_arguments *const arguments = call->arguments;
    const bool train = strcmp(arguments->split, "train") == 0;
    const struct cli_opening opening = { .size = arguments->size, .net = net, .threads = arguments->threads };
    *images = (struct images){ NULL, arguments->split, train ? "images of train" : "images of test" };
    const enum ink_status status =
        cli_open_dataset_as(&images->data, call->operands[1], train ? INK_TRAIN : INK_TEST, &opening, err);
    if (status != INK_OK || !ink_dataset_is_whole(images->data))
        return status;
    images->split = "all";
    images->words = "images, all of them";
    return train ? INK_OK : choose_held_out(images, net, err);
}

/* ---- As text ----------------------------------------------------------------------------------------------------- */

static size_t longest_class_name(const struct ink_net *net)
{
    size_t longest = strlen("class");
    for (size_t c = 0; c < ink_net_classes(net); c++) {
        const size_t length = strlen(ink_net_class_name(net, c));
        longest = length > longest ? length : longest;
    }
    return longest;
}

static void print_classes(const struct ink_net *net, const struct ink_metrics *metrics)
{
    const int width = (int)longest_class_name(net);
    printf("\n%-*s  %8s  %9s  %7s  %7s\n", width, "class", "images", "precision", "recall", "F1");
    for (size_t c = 0; c < metrics->classes; c++) {
        const struct ink_class_metrics m = ink_metrics_class(metrics, c);
        char count[32];
        printf("%-*s  %8s  %8.2f%%  %6.2f%%  %6.2f%%\n", width, ink_net_class_name(net, c),
               terminal_number(count, m.count), 100 * m.precision, 100 * m.recall, 100 * m.f1);
    }
}

/* A count on a ground that is the stronger the larger its share of the row: blue where the answer is right, red where
 * it is wrong. White text is read on all of them. */
static void print_coloured(size_t count, int width, double share, bool right)
{
    const double strength = sqrt(share);
    const int faint = (int)(40 + 30 * strength), strong = (int)(60 + 140 * strength);
    printf("\x1b[38;2;255;255;255;48;2;%d;%d;%dm %*zu\x1b[0m", right ? faint : strong, faint, right ? strong : faint,
           width, count);
}

/* A row a true class, a column an answer, the columns numbered as the rows are. */
static void print_confusion(const struct ink_net *net, const struct ink_metrics *metrics, bool colour)
{
    const int name_width = (int)longest_class_name(net);
    int width = 2;
    for (size_t i = 0; i < metrics->classes * metrics->classes; i++) {
        const int digits = snprintf(NULL, 0, "%zu", metrics->confusion[i]);
        width = digits > width ? digits : width;
    }
    printf("\nconfusion: a row for the true class, a column for the answer\n%3s %*s", "", name_width, "");
    for (size_t c = 0; c < metrics->classes; c++)
        printf(" %*zu", width, c);
    printf("\n");
    for (size_t row = 0; row < metrics->classes; row++) {
        const size_t total = ink_metrics_class(metrics, row).count;
        printf("%3zu %-*s", row, name_width, ink_net_class_name(net, row));
        for (size_t column = 0; column < metrics->classes; column++) {
            const size_t count = metrics->confusion[row * metrics->classes + column];
            if (count > 0 && colour)
                print_coloured(count, width, (double)count / (double)total, row == column);
            else if (count > 0)
                printf(" %*zu", width, count);
            else
                printf(" %*s", width, ".");
        }
        printf("\n");
    }
}

/* `shifted` is NULL where it was not asked for. */
static void print_text(const struct cli_call *call, const struct images *images, const struct ink_net *net,
                       const struct ink_metrics *metrics, const struct ink_metrics *shifted)
{
    const struct eval_arguments *arguments = call->arguments;
    char count[32], wrong[32];
    printf("%s on %s, %s %s\n", call->operands[0], call->operands[1], terminal_number(count, metrics->count),
           images->words);
    printf("accuracy  %.2f%%   (95%% interval %.2f%% to %.2f%%; %s wrong)\n", 100 * metrics->accuracy,
           100 * metrics->accuracy_low, 100 * metrics->accuracy_high,
           terminal_number(wrong, metrics->count - metrics->correct));
    printf("loss      %.4f\n", metrics->loss);
    if (shifted != NULL)
        printf("shifted   %.2f%%   (95%% interval %.2f%% to %.2f%%; the mean over shifts by up to %zu pixel%s)\n",
               100 * shifted->accuracy, 100 * shifted->accuracy_low, 100 * shifted->accuracy_high, arguments->shifts,
               arguments->shifts == 1 ? "" : "s");
    print_classes(net, metrics);
    if (arguments->confusion)
        print_confusion(net, metrics, terminal_has_colour(stdout, arguments->colour));
}

/* ---- As JSON ----------------------------------------------------------------------------------------------------- */

static json_t *shifted_json(const struct ink_metrics *shifted, size_t shifts)
{
    return json_pack("{s:I, s:I, s:f, s:f, s:f, s:o}", "shifts", (json_int_t)shifts, "correct",
                     (json_int_t)shifted->correct, "accuracy", shifted->accuracy, "accuracy_low", shifted->accuracy_low,
                     "accuracy_high", shifted->accuracy_high, "loss", cli_json_real(shifted->loss));
}

static enum ink_status print_json(const struct cli_call *call, const struct images *images, const struct ink_net *net,
                                  const struct ink_metrics *metrics, const struct ink_metrics *shifted,
                                  struct ink_error *err)
{
    const struct eval_arguments *arguments = call->arguments;
    json_t *const line =
        json_pack("{s:s, s:s, s:s}", "model", call->operands[0], "data", call->operands[1], "split", images->split);
    json_t *const told = cli_metrics_json(net, metrics);
    json_object_update(line, told);
    json_decref(told);
    if (shifted != NULL)
        json_object_set_new(line, "shifted", shifted_json(shifted, arguments->shifts));
    return cli_print_json(line, stdout, err);
}

/* ---- As a report ------------------------------------------------------------------------------------------------- */

static enum ink_status write_report(const struct cli_call *call, const struct ink_compute *compute,
                                    struct ink_error *err)
{
    const struct eval_arguments *arguments = call->arguments;
    const struct report_request request = { .data = call->operands[1],
                                            .size = arguments->size,
                                            .split = strcmp(arguments->split, "train") == 0 ? INK_TRAIN : INK_TEST,
                                            .compute = *compute };
    struct run run;
    enum ink_status status = run_open_model(&run, call->operands[0], NULL, &request, err);
    if (status == INK_OK)
        status = report_write(arguments->report, "html", &run, 1, err);
    run_free(&run);
    return status;
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct eval_arguments *arguments = call->arguments;
    struct ink_net *net = NULL;
    struct images images = { .data = NULL };
    struct ink_metrics metrics = { .count = 0 }, moved = { .count = 0 };
    const struct ink_metrics *const shifted = arguments->shifts > 0 ? &moved : NULL;
    struct ink_compute compute;
    int status = (int)cli_compute(&compute, arguments->threads, err);
    if (status != INK_OK || (status = (int)ink_net_load(&net, call->operands[0], err)) != INK_OK ||
        (status = (int)open_images(&images, call, net, err)) != INK_OK ||
        (status = (int)ink_evaluate(net, images.data, &compute, &metrics, err)) != INK_OK)
        goto out;
    if (shifted != NULL)
        status = (int)ink_evaluate_shifted(net, images.data, arguments->shifts, &compute, &moved, err);
    if (status != INK_OK)
        goto out;
    if (arguments->json)
        status = (int)print_json(call, &images, net, &metrics, shifted, err);
    else
        print_text(call, &images, net, &metrics, shifted);
    if (status == INK_OK && arguments->report != NULL)
        status = (int)write_report(call, &compute, err);
    if (status == INK_OK && metrics.accuracy < arguments->min_accuracy) {
        cli_fail(err, INK_FAILED, "accuracy %.6f is below --min-accuracy %g", metrics.accuracy,
                 arguments->min_accuracy);
        status = CLI_BELOW_THRESHOLD;
    }
out:
    ink_metrics_free(&metrics);
    ink_metrics_free(&moved);
    ink_dataset_free(images.data);
    ink_net_free(net);
    return status;
}

const struct command cmd_eval = {
    .name = "eval",
    .operands = "MODEL DATA",
    .least_operands = 2,
    .most_operands = 2,
    .summary = "measure a model on a data set: accuracy, loss, mistakes by class",
    .about =
        "Runs MODEL over every image of DATA, which is all that 'inkling train' takes, and tells its accuracy with the "
        "95% interval (Wilson's score), its loss, and by class its precision, "
        "recall and F1. Of data without test images that MODEL was trained on, it takes those that training held out.",
    .options =
        (const struct cli_option[]){
            { "split", AT(split, CLI_CHOICE), .value = "SPLIT", .choice = split_name, .help = "the images to use" },
            { "confusion", AT(confusion, CLI_FLAG), .help = "print the confusion matrix too" },
            { "min-accuracy", AT(min_accuracy, CLI_DOUBLE), .value = "A", .most = 1,
              .help = "exit with code 4 if the accuracy, in [0, 1], is below A" },
            { "shifts", AT(shifts, CLI_SIZE), .value = "N", .most = 16,
              .help =
                  "tell too what the mean of the answers is worth, over the image moved by up to N pixels each way" },
            { "report", AT(report, CLI_STRING), .value = "FILE",
              .help = "write a report too, an HTML page, as 'inkling report' does" },
            { "color", AT(colour, CLI_CHOICE), .value = "WHEN", .choice = terminal_colour_choice,
              .help = "print the confusion matrix in colour" },
            CLI_OPTION_SIZE(struct eval_arguments, size),
            CLI_OPTION_JSON(struct eval_arguments, json),
            CLI_OPTION_THREADS(struct eval_arguments, threads),
            { .name = NULL },
        },
    .examples = (const char *const[]){ "inkling eval digits.safetensors mnist",
                                       "inkling eval digits.safetensors mnist --min-accuracy 0.97",
                                       "inkling eval digits.safetensors ./my-idx-files --json", NULL },
    .defaults = &(const struct eval_arguments){ .split = "test", .colour = "auto", .min_accuracy = CLI_NO_NUMBER },
    .size = sizeof(struct eval_arguments),
    .run = run,
};
