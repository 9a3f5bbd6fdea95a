/* The log of a training run, read back: JSON lines as train_report.c writes them. */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_LINE ((size_t)1 << 20) /* bytes */
#define MOST_EPOCHS  1e6

struct reading {
    struct run_log *log;
    const char *name;
    size_t line, room; /* epochs that there is memory for */
    struct ink_error *err;
};

/* ---- Events ------------------------------------------------------------------------------------------------------ */

static enum ink_status need_text(const struct reading *r, const json_t *event, const char *key)
{
    if (json_is_string(json_object_get(event, key)))
        return INK_OK;
    return cli_fail(r->err, INK_BAD_INPUT, "%s: line %zu: found no text \"%s\", expected what 'train --log' writes",
                    r->name, r->line, key);
}

static enum ink_status read_start(struct reading *r, json_t *event)
{
    struct run_log *const log = r->log;
    if (log->start != NULL && !json_is_true(json_object_get(event, "resumed")))
        return cli_fail(r->err, INK_BAD_INPUT, "%s: line %zu: found the start of a second run, expected one run a log",
                        r->name, r->line);
    enum ink_status status = need_text(r, event, "network");
    if (status == INK_OK)
        status = need_text(r, event, "data");
    if (status != INK_OK)
        return status;
    json_decref(log->start);
    log->start = json_incref(event);
    return INK_OK;
}

/* A number of an epoch; where null stands for none, it becomes NaN. */
static const struct field {
    const char *key;
    size_t offset;
    double least, most;
    bool may_be_null;
} fields[] = {
    { "epoch", offsetof(struct run_epoch, number), 1, MOST_EPOCHS, false },
    { "seconds", offsetof(struct run_epoch, seconds), 0, 1e300, false },
    { "loss", offsetof(struct run_epoch, loss), -1e300, 1e300, true },
    { "accuracy", offsetof(struct run_epoch, accuracy), 0, 1, false },
    { "val_loss", offsetof(struct run_epoch, validation_loss), -1e300, 1e300, true },
    { "val_accuracy", offsetof(struct run_epoch, validation_accuracy), 0, 1, true },
    { "learning_rate", offsetof(struct run_epoch, learning_rate), 0, 1e300, false },
    { "images_per_second", offsetof(struct run_epoch, images_per_second), 0, 1e300, false },
};

static enum ink_status read_field(const struct reading *r, const json_t *event, const struct field *field,
                                  struct run_epoch *epoch)
{
    const json_t *const value = json_object_get(event, field->key);
    const double number = json_is_number(value) ? json_number_value(value) : (double)NAN;
    const bool is_null = field->may_be_null && json_is_null(value);
    if (!is_null && !(number >= field->least && number <= field->most))
        return cli_fail(r->err, INK_BAD_INPUT, "%s: line %zu: \"%s\": expected a number from %g to %g%s", r->name,
                        r->line, field->key, field->least, field->most, field->may_be_null ? ", or null" : "");
    *(double *)((unsigned char *)epoch + field->offset) = number;
    return INK_OK;
}

/* A run that was killed and resumed tells the epochs since its checkpoint again: the later line counts. */
static enum ink_status read_epoch(struct reading *r, json_t *event)
{
    struct run_log *const log = r->log;
    struct run_epoch epoch = { .number = 0 };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const enum ink_status status = read_field(r, event, &fields[i], &epoch);
        if (status != INK_OK)
            return status;
    }
    while (log->count > 0 && log->epochs[log->count - 1].number >= epoch.number)
        log->count--;
    if (log->count == r->room) {
        const size_t room = 2 * r->room + 16; /* of at most MOST_EPOCHS, so that no product overflows */
        struct run_epoch *const more = realloc(log->epochs, room * sizeof *more);
        if (more == NULL)
            return cli_fail(r->err, INK_FAILED, "out of memory");
        log->epochs = more;
        r->room = room;
    }
    log->epochs[log->count++] = epoch;
    return INK_OK;
}

static enum ink_status read_end(struct reading *r, json_t *event)
{
    const enum ink_status status = need_text(r, event, "model");
    if (status != INK_OK)
        return status;
    json_decref(r->log->end);
    r->log->end = json_incref(event);
    return INK_OK;
}

/* ---- Lines ------------------------------------------------------------------------------------------------------- */

static enum ink_status read_line(struct reading *r, const char *line)
{
    static const struct {
        const char *event;
        enum ink_status (*read)(struct reading *r, json_t *event);
    } events[] = { { "start", read_start }, { "epoch", read_epoch }, { "end", read_end } };
    json_error_t error;
    json_t *const event = json_loads(line, JSON_REJECT_DUPLICATES, &error);
    enum ink_status status = INK_OK;
    if (event == NULL)
        return cli_fail(r->err, INK_BAD_INPUT, "%s: line %zu: column %d: %s, expected a JSON object", r->name, r->line,
                        error.column, error.text);
    const char *const name = json_string_value(json_object_get(event, "event"));
    if (name == NULL || (r->log->start == NULL && strcmp(name, "start") != 0))
        status = cli_fail(r->err, INK_BAD_INPUT, "%s: line %zu: found no \"event\"%s (is this a log of 'train --log'?)",
                          r->name, r->line, r->log->start == NULL ? ": \"start\"" : "");
    for (size_t i = 0; status == INK_OK && i < sizeof events / sizeof events[0]; i++)
        if (strcmp(events[i].event, name) == 0)
            status = events[i].read(r, event);
    json_decref(event);
    return status;
}

enum ink_status run_log_read(struct run_log *log, FILE *file, const char *name, struct ink_error *err)
{
    struct reading r = { .log = log, .name = name, .err = err };
    enum ink_status status = INK_OK;
    char *const line = malloc(LONGEST_LINE);
    *log = (struct run_log){ .start = NULL };
    if (line == NULL)
        return cli_fail(err, INK_FAILED, "out of memory");
    while (status == INK_OK && fgets(line, (int)LONGEST_LINE, file) != NULL) {
        r.line++;
        if (strchr(line, '\n') == NULL && !feof(file))
            status =
                cli_fail(err, INK_BAD_INPUT, "%s: line %zu: found no end within %zu bytes", name, r.line, LONGEST_LINE);
        else
            status = read_line(&r, line);
    }
    if (status == INK_OK && ferror(file))
        status = cli_fail(err, INK_FAILED, "%s: cannot read: %s", name, strerror(errno));
    if (status == INK_OK && log->start == NULL)
        status =
            cli_fail(err, INK_BAD_INPUT, "%s: line 1: found the end of the file, expected the start of a run", name);
    free(line);
    if (status != INK_OK)
        run_log_free(log);
    return status;
}

void run_log_free(struct run_log *log)
{
    json_decref(log->start);
    json_decref(log->end);
    free(log->epochs);
    *log = (struct run_log){ .start = NULL };
}

const struct run_epoch *run_log_best(const struct run_log *log)
{
    const struct run_epoch *best = NULL;
    for (size_t i = 0; i < log->count; i++)
        if (isfinite(log->epochs[i].validation_accuracy) &&
            (best == NULL || log->epochs[i].validation_accuracy > best->validation_accuracy))
            best = &log->epochs[i];
    return best;
}
