/*
 * Short training runs whose results are known, so that any machine can check itself.
 *
 * The checksums change when the numerics do: another order of a sum, another preset. Then `inkling selftest` prints
 * what it found beside what it expected; if all kernels and threads agree on it, and test_bits passes, it belongs here.
 */
#include <stdlib.h>
#include <string.h>

#include "inkling.h"
#include "nn/net.h"

static const struct ink_selftest selftests[] = {
    { .name = "notebook", .spec = "notebook", .checksum = 0xa8f0f332d312a03f },
    { .name = "lenet", .spec = "lenet", .checksum = 0xa2dd8614a52f5cee },
    { .name = "convnet", .spec = "convnet", .checksum = 0x52ad5df60a2394ec },
    { .name = "residual",
      .spec =
          "conv 6 5x5 stride 2 pad 2, norm leaky, res [ conv 6 3x3 pad 1, norm relu, dropout 0.2, conv 6 3x3 pad 1 ], "
          "avgpool 2, dense 24 gelu, dropout 0.5, dense 10",
      .checksum = 0x49b9b49139ee7e92 },
    { .name = "augmented",
      .spec = "conv 6 5x5 stride 2, norm relu, dense 10",
      .augment = "shift 2, rotate 12, scale 12%, shear 8, elastic 3, flip, erase 50%, brightness 20%, contrast 20%",
      .checksum = 0xafcdf66030c54cec },
    { .name = NULL },
};

const struct ink_selftest *ink_selftests(void)
{
    return selftests;
}

/* FNV-1a of Fowler, Noll and Vo. */
static uint64_t checksum_of(const struct ink_net *net)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct ink__parameter *p = &net->parameters[i];
        for (size_t k = 0; k < p->rows * p->columns; k++) {
            uint32_t bits;
            memcpy(&bits, &net->weights[p->offset + k / p->columns * p->ld + k % p->columns], sizeof bits);
            for (unsigned shift = 0; shift < 32; shift += 8)
                hash = (hash ^ (bits >> shift & 0xff)) * 0x100000001b3u;
        }
    }
    return hash;
}

enum ink_status ink_selftest_run(const struct ink_selftest *test, const struct ink_compute *compute, uint64_t *checksum,
                                 struct ink_error *err)
{
    /* Two epochs of two whole batches and a smaller one; some images are held out. */
    const struct ink_dataset_options drawn = { .synthetic_count = 70 };
    struct ink_train_options options;
    struct ink_epoch_stats stats;
    struct ink_dataset *data = NULL;
    struct ink_net *net = NULL;
    struct ink_trainer *trainer = NULL;
    ink_train_options_default(&options, test->spec);
    options.epochs = 2;
    options.batch = 25;
    options.validation = 10;
    options.keep_last = true;
    options.augment = test->augment;
    options.compute = compute != NULL ? *compute : (struct ink_compute){ 0 };

    enum ink_status status = ink_dataset_open(&data, "synthetic", INK_TRAIN, &drawn, err);
    if (status == INK_OK)
        status = ink_net_new(&net, ink_dataset_shape(data), test->spec, "he", 0, err);
    if (status == INK_OK)
        status = ink_trainer_new(&trainer, net, data, &options, err);
    while (status == INK_OK && !ink_trainer_done(trainer))
        status = ink_trainer_epoch(trainer, &stats, err);
    if (status == INK_OK)
        status = ink_trainer_finish(trainer, err);
    if (status == INK_OK)
        *checksum = checksum_of(net);
    ink_trainer_free(trainer);
    ink_net_free(net);
    ink_dataset_free(data);
    return status;
}
