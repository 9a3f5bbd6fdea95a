/* inkling bench: how fast this machine trains, answers and loads. */
#include "json.h"
#include "progress.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>

#define MOST_ROUNDS      100
#define QUICK_IMAGES     ((size_t)6000) /* --quick trains on so many, in one round */
#define SYNTHETIC_IMAGES ((size_t)60000)
#define LATENCY_SECONDS  0.2          /* how long a round looks at a latency, or at batches */
#define CALLS_TOGETHER   8            /* between two looks at the clock, whose own time is then too little to see */
#define LATENCY_IMAGES   ((size_t)64) /* that take turns */
#define MOST_LATENCIES   16384
#define BATCH_IMAGES     ((size_t)1000)

struct bench_arguments {
    const char *data;
    size_t threads, rounds;
    bool quick, json;
};

#define AT(member, kind) CLI_AT(struct bench_arguments, member, kind)

struct bench {
    struct ink_compute compute;
    const char *data_name;
    struct ink_dataset *opened, *train, *test; /* `train` is `opened`, or a copy of its first images */
    uint8_t *pixels;                           /* of that copy, */
    uint16_t *labels;                          /* both */
    float *images;                             /* (LATENCY_IMAGES, H, W, C) intensities */
    uint8_t *bytes;                            /* (BATCH_IMAGES, H, W, C), the same and more */
    size_t size;                               /* of one image */
    double *latencies;                         /* (MOST_LATENCIES) of one round */
};

/* What one round of one row gives. */
struct sample {
    double seconds;
    size_t images;
    double multiply_adds; /* that the work would take if nothing were left out; 0: none to speak of */
};

struct row;
typedef enum ink_status measure_fn(struct bench *bench, const struct row *row, struct sample *sample,
                                   struct ink_error *err);
struct row {
    const char *id, *work;
    measure_fn *measure;
    const char *net, *optimizer; /* optimizer: NULL for the preset's own options */
    bool quantised;
};

/* ---- What is measured -------------------------------------------------------------------------------------------- */

static const char *initialisation_of(const char *net)
{
    for (const struct ink_preset *preset = ink_presets(); preset->name != NULL; preset++)
        if (strcmp(preset->name, net) == 0)
            return preset->initialisation;
    return NULL;
}

static enum ink_status make_net(struct ink_net **net, const struct bench *bench, const char *name,
                                struct ink_error *err)
{
    return ink_net_new(net, ink_dataset_shape(bench->train), name, initialisation_of(name), 0, err);
}

/* Of one image: forward alone, or forward and back. Back costs twice as much, but nothing asks for the gradient of the
 * input. */
static double multiply_adds(const struct ink_net *net, bool training)
{
    double all = 0, first = 0;
    struct ink_layer_info layer;
    for (size_t i = 0; ink_net_layer(net, i, &layer); i++) {
        first = first > 0 ? first : layer.multiply_adds;
        all += layer.multiply_adds;
    }
    return training ? 3 * all - first : all;
}

/* The second epoch: in the first the memory is touched for the first time, and the threads begin. */
static enum ink_status measure_training(struct bench *bench, const struct row *row, struct sample *sample,
                                        struct ink_error *err)
{
    struct ink_net *net = NULL;
    struct ink_trainer *trainer = NULL;
    struct ink_epoch_stats stats = { .epoch = 0 };
    struct ink_train_options options;
    ink_train_options_default(&options, row->net);
    options.epochs = 2;
    options.compute = bench->compute;
    if (row->optimizer != NULL) {
        options.optimizer = row->optimizer;
        options.schedule = "constant";
        options.learning_rate = 0;
    }
    enum ink_status status = make_net(&net, bench, row->net, err);
    if (status == INK_OK)
        status = ink_trainer_new(&trainer, net, bench->train, &options, err);
    for (size_t epoch = 0; status == INK_OK && epoch < options.epochs; epoch++)
        status = ink_trainer_epoch(trainer, &stats, err);
    if (status == INK_OK) {
        const size_t images = ink_dataset_count(bench->train);
        *sample = (struct sample){ stats.seconds, images, (double)images * multiply_adds(net, true) };
    }
    ink_trainer_free(trainer);
    ink_net_free(net);
    return status;
}

/* A session of the row's net, for `batch` images on one thread. */
static enum ink_status make_session(struct ink_session **session, struct ink_net **net, const struct bench *bench,
                                    const struct row *row, size_t batch, struct ink_error *err)
{
    struct ink_net *floats = NULL;
    enum ink_status status = make_net(&floats, bench, row->net, err);
    if (status == INK_OK && row->quantised) {
        status = ink_net_quantise(net, floats, bench->train, &bench->compute, err);
        ink_net_free(floats);
    } else {
        *net = floats;
    }
    return status == INK_OK ? ink_session_new(session, *net, batch, &bench->compute, err) : status;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts them. */
static double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static enum ink_status measure_latency(struct bench *bench, const struct row *row, struct sample *sample,
                                       struct ink_error *err)
{
    struct ink_net *net = NULL;
    struct ink_session *session = NULL;
    float *probabilities = NULL;
    enum ink_status status = make_session(&session, &net, bench, row, 1, err);
    if (status == INK_OK && (probabilities = calloc(ink_net_classes(net), sizeof *probabilities)) == NULL)
        status = cli_fail(err, INK_FAILED, "out of memory");
    if (status == INK_OK) {
        const double start = progress_clock();
        double last = start;
        size_t count = 0, image = 0;
        while (count < MOST_LATENCIES && (last - start < LATENCY_SECONDS || count == 0)) {
            for (size_t call = 0; call < CALLS_TOGETHER; call++, image = (image + 1) % LATENCY_IMAGES)
                if (row->quantised)
                    ink_session_run_bytes(session, bench->bytes + image * bench->size, 1, probabilities);
                else
                    ink_session_run(session, bench->images + image * bench->size, 1, probabilities);
            const double now = progress_clock();
            bench->latencies[count++] = (now - last) / CALLS_TOGETHER;
            last = now;
        }
        *sample = (struct sample){ median(bench->latencies, count), 1, multiply_adds(net, false) };
    }
    ink_session_free(session);
    free(probabilities);
    ink_net_free(net);
    return status;
}

/* Many images at a time, on one thread. */
static enum ink_status measure_batches(struct bench *bench, const struct row *row, struct sample *sample,
                                       struct ink_error *err)
{
    struct ink_net *net = NULL;
    struct ink_session *session = NULL;
    enum ink_status status = make_session(&session, &net, bench, row, BATCH_IMAGES, err);
    float *const probabilities = status == INK_OK ? calloc(BATCH_IMAGES, ink_net_classes(net) * sizeof(float)) : NULL;
    if (status == INK_OK && probabilities == NULL)
        status = cli_fail(err, INK_FAILED, "out of memory");
    if (status == INK_OK) {
        const double start = progress_clock();
        double last = start;
        size_t count = 0;
        while (count < MOST_LATENCIES && (last - start < LATENCY_SECONDS || count == 0)) {
            ink_session_run_bytes(session, bench->bytes, BATCH_IMAGES, probabilities);
            const double now = progress_clock();
            bench->latencies[count++] = now - last;
            last = now;
        }
        *sample = (struct sample){ median(bench->latencies, count), BATCH_IMAGES,
                                   (double)BATCH_IMAGES * multiply_adds(net, false) };
    }
    free(probabilities);
    ink_session_free(session);
    ink_net_free(net);
    return status;
}

static enum ink_status measure_evaluation(struct bench *bench, const struct row *row, struct sample *sample,
                                          struct ink_error *err)
{
    struct ink_net *net = NULL;
    struct ink_metrics metrics = { .count = 0 };
    enum ink_status status = make_net(&net, bench, row->net, err);
    const double start = progress_clock();
    if (status == INK_OK)
        status = ink_evaluate(net, bench->test, &bench->compute, &metrics, err);
    if (status == INK_OK)
        *sample = (struct sample){ progress_clock() - start, metrics.count,
                                   (double)metrics.count * multiply_adds(net, false) };
    ink_metrics_free(&metrics);
    ink_net_free(net);
    return status;
}

/* Both splits, from files that the system has in memory by now. */
static enum ink_status measure_loading(struct bench *bench, const struct row *row, struct sample *sample,
                                       struct ink_error *err)
{
    struct ink_dataset *train = NULL, *test = NULL;
    const double start = progress_clock();
    (void)row;
    enum ink_status status = cli_open_dataset(&train, bench->data_name, INK_TRAIN, err);
    if (status == INK_OK)
        status = cli_open_dataset(&test, bench->data_name, INK_TEST, err);
    if (status == INK_OK)
        *sample = (struct sample){ progress_clock() - start, ink_dataset_count(train) + ink_dataset_count(test), 0 };
    ink_dataset_free(test);
    ink_dataset_free(train);
    return status;
}

static const struct row rows[] = {
    { "train_notebook", "train notebook, sgd, an epoch", measure_training, "notebook", "sgd", false },
    { "train_lenet", "train lenet, adam, an epoch", measure_training, "lenet", NULL, false },
    { "train_convnet", "train convnet, adam, an epoch", measure_training, "convnet", NULL, false },
    { "latency_notebook", "notebook, one image, one thread", measure_latency, "notebook", NULL, false },
    { "latency_lenet", "lenet, one image, one thread", measure_latency, "lenet", NULL, false },
    { "latency_lenet_int8", "int8 lenet, one image, one thread", measure_latency, "lenet", NULL, true },
    { "batches_notebook_int8", "int8 notebook, 1,000, one thread", measure_batches, "notebook", NULL, true },
    { "evaluate_lenet", "lenet, the test images", measure_evaluation, "lenet", NULL, false },
    { "load", "load the data set", measure_loading, NULL, NULL, false },
};
#define ROWS (sizeof rows / sizeof rows[0])

/* What all rounds of a row gave. */
struct figures {
    struct sample last;
    double seconds[MOST_ROUNDS]; /* sorted in the end */
    double median;
};

/* ---- Data -------------------------------------------------------------------------------------------------------- */

/* Enough synthetic digits for an epoch as long as MNIST's. */
static enum ink_status open_synthetic(struct bench *bench, bool quick, struct ink_error *err)
{
    const struct ink_dataset_options options = { .synthetic_count = quick ? QUICK_IMAGES : SYNTHETIC_IMAGES };
    bench->data_name = "synthetic";
    const enum ink_status status = ink_dataset_open(&bench->opened, "synthetic", INK_TRAIN, &options, err);
    return status == INK_OK ? cli_open_dataset(&bench->test, "synthetic", INK_TEST, err) : status;
}

static enum ink_status open_both(struct bench *bench, const char *name, struct ink_error *err)
{
    bench->data_name = name;
    const enum ink_status status = cli_open_dataset(&bench->opened, name, INK_TRAIN, err);
    return status == INK_OK ? cli_open_dataset(&bench->test, name, INK_TEST, err) : status;
}

/* The data set that was named, or the first that is found. */
static enum ink_status open_data(struct bench *bench, const struct bench_arguments *arguments, struct ink_error *err)
{
    static const char *const wanted[] = { "mnist", "fashion-mnist" };
    if (arguments->data != NULL)
        return strcmp(arguments->data, "synthetic") == 0 ? open_synthetic(bench, arguments->quick, err)
                                                         : open_both(bench, arguments->data, err);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const enum ink_status status = open_both(bench, wanted[i], err);
        if (status != INK_FAILED)
            return status;
        ink_dataset_free(bench->opened);
        bench->opened = NULL;
    }
    *err = (struct ink_error){ .code = INK_OK };
    return open_synthetic(bench, arguments->quick, err);
}

/* The images to train on: all, or for --quick the first of them. */
static enum ink_status choose_images(struct bench *bench, bool quick, struct ink_error *err)
{
    const size_t count = ink_dataset_count(bench->opened);
    if (!quick || count <= QUICK_IMAGES) {
        bench->train = bench->opened;
        return INK_OK;
    }
    bench->pixels = malloc(QUICK_IMAGES * bench->size);
    bench->labels = calloc(QUICK_IMAGES, sizeof *bench->labels);
    if (bench->pixels == NULL || bench->labels == NULL)
        return cli_fail(err, INK_FAILED, "out of memory");
    for (size_t i = 0; i < QUICK_IMAGES; i++) {
        memcpy(bench->pixels + i * bench->size, ink_dataset_pixels(bench->opened, i), bench->size);
        bench->labels[i] = (uint16_t)ink_dataset_label(bench->opened, i);
    }
    return ink_dataset_wrap(&bench->train, bench->data_name, ink_dataset_shape(bench->opened), QUICK_IMAGES,
                            ink_dataset_classes(bench->opened), bench->pixels, bench->labels, err);
}

static enum ink_status prepare(struct bench *bench, const struct bench_arguments *arguments, struct ink_error *err)
{
    enum ink_status status = open_data(bench, arguments, err);
    if (status != INK_OK)
        return status;
    const struct ink_shape shape = ink_dataset_shape(bench->opened);
    bench->size = shape.height * shape.width * shape.channels;
    if ((status = choose_images(bench, arguments->quick, err)) != INK_OK)
        return status;
    bench->images = malloc(LATENCY_IMAGES * bench->size * sizeof *bench->images);
    bench->latencies = malloc(MOST_LATENCIES * sizeof *bench->latencies);
    bench->bytes = malloc(BATCH_IMAGES * bench->size);
    if (bench->images == NULL || bench->latencies == NULL || bench->bytes == NULL)
        return cli_fail(err, INK_FAILED, "out of memory");
    for (size_t i = 0; i < BATCH_IMAGES; i++)
        memcpy(bench->bytes + i * bench->size, ink_dataset_pixels(bench->test, i % ink_dataset_count(bench->test)),
               bench->size);
    for (size_t i = 0; i < LATENCY_IMAGES * bench->size; i++)
        bench->images[i] = (float)bench->bytes[i] / 255.0f;
    return INK_OK;
}

/* Synthetic digits are drawn, not loaded. */
static bool applies(const struct bench *bench, const struct row *row)
{
    return row->measure != measure_loading || strcmp(bench->data_name, "synthetic") != 0;
}

/* Round by round over all rows, so that a busy moment of the machine meets every row alike. */
static enum ink_status measure(struct bench *bench, size_t rounds, struct figures *figures, struct ink_error *err)
{
    struct progress progress;
    enum ink_status status = INK_OK;
    progress_begin(&progress, false);
    for (size_t step = 0; step < rounds * ROWS && status == INK_OK; step++) {
        const struct row *row = &rows[step % ROWS];
        struct figures *f = &figures[step % ROWS];
        if (!applies(bench, row))
            continue;
        progress_draw(&progress, row->work, (double)step / (double)(rounds * ROWS), "");
        status = row->measure(bench, row, &f->last, err);
        f->seconds[step / ROWS] = f->last.seconds;
    }
    progress_clear(&progress);
    for (size_t i = 0; i < ROWS && status == INK_OK; i++)
        figures[i].median = median(figures[i].seconds, rounds);
    return status;
}

/* ---- Output ------------------------------------------------------------------------------------------------------ */

static const char *kernels_of(const struct bench *bench)
{
    return bench->compute.kernels != NULL ? bench->compute.kernels : ink_kernels_best();
}

static size_t threads_of(const struct bench *bench)
{
    return bench->compute.threads > 0 ? bench->compute.threads : ink_usable_cpus();
}

/* "0.0412 s", "12.3 us". */
static const char *time_text(char text[32], double seconds)
{
    if (seconds < 1e-3)
        snprintf(text, 32, "%.3g us", 1e6 * seconds);
    else
        snprintf(text, 32, "%.3g s", seconds);
    return text;
}

static void print_text(const struct bench *bench, const struct figures *figures, size_t rounds)
{
    char train[32], test[32];
    printf("%s: %s images to train, %s to test; kernels %s, threads %zu, median of %zu round%s\n\n", bench->data_name,
           terminal_number(train, ink_dataset_count(bench->train)),
           terminal_number(test, ink_dataset_count(bench->test)), kernels_of(bench), threads_of(bench), rounds,
           rounds == 1 ? "" : "s");
    printf("%-33s  %10s  %10s  %10s  %12s\n", "work", "time", "least", "most", "images/s");
    for (size_t i = 0; i < ROWS; i++) {
        const struct figures *f = &figures[i];
        char time[32], least[32], most[32], rate[32];
        if (!applies(bench, &rows[i]))
            continue;
        printf("%-33s  %10s  %10s  %10s  %12s\n", rows[i].work, time_text(time, f->median),
               time_text(least, f->seconds[0]), time_text(most, f->seconds[rounds - 1]),
               terminal_number(rate, (size_t)((double)f->last.images / f->median)));
    }
}

static enum ink_status print_json(const struct bench *bench, const struct figures *figures, size_t rounds,
                                  struct ink_error *err)
{
    json_t *work = json_array();
    for (size_t i = 0; i < ROWS; i++) {
        const struct figures *f = &figures[i];
        if (applies(bench, &rows[i]))
            json_array_append_new(work, json_pack("{s:s, s:s, s:I, s:f, s:f, s:f, s:f}", "id", rows[i].id, "work",
                                                  rows[i].work, "images", (json_int_t)f->last.images, "seconds",
                                                  f->median, "least", f->seconds[0], "most", f->seconds[rounds - 1],
                                                  "gflops", 2e-9 * f->last.multiply_adds / f->median));
    }
    return cli_print_json(
        json_pack("{s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:o}", "version", INK_VERSION, "kernels", kernels_of(bench),
                  "threads", (json_int_t)threads_of(bench), "processors", (json_int_t)ink_usable_cpus(), "data",
                  bench->data_name, "train_images", (json_int_t)ink_dataset_count(bench->train), "test_images",
                  (json_int_t)ink_dataset_count(bench->test), "rounds", (json_int_t)rounds, "work", work),
        stdout, err);
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct bench_arguments *arguments = call->arguments;
    const size_t rounds = arguments->rounds != SIZE_MAX ? arguments->rounds : arguments->quick ? 1 : 3;
    struct bench bench = { .data_name = NULL };
    struct figures *figures = calloc(ROWS, sizeof *figures);
    enum ink_status status = INK_OK;
    if (figures == NULL) {
        status = cli_fail(err, INK_FAILED, "out of memory");
        goto out;
    }
    if ((status = cli_compute(&bench.compute, arguments->threads, err)) != INK_OK ||
        (status = prepare(&bench, arguments, err)) != INK_OK ||
        (status = measure(&bench, rounds, figures, err)) != INK_OK)
        goto out;
    if (arguments->json)
        status = print_json(&bench, figures, rounds, err);
    else
        print_text(&bench, figures, rounds);
out:
    free(figures);
    free(bench.latencies);
    free(bench.images);
    free(bench.bytes);
    if (bench.train != bench.opened)
        ink_dataset_free(bench.train);
    free(bench.labels);
    free(bench.pixels);
    ink_dataset_free(bench.test);
    ink_dataset_free(bench.opened);
    return (int)status;
}

const struct command cmd_bench = {
    .name = "bench",
    .summary = "measure this machine: training, answering, loading",
    .about =
        "Trains the networks notebook, lenet and convnet, two epochs of which the second counts, times single images, "
        "batches and the whole test set, and loads the data; tells the median of several rounds, the least and the "
        "most. Close other programs first: what they take is missing here.",
    .options =
        (const struct cli_option[]){
            { "data", AT(data, CLI_STRING), .value = "DATA", .unset = "mnist, fashion-mnist or synthetic",
              .help = "data set, by name or folder" },
            { "rounds", AT(rounds, CLI_SIZE), .value = "N", .least = 1, .most = MOST_ROUNDS,
              .unset = "3, with --quick 1", .help = "how often to measure everything" },
            { "quick", AT(quick, CLI_FLAG), .help = "train on 6,000 images only, to see that it works" },
            CLI_OPTION_JSON(struct bench_arguments, json),
            CLI_OPTION_THREADS(struct bench_arguments, threads),
            { .name = NULL },
        },
    .examples = (const char *const[]){ "inkling bench", "inkling bench --threads 1 --json", NULL },
    .defaults = &(const struct bench_arguments){ .rounds = SIZE_MAX },
    .size = sizeof(struct bench_arguments),
    .run = run,
};
