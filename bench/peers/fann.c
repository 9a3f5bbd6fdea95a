/*
 * bench-fann FOLDER IMAGES: the notebook's network in FANN, an epoch of each way it offers, as one JSON object.
 *
 * FANN learns after every image (incremental) or after all of them (batch); there is nothing between. Our library only
 * reads the data here.
 */
#include <floatfann.h>
#include <stdio.h>
#include <stdlib.h>

#include "../bench.h"

#define PIXELS  784u
#define CLASSES 10u

static double epoch(struct fann *ann, struct fann_train_data *data, enum fann_train_enum algorithm)
{
    fann_set_training_algorithm(ann, algorithm);
    const double start = bench_clock();
    fann_train_epoch(ann, data);
    return bench_clock() - start;
}

int main(int argc, char **argv)
{
    struct ink_dataset *images = NULL;
    struct ink_error err;
    if (argc != 3) {
        fprintf(stderr, "usage: bench-fann FOLDER IMAGES\n");
        return INK_BAD_ARGUMENT;
    }
    bench_check(ink_dataset_open(&images, argv[1], INK_TRAIN, NULL, &err), &err);
    const size_t wanted = strtoul(argv[2], NULL, 10), there = ink_dataset_count(images);
    const unsigned count = (unsigned)(wanted < there ? wanted : there);
    struct fann *ann = fann_create_standard(4, PIXELS, 50u, 100u, CLASSES);
    struct fann_train_data *data = fann_create_train(count, PIXELS, CLASSES);
    if (ann == NULL || data == NULL) {
        fprintf(stderr, "bench-fann: out of memory\n");
        return INK_FAILED;
    }
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *pixels = ink_dataset_pixels(images, i);
        for (unsigned p = 0; p < PIXELS; p++)
            data->input[i][p] = (float)pixels[p] / 255.0f;
        for (unsigned c = 0; c < CLASSES; c++)
            data->output[i][c] = ink_dataset_label(images, i) == c ? 1.0f : 0.0f;
    }
    fann_set_activation_function_hidden(ann, FANN_SIGMOID);
    fann_set_activation_function_output(ann, FANN_SIGMOID);
    fann_set_learning_rate(ann, 0.1f);
    const double incremental = epoch(ann, data, FANN_TRAIN_INCREMENTAL), batch = epoch(ann, data, FANN_TRAIN_BATCH);
    printf("{\"version\": \"FANN %s\", \"rows\": {\"train_notebook\": %.9g, \"train_notebook_one_step\": %.9g}}\n",
           FANN_VERSION, incremental, batch);
    fann_destroy_train(data);
    fann_destroy(ann);
    ink_dataset_free(images);
    return 0;
}
