/* The images that training held out, found again: they are the only ones of an undivided data set on which a network
 * trained on it can be measured. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "data/dataset.h"
#include "nn/net.h"

bool ink_net_trained_on(const struct ink_net *net, const struct ink_dataset *data)
{
    char sha256[65];
    const char *const trained_on = ink__net_get(net, "dataset_sha256");
    if (trained_on == NULL)
        return false;
    ink_dataset_sha256(data, sha256);
    return strcmp(trained_on, sha256) == 0;
}

/* The number behind `key` in a text; false if there is none. */
static bool find_number(unsigned long long *number, const char *text, const char *key)
{
    const char *const at = text != NULL ? strstr(text, key) : NULL;
    if (at == NULL)
        return false;
    const char *const digits = at + strlen(key);
    char *end;
    *number = strtoull(digits, &end, 10);
    return *digits >= '0' && *digits <= '9' && end > digits;
}

/* A data set of its own, of the images data[index[0 .. count - 1]]. */
static enum ink_status copy_images(struct ink_dataset **out, const struct ink_dataset *data, const uint32_t *index,
                                   size_t count, struct ink_error *err)
{
    uint8_t *const pixels = ink__array(count, data->image_size);
    uint16_t *const labels = ink__array(count, sizeof *labels);
    enum ink_status status = pixels == NULL || labels == NULL ? ink__fail_memory(err) : INK_OK;
    for (size_t i = 0; status == INK_OK && i < count; i++) {
        memcpy(pixels + i * data->image_size, ink_dataset_pixels(data, index[i]), data->image_size);
        labels[i] = data->labels[index[i]];
    }
    if (status == INK_OK)
        status = ink_dataset_wrap(out, data->name, data->shape, count, data->classes, pixels, labels, err);
    if (status != INK_OK) {
        free(pixels);
        free(labels);
        return status;
    }
    (*out)->own_pixels = pixels;
    (*out)->own_labels = labels;
    return INK_OK;
}

enum ink_status ink_dataset_held_out(struct ink_dataset **out, const struct ink_dataset *data,
                                     const struct ink_net *net, struct ink_error *err)
{
    unsigned long long seed, validation;
    struct ink__numpy_random random;
    *out = NULL;
    if (!find_number(&seed, ink__net_get(net, "seed"), "") ||
        !find_number(&validation, ink__net_get(net, "options"), "validation=") || validation >= data->count ||
        data->count > UINT32_MAX)
        return ink__fail(err, INK_BAD_INPUT, "%s: the network was not trained on these images", data->name);
    if (validation == 0)
        return ink__fail(err, INK_BAD_INPUT, "%s: training held out none of its images", data->name);
    uint32_t *const order = ink__array(data->count, sizeof *order);
    if (order == NULL)
        return ink__fail_memory(err);
    ink__numpy_seed(&random, seed); /* as the trainer draws them */
    ink__numpy_permutation(&random, order, data->count);
    const enum ink_status status = copy_images(out, data, order + data->count - validation, (size_t)validation, err);
    free(order);
    return status;
}
