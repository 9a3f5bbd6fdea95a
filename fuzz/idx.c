/* IDX files, images and labels, plain and gzipped: every element that is promised is there. */
#include "input.h"

#include "data/idx.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct input input = input_open(data, size);
    for (enum ink__idx_kind kind = INK__IDX_IMAGES; kind <= INK__IDX_LABELS; kind++) {
        struct ink__idx idx;
        if (ink__idx_open(&idx, input.path, kind, NULL) != INK_OK)
            continue;
        const size_t elements = idx.count * idx.shape.height * idx.shape.width * idx.shape.channels;
        volatile uint8_t sum = 0;
        for (size_t i = 0; i < elements; i++)
            sum = (uint8_t)(sum + idx.elements[i]);
        ink__idx_close(&idx);
    }
    input_close(&input);
    return 0;
}
