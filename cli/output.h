/* A file that a command writes itself: the old one until the new one is whole. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli.h"

struct cli_output {
    FILE *file; /* to print to */
    const char *path;
    char *part; /* PATH.part, renamed in the end; NULL: PATH is a device or a pipe, written in place */
};

/* INK_FAILED if it cannot be written. `path` must outlive it. */
enum ink_status cli_output_open(struct cli_output *output, const char *path, struct ink_error *err);
/* Ends it, given whether what was to be printed could be made: only INK_OK puts the new file in the old one's place.
 * Returns that status, or INK_FAILED if not all of it could be written. */
enum ink_status cli_output_close(struct cli_output *output, enum ink_status status, struct ink_error *err);

#endif
