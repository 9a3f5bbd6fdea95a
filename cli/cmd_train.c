/*
 * inkling train: from a data set to a model file.
 *
 * A run can stop at any batch, by a signal or by force, and go on later from its checkpoint; the model file is then the
 * same, byte for byte, as if it had never stopped. The checkpoint goes when the model is saved.
 */
#include "report.h"
#include "train_report.h"
#include "training.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_CHECKPOINT 30.0 /* seconds */
#define LARGEST_COUNT      1e9
#define CHECKPOINT_SUFFIX  ".checkpoint"

struct train_arguments {
    struct training_arguments training;
    const char *output, *log, *report, *checkpoint;
    size_t save_every;
    bool resume, quiet, no_test;
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
    if (status == INK_OK && a->report != NULL)
        status = check_writable(a->report, err);
    if (status == INK_OK)
        status = check_writable(training->checkpoint, err);
    if (status == INK_OK && !a->resume && !a->quiet && access(training->checkpoint, F_OK) == 0)
        fprintf(stderr, "note: %s is from an interrupted run; --resume would continue it, this run replaces it\n",
                training->checkpoint);
    return status;
}

/* What there is to say where no test images are. */
static void report_whole(const struct training *training)
{
    if (training->arguments->quiet || training->arguments->no_test)
        return;
    fprintf(stderr, "note: no test images beside these: %s\n",
            training->options.validation > 0 ? "the accuracy to go by is that of the images held out for validation"
                                             : "with --val 0 too, nothing will tell how good the network is");
}

/* The test images are opened before training: where they are malformed, it is better to know now. Where there are none,
 * training goes on without. */
static enum ink_status open_data(struct training *training, struct ink_error *err)
{
    const char *const name = training->call->operands[0];
    const struct train_arguments *const a = training->arguments;
    const struct cli_opening opening = training_opening(&a->training, a->quiet);
    enum ink_status status = training_open(&a->training, name, a->quiet, &training->train, &training->options, err);
    if (status != INK_OK)
        return status;
    if (ink_dataset_is_whole(training->train))
        report_whole(training);
    if (a->no_test || ink_dataset_is_whole(training->train))
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

static enum ink_status stop(struct training *training, struct ink_error *err)
{
    const enum ink_status status = save_checkpoint(training, err);
    if (status != INK_OK)
        return status;
    progress_clear(&training->report.progress);
    fprintf(stderr, "interrupted after batch %zu of %zu in epoch %zu of %zu; saved in %s; to continue:\n",
            training->at.batch, training->at.batches, training->at.epoch + 1, training->at.epochs,
            training->checkpoint);
    fputs("    ", stderr);
    cli_print_command(stderr, training->call->argv, true);
    fputc('\n', stderr);
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
    enum ink_status status = training_net(&a->training, training->initialisation, training->train, &training->net, err);
    training->options.on_batch = on_batch;
    training->options.context = training;
    if (status == INK_OK)
        status = ink_trainer_new(&training->trainer, training->net, training->train, &training->options, err);
    if (status == INK_OK && a->resume)
        status = ink_trainer_resume(training->trainer, training->checkpoint, err);
    if (status == INK_OK) /* only now: a run that is refused leaves an old log as it was */
        status = report_open(&training->report, a->quiet, a->log, a->report != NULL, a->resume, err);
    if (status != INK_OK)
        return status;
    training->saved = progress_clock();
    report_start(&training->report, &(const struct report_start){ .network = ink_net_spec(training->net),
                                                                  .initialisation = training->initialisation,
                                                                  .argv = training->call->argv,
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

/* The page is made from the log, which holds the epochs of a resumed run that this process did not see. */
static enum ink_status write_report(const struct training *training, struct ink_error *err)
{
    const struct train_arguments *a = training->arguments;
    const struct report_request request = { .data = training->call->operands[0],
                                            .size = a->training.size,
                                            .split = INK_TEST,
                                            .no_test = a->no_test,
                                            .compute = training->options.compute };
    struct run run;
    if (a->report == NULL || training->report.log_failure != 0) /* of which report_close tells */
        return INK_OK;
    rewind(training->report.log);
    enum ink_status status = run_open_model(&run, a->output, training->report.log, &request, err);
    if (status == INK_OK)
        status = report_write(a->report, "html", &run, 1, err);
    run_free(&run);
    return status;
}

static int run(const struct cli_call *call, struct ink_error *err)
{
    struct training training = { .call = call, .arguments = call->arguments };
    enum ink_status status = INK_OK;
    if ((status = training_choose(&training.arguments->training, &training.options, &training.initialisation, err)) !=
            INK_OK ||
        (status = prepare_files(&training, err)) != INK_OK || (status = open_data(&training, err)) != INK_OK ||
        (status = prepare_trainer(&training, err)) != INK_OK)
        goto out;
    catch_signals();
    if ((status = train_epochs(&training, err)) == INK_OK)
        status = finish(&training, err);
    if (status == INK_OK)
        status = write_report(&training, err);
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
    .more_help = training_print_help,
    .shared_options = training_options,
    .options =
        (const struct cli_option[]){
            { "output", AT(output, CLI_STRING), .letter = 'o', .value = "FILE", .required = true,
              .help = "the model file to write" },
            { "log", AT(log, CLI_STRING), .value = "FILE",
              .help = "write a JSON object a line: the options, each epoch, the result" },
            { "report", AT(report, CLI_STRING), .value = "FILE",
              .help = "write a report at the end, an HTML page, as 'inkling report' does" },
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
                               "inkling train mnist -o fast.safetensors --recipe fast --report fast.html",
                               "inkling train ./pets -o pets.safetensors --net lenet --size 32x32x3",
                               "inkling train ./idx -o mine.safetensors --net \"dense 64 relu, dense 10\"", NULL },
    .defaults = &(const struct train_arguments){ .training = TRAINING_DEFAULTS, .save_every = SIZE_MAX },
    .size = sizeof(struct train_arguments),
    .run = run,
};
