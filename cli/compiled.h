/* An exported C file, compiled by the system's compiler and run beside us, image by image through pipes. */
#ifndef CLI_COMPILED_H
#define CLI_COMPILED_H

#include "cli.h"

#include <sys/types.h>

struct compiled {
    char folder[64]; /* temporary; the program in it is called "run" */
    pid_t process;   /* 0 while it does not run */
    int to, from;    /* its standard input and output; -1 while it does not run */
    size_t inputs, classes;
    bool integers; /* it computes in integers, as a quantised model does */
};

/* Compiles `path` with $CC, or cc, and starts it. INK_FAILED if there is no compiler or it fails; INK_BAD_INPUT if the
 * file is no export of ours. Ends with compiled_stop in any case. */
enum ink_status compiled_start(struct compiled *program, const char *path, struct ink_error *err);

/* Has it see one image: `image` is (inputs), `probabilities` (classes). */
enum ink_status compiled_predict(const struct compiled *program, const float *image, float *probabilities,
                                 struct ink_error *err);

/* Ends the program and removes it. */
void compiled_stop(struct compiled *program);

#endif
