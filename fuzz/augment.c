/* A line of augmentation: what is taken says the same when it is read again. */
#include "input.h"

#include "train/augment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ink__augment augment, again;
    char *text = input_text(data, size), first[256], second[256];
    if (ink__augment_parse(&augment, text, NULL) == INK_OK) {
        ink__augment_print(&augment, first);
        if (ink__augment_parse(&again, first, NULL) != INK_OK)
            abort();
        ink__augment_print(&again, second);
        if (strcmp(first, second) != 0)
            abort();
    }
    free(text);
    return 0;
}
