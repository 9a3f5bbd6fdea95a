/* The memory of an exported network: which values share a buffer, and where the buffers lie. */
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "format/csource.h"

/* Memory of one value, or of several that are made in place from each other. Time is counted in values: layer i reads
 * and writes at time i + 1. */
struct buffer {
    size_t size; /* elements */
    size_t first, last;
    size_t offset;
    enum ink__room room;
    bool placed;
};

static bool works_in_place(const struct ink__layer *layer)
{
    return layer->kind == INK__MAP || layer->kind == INK__NORM || layer->kind == INK__CLOSE;
}

/* Whether a residual group that ends behind layer i adds a value that lies in `buffer` by now. */
static bool is_awaited(const struct ink__step *steps, size_t count, const size_t *buffer_of, size_t i)
{
    for (size_t j = i + 1; j < count; j++) {
        const struct ink__layer *layer = steps[j].layer;
        if (layer->kind == INK__CLOSE && layer->partner <= i && buffer_of[layer->partner] == buffer_of[i])
            return true;
    }
    return false;
}

/* Gives every value a buffer; the numbers of those are in buffer_of. The image is buffer 0 where nothing is made from
 * it: the network may not write there. Returns how many there are. */
static size_t share(const struct ink__step *steps, size_t step_count, size_t input, bool normalises,
                    struct buffer *buffers, size_t *buffer_of)
{
    size_t count = 1;
    buffers[0] = (struct buffer){ .size = input, .room = normalises ? INK__SCRATCH : INK__IMAGE };
    buffer_of[0] = 0;
    for (size_t i = 0; i < step_count; i++) {
        const struct ink__layer *layer = steps[i].layer;
        const size_t from = buffer_of[i], time = i + 1;
        const bool may_write = buffers[from].room != INK__IMAGE && !is_awaited(steps, step_count, buffer_of, i);
        if (steps[i].skip || (works_in_place(layer) && may_write)) {
            buffer_of[time] = from;
        } else {
            buffers[count] = (struct buffer){ .size = steps[i].size, .first = time, .room = INK__SCRATCH };
            buffer_of[time] = count++;
        }
        buffers[from].last = buffers[buffer_of[time]].last = time;
        if (layer->kind == INK__CLOSE)
            buffers[buffer_of[layer->partner]].last = time;
    }
    struct buffer *result = &buffers[buffer_of[step_count]];
    if (result->room == INK__SCRATCH)
        result->room = INK__RESULT;
    return count;
}

/* A placed buffer that is needed while `b` is, and in whose way `b` lies; NULL if there is none. */
static const struct buffer *find_conflict(const struct buffer *buffers, size_t count, const struct buffer *b)
{
    for (const struct buffer *other = buffers; other < buffers + count; other++)
        if (other->placed && other->first <= b->last && b->first <= other->last &&
            other->offset < b->offset + b->size && b->offset < other->offset + other->size)
            return other;
    return NULL;
}

/* The largest buffer first, each as low as those before it leave room. Returns the elements they take. */
static size_t place(struct buffer *buffers, size_t count)
{
    size_t end = 0;
    for (;;) {
        struct buffer *largest = NULL;
        for (struct buffer *b = buffers; b < buffers + count; b++)
            if (!b->placed && b->room == INK__SCRATCH && (largest == NULL || b->size > largest->size))
                largest = b;
        if (largest == NULL)
            return end;
        for (const struct buffer *other; (other = find_conflict(buffers, count, largest)) != NULL;)
            largest->offset = other->offset + other->size;
        largest->placed = true;
        end = largest->offset + largest->size > end ? largest->offset + largest->size : end;
    }
}

enum ink_status ink__place_values(const struct ink__step *steps, size_t count, size_t input, bool normalises,
                                  struct ink__place *places, size_t *scratch, struct ink_error *err)
{
    struct buffer *buffers = ink__array(count + 1, sizeof *buffers);
    size_t *buffer_of = ink__array(count + 1, sizeof *buffer_of);
    enum ink_status status = INK_OK;
    if (buffers == NULL || buffer_of == NULL) {
        status = ink__fail_memory(err);
        goto out;
    }
    *scratch = place(buffers, share(steps, count, input, normalises, buffers, buffer_of));
    for (size_t v = 0; v <= count; v++)
        places[v] = (struct ink__place){ buffers[buffer_of[v]].room, buffers[buffer_of[v]].offset };
out:
    free(buffers);
    free(buffer_of);
    return status;
}
