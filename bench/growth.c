/*
 * bench-growth: how the cost of training grows with batch, width, threads and the size of the data set, and how much
 * memory it takes, through the public header alone.
 *
 *     bench-growth [--quick] [--json]
 *
 * Works on synthetic digits, which for the last table are written as IDX files into a temporary folder: such files are
 * mapped, so that the memory of the process should not grow with them.
 */
#include <jansson.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define IMAGES ((size_t)12000)
#define ROUNDS 3
#define SIDE   28

struct settings {
    struct ink_dataset *data; /* IMAGES, or fewer to be quick */
    size_t images, rounds;
    const char *folder; /* temporary */
};

/* One training run to time. */
struct run {
    const char *net;
    size_t batch, threads;
    const struct ink_dataset *data;
};

/* What an epoch of it takes: the median of its seconds by image, and the process's own memory while it ran. */
struct cost {
    double seconds;
    size_t kilobytes;
};

/* Memory that is the process's own: no pages of mapped files. 0 where the system does not tell. */
static size_t own_memory(void)
{
    char line[256];
    size_t kilobytes = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "RssAnon: %zu kB", &kilobytes) == 1)
            break;
    if (file != NULL)
        fclose(file);
    return kilobytes;
}

static struct cost measure(const struct settings *settings, const struct run *run)
{
    struct ink_net *net = NULL;
    struct ink_trainer *trainer = NULL;
    struct ink_train_options options;
    struct ink_error err;
    double seconds[ROUNDS];
    ink_train_options_default(&options, run->net);
    options.epochs = settings->rounds;
    options.batch = run->batch;
    options.compute.threads = run->threads;
    options.learning_rate = 1e-3; /* one that suits every batch and width: nothing here looks at the accuracy */
    bench_check(ink_net_new(&net, ink_dataset_shape(run->data), run->net, "he", 0, &err), &err);
    bench_check(ink_trainer_new(&trainer, net, run->data, &options, &err), &err);
    for (size_t round = 0; round < settings->rounds; round++) {
        struct ink_epoch_stats stats;
        bench_check(ink_trainer_epoch(trainer, &stats, &err), &err);
        seconds[round] = stats.seconds / (double)ink_dataset_count(run->data);
    }
    const struct cost cost = { bench_median(seconds, settings->rounds), own_memory() };
    ink_trainer_free(trainer);
    ink_net_free(net);
    return cost;
}

/* ---- The tables -------------------------------------------------------------------------------------------------- */

static json_t *row(size_t value, struct cost cost)
{
    return json_pack("{s:I, s:f, s:I}", "value", (json_int_t)value, "microseconds_per_image", 1e6 * cost.seconds,
                     "kilobytes", (json_int_t)cost.kilobytes);
}

static json_t *by_batch(const struct settings *settings, const char *net)
{
    json_t *rows = json_array();
    for (size_t batch = 1; batch <= 4096; batch *= 4)
        json_array_append_new(
            rows, row(batch, measure(settings, &(struct run){ .net = net, .batch = batch, .data = settings->data })));
    return rows;
}

static json_t *by_width(const struct settings *settings, const char *net)
{
    (void)net;
    json_t *rows = json_array();
    for (size_t width = 16; width <= 1024; width *= 2) {
        char spec[64];
        snprintf(spec, sizeof spec, "dense %zu relu, dense %zu relu, dense 10", width, width);
        json_array_append_new(
            rows, row(width, measure(settings, &(struct run){ .net = spec, .batch = 100, .data = settings->data })));
    }
    return rows;
}

static json_t *by_threads(const struct settings *settings, const char *net)
{
    json_t *rows = json_array();
    for (size_t threads = 1; threads <= 2 * ink_usable_cpus() && threads <= 16; threads *= 2) {
        const struct run run = { .net = net, .batch = 100, .threads = threads, .data = settings->data };
        json_array_append_new(rows, row(threads, measure(settings, &run)));
    }
    return rows;
}

static void write_word(FILE *file, size_t word)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        putc((int)(word >> shift & 0xff), file);
}

/* Writes `count` images of the settings' data set, from its beginning again when it ends, as an IDX pair. */
static void write_files(const struct settings *settings, const char *images_path, const char *labels_path, size_t count)
{
    FILE *images = fopen(images_path, "w"), *labels = fopen(labels_path, "w");
    if (images == NULL || labels == NULL) {
        fprintf(stderr, "bench: %s: cannot write\n", settings->folder);
        exit(INK_FAILED);
    }
    write_word(images, 2051);
    write_word(images, count);
    write_word(images, SIDE);
    write_word(images, SIDE);
    write_word(labels, 2049);
    write_word(labels, count);
    for (size_t i = 0; i < count; i++) {
        fwrite(ink_dataset_pixels(settings->data, i % settings->images), 1, (size_t)SIDE * SIDE, images);
        putc((int)ink_dataset_label(settings->data, i % settings->images), labels);
    }
    fclose(images);
    fclose(labels);
}

static json_t *by_images(const struct settings *settings, const char *net)
{
    json_t *rows = json_array();
    char images[512], labels[512];
    snprintf(images, sizeof images, "%s/train-images-idx3-ubyte", settings->folder);
    snprintf(labels, sizeof labels, "%s/train-labels-idx1-ubyte", settings->folder);
    for (size_t count = settings->images / 4; count <= 16 * settings->images; count *= 4) {
        struct ink_dataset *data = NULL;
        struct ink_error err;
        write_files(settings, images, labels, count);
        bench_check(ink_dataset_open(&data, settings->folder, INK_TRAIN, NULL, &err), &err);
        json_array_append_new(rows,
                              row(count, measure(settings, &(struct run){ .net = net, .batch = 100, .data = data })));
        ink_dataset_free(data);
    }
    unlink(images);
    unlink(labels);
    return rows;
}

static const struct table {
    const char *id, *title, *net;
    json_t *(*make)(const struct settings *settings, const char *net);
} tables[] = {
    { "batch_notebook", "batch, notebook", "notebook", by_batch },
    { "batch_lenet", "batch, lenet", "lenet", by_batch },
    { "width", "width, dense N relu, dense N relu, dense 10; batch 100", NULL, by_width },
    { "threads_notebook", "threads, notebook, batch 100", "notebook", by_threads },
    { "threads_lenet", "threads, lenet, batch 100", "lenet", by_threads },
    { "images", "images in mapped files, notebook, batch 100", "notebook", by_images },
};
#define TABLES (sizeof tables / sizeof tables[0])

static void print_text(json_t *result)
{
    for (size_t t = 0; t < TABLES; t++) {
        size_t i = 0;
        json_t *one = NULL;
        printf("%scost against %s\n%10s  %12s  %12s\n", t > 0 ? "\n" : "", tables[t].title, "", "us an image",
               "own memory");
        json_array_foreach(json_object_get(result, tables[t].id), i, one)
            printf("%10lld  %12.3f  %9.1f MB\n", (long long)json_integer_value(json_object_get(one, "value")),
                   json_real_value(json_object_get(one, "microseconds_per_image")),
                   (double)json_integer_value(json_object_get(one, "kilobytes")) / 1024);
    }
}

int main(int argc, char **argv)
{
    bool quick = false, json = false;
    for (int i = 1; i < argc; i++) {
        quick = quick || strcmp(argv[i], "--quick") == 0;
        json = json || strcmp(argv[i], "--json") == 0;
        if (strcmp(argv[i], "--quick") != 0 && strcmp(argv[i], "--json") != 0) {
            fprintf(stderr, "usage: bench-growth [--quick] [--json]\n");
            return INK_BAD_ARGUMENT;
        }
    }
    /* What is freed goes back to the system at once, so that a row shows its own memory. */
    mallopt(M_MMAP_THRESHOLD, 65536);
    struct ink_error err;
    char folder[] = "/tmp/inkling-bench-XXXXXX";
    struct settings settings = { .images = quick ? IMAGES / 12 : IMAGES, .rounds = quick ? 1 : ROUNDS };
    const struct ink_dataset_options options = { .synthetic_count = settings.images };
    bench_check(ink_dataset_open(&settings.data, "synthetic", INK_TRAIN, &options, &err), &err);
    settings.folder = mkdtemp(folder);
    if (settings.folder == NULL) {
        perror(folder);
        return INK_FAILED;
    }
    json_t *result = json_object();
    for (size_t t = 0; t < TABLES; t++)
        json_object_set_new(
            result, tables[t].id,
            json_pack("{s:s, s:o}", "title", tables[t].title, "rows", tables[t].make(&settings, tables[t].net)));
    if (json)
        json_dumpf(result, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
    else
        print_text(result);
    json_decref(result);
    rmdir(folder);
    ink_dataset_free(settings.data);
    return 0;
}
