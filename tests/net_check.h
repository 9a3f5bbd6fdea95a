/*
 * The check of test_gradients.c: one network with one random batch, its training step and its inference against the
 * naive double-precision forward pass of reference.c, the gradients against central differences of that. The same is
 * done by every set of kernels and by several threads, and must give the same bits.
 */
#ifndef INK_TESTS_NET_CHECK_H
#define INK_TESTS_NET_CHECK_H

#include "nn/plan.h"
#include "reference.h"

struct net_question {
    const char *spec;
    struct ink_shape input;
    size_t count;
    double density; /* of bytes that are not zero; 0: the images are floats */
    float smoothing;
    bool whitened; /* the input has a mean and a deviation */
};

/* Everything that the library and the reference are given. */
struct net_setting {
    const struct net_question *q;
    struct ink_net *net;
    size_t inputs;
    double density; /* for the plan */
    float *floats;
    uint8_t *bytes;
    double *images;
    uint16_t *label;
    uint32_t *sample;
    struct ink__batch batch;
    struct reference_batch reference;
};

void net_check(const struct net_question *q);
/* The largest error of a layer's gradient, relative to its norm, that any check has seen. */
double net_check_worst(void);

/* Random numbers for the choice of shapes. */
uint32_t net_random(void);

/* The network and the batch of a question, at their final address. */
void net_setting_make(struct net_setting *s, const struct net_question *q);
void net_setting_free(struct net_setting *s);

#endif
