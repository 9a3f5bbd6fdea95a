/* NumPy's npy and npz files: every element of every array can be read, and a data set of them be opened. */
#include "input.h"
#include "zip.h"

#include "base/npz.h"
#include "inkling.h"

enum { MOST_BYTES = 1 << 20 /* of an array's elements: few bytes of a file may stand for many */ };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *const copy = (uint8_t *)input_text(data, size);
    zip_mend(copy, size);
    const struct input input = input_open(copy, size);
    const struct ink_dataset_options options = { .labels = input.path };
    struct ink_dataset *images;
    struct ink__npz *npz;
    bool small = true;
    if (ink__npz_open(&npz, input.path, NULL) == INK_OK) {
        const struct ink__npy *array;
        for (size_t i = 0; (array = ink__npz_array(npz, i)) != NULL; i++) {
            volatile double sum = 0;
            const bool here = array->count <= MOST_BYTES / (array->width > 0 ? array->width : 1);
            small = small && here;
            if (!here || ink__npz_load(npz, array, NULL) != INK_OK)
                continue;
            for (size_t k = 0; k < array->count && array->kind != 'S' && array->kind != 'U'; k++)
                sum = sum + ink__npy_value(array, k);
        }
        ink__npz_free(npz);
        if (small && ink_dataset_open(&images, input.path, INK_TRAIN, &options, NULL) == INK_OK)
            ink_dataset_free(images);
    }
    input_close(&input);
    free(copy);
    return 0;
}
