/*
 * The two generators.
 *
 * NumPy's legacy RandomState (MT19937) initialises and shuffles, so that a NumPy script can follow a run. Philox4x32-10
 * is keyed by (seed, epoch, sample, use): any thread can draw any sample's numbers, for dropout and augmentation.
 */
#ifndef INK_BASE_RANDOM_H
#define INK_BASE_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The state of np.random.RandomState. Plain data: copy it to save it. */
struct ink__numpy_random {
    uint32_t key[624];
    uint32_t position; /* next word of key; 624 when a new block is due */
    bool has_gauss;    /* the polar method makes two normals and keeps the second */
    double gauss;
};

/* np.random.RandomState(seed). NumPy takes no integer beyond 32 bits; a larger seed is its RandomState([low, high]),
 * the two halves of 32 bits. */
void ink__numpy_seed(struct ink__numpy_random *random, uint64_t seed);
/* 32 random bits. */
uint32_t ink__numpy_next(struct ink__numpy_random *random);
/* RandomState.random_sample(): [0, 1) with 53 bits. */
double ink__numpy_double(struct ink__numpy_random *random);
/* RandomState.randint(bound), bound in [1, 2^32]: masked draws, rejected until below. */
uint64_t ink__numpy_randint(struct ink__numpy_random *random, uint64_t bound);
/* RandomState.randn(): standard normal by the legacy polar method. */
double ink__numpy_randn(struct ink__numpy_random *random);
/* RandomState.permutation(count): shuffled[i] in [0, count), count < 2^32. */
void ink__numpy_permutation(struct ink__numpy_random *random, uint32_t *shuffled, size_t count);

/* What a Philox stream is for: the streams of different uses are independent. */
enum ink__use { INK__USE_DROPOUT, INK__USE_AUGMENT, INK__USE_SYNTHETIC };

struct ink__philox_key {
    uint64_t seed;
    uint32_t epoch, sample;
    uint32_t use; /* enum ink__use in the low byte, the layer above it */
};

/* Block `index` of a stream: four words of 32 random bits. Philox4x32-10 of Salmon et al., "Parallel random numbers: as
 * easy as 1, 2, 3" (SC 2011), with the seed as key and (index, use, sample, epoch) as counter. */
void ink__philox(const struct ink__philox_key *key, uint32_t index, uint32_t words[4]);

#endif
