/* Long operations on many items: in parallel, with progress told, and the first failure in order. */
#ifndef INK_DATA_EACH_H
#define INK_DATA_EACH_H

#include "inkling.h"

/* Does item `item`. What it does must not depend on the thread. */
typedef enum ink_status ink__each_fn(void *context, size_t item, struct ink_error *err);

/* Does fn(context, item, err) for every item below `count`, tells work->on_progress after some of them, and stops soon
 * after one fails: of those that failed, the lowest item's failure is returned. `name` is for the message of
 * INK_STOPPED. */
enum ink_status ink__each(ink__each_fn *fn, void *context, size_t count, const struct ink_work *work, const char *name,
                          struct ink_error *err);

#endif
