/*
 * inkling tune lr: which learning rate suits a network, by the range test of Smith, arXiv 1506.01186.
 *
 * One short training run whose rate rises from step to step: too small a rate changes nothing, a good one brings the
 * loss down, too large a one throws it up. The loss of single batches is noise, so it is smoothed over half an octave
 * of rates.
 */
#include "chart.h"
#include "json.h"
#include "progress.h"
#include "terminal.h"
#include "training.h"

#include <stdlib.h>
#include <string.h>

#define OCTAVES 20.0 /* of the schedule "rising" */

struct tune_arguments {
    struct training_arguments training;
    const char *svg;
    double most;
    size_t steps;
    bool json;
};

#define AT(member, kind) CLI_AT(struct tune_arguments, member, kind)

struct test {
    size_t count;                 /* steps done */
    double *rate, *loss, *smooth; /* (count) */
    double share;                 /* of a batch in the smoothed loss */
    double mean, weight;          /* the smoothed loss and its correction, so far */
    double least;                 /* smoothed loss */
    size_t steps;
    struct progress progress;
};

/* ---- The run ----------------------------------------------------------------------------------------------------- */

/* Goes on until the loss is as high as it was, and half as much again, after it was lower. */
static bool on_batch(void *context, const struct ink_progress *at)
{
    struct test *test = context;
    const size_t i = test->count++;
    test->mean += test->share * (at->batch_loss - test->mean);
    test->weight += test->share * (1.0 - test->weight);
    test->rate[i] = at->learning_rate;
    test->loss[i] = at->batch_loss;
    test->smooth[i] = test->mean / test->weight;
    test->least = i == 0 ? test->smooth[i] : fmin(test->least, test->smooth[i]);
    if (progress_due(&test->progress))
        progress_draw(&test->progress, "testing rates", (double)test->count / (double)test->steps, "");
    return test->count < test->steps && test->smooth[i] < 1.5 * fmax(test->smooth[0], 2.0 * test->least);
}

static enum ink_status prepare(const struct tune_arguments *a, const char *data_name, struct test *test,
                               struct ink_dataset **data, struct ink_net **net, struct ink_trainer **trainer,
                               struct ink_error *err)
{
    struct ink_train_options options;
    const char *initialisation = NULL;
    enum ink_status status = training_choose(&a->training, &options, &initialisation, err);
    if (status == INK_OK)
        status = training_open(&a->training, data_name, false, data, &options, err);
    if (status == INK_OK)
        status = training_net(&a->training, initialisation, *data, net, err);
    if (status != INK_OK)
        return status;
    /* A random part of the images, by holding out the others; where there are too few, several epochs. */
    const size_t count = ink_dataset_count(*data), batch = options.batch < count ? options.batch : count;
    const size_t used = count / batch >= a->steps ? a->steps * batch : count, batches = (used + batch - 1) / batch;
    options.validation = count - used;
    options.epochs = (a->steps + batches - 1) / batches;
    options.schedule = "rising";
    options.learning_rate = a->most;
    options.patience = 0;
    options.warmup = 0.0;
    options.on_batch = on_batch;
    options.context = test;
    test->steps = options.epochs * batches;
    test->share = 1.0 / (1.0 + 0.5 * (double)test->steps / OCTAVES);
    test->rate = calloc(3 * test->steps, sizeof *test->rate);
    if (test->rate == NULL)
        return cli_fail(err, INK_FAILED, "out of memory");
    test->loss = test->rate + test->steps;
    test->smooth = test->loss + test->steps;
    return ink_trainer_new(trainer, *net, *data, &options, err);
}

/* A loss that is not finite any more, or a stop, ends the test, not the command. */
static enum ink_status run_test(struct ink_trainer *trainer, struct ink_error *err)
{
    struct ink_epoch_stats stats;
    enum ink_status status = INK_OK;
    while (status == INK_OK && !ink_trainer_done(trainer))
        status = ink_trainer_epoch(trainer, &stats, err);
    if (status != INK_DIVERGED && status != INK_STOPPED)
        return status;
    *err = (struct ink_error){ .code = INK_OK };
    return INK_OK;
}

/* ---- What it says ------------------------------------------------------------------------------------------------ */

/* The step after which the smoothed loss was least. */
static size_t least_step(const struct test *test)
{
    size_t least = 0;
    for (size_t i = 1; i < test->count; i++)
        if (test->smooth[i] < test->smooth[least])
            least = i;
    return least;
}

/* Half a decade below the rate at which the loss was least, where training is as fast as it can be and not yet unsafe;
 * NaN if no rate brought the loss down by a tenth. On MNIST the rates that trained best in three epochs lay from a
 * quarter of that rate to all of it, for sgd and adam and three networks. */
static double suggestion_of(const struct test *test)
{
    const size_t least = least_step(test);
    return test->smooth[least] < 0.9 * test->smooth[0] ? test->rate[least] / sqrt(10.0) : (double)NAN;
}

static struct chart chart_of(const struct test *test)
{
    const size_t least = least_step(test);
    const double low = test->smooth[least], high = test->smooth[0] > low ? test->smooth[0] : low + 1.0;
    const double suggestion = suggestion_of(test);
    return (struct chart){ .x_title = "learning rate",
                           .y_title = "loss",
                           .count = test->count,
                           .x = test->rate,
                           .curve = test->smooth,
                           .dots = test->loss,
                           .least = low - 0.05 * (high - low),
                           .most = low + 1.2 * (high - low),
                           .mark = isnan(suggestion) ? test->rate[least] : suggestion };
}

static enum ink_status print_json(const struct test *test, struct ink_error *err)
{
    const size_t least = least_step(test);
    json_t *const steps = json_array();
    for (size_t i = 0; i < test->count; i++)
        json_array_append_new(steps, json_pack("{s:f, s:o, s:o}", "learning_rate", test->rate[i], "loss",
                                               cli_json_real(test->loss[i]), "smooth", cli_json_real(test->smooth[i])));
    return cli_print_json(json_pack("{s:o, s:f, s:f, s:o}", "suggestion", cli_json_real(suggestion_of(test)),
                                    "least_at", test->rate[least], "least", test->smooth[least], "steps", steps),
                          stdout, err);
}

static void print_text(const struct test *test)
{
    const struct chart chart = chart_of(test);
    const size_t least = least_step(test);
    const double suggestion = suggestion_of(test);
    chart_print(stdout, &chart, terminal_width(stdout), terminal_has_utf8());
    if (isnan(suggestion)) {
        printf("no rate brought the loss down; more --steps may\n");
        return;
    }
    printf("the loss was least, %.3g, at a rate of %.2g; half a decade below that: --lr %.2g\n", test->smooth[least],
           test->rate[least], suggestion);
    if (test->count == test->steps && least + test->steps / 20 >= test->steps)
        printf("it was still falling at the largest rate; --most tries larger ones\n");
}

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct tune_arguments *a = call->arguments;
    struct test test = { .count = 0 };
    struct ink_dataset *data = NULL;
    struct ink_net *net = NULL;
    struct ink_trainer *trainer = NULL;
    if (strcmp(call->operands[0], "lr") != 0)
        return (int)cli_fail_usage(err, "tune", "tune: found '%s', expected lr, the learning rate", call->operands[0]);
    enum ink_status status = prepare(a, call->operands[1], &test, &data, &net, &trainer, err);
    progress_begin(&test.progress, a->json);
    if (status == INK_OK)
        status = run_test(trainer, err);
    progress_clear(&test.progress);
    if (status == INK_OK && test.count == 0)
        status = cli_fail(err, INK_DIVERGED, "the loss is not finite even before a step");
    if (status == INK_OK && a->svg != NULL) {
        const struct chart chart = chart_of(&test);
        status = chart_write_svg(a->svg, &chart, err);
    }
    if (status == INK_OK && a->json)
        status = print_json(&test, err);
    else if (status == INK_OK)
        print_text(&test);
    ink_trainer_free(trainer);
    ink_net_free(net);
    ink_dataset_free(data);
    free(test.rate);
    return (int)status;
}

const struct command cmd_tune = {
    .name = "tune",
    .operands = "lr DATA",
    .least_operands = 2,
    .most_operands = 2,
    .summary = "find a learning rate by a short run in which it rises",
    .about =
        "Trains on a part of DATA for some hundred steps while the learning rate rises from a millionth of --most to "
        "it, draws the loss over the rate, and suggests a rate: half a decade below the one at which the loss was "
        "least. Too small a rate learns nothing, too large a one destroys what was learnt. Options of training mean "
        "what they mean to 'inkling train'; those of the schedule, of epochs and of validation do not count here.",
    .more_help = training_print_help,
    .options =
        (const struct cli_option[]){
            { "most", AT(most, CLI_DOUBLE), .value = "R", .least = 1e-6, .most = 1e6,
              .help = "the largest rate to try" },
            { "steps", AT(steps, CLI_SIZE), .value = "N", .least = 40, .most = 1e6,
              .help = "steps of training, each at a rate of its own" },
            { "svg", AT(svg, CLI_STRING), .value = "FILE", .help = "draw the curve into FILE, as SVG" },
            CLI_OPTION_JSON(struct tune_arguments, json),
            { .name = NULL },
        },
    .shared_options = training_options,
    .examples = (const char *const[]){ "inkling tune lr mnist --net lenet",
                                       "inkling tune lr mnist --recipe best --svg rates.svg", NULL },
    .defaults = &(const struct tune_arguments){ .training = TRAINING_DEFAULTS, .most = 10, .steps = 300 },
    .size = sizeof(struct tune_arguments),
    .run = run,
};
