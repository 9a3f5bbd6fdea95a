/*
 * inkling train: from a data set to a model file.
 *
 * A run can stop at any batch, by a signal or by force, and go on later from its checkpoint; the model file is then the
 * same, byte for byte, as if it had never stopped. The checkpoint goes when the model is saved.
 */
#include "options.h"
#include "train_report.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_VALIDATION 5000 /* images, but never more than one in six */
#define DEFAULT_CHECKPOINT 30.0 /* seconds */
#define LARGEST_COUNT      1e9
#define LARGEST_SEED       9007199254740992.0 /* 2^53: what every reader of JSON keeps whole */
#define CHECKPOINT_SUFFIX  ".checkpoint"

struct train_arguments {
    const char *output, *net, *optimizer, *schedule, *init, *log, *checkpoint, *size, *class_weights;
    size_t epochs, batch, validation, patience, threads, save_every;
    double learning_rate, momentum, beta2, weight_decay, clip, warmup, step_epochs, label_smoothing;
    uint64_t seed;
    bool keep_last, resume, quiet, no_test;
};

#define AT(member, kind) CLI_AT(struct train_arguments, member, kind)

struct training {
    const struct cli_call *call;
    const struct train_arguments *arguments;
    struct ink_train_options options;
    const char *initialisation;
    char *checkpoint;                 /* its path */
    struct ink_dataset *train, *test; /* test is NULL where it is not used */
    struct ink_net *net;
    struct ink_trainer *trainer;
    struct report report;
    struct ink_progress at; /* the last batch */
    size_t unsaved;         /* batches since the last checkpoint, */
    double saved;           /* and when that was */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* The first signal asks to stop after the batch, the second kills. One that is ignored, as under nohup, stays so. */
static void catch_signals(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
    struct sigaction before;
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
}

/* ---- Options ----------------------------------------------------------------------------------------------------- */

static const struct ink_preset *find_preset(const char *name)
{
    for (const struct ink_preset *preset = ink_presets(); preset->name != NULL; preset++)
        if (strcmp(preset->name, name) == 0)
            return preset;
    return NULL;
}

/* The network's own options, and over them what was given. */
static enum ink_status choose_options(struct training *training, struct ink_error *err)
{
    const struct train_arguments *a = training->arguments;
    const struct ink_preset *preset = find_preset(a->net);
    struct ink_train_options *o = &training->options;
    ink_train_options_default(o, a->net);
    if (a->optimizer != NULL && strcmp(a->optimizer, o->optimizer) != 0) {
        o->optimizer = a->optimizer;
        o->learning_rate = o->weight_decay = 0; /* the preset's were for the preset's optimizer */
    }
    if (a->schedule != NULL)
        o->schedule = a->schedule;
    if (!isnan(a->learning_rate))
        o->learning_rate = a->learning_rate;
    if (a->batch != SIZE_MAX)
        o->batch = a->batch;
    o->epochs = a->epochs;
    o->momentum = a->momentum;
    o->beta2 = a->beta2;
    if (!isnan(a->weight_decay))
        o->weight_decay = a->weight_decay;
    o->clip = a->clip;
    o->warmup = a->warmup;
    o->step_epochs = a->step_epochs;
    o->label_smoothing = a->label_smoothing;
    o->class_weights = a->class_weights;
    o->patience = a->patience;
    o->keep_last = a->keep_last;
    o->seed = a->seed;
    training->initialisation = a->init != NULL ? a->init : preset != NULL ? preset->initialisation : "xavier";
    return cli_compute(&o->compute, a->threads, err);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* Finds out before the work, not after it, that a file cannot be made at `path`. Making one is the only sure test:
 * permissions do not bind the superuser, a read-only file system does. */
static enum ink_status check_writable(const char *path, struct ink_error *err)
{
    struct stat info;
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return cli_fail(err, INK_BAD_ARGUMENT, "%s: found a %s, expected the name of a file to write", path,
                        S_ISDIR(info.st_mode) ? "folder" : "device");
    const size_t size = strlen(path) + sizeof ".XXXXXX";
    char *const trial = malloc(size);
    if (trial == NULL)
        return cli_fail(err, INK_FAILED, "out of memory");
    snprintf(trial, size, "%s.XXXXXX", path);
    const int file = mkstemp(trial);
    const enum ink_status status =
        file >= 0 ? INK_OK : cli_fail(err, INK_FAILED, "%s: cannot write there: %s", path, strerror(errno));
    if (file >= 0) {
        close(file);
        unlink(trial);
    }
    free(trial);
    return status;
}

static enum ink_status prepare_files(struct training *training, struct ink_error *err)
{
    const struct train_arguments *a = training->arguments;
    const char *const base = a->checkpoint != NULL ? a->checkpoint : a->output;
    const char *const suffix = a->checkpoint != NULL ? "" : CHECKPOINT_SUFFIX;
    const size_t size = strlen(base) + strlen(suffix) + 1;
    training->checkpoint = malloc(size);
    if (training->checkpoint == NULL)
        return cli_fail(err, INK_FAILED, "out of memory");
    snprintf(training->checkpoint, size, "%s%s", base, suffix);
    enum ink_status status = check_writable(a->output, err);
    if (status == INK_OK)
        status = check_writable(training->checkpoint, err);
    if (status == INK_OK && !a->resume && !a->quiet && access(training->checkpoint, F_OK) == 0)
        fprintf(stderr, "note: %s is from an interrupted run; --resume would continue it, this run replaces it\n",
                training->checkpoint);
    return status;
}

/* What there is to say of the training images before they are used. */
static void report_data(const struct training *training)
{
    const struct train_arguments *a = training->arguments;
    if (a->quiet)
        return;
    if (strcmp(a->class_weights, "balanced") != 0)
        cli_report_balance(training->train, "; --class-weights balanced makes all classes weigh the same");
    if (ink_dataset_is_whole(training->train) && !a->no_test)
        fprintf(stderr, "note: no test images beside these: %s\n",
                training->options.validation > 0 ? "the accuracy to go by is that of the images held out for validation"
                                                 : "with --val 0 too, nothing will tell how good the network is");
}

/* The test images are opened before training: where they are malformed, it is better to know now. Where there are none,
 * training goes on without. */
static enum ink_status open_data(struct training *training, struct ink_error *err)
{
    const char *const name = training->call->operands[0];
    const struct cli_opening opening = { .size = training->arguments->size,
                                         .threads = training->arguments->threads,
                                         .quiet = training->arguments->quiet };
    enum ink_status status = cli_open_dataset_as(&training->train, name, INK_TRAIN, &opening, err);
    if (status != INK_OK)
        return status;
    const size_t sixth = ink_dataset_count(training->train) / 6, given = training->arguments->validation;
    training->options.validation = given != SIZE_MAX ? given : sixth < DEFAULT_VALIDATION ? sixth : DEFAULT_VALIDATION;
    report_data(training);
    if (training->arguments->no_test || ink_dataset_is_whole(training->train))
        return INK_OK;
    status = cli_open_dataset_as(&training->test, name, INK_TEST, &opening, err);
    if (status != INK_FAILED)
        return status;
    cli_print_error(err);
    *err = (struct ink_error){ .code = INK_OK };
    return INK_OK;
}

static enum ink_status save_checkpoint(struct training *training, struct ink_error *err)
{
    training->unsaved = 0;
    training->saved = progress_clock();
    return ink_trainer_save(training->trainer, training->checkpoint, err);
}

static bool is_checkpoint_due(const struct training *training)
{
    const size_t every = training->arguments->save_every;
    if (every == SIZE_MAX)
        return progress_clock() - training->saved >= DEFAULT_CHECKPOINT;
    return every > 0 && training->unsaved >= every;
}

/* ---- Training ---------------------------------------------------------------------------------------------------- */

static bool on_batch(void *context, const struct ink_progress *progress)
{
    struct training *training = context;
    training->at = *progress;
    training->unsaved++;
    report_batch(&training->report, progress);
    return !interrupted && !is_checkpoint_due(training);
}

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

/* The command line as it was typed, with --resume. */
static void print_resume_command(FILE *file, char *const *argv)
{
    bool options_ended = false;
    for (size_t i = 0; argv[i] != NULL; i++) {
        options_ended = options_ended || strcmp(argv[i], "--") == 0;
        if (!options_ended && strcmp(argv[i], "--resume") == 0)
            continue;
        fputs(i > 0 ? " " : "    ", file);
        print_quoted(file, argv[i]);
        fputs(i == 1 ? " --resume" : "", file);
    }
    fputc('\n', file);
}

static enum ink_status stop(struct training *training, struct ink_error *err)
{
    const enum ink_status status = save_checkpoint(training, err);
    if (status != INK_OK)
        return status;
    progress_clear(&training->report.progress);
    fprintf(stderr, "interrupted after batch %zu of %zu in epoch %zu of %zu; saved in %s; to continue:\n",
            training->at.batch, training->at.batches, training->at.epoch + 1, training->at.epochs,
            training->checkpoint);
    print_resume_command(stderr, training->call->argv);
    return INK_STOPPED;
}

/* What was learnt before the bad step is kept. */
static enum ink_status fail_diverged(struct training *training, struct ink_error *err)
{
    const struct ink_error why = *err;
    struct ink_error ignored;
    progress_clear(&training->report.progress);
    if (ink_trainer_save(training->trainer, training->checkpoint, &ignored) == INK_OK)
        cli_fail(err, INK_DIVERGED, "%.600s; the state before that step is in %s", why.message, training->checkpoint);
    return INK_DIVERGED;
}

static enum ink_status train_epochs(struct training *training, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    struct ink_epoch_stats stats = { .epoch = 0 };
    while (status == INK_OK && !ink_trainer_done(training->trainer)) {
        status = ink_trainer_epoch(training->trainer, &stats, err);
        if (status == INK_DIVERGED)
            return fail_diverged(training, err);
        if (status != INK_OK && status != INK_STOPPED)
            return status;
        if (status == INK_OK)
            report_epoch(&training->report, &stats);
        status = INK_OK; /* a stop is no failure: it is to save the checkpoint, or because of a signal */
        *err = (struct ink_error){ .code = INK_OK };
        if (ink_trainer_done(training->trainer)) {
            if (stats.epoch + 1 < training->options.epochs && !training->arguments->quiet)
                fprintf(stderr, "no better validation accuracy for %zu epochs: training ends\n",
                        training->options.patience);
            break;
        }
        if (interrupted)
            status = stop(training, err);
        else if (is_checkpoint_due(training))
            status = save_checkpoint(training, err);
    }
    return status;
}

static enum ink_status prepare_trainer(struct training *training, struct ink_error *err)
{
    const struct train_arguments *a = training->arguments;
    char *const spec = cli_network_for(a->net, ink_dataset_classes(training->train));
    enum ink_status status = spec == NULL ? cli_fail(err, INK_FAILED, "out of memory") : INK_OK;
    if (status == INK_OK)
        status = ink_net_new(&training->net, ink_dataset_shape(training->train), spec, training->initialisation,
                             a->seed, err);
    free(spec);
    training->options.on_batch = on_batch;
    training->options.context = training;
    if (status == INK_OK)
        status = ink_trainer_new(&training->trainer, training->net, training->train, &training->options, err);
    if (status == INK_OK && a->resume)
        status = ink_trainer_resume(training->trainer, training->checkpoint, err);
    if (status == INK_OK) /* only now: a run that is refused leaves an old log as it was */
        status = report_open(&training->report, a->quiet, a->log, a->resume, err);
    if (status != INK_OK)
        return status;
    training->saved = progress_clock();
    report_start(&training->report, &(const struct report_start){ .network = ink_net_spec(training->net),
                                                                  .initialisation = training->initialisation,
                                                                  .data = ink_dataset_name(training->train),
                                                                  .net = training->net,
                                                                  .images = ink_dataset_count(training->train),
                                                                  .options = &training->options,
                                                                  .resumed = a->resume });
    return INK_OK;
}

static enum ink_status finish(struct training *training, struct ink_error *err)
{
    const char *const output = training->arguments->output;
    struct ink_metrics metrics = { .count = 0 };
    enum ink_status status = ink_trainer_finish(training->trainer, err);
    if (status == INK_OK)
        status = ink_net_save(training->net, output, err);
    if (status != INK_OK)
        return status;
    unlink(training->checkpoint);
    if (training->test != NULL)
        status = ink_evaluate(training->net, training->test, &training->options.compute, &metrics, err);
    report_end(&training->report, output, training->net, training->test != NULL && status == INK_OK ? &metrics : NULL);
    ink_metrics_free(&metrics);
    return status;
}

static int run(const struct cli_call *call, struct ink_error *err)
{
    struct training training = { .call = call, .arguments = call->arguments };
    enum ink_status status = INK_OK;
    if ((status = choose_options(&training, err)) != INK_OK || (status = prepare_files(&training, err)) != INK_OK ||
        (status = open_data(&training, err)) != INK_OK || (status = prepare_trainer(&training, err)) != INK_OK)
        goto out;
    catch_signals();
    if ((status = train_epochs(&training, err)) == INK_OK)
        status = finish(&training, err);
out:
    if (report_close(&training.report, err) != INK_OK)
        status = INK_FAILED;
    ink_trainer_free(training.trainer);
    ink_net_free(training.net);
    ink_dataset_free(training.test);
    ink_dataset_free(training.train);
    free(training.checkpoint);
    return (int)status;
}

/* ---- Its table --------------------------------------------------------------------------------------------------- */

static void print_networks(FILE *file)
{
    fprintf(file, "\nNetworks by name, with the options they come with:\n");
    for (const struct ink_preset *preset = ink_presets(); preset->name != NULL; preset++) {
        struct ink_train_options options;
        char text[512];
        ink_train_options_default(&options, preset->name);
        fprintf(file, "  %-12s", preset->name);
        cli_print_wrapped(file, preset->about, 14);
        fprintf(file, "%14s", "");
        cli_print_wrapped(file, preset->spec, 14);
        snprintf(text, sizeof text, "--optimizer %s --lr %g --weight-decay %g --schedule %s --batch %zu --init %s",
                 options.optimizer, options.learning_rate, options.weight_decay, options.schedule, options.batch,
                 preset->initialisation);
        fprintf(file, "%14s", "");
        cli_print_wrapped(file, text, 14);
    }
    fprintf(file, "\nA network of your own is a line of layers, separated by commas:\n"
                  "  dense N, conv N KxK [stride S] [pad P], pool K, avgpool K, globalpool,\n"
                  "  globalavg, norm, dropout P, res [ ... ]; after dense, conv or norm may follow\n"
                  "  sigmoid, tanh, relu, leaky or gelu, without a comma; the last word may be the\n"
                  "  loss, cross-entropy or mse.\n");
}

const struct command cmd_train = {
    .name = "train",
    .operands = "DATA",
    .least_operands = 1,
    .most_operands = 1,
    .summary = "train a network on a data set and save it",
    .about =
        "Trains a network on DATA (mnist, fashion-mnist, kmnist, synthetic, a folder of pictures with a sub-folder "
        "for each class, a CSV or npz file, a folder of IDX files) and writes the model, in safetensors. Ctrl-C "
        "finishes the batch, saves a checkpoint and prints "
        "the command that continues; the model is then the same, byte for byte, as of a run that never stopped.",
    .more_help = print_networks,
    .options =
        (const struct cli_option[]){
            { "output", AT(output, CLI_STRING), .letter = 'o', .value = "FILE", .required = true,
              .help = "the model file to write" },
            { "net", AT(net, CLI_STRING), .value = "NET", .help = "the network: a name or a line of layers, below" },
            { "epochs", AT(epochs, CLI_SIZE), .letter = 'e', .value = "N", .least = 1, .most = 1e6,
              .help = "passes over the training images" },
            { "batch", AT(batch, CLI_SIZE), .letter = 'b', .value = "N", .least = 1, .most = LARGEST_COUNT,
              .unset = "the network's", .help = "images to a step" },
            { "optimizer", AT(optimizer, CLI_CHOICE), .value = "NAME", .choice = ink_optimizer_name,
              .unset = "the network's", .help = "how gradients become steps" },
            { "learning-rate", AT(learning_rate, CLI_DOUBLE), .alias = "lr", .value = "R", .least = 1e-12, .most = 1e5,
              .unset = "the network's", .help = "the peak of the schedule" },
            { "schedule", AT(schedule, CLI_CHOICE), .value = "NAME", .choice = ink_schedule_name,
              .unset = "the network's", .help = "how the learning rate changes" },
            { "warmup", AT(warmup, CLI_DOUBLE), .value = "E", .most = 1e6,
              .help = "epochs over which the rate rises from zero" },
            { "step-epochs", AT(step_epochs, CLI_DOUBLE), .value = "E", .least = 1e-6, .most = 1e6,
              .help = "with --schedule step: a tenth of the rate every E epochs" },
            { "momentum", AT(momentum, CLI_DOUBLE), .value = "M", .least = 1e-6, .most = 0.999999,
              .help = "of momentum and nesterov; beta1 of adam and adamw" },
            { "beta2", AT(beta2, CLI_DOUBLE), .value = "B", .least = 1e-6, .most = 0.999999,
              .help = "of adam and adamw" },
            { "weight-decay", AT(weight_decay, CLI_DOUBLE), .value = "W", .most = 1e6, .unset = "the network's",
              .help = "pull of weights, not of biases, to zero" },
            { "clip", AT(clip, CLI_DOUBLE), .value = "G", .most = 1e9,
              .help = "the largest norm of the gradient, 0 for no limit" },
            { "label-smoothing", AT(label_smoothing, CLI_DOUBLE), .value = "S", .most = 0.999,
              .help = "share of the target spread over all classes" },
            { "class-weights", AT(class_weights, CLI_CHOICE), .value = "HOW", .choice = ink_class_weights_name,
              .help = "balanced: a class counts the same in the loss however few images it has" },
            { "init", AT(init, CLI_CHOICE), .value = "NAME", .choice = ink_initialisation_name,
              .unset = "the network's", .help = "how the first weights are drawn" },
            { "seed", AT(seed, CLI_U64), .letter = 's', .value = "N", .most = LARGEST_SEED,
              .help = "seed of weights, shuffling, validation, dropout" },
            { "val", AT(validation, CLI_SIZE), .value = "N", .most = LARGEST_COUNT,
              .unset = "5000, at most a sixth of the images",
              .help = "training images held out for validation, 0 to train on all" },
            { "patience", AT(patience, CLI_SIZE), .value = "N", .most = 1e6,
              .help = "stop after N epochs without a better validation accuracy, 0 for never" },
            { "keep-last", AT(keep_last, CLI_FLAG),
              .help = "keep the last epoch's weights, not the best by validation" },
            CLI_OPTION_SIZE(struct train_arguments, size),
            CLI_OPTION_THREADS(struct train_arguments, threads),
            { "log", AT(log, CLI_STRING), .value = "FILE",
              .help = "write a JSON object a line: the options, each epoch, the result" },
            { "checkpoint", AT(checkpoint, CLI_STRING), .value = "FILE", .unset = "OUTPUT.checkpoint",
              .help = "where the state of an unfinished run is kept" },
            { "save-every", AT(save_every, CLI_SIZE), .value = "N", .most = LARGEST_COUNT, .unset = "every 30 seconds",
              .help = "save the checkpoint every N batches, 0 for only when interrupted" },
            { "resume", AT(resume, CLI_FLAG), .help = "continue from the checkpoint, with the same options" },
            { "no-test", AT(no_test, CLI_FLAG), .help = "leave the test images alone at the end" },
            { "quiet", AT(quiet, CLI_FLAG), .letter = 'q', .help = "no progress, only the result" },
            { .name = NULL },
        },
    .examples =
        (const char *const[]){ "inkling train mnist -o digits.safetensors",
                               "inkling train mnist -o digits.safetensors --net lenet --epochs 5 --seed 1",
                               "inkling train ./pets -o pets.safetensors --net lenet --size 32x32x3",
                               "inkling train ./idx -o mine.safetensors --net \"dense 64 relu, dense 10\"", NULL },
    .defaults = &(const struct train_arguments){ .net = "notebook",
                                                 .class_weights = "none",
                                                 .epochs = 10,
                                                 .batch = SIZE_MAX,
                                                 .validation = SIZE_MAX,
                                                 .save_every = SIZE_MAX,
                                                 .learning_rate = CLI_NO_NUMBER,
                                                 .weight_decay = CLI_NO_NUMBER,
                                                 .momentum = 0.9,
                                                 .beta2 = 0.999,
                                                 .step_epochs = 10 },
    .size = sizeof(struct train_arguments),
    .run = run,
};
