/*
 * The integers of a quantised network as tensors. Beside those of the layers, `INDEX.weight`, `bias`, `multiplier`,
 * `shift` and `table`, there are `scale` and `zero` of all values and perhaps `input`: nn/int8.h says what they are.
 */
#include <string.h>

#include "base/error.h"
#include "format/model.h"

static const enum ink__dtype dtypes[] = {
    [INK__BYTE] = INK__U8, [INK__SIGNED] = INK__I8, [INK__WORD] = INK__I32, [INK__FLOAT] = INK__F32
};

static struct ink__entry entry_of(const struct ink__int8_tensor *t)
{
    struct ink__entry entry = { .name = t->name, .dtype = dtypes[t->type], .rank = t->rank, .data = t->data };
    memcpy(entry.shape, t->shape, sizeof t->shape);
    return entry;
}

void ink__int8_list(struct ink__entry *entries, const struct ink__int8 *q)
{
    for (size_t i = 0; i < q->tensor_count; i++)
        entries[i] = entry_of(&q->tensors[i]);
}

/* The file has these tensors and nothing else. */
static enum ink_status check(const struct ink__int8 *q, const struct ink__safetensors *file, const char *path,
                             struct ink_error *err)
{
    const struct ink__entry *entry;
    enum ink_status status = INK_OK;
    for (size_t i = 0; status == INK_OK && i < q->tensor_count; i++) {
        const struct ink__entry expected = entry_of(&q->tensors[i]);
        status = ink__check_entry(ink__safetensors_find(file, expected.name), &expected, path, err);
    }
    for (size_t i = 0; status == INK_OK && (entry = ink__safetensors_entry(file, i)) != NULL; i++) {
        bool known = false;
        for (size_t k = 0; k < q->tensor_count && !known; k++)
            known = strcmp(entry->name, q->tensors[k].name) == 0;
        if (!known)
            status = ink__fail(err, INK_BAD_INPUT, "%s: tensor '%s': not of this network, expected %zu others", path,
                               entry->name, q->tensor_count);
    }
    return status;
}

enum ink_status ink__int8_read(struct ink_net *net, const struct ink__safetensors *file, const char *path,
                               struct ink_error *err)
{
    enum ink_status status = ink__int8_new(&net->int8, net, err);
    if (status == INK_OK)
        status = check(net->int8, file, path, err);
    if (status == INK_OK)
        status = ink__int8_allocate(net->int8, net, err);
    for (size_t i = 0; status == INK_OK && i < net->int8->tensor_count; i++) {
        const struct ink__int8_tensor *t = &net->int8->tensors[i];
        memcpy(t->data, ink__safetensors_find(file, t->name)->data, t->count * ink__dtypes[dtypes[t->type]].size);
    }
    return status == INK_OK ? ink__int8_check(net->int8, path, err) : status;
}
