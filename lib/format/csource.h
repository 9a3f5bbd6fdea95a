/* The parts of the C export: the text of lib/infer, the plan of an exported network's memory, and C as text. What
 * floats and integers have in common is in csource.c. */
#ifndef INK_FORMAT_CSOURCE_H
#define INK_FORMAT_CSOURCE_H

#include "base/file.h"
#include "nn/plan.h"

/* A section of a file in lib/infer: its text, and the names of the earlier sections it needs, a space before and behind
 * each. */
struct ink__section {
    const char *name, *needs, *text;
};

/* Those of infer.c and of quantised.c in order, ended by a row whose name is NULL. Made by cmake/embed.cmake. */
extern const struct ink__section ink__infer[], ink__infer_quantised[];

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

/* One layer as far as memory is concerned. */
struct ink__step {
    const struct ink__layer *layer;
    size_t size; /* of its output, in elements */
    bool skip;   /* its output is its input */
};

/* Where the values of a network lie while an exported file runs. Value 0 is the input, value i + 1 layer i's output, as
 * in a plan. */
enum ink__room { INK__IMAGE, INK__SCRATCH, INK__RESULT };
struct ink__place {
    enum ink__room room;
    size_t offset; /* in the scratch memory, in elements */
};

/* Places the input, of `input` elements, and the outputs of `count` steps: values that are needed at the same time lie
 * apart, others share memory, and the last lies in the caller's memory for the result. `normalises`: value 0 is not the
 * caller's image itself, but made from it. Writes (count + 1) places, and the elements of scratch memory they take. */
enum ink_status ink__place_values(const struct ink__step *steps, size_t count, size_t input, bool normalises,
                                  struct ink__place *places, size_t *scratch, struct ink_error *err);

/* ---- A file being written ---------------------------------------------------------------------------------------- */

#define INK__LONGEST_NAME 64

struct ink__source;
typedef void ink__put_fn(struct ink__source *s);
typedef void ink__put_layer_fn(struct ink__source *s, size_t i);

/* What differs between C of floats (csource_float.c) and of integers (csource_int8.c). */
struct ink__dialect {
    const struct ink__section *sections;
    const char *first[4]; /* the sections that every network needs, ended by NULL; an input that is made, "input" */
    const char *unit;     /* of scratch memory, as a macro says it: "FLOATS" */
    const char *result;   /* what NAME_predict calls the caller's memory for the result */
    /* Fills s->steps, and says what keeps the net from being exported. */
    enum ink_status (*prepare)(struct ink__source *s, struct ink_error *err);
    /* The names of the sections that layer i needs. */
    void (*needs)(const struct ink__source *s, size_t i, const char *names[2]);
    const char *includes;                    /* in the header, before what all have */
    ink__put_fn *put_declaration;            /* and behind that */
    ink__put_fn *put_prototype;              /* of NAME_predict, without the semicolon */
    ink__put_fn *put_preamble;               /* before the runtime */
    ink__put_fn *put_input, *put_input_call; /* where the input is made from the image: its constants, its call */
    ink__put_layer_fn *put_constants, *put_calls;
    ink__put_fn *put_end; /* the rest of NAME_predict, and what follows it */
    enum ink_status (*put_selftest)(struct ink__source *s, struct ink_error *err);
};
extern const struct ink__dialect ink__dialect_float, ink__dialect_int8;

struct ink__source {
    const struct ink__dialect *dialect;
    const struct ink_net *net;
    struct ink__plan *plan; /* for inference, of one image */
    const char *name;
    char upper[INK__LONGEST_NAME + 1]; /* the name in capitals, for macros */
    bool normalises;                   /* the input has a mean or a deviation to be taken out */
    struct ink__step *steps;           /* (step_count): the layers, and at most one more */
    size_t step_count;
    struct ink__place *places; /* (step_count + 1) */
    size_t scratch;            /* elements */
    struct ink__writer writer;
};

/* Lays out s->net as s->dialect would have it: all but the name and the writer. To be closed in any case. */
enum ink_status ink__source_open(struct ink__source *s, struct ink_error *err);
void ink__source_close(struct ink__source *s);

/* Where value v lies, as an expression. */
struct ink__expression {
    char text[32];
};
struct ink__expression ink__place_text(const struct ink__source *s, size_t v);

/* `static const struct infer_window NAME_window_LAYER = ...;`, if the layer has a window. */
void ink__put_window(struct ink__source *s, size_t i);
/* The text of the section, after those of the sections that it needs. */
void ink__put_sections(struct ink__source *s, const struct ink__section *sections, const char *name);

/* For the test inside an export: of a few images of noise the one whose answer is the least certain, since a difference
 * shows there best. Writes its pixels, its probabilities and the seed from which ink__put_noise makes it. */
void ink__choose_noise(const struct ink__source *s, uint8_t *image, float *probabilities, uint32_t *seed);
/* The C that makes it in `image`, each element as `pixel` says, in which a byte is `state >> 24`; declares i. */
void ink__put_noise(struct ink__source *s, uint32_t seed, const char *pixel);
/* A batch of one image. */
struct ink__batch ink__batch_of(uint8_t *image);

/* ---- Text -------------------------------------------------------------------------------------------------------- */

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
