/* The parts of the C export: the text of lib/infer, the plan of an exported network's memory, and C as text. */
#ifndef INK_FORMAT_CSOURCE_H
#define INK_FORMAT_CSOURCE_H

#include "base/file.h"
#include "nn/plan.h"

/* A section of lib/infer/infer.c: its text, and the names of the earlier sections it needs, a space before and behind
 * each. */
struct ink__section {
    const char *name, *needs, *text;
};

/* All of them in order, ended by a row whose name is NULL. Made from the file by cmake/embed.cmake. */
extern const struct ink__section ink__infer[];

/* Where the values of a network lie while an exported file runs. Value 0 is the input, value i + 1 layer i's output, as
 * in a plan. */
enum ink__room { INK__IMAGE, INK__SCRATCH, INK__PROBABILITIES };
struct ink__place {
    enum ink__room room;
    size_t offset; /* in the scratch memory, in floats */
};

/* Places the values of `plan`, which was made for inference: values that are needed at the same time lie apart, others
 * share memory, and the last lies in the caller's probabilities. `normalises`: value 0 is not the caller's image
 * itself, but made from it. Writes (layer_count + 1) places, and the floats of scratch memory they take. */
enum ink_status ink__place_values(const struct ink__plan *plan, bool normalises, struct ink__place *places,
                                  size_t *scratch, struct ink_error *err);

void ink__put_text(struct ink__writer *out, const char *text);
/* Numbers, names and words of our own, 1 kB at most. */
void ink__put(struct ink__writer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Text from elsewhere inside a comment, which it cannot end. */
void ink__put_comment(struct ink__writer *out, const char *text);
/* A string literal of any text. */
void ink__put_string(struct ink__writer *out, const char *text);
/* A float constant: the shortest decimal that is this float and no other, whatever the locale. */
void ink__put_float(struct ink__writer *out, float value);

#endif
