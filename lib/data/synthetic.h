/* Digits drawn by the library: for tests, and for machines without data. */
#ifndef INK_DATA_SYNTHETIC_H
#define INK_DATA_SYNTHETIC_H

#include "inkling.h"

enum { INK__SYNTHETIC_SIDE = 28, INK__SYNTHETIC_CLASSES = 10 };

/* Draws `count` < 2^32 images, (count, 28, 28), ink bright on black, and their labels. Every ten images in a row hold
 * every digit once. Image i depends on (seed, split, i) alone and is the same on every machine. */
void ink__synthetic_draw(uint8_t *pixels, uint16_t *labels, size_t count, enum ink_split split, uint64_t seed);

#endif
