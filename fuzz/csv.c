/* CSV, plain and gzipped: what is taken has a label and a shape for every image. */
#include "input.h"

#include "data/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ink_dataset_options options = { .labels = NULL };
    const struct input input = input_open(data, size);
    struct ink_dataset read = { .count = 0 };
    if (ink__load_csv(&read, input.path, INK_TRAIN, &options, NULL) == INK_OK) {
        size_t sum = 0;
        for (size_t i = 0; i < read.count * read.image_size; i++)
            sum += read.pixels[i];
        for (size_t i = 0; i < read.count; i++)
            if (read.labels[i] >= read.classes)
                abort();
        if (sum > read.count * read.image_size * UINT8_MAX || read.count == 0)
            abort();
    }
    free(read.own_pixels);
    free(read.own_labels);
    ink__names_free(&read.notes);
    input_close(&input);
    return 0;
}
