/* A report as Markdown and as JSON, for other tools; and where any report goes. */
#include "output.h"
#include "report.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>

/* ---- Markdown ---------------------------------------------------------------------------------------------------- */

/* Text that Markdown takes as text, in a cell of a table too. */
static void print_plain(FILE *file, const char *text)
{
    for (; *text != 0; text++) {
        if (strchr("\\`*_{}[]<>()#+-!|&~", *text) != NULL)
            fputc('\\', file);
        fputc((unsigned char)*text < ' ' || *text == 0x7f ? ' ' : *text, file);
    }
}

static void print_row(FILE *file, const char *name, const char *value)
{
    fprintf(file, "| %s | %s |\n", name, value);
}

static void print_figures(FILE *file, const struct run *run)
{
    char value[128], number[32];
    fprintf(file, "\n| measure | value |\n|---|---|\n");
    if (run->metrics.count > 0) {
        snprintf(value, sizeof value, "%.2f%% (95%% interval %.2f%% to %.2f%%; %zu of %zu %s images wrong)",
                 100 * run->metrics.accuracy, 100 * run->metrics.accuracy_low, 100 * run->metrics.accuracy_high,
                 run->metrics.count - run->metrics.correct, run->metrics.count, run_images_word(run->split));
        print_row(file, "accuracy", value);
        snprintf(value, sizeof value, "%.4f", run->metrics.loss);
        print_row(file, "loss", value);
        snprintf(value, sizeof value, "%.2f%%", 100 * run->calibration_error);
        print_row(file, "expected calibration error", value);
        snprintf(value, sizeof value, "%.1f us; %.0f images/s together", 1e6 * run->seconds_per_image,
                 run->images_per_second);
        print_row(file, "one image", value);
    }
    if (run->net != NULL) {
        print_row(file, "parameters", terminal_number(number, ink_net_parameters(run->net)));
        print_row(file, "model file, bytes", terminal_number(number, run->bytes));
    }
    if (run->doubtful.data != NULL) {
        snprintf(value, sizeof value, "%zu of %zu %s images", run->doubtful.count,
                 ink_dataset_count(run->doubtful.data), run_images_word(run->doubtful.split));
        print_row(file, "doubtful labels", value);
    }
}

/* A cell; empty where there is no number. */
static void print_number(FILE *file, int decimals, double number, const char *unit)
{
    if (isfinite(number))
        fprintf(file, " %.*f%s |", decimals, number, unit);
    else
        fprintf(file, " |");
}

static void print_epochs(FILE *file, const struct run_log *log)
{
    if (log->count == 0)
        return;
    fprintf(file, "\n| epoch | loss | accuracy | validation loss | validation accuracy | learning rate |\n"
                  "|---:|---:|---:|---:|---:|---:|\n");
    for (size_t i = 0; i < log->count; i++) {
        const struct run_epoch *const e = &log->epochs[i];
        fprintf(file, "| %g |", e->number);
        print_number(file, 4, e->loss, "");
        print_number(file, 2, 100 * e->accuracy, "%");
        print_number(file, 4, e->validation_loss, "");
        print_number(file, 2, 100 * e->validation_accuracy, "%");
        fprintf(file, " %.3g |\n", e->learning_rate);
    }
}

static void print_classes(FILE *file, const struct run *run)
{
    if (run->metrics.count == 0)
        return;
    fprintf(file, "\n| class | images | precision | recall | F1 |\n|---|---:|---:|---:|---:|\n");
    for (size_t c = 0; c < run->metrics.classes; c++) {
        const struct ink_class_metrics m = ink_metrics_class(&run->metrics, c);
        fprintf(file, "| ");
        print_plain(file, ink_net_class_name(run->net, c));
        fprintf(file, " | %zu | %.2f%% | %.2f%% | %.2f%% |\n", m.count, 100 * m.precision, 100 * m.recall, 100 * m.f1);
    }
}

enum ink_status report_print_markdown(FILE *file, const struct run *runs, size_t count, struct ink_error *err)
{
    (void)err;
    for (size_t i = 0; i < count; i++) {
        const struct run *const run = &runs[i];
        const char *const command = json_string_value(json_object_get(run->log.start, "command"));
        fprintf(file, "%s# ", i > 0 ? "\n" : "");
        print_plain(file, run->name);
        fprintf(file, "\n");
        if (run->net != NULL) {
            fprintf(file, "\n");
            print_plain(file, ink_net_spec(run->net));
            fprintf(file, "\n");
        }
        print_figures(file, run);
        print_epochs(file, &run->log);
        print_classes(file, run);
        if (command != NULL) { /* indented text is code, whatever is in it */
            fprintf(file, "\n    ");
            terminal_print_text(file, command);
            fprintf(file, "\n");
        }
    }
    return INK_OK;
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static json_t *epochs_json(const struct run_log *log)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < log->count; i++) {
        const struct run_epoch *const e = &log->epochs[i];
        json_array_append_new(
            list, json_pack("{s:I, s:f, s:o, s:f, s:o, s:o, s:f, s:f}", "epoch", (json_int_t)e->number, "seconds",
                            e->seconds, "loss", cli_json_real(e->loss), "accuracy", e->accuracy, "val_loss",
                            cli_json_real(e->validation_loss), "val_accuracy", cli_json_real(e->validation_accuracy),
                            "learning_rate", e->learning_rate, "images_per_second", e->images_per_second));
    }
    return list;
}

static json_t *bins_json(const struct run *run)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < REPORT_BINS; i++)
        json_array_append_new(list, json_pack("{s:I, s:f, s:f}", "count", (json_int_t)run->bins[i].count, "confidence",
                                              run->bins[i].confidence, "accuracy", run->bins[i].accuracy));
    return list;
}

static json_t *misses_json(const struct run *run, const struct run_misses *misses)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < misses->count && i < REPORT_SHOWN; i++) {
        const struct run_miss *const m = &misses->list[i];
        json_array_append_new(list, json_pack("{s:I, s:s, s:s, s:f, s:f}", "index", (json_int_t)m->index, "label",
                                              ink_net_class_name(run->net, m->label), "answer",
                                              ink_net_class_name(run->net, m->answer), "label_probability",
                                              m->label_probability, "answer_probability", m->answer_probability));
    }
    return json_pack("{s:s, s:I, s:o}", "split", misses->split, "count", (json_int_t)misses->count, "first", list);
}

static json_t *run_json(const struct run *run)
{
    json_t *const object = json_pack("{s:s, s:O?, s:o, s:O?}", "run", run->name, "start", run->log.start, "epochs",
                                     epochs_json(&run->log), "end", run->log.end);
    if (run->net != NULL)
        json_object_set_new(object, "model",
                            json_pack("{s:s, s:s, s:I, s:I, s:f}", "path", run->model, "network",
                                      ink_net_spec(run->net), "parameters", (json_int_t)ink_net_parameters(run->net),
                                      "bytes", (json_int_t)run->bytes, "multiply_adds", run->multiply_adds));
    if (run->metrics.count > 0) {
        json_t *const measured = cli_metrics_json(run->net, &run->metrics);
        json_object_set_new(measured, "data", json_string(ink_dataset_name(run->measured)));
        json_object_set_new(measured, "split", json_string(run->split));
        json_object_set_new(measured, "calibration_error", json_real(run->calibration_error));
        json_object_set_new(measured, "calibration", bins_json(run));
        json_object_set_new(measured, "mistakes", misses_json(run, &run->mistakes));
        json_object_set_new(measured, "seconds_per_image", json_real(run->seconds_per_image));
        json_object_set_new(measured, "images_per_second", json_real(run->images_per_second));
        json_object_set_new(object, "measured", measured);
    }
    if (run->doubtful.data != NULL)
        json_object_set_new(object, "doubtful", misses_json(run, &run->doubtful));
    return object;
}

enum ink_status report_print_json(FILE *file, const struct run *runs, size_t count, struct ink_error *err)
{
    json_t *const list = json_array();
    bool whole = true;
    for (size_t i = 0; i < count; i++)
        whole = json_array_append_new(list, run_json(&runs[i])) == 0 && whole;
    if (!whole) {
        json_decref(list);
        return cli_print_json(NULL, file, err);
    }
    return cli_print_json(json_pack("{s:s, s:o}", "version", INK_VERSION, "runs", list), file, err);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum ink_status (*print)(FILE *file, const struct run *runs, size_t count, struct ink_error *err);
} formats[] = { { "html", report_print_page }, { "md", report_print_markdown }, { "json", report_print_json } };

const char *report_format(size_t i)
{
    return i < sizeof formats / sizeof formats[0] ? formats[i].name : NULL;
}

enum ink_status report_write(const char *path, const char *format, const struct run *runs, size_t count,
                             struct ink_error *err)
{
    struct cli_output output = { .file = stdout };
    enum ink_status status = path != NULL ? cli_output_open(&output, path, err) : INK_OK;
    if (status != INK_OK)
        return status;
    for (size_t i = 0; report_format(i) != NULL; i++)
        if (strcmp(format, report_format(i)) == 0)
            status = formats[i].print(output.file, runs, count, err);
    return path != NULL ? cli_output_close(&output, status, err) : status;
}
