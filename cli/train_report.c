#include "train_report.h"

#include "json.h"
#include "terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum ink_status report_open(struct report *report, bool quiet, const char *log_path, bool read_back, bool resumed,
                            struct ink_error *err)
{
    *report = (struct report){ .quiet = quiet, .log_path = log_path };
    progress_begin(&report->progress, quiet);
    if (log_path == NULL && !read_back)
        return INK_OK;
    report->log = log_path != NULL ? fopen(log_path, resumed ? "a+" : "w+") : tmpfile();
    return report->log != NULL ? INK_OK
                               : cli_fail(err, INK_FAILED, "%s: cannot write: %s",
                                          log_path != NULL ? log_path : "a temporary file", strerror(errno));
}

/* Each line is on its way when it is written, so that the log of a killed run is whole. The first failure is kept until
 * report_close: a full disk is no reason to lose the training. */
static void log_line(struct report *report, json_t *line)
{
    struct ink_error ignored;
    errno = 0;
    if (report->log == NULL)
        json_decref(line);
    else if (cli_print_json(line, report->log, &ignored) == INK_OK)
        if ((fflush(report->log) != 0 || ferror(report->log)) && report->log_failure == 0)
            report->log_failure = errno != 0 ? errno : EIO;
}

/* The command line as text, without --resume; NULL, which leaves it out, if memory runs out or it is not UTF-8. */
static json_t *command_json(char *const *argv)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const file = open_memstream(&text, &size);
    if (file == NULL)
        return NULL;
    cli_print_command(file, argv, false);
    json_t *const command = fclose(file) == 0 ? json_string(text) : NULL;
    free(text);
    return command;
}

void report_start(struct report *report, const struct report_start *start)
{
    const struct ink_train_options *o = start->options;
    const size_t images = start->images - o->validation;
    char train[32], validation[32], parameters[32], rate[48] = "its own learning rate";
    report->epochs = o->epochs;
    report->batch = o->batch;
    report->started = progress_clock();
    json_t *const line = json_pack(
        "{s:s, s:s, s:b, s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:s, s:s, s:o, s:f, s:f, s:f, s:f, "
        "s:f, s:f, s:f, s:s, s:f, s:f, s:b, s:s, s:I, s:b, s:I}",
        "event", "start", "version", INK_VERSION, "resumed", start->resumed, "network", start->network, "init",
        start->initialisation, "parameters", (json_int_t)ink_net_parameters(start->net), "data", start->data, "images",
        (json_int_t)images, "val", (json_int_t)o->validation, "epochs", (json_int_t)o->epochs, "batch",
        (json_int_t)o->batch, "optimizer", o->optimizer, "schedule", o->schedule, "learning_rate",
        o->learning_rate > 0 ? json_real(o->learning_rate) : json_null(), "momentum", o->momentum, "beta2", o->beta2,
        "weight_decay", o->weight_decay, "clip", o->clip, "warmup", o->warmup, "step_epochs", o->step_epochs,
        "label_smoothing", o->label_smoothing, "class_weights", o->class_weights, "bias_rate", o->bias_rate, "ema",
        o->ema, "normalise", o->normalise, "augment", o->augment != NULL ? o->augment : "", "patience",
        (json_int_t)o->patience, "keep_last", o->keep_last, "seed", (json_int_t)o->seed);
    json_object_set_new(line, "command", command_json(start->argv));
    log_line(report, line);
    if (report->quiet)
        return;
    fprintf(stderr, "training on %s: %s images, %s more for validation\n", start->data, terminal_number(train, images),
            terminal_number(validation, o->validation));
    fprintf(stderr, "network: %s (%s parameters)\n", start->network,
            terminal_number(parameters, ink_net_parameters(start->net)));
    if (o->learning_rate > 0)
        snprintf(rate, sizeof rate, "learning rate %g", o->learning_rate);
    fprintf(stderr, "%s, %s, %s schedule, batch %zu, %s weights, seed %llu\n", o->optimizer, rate, o->schedule,
            o->batch, start->initialisation, (unsigned long long)o->seed);
    if (o->augment != NULL && o->augment[0] != 0)
        fprintf(stderr, "augmentation: %s\n", o->augment);
}

void report_batch(struct report *report, const struct ink_progress *progress)
{
    char label[64], tail[256], left[32], speed[32], losses[SPARK_TEXT];
    report->batches++;
    spark_add(&report->losses, progress->batch_loss);
    if (!progress_due(&report->progress))
        return;
    const double elapsed = progress_clock() - report->started, each = elapsed / (double)report->batches;
    const size_t done = progress->epoch * progress->batches + progress->batch;
    const size_t all = progress->epochs * progress->batches;
    snprintf(label, sizeof label, "epoch %zu/%zu", progress->epoch + 1, progress->epochs);
    /* The sparkline stands last, so that a narrow terminal cuts it before the words. */
    snprintf(tail, sizeof tail, "loss %.4f acc %.2f%% %s/s %s left %s", progress->loss, 100 * progress->accuracy,
             terminal_number(speed, (size_t)((double)report->batch / each)),
             progress_duration(left, each * (double)(all - done)),
             spark_text(&report->losses, losses, terminal_has_utf8()));
    progress_draw(&report->progress, label, (double)progress->batch / (double)progress->batches, tail);
}

void report_epoch(struct report *report, const struct ink_epoch_stats *stats)
{
    /* An epoch whose last batch was done before this process began took no time here. */
    const double speed = isfinite(stats->images_per_second) ? stats->images_per_second : 0;
    char validation[64] = "", number[32];
    log_line(report,
             json_pack("{s:s, s:I, s:f, s:o, s:f, s:o, s:o, s:b, s:f, s:f}", "event", "epoch", "epoch",
                       (json_int_t)stats->epoch + 1, "seconds", stats->seconds, "loss", cli_json_real(stats->loss),
                       "accuracy", stats->accuracy, "val_loss", cli_json_real(stats->validation_loss), "val_accuracy",
                       cli_json_real(stats->validation_accuracy), "best", stats->best, "learning_rate",
                       stats->learning_rate, "images_per_second", speed));
    if (report->quiet)
        return;
    progress_clear(&report->progress);
    if (isfinite(stats->validation_accuracy))
        snprintf(validation, sizeof validation, "  validation %.2f%%%s", 100 * stats->validation_accuracy,
                 stats->best ? " best" : "     ");
    fprintf(stderr, "epoch %*zu/%zu  loss %.4f  accuracy %.2f%%%s  %.2f s  %s images/s\n",
            snprintf(NULL, 0, "%zu", report->epochs), stats->epoch + 1, report->epochs, stats->loss,
            100 * stats->accuracy, validation, stats->seconds, terminal_number(number, (size_t)speed));
}

void report_end(struct report *report, const char *model, const struct ink_net *net, const struct ink_metrics *test)
{
    char parameters[32], wrong[32], count[32];
    json_t *line =
        json_pack("{s:s, s:s, s:f}", "event", "end", "model", model, "seconds", progress_clock() - report->started);
    printf("saved %s (%s parameters)\n", model, terminal_number(parameters, ink_net_parameters(net)));
    if (test != NULL) {
        json_object_set_new(line, "test_accuracy", json_real(test->accuracy));
        json_object_set_new(line, "test_accuracy_low", json_real(test->accuracy_low));
        json_object_set_new(line, "test_accuracy_high", json_real(test->accuracy_high));
        json_object_set_new(line, "test_loss", cli_json_real(test->loss));
        printf("test accuracy %.2f%% (95%% interval %.2f%% to %.2f%%; %s of %s wrong)\n", 100 * test->accuracy,
               100 * test->accuracy_low, 100 * test->accuracy_high, terminal_number(wrong, test->count - test->correct),
               terminal_number(count, test->count));
    }
    log_line(report, line);
}

enum ink_status report_close(struct report *report, struct ink_error *err)
{
    progress_clear(&report->progress);
    if (report->log == NULL)
        return INK_OK;
    errno = 0;
    if (fclose(report->log) != 0 && report->log_failure == 0)
        report->log_failure = errno != 0 ? errno : EIO;
    report->log = NULL;
    if (report->log_failure == 0 || err->code != INK_OK)
        return INK_OK;
    return cli_fail(err, INK_FAILED, "%s: cannot write the log: %s",
                    report->log_path != NULL ? report->log_path : "a temporary file", strerror(report->log_failure));
}
