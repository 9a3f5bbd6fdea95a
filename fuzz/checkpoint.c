/* Checkpoints: a training run that takes one goes on. */
#include "input.h"

#include "inkling.h"

enum { SIDE = 4, COUNT = 6, MOST_CHECKPOINT = 16384 };

static struct ink_dataset *images;
static struct ink_net *net;
static struct ink_trainer *trainer;

static bool stop_after_first(void *context, const struct ink_progress *progress)
{
    (void)context;
    return progress->batch != 1;
}

/* A new trainer for every input: one that has resumed is not new any more. */
static void make_trainer(void)
{
    static uint8_t pixels[COUNT * SIDE * SIDE];
    static uint16_t labels[COUNT];
    const struct ink_shape shape = { SIDE, SIDE, 1 };
    const char *const spec = "conv 1 3x3, norm relu, dense 2";
    struct ink_train_options options;
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 37);
    for (size_t i = 0; i < COUNT; i++)
        labels[i] = (uint16_t)(i % 2);
    ink_train_options_default(&options, spec);
    options.epochs = 2;
    options.batch = 2;
    options.validation = 2;
    options.compute.threads = 1;
    options.on_batch = stop_after_first;
    if (ink_dataset_wrap(&images, "input", shape, COUNT, 2, pixels, labels, NULL) != INK_OK ||
        ink_net_new(&net, shape, spec, NULL, 0, NULL) != INK_OK ||
        ink_trainer_new(&trainer, net, images, &options, NULL) != INK_OK)
        abort();
}

static void free_trainer(void)
{
    ink_trainer_free(trainer);
    ink_net_free(net);
    ink_dataset_free(images);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ink_epoch_stats stats;
    const struct input input = input_open_safetensors(data, size);
    make_trainer();
    if (ink_trainer_resume(trainer, input.path, NULL) == INK_OK && !ink_trainer_done(trainer))
        ink_trainer_epoch(trainer, &stats, NULL);
    free_trainer();
    input_close(&input);
    return 0;
}

#ifdef INK_FUZZ
/* A whole checkpoint to begin with, the header as text and a zero byte after it: see input_open_safetensors. */
static size_t write_whole(uint8_t *out, size_t most)
{
    char folder[] = "/tmp/inkling-fuzz-XXXXXX", path[64];
    unsigned char bytes[MOST_CHECKPOINT];
    struct ink_epoch_stats stats;
    if (mkdtemp(folder) == NULL)
        abort();
    snprintf(path, sizeof path, "%s/checkpoint", folder);
    make_trainer();
    ink_trainer_epoch(trainer, &stats, NULL);
    if (ink_trainer_save(trainer, path, NULL) != INK_OK)
        abort();
    free_trainer();
    FILE *file = fopen(path, "rb");
    const size_t size = file == NULL ? 0 : fread(bytes, 1, sizeof bytes, file);
    if (size <= 8 || fclose(file) != 0 || unlink(path) != 0 || rmdir(folder) != 0)
        abort();
    const size_t header = bytes[0] + (size_t)256 * bytes[1];
    if (size - 7 > most)
        return 0;
    memcpy(out, bytes + 8, header);
    out[header] = 0;
    memcpy(out + header + 1, bytes + 8 + header, size - 8 - header);
    return size - 7;
}

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t most);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t most, unsigned seed)
{
    static uint8_t whole[MOST_CHECKPOINT];
    static size_t whole_size;
    if (whole_size == 0)
        whole_size = write_whole(whole, sizeof whole);
    if ((size < 64 || seed % 16 == 0) && whole_size <= most) {
        memcpy(data, whole, whole_size);
        size = whole_size;
    }
    return LLVMFuzzerMutate(data, size, most);
}
#endif
