/*
 * The recipes. Each is the text of options that `inkling train DATA --recipe NAME` puts in its place.
 *
 * They train on all images, for a fixed time, and keep the last weights: what they reach on test images is measured by
 * bench/records, and how they were found is told in docs/records.md.
 */
#include "recipes.h"

#include <string.h>

const struct recipe recipes[] = {
    { "notebook", "the notebook's own layers, ten epochs", "mnist",
      "--net notebook --epochs 10 --batch 100 --optimizer adamw --lr 0.015 --weight-decay 0.05 --schedule cosine "
      "--init xavier --val 0" },
    { "mlp", "dense layers only, images as they are", "mnist",
      "--net 'dense 384, norm relu, dropout 0.25, dense 384, norm relu, dropout 0.25, dense 10' --epochs 12 "
      "--batch 128 --optimizer adamw --lr 0.005 --weight-decay 0.05 --schedule one-cycle --label-smoothing 0.05 "
      "--init he --val 0" },
    { "fast", "a convolutional network in one epoch", "mnist",
      "--net 'conv 8 5x5, pool 2, norm relu, conv 16 3x3, pool 2, norm relu, conv 32 3x3, norm relu, dense 10' "
      "--epochs 1 --batch 64 --optimizer muon --lr 0.05 --schedule one-cycle --label-smoothing 0.1 --init he --val "
      "0" },
    { "tiny", "fewer than 5,000 parameters", "mnist",
      "--net 'conv 8 3x3, norm relu, conv 8 3x3, norm relu, pool 2, conv 12 3x3, norm relu, conv 12 3x3, norm relu, "
      "pool 2, conv 14 3x3, norm relu, globalavg, dense 10' --epochs 20 --batch 100 --optimizer muon --lr 0.05 "
      "--weight-decay 0.01 --schedule one-cycle --init he --augment 'shift 2, rotate 10, scale 10%, shear 5' --val 0" },
    { "best", "the most digits right, in minutes", "mnist",
      "--net 'conv 24 5x5, norm relu, pool 2, conv 48 3x3 pad 1, norm relu, conv 48 3x3 pad 1, norm relu, pool 2, "
      "conv 96 3x3 pad 1, norm relu, conv 96 3x3 pad 1, norm relu, globalavg, dense 10' --epochs 20 --batch 128 "
      "--optimizer muon --lr 0.02 --weight-decay 0.01 --schedule one-cycle --label-smoothing 0.1 --ema 1 --init he "
      "--augment 'shift 2, rotate 12, scale 12%, shear 8' --val 0" },
    { "fashion", "clothes rather than digits", "fashion-mnist",
      "--net 'conv 32 5x5 pad 2, norm relu, pool 2, conv 64 3x3 pad 1, norm relu, "
      "res[conv 64 3x3 pad 1, norm relu, conv 64 3x3 pad 1, norm relu], pool 2, conv 128 3x3 pad 1, norm relu, "
      "res[conv 128 3x3 pad 1, norm relu, conv 128 3x3 pad 1, norm relu], globalavg, dense 10' --epochs 16 "
      "--batch 128 --optimizer muon --lr 0.02 --weight-decay 0.02 --schedule one-cycle --label-smoothing 0.05 --ema 1 "
      "--init he --normalise --augment 'shift 2, flip, erase 25%' --val 0" },
    { .name = NULL },
};

const char *recipe_name(size_t i)
{
    return i < sizeof recipes / sizeof recipes[0] ? recipes[i].name : NULL;
}

const char *recipe_options(const char *name)
{
    size_t i = 0;
    while (strcmp(recipes[i].name, name) != 0)
        i++;
    return recipes[i].options;
}
