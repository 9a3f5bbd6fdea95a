/* JSON for machines, through jansson. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include "cli.h"

#include <jansson.h>

/* A number, or null if it is not a finite one. */
json_t *cli_json_real(double number);

/* What `eval --json` tells of a measurement, from "count" to "confusion". NULL if memory runs out. */
json_t *cli_metrics_json(const struct ink_net *net, const struct ink_metrics *metrics);

/* Prints one line of JSON and releases `value`, which may be NULL: INK_FAILED for want of memory. */
enum ink_status cli_print_json(json_t *value, FILE *file, struct ink_error *err);

#endif
