#include "train/balance.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static const char none[] = "none";
static const char *const names[] = { none, "balanced" };

const char *ink_class_weights_name(size_t i)
{
    return i < sizeof names / sizeof names[0] ? names[i] : NULL;
}

/* Balanced: count / (classes with images * images of the class), which is 1 on the mean over the images. As
 * scikit-learn has it. */
enum ink_status ink__class_weights(float **weights, const char *name, const struct ink_dataset *data,
                                   const uint32_t *chosen, size_t count, size_t classes, struct ink_error *err)
{
    size_t known = 0, present = 0;
    *weights = NULL;
    while (ink_class_weights_name(known) != NULL && strcmp(name, ink_class_weights_name(known)) != 0)
        known++;
    if (ink_class_weights_name(known) == NULL)
        return ink__fail(err, INK_BAD_ARGUMENT, "class weights '%s', expected none or balanced", name);
    if (strcmp(name, none) == 0)
        return INK_OK;
    size_t *const images = ink__array(classes, sizeof *images);
    *weights = ink__array(classes, sizeof **weights);
    if (images == NULL || *weights == NULL) {
        free(images);
        free(*weights);
        *weights = NULL;
        return ink__fail_memory(err);
    }
    for (size_t i = 0; i < count; i++)
        present += images[ink_dataset_label(data, chosen[i])]++ == 0;
    for (size_t c = 0; c < classes; c++)
        if (images[c] > 0)
            (*weights)[c] = (float)((double)count / ((double)present * (double)images[c]));
    free(images);
    return INK_OK;
}
