/*
 * The oracle: the forward pass of any network in double precision, each layer as its definition reads, from the layers
 * that the line of text gave and nothing else of the library but the random numbers of dropout.
 */
#ifndef INK_TESTS_REFERENCE_H
#define INK_TESTS_REFERENCE_H

#include "nn/net.h"

struct reference_batch {
    size_t count;
    const double *images;  /* (count, inputs) intensities */
    const uint16_t *label; /* (count) */
    double smoothing;
    /* In training norms use the statistics of the batch and dropout drops; otherwise neither. */
    bool training;
    const uint32_t *sample; /* (count), for dropout as are the next two */
    uint64_t seed;
    uint32_t epoch;
};

struct reference_result {
    double loss;           /* mean over the batch */
    double *probabilities; /* (count, classes); NULL: not wanted */
    double *statistics;    /* in the places of the running mean and variance: the batch's, variance by N - 1. NULL: not
                              wanted */
};

/* `weights` are in the net's layout, net->weight_count of them. Exits if memory runs out. */
void reference_run(const struct ink_net *net, const double *weights, const struct reference_batch *batch,
                   struct reference_result *result);

#endif
