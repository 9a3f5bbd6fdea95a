/* A run's model, measured: how often it is right, how sure it is, where it is wrong. */
#include "progress.h"
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TIMED_SECONDS 0.05 /* for one image at a time */
#define TIMED_RUNS    1000

/* ---- Answers ----------------------------------------------------------------------------------------------------- */

/* The network's answers to a data set, (count, classes) probabilities. */
struct answers {
    const struct ink_dataset *data;
    size_t count, classes;
    float *probabilities;
};

static enum ink_status answers_new(struct answers *answers, const struct run *run, const struct ink_dataset *data,
                                   const struct ink_compute *compute, struct ink_error *err)
{
    *answers = (struct answers){ data, ink_dataset_count(data), ink_net_classes(run->net), NULL };
    if (answers->count > SIZE_MAX / answers->classes)
        return cli_fail(err, INK_FAILED, "out of memory");
    answers->probabilities = calloc(answers->count * answers->classes, sizeof *answers->probabilities);
    if (answers->probabilities == NULL)
        return cli_fail(err, INK_FAILED, "out of memory");
    return ink_evaluate_each(run->net, data, compute, answers->probabilities, err);
}

static struct run_miss answer_at(const struct answers *a, size_t i)
{
    const float *const p = a->probabilities + i * a->classes;
    const size_t label = ink_dataset_label(a->data, i);
    size_t answer = 0;
    for (size_t c = 1; c < a->classes; c++)
        answer = p[c] > p[answer] ? c : answer;
    return (struct run_miss){ i, label, answer, (double)p[label], (double)p[answer] };
}

/* Northcutt, Jiang, Chuang, "Confident learning" (2021): how sure the network is of a class, on the mean over the
 * images that have its label. `threshold` has room for each class. */
static void find_thresholds(const struct answers *a, double *threshold, size_t *counts)
{
    for (size_t i = 0; i < a->count; i++) {
        const size_t label = ink_dataset_label(a->data, i);
        threshold[label] += (double)a->probabilities[i * a->classes + label];
        counts[label]++;
    }
    for (size_t c = 0; c < a->classes; c++)
        threshold[c] = counts[c] > 0 ? threshold[c] / (double)counts[c] : 1;
}

/* Two orders: the less a label is believed, and the more the answer is believed instead. Equal ones as in the data. */
static int compare(double a, double b, const struct run_miss *x, const struct run_miss *y)
{
    return a != b ? (a < b ? -1 : 1) : (x->index > y->index) - (x->index < y->index);
}

static int by_label(const void *a, const void *b)
{
    const struct run_miss *const x = a, *const y = b;
    return compare(x->label_probability, y->label_probability, x, y);
}

static int by_contradiction(const void *a, const void *b)
{
    const struct run_miss *const x = a, *const y = b;
    return compare(y->answer_probability - y->label_probability, x->answer_probability - x->label_probability, x, y);
}

/* Lists the answers that are not the label and, of a class c, at least as sure as least[c]. */
static enum ink_status list_misses(struct run_misses *misses, const struct answers *a, const double *least,
                                   struct ink_error *err)
{
    for (int pass = 0; pass < 2; pass++) {
        misses->count = 0;
        for (size_t i = 0; i < a->count; i++) {
            const struct run_miss miss = answer_at(a, i);
            if (miss.answer == miss.label || miss.answer_probability < least[miss.answer])
                continue;
            if (pass == 1)
                misses->list[misses->count] = miss;
            misses->count++;
        }
        if (pass == 0 && (misses->list = calloc(misses->count + 1, sizeof *misses->list)) == NULL)
            return cli_fail(err, INK_FAILED, "out of memory");
    }
    return INK_OK;
}

static void calibrate(struct run *run, const struct answers *a)
{
    for (size_t i = 0; i < a->count; i++) {
        const struct run_miss answer = answer_at(a, i);
        const size_t bin = (size_t)(answer.answer_probability * REPORT_BINS);
        struct run_bin *const b = &run->bins[bin < REPORT_BINS ? bin : REPORT_BINS - 1];
        b->count++;
        b->confidence += answer.answer_probability;
        b->accuracy += answer.answer == answer.label;
    }
    for (size_t i = 0; i < REPORT_BINS; i++) {
        struct run_bin *const b = &run->bins[i];
        run->calibration_error += fabs(b->accuracy - b->confidence) / (double)a->count;
        b->confidence /= b->count > 0 ? (double)b->count : 1;
        b->accuracy /= b->count > 0 ? (double)b->count : 1;
    }
}

static enum ink_status find_mistakes(struct run *run, const struct answers *a, const double *none,
                                     struct ink_error *err)
{
    run->mistakes = (struct run_misses){ .data = run->measured, .split = run->split };
    calibrate(run, a);
    const enum ink_status status = list_misses(&run->mistakes, a, none, err);
    if (status == INK_OK)
        qsort(run->mistakes.list, run->mistakes.count, sizeof *run->mistakes.list, by_label);
    return status;
}

static enum ink_status find_doubtful(struct run *run, const struct answers *a, double *threshold, size_t *counts,
                                     struct ink_error *err)
{
    const bool own = run->train != NULL;
    run->doubtful =
        (struct run_misses){ .data = own ? run->train : run->measured, .split = own ? "train" : run->split };
    find_thresholds(a, threshold, counts);
    const enum ink_status status = list_misses(&run->doubtful, a, threshold, err);
    if (status == INK_OK)
        qsort(run->doubtful.list, run->doubtful.count, sizeof *run->doubtful.list, by_contradiction);
    return status;
}

const char *run_images_word(const char *split)
{
    return strcmp(split, "train") == 0 ? "training" : split;
}

/* ---- Speed ------------------------------------------------------------------------------------------------------- */

/* The fastest of many runs of one image at a time, the first of the data set: what the machine can do when nothing else
 * is in the way. */
static enum ink_status time_one_image(struct run *run, const struct ink_compute *compute, struct ink_error *err)
{
    struct ink_session *session = NULL;
    float *const probabilities = calloc(ink_net_classes(run->net), sizeof *probabilities);
    enum ink_status status = probabilities != NULL ? INK_OK : cli_fail(err, INK_FAILED, "out of memory");
    if (status == INK_OK)
        status = ink_session_new(&session, run->net, 1, compute, err);
    const double begun = progress_clock();
    for (size_t i = 0; status == INK_OK && i < TIMED_RUNS && progress_clock() < begun + TIMED_SECONDS; i++) {
        const double begin = progress_clock();
        ink_session_run_bytes(session, ink_dataset_pixels(run->measured, 0), 1, probabilities);
        const double took = progress_clock() - begin;
        run->seconds_per_image = i == 0 || took < run->seconds_per_image ? took : run->seconds_per_image;
    }
    ink_session_free(session);
    free(probabilities);
    return status;
}

/* ---- Measuring --------------------------------------------------------------------------------------------------- */

/* A data set that is not there is no failure of the report. */
static enum ink_status open_split(struct ink_dataset **data, const char *name, enum ink_split split,
                                  const struct run *run, const struct report_request *request, struct ink_error *err)
{
    const struct cli_opening opening = {
        .size = request->size, .net = run->net, .threads = request->compute.threads, .quiet = true
    };
    const enum ink_status status = cli_open_dataset_as(data, name, split, &opening, err);
    if (status != INK_FAILED)
        return status;
    cli_print_error(err);
    *err = (struct ink_error){ .code = INK_OK };
    return INK_OK;
}

static enum ink_status measure(struct run *run, const struct ink_compute *compute, struct ink_error *err)
{
    const size_t classes = ink_net_classes(run->net);
    struct answers measured = { .data = NULL }, train = { .data = NULL };
    double *const least = calloc(classes, sizeof *least);
    size_t *const counts = calloc(classes, sizeof *counts);
    enum ink_status status = least != NULL && counts != NULL ? INK_OK : cli_fail(err, INK_FAILED, "out of memory");
    if (status == INK_OK && run->measured != NULL) {
        const double begun = progress_clock();
        status = ink_evaluate(run->net, run->measured, compute, &run->metrics, err);
        run->images_per_second = (double)run->metrics.count / (progress_clock() - begun);
        if (status == INK_OK)
            status = time_one_image(run, compute, err);
        if (status == INK_OK)
            status = answers_new(&measured, run, run->measured, compute, err);
        if (status == INK_OK)
            status = find_mistakes(run, &measured, least, err);
    }
    if (status == INK_OK && run->train != NULL)
        status = answers_new(&train, run, run->train, compute, err);
    if (status == INK_OK && (run->train != NULL || run->measured != NULL))
        status = find_doubtful(run, run->train != NULL ? &train : &measured, least, counts, err);
    free(train.probabilities);
    free(measured.probabilities);
    free(counts);
    free(least);
    return status;
}

/* The name of the data set that the run was trained on; NULL if that is not known. */
static const char *trained_on(const struct run *run)
{
    const char *key = NULL, *value = NULL;
    if (run->log.start != NULL)
        return json_string_value(json_object_get(run->log.start, "data"));
    for (size_t i = 0; ink_net_metadata(run->net, i, &key, &value); i++)
        if (strcmp(key, "dataset") == 0)
            return value;
    return NULL;
}

/* Of a data set without test images, those are measured that training held out, if the model was trained on it. */
static void choose_held_out(struct run *run, const struct report_request *request)
{
    struct ink_dataset *held_out = NULL;
    run->split = "all";
    if (request->split == INK_TEST && ink_net_trained_on(run->net, run->measured) &&
        ink_dataset_held_out(&held_out, run->measured, run->net, NULL) == INK_OK) {
        run->train = run->measured;
        run->measured = held_out;
        run->split = "validation";
    }
}

static enum ink_status open_data(struct run *run, const struct report_request *request, struct ink_error *err)
{
    const char *const name = request->data != NULL ? request->data : trained_on(run);
    enum ink_status status = INK_OK;
    if (name == NULL) {
        fprintf(stderr, "note: %s does not say what it was trained on; nothing is measured without --data\n",
                run->name);
        return INK_OK;
    }
    run->split = request->split == INK_TRAIN ? "train" : "test";
    if (!request->no_test || request->split == INK_TRAIN)
        status = open_split(&run->measured, name, request->split, run, request, err);
    if (run->measured != NULL && ink_dataset_is_whole(run->measured))
        choose_held_out(run, request);
    else if (status == INK_OK && request->split == INK_TEST)
        status = open_split(&run->train, name, INK_TRAIN, run, request, err);
    return status;
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

static enum ink_status load_model(struct run *run, const char *path, const struct report_request *request,
                                  struct ink_error *err)
{
    struct stat info;
    struct ink_layer_info layer;
    enum ink_status status = ink_net_load(&run->net, path, err);
    if (status != INK_OK)
        return status;
    run->model = strdup(path);
    if (run->model == NULL)
        return cli_fail(err, INK_FAILED, "out of memory");
    run->bytes = stat(path, &info) == 0 ? (size_t)info.st_size : 0;
    for (size_t i = 0; ink_net_layer(run->net, i, &layer); i++)
        run->multiply_adds += layer.multiply_adds;
    status = open_data(run, request, err);
    return status == INK_OK ? measure(run, &request->compute, err) : status;
}

/* The model that a log ends with; one that has gone is no failure of the report. */
static enum ink_status load_model_of_log(struct run *run, const struct report_request *request, struct ink_error *err)
{
    if (run->log.end == NULL) {
        fprintf(stderr, "note: %s does not come to the end of its run; there is no model to measure\n", run->name);
        return INK_OK;
    }
    const char *const model = json_string_value(json_object_get(run->log.end, "model"));
    const enum ink_status status = load_model(run, model, request, err);
    if (status != INK_FAILED || run->net != NULL)
        return status;
    cli_print_error(err);
    *err = (struct ink_error){ .code = INK_OK };
    return INK_OK;
}

enum ink_status run_open_model(struct run *run, const char *model, FILE *log, const struct report_request *request,
                               struct ink_error *err)
{
    *run = (struct run){ .name = model };
    enum ink_status status = log != NULL ? run_log_read(&run->log, log, "the log", err) : INK_OK;
    if (status == INK_OK)
        status = load_model(run, model, request, err);
    if (status != INK_OK)
        run_free(run);
    return status;
}

enum ink_status run_open(struct run *run, const char *path, const struct report_request *request, struct ink_error *err)
{
    *run = (struct run){ .name = path };
    FILE *const file = fopen(path, "rb");
    if (file == NULL)
        return cli_fail(err, INK_FAILED, "%s: cannot read: %s", path, strerror(errno));
    /* A model file begins with the length of its header, whose eighth byte is 0; a log is text. */
    char head[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
    const bool is_model = fread(head, 1, sizeof head, file) == sizeof head && head[7] == 0;
    enum ink_status status = INK_OK;
    if (is_model) {
        status = load_model(run, path, request, err);
    } else {
        rewind(file);
        status = run_log_read(&run->log, file, path, err);
        if (status == INK_OK)
            status = load_model_of_log(run, request, err);
    }
    fclose(file);
    if (status != INK_OK)
        run_free(run);
    return status;
}

void run_free(struct run *run)
{
    run_log_free(&run->log);
    free(run->mistakes.list);
    free(run->doubtful.list);
    ink_metrics_free(&run->metrics);
    ink_dataset_free(run->measured);
    ink_dataset_free(run->train);
    ink_net_free(run->net);
    free(run->model);
    *run = (struct run){ .name = NULL };
}
