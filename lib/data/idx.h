/*
 * IDX, the format of MNIST: big-endian; two zero bytes, the element type, the number of dimensions, a 32-bit size for
 * each, then the elements. Images are unsigned bytes; labels are, or 16- or 32-bit integers. Plain or gzipped, told
 * apart by content.
 */
#ifndef INK_DATA_IDX_H
#define INK_DATA_IDX_H

#include "base/file.h"

enum ink__idx_kind {
    INK__IDX_IMAGES, /* (N, H, W), or (N, H, W, C) with C = 1 or 3 */
    INK__IDX_LABELS  /* (N) */
};

/* An open file. The elements lie in the mapping, or in `expanded` if the file was gzipped. */
struct ink__idx {
    const uint8_t *elements; /* big-endian, `width` bytes each */
    size_t width;            /* 1 for images; 1, 2 or 4 for labels */
    size_t count;            /* N */
    struct ink_shape shape;  /* of one image; 1 x 1 x 1 for labels */
    struct ink__file file;
    unsigned char *expanded; /* owned */
};

/* Opens and checks everything. On failure *idx holds nothing. */
enum ink_status ink__idx_open(struct ink__idx *idx, const char *path, enum ink__idx_kind kind, struct ink_error *err);
/* The i-th label; a negative one is far above all classes. */
uint32_t ink__idx_label(const struct ink__idx *labels, size_t i);
/* Accepts a zeroed *idx. */
void ink__idx_close(struct ink__idx *idx);

#endif
