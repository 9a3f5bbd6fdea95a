/*
 * What is known about a network as texts by key, the metadata of its files:
 *
 *   format              what kind of file it is: inkling-1
 *   spec                the line of text
 *   input               28x28x1
 *   classes             ["0", "1", ...]
 *   mean, deviation     [0.130660042]: a number a channel; only where not 0 and 1
 *
 * and whatever else is known about the net, as it is.
 */
#ifndef INK_FORMAT_TEXTS_H
#define INK_FORMAT_TEXTS_H

#include "nn/net.h"

#define INK__TEXT_FORMAT "format"
#define INK__TEXT_SPEC   "spec"

/* Texts that were read; they belong to the file. */
struct ink__text {
    const char *key, *value;
};
struct ink__texts {
    const struct ink__text *pairs;
    size_t count;
};

/* The value of `key`, or NULL. */
const char *ink__texts_find(const struct ink__texts *texts, const char *key);

/* Makes the texts of a net for a file of `path` and `format`. INK_FAILED: out of memory, or a class name is not UTF-8.
 * Release with ink__pairs_free. */
enum ink_status ink__texts_make(struct ink__pair **pairs, size_t *count, const struct ink_net *net, const char *format,
                                const char *path, struct ink_error *err);
void ink__pairs_free(struct ink__pair *pairs, size_t count);

/* Makes the network that the texts of the file `path` describe, still without weights. INK_BAD_INPUT names the text. */
enum ink_status ink__texts_network(struct ink_net **out, const struct ink__texts *texts, const char *path,
                                   struct ink_error *err);
/* Gives the net its class names, and all that is not the network itself. */
enum ink_status ink__texts_name(struct ink_net *net, const struct ink__texts *texts, const char *path,
                                struct ink_error *err);
/* Gives it mean and deviation. */
enum ink_status ink__texts_scale(struct ink_net *net, const struct ink__texts *texts, const char *path,
                                 struct ink_error *err);

#endif
