/* What a training run tells: lines and a progress bar for people on stderr, JSON lines for machines in --log. */
#ifndef CLI_TRAIN_REPORT_H
#define CLI_TRAIN_REPORT_H

#include "cli.h"
#include "progress.h"
#include "terminal.h"

struct report {
    bool quiet;
    size_t epochs, batch;
    const char *log_path;
    FILE *log;       /* NULL if there is none */
    int log_failure; /* errno of the first line that could not be written; 0 */
    struct progress progress;
    double started; /* on progress_clock() */
    size_t batches; /* done by this process */
    struct spark losses;
};

/* What the run is about to do. */
struct report_start {
    char *const *argv; /* the command line */
    const char *network, *initialisation, *data;
    const struct ink_net *net;
    size_t images; /* of the training split, those held out for validation counted in */
    const struct ink_train_options *options;
    bool resumed;
};

/* Opens the log, for appending where a run is resumed. `log_path` may be NULL; if the log is to be read back, it is
 * then kept in a file without a name. Everything below may be called on a report that failed to open or was never
 * opened. */
enum ink_status report_open(struct report *report, bool quiet, const char *log_path, bool read_back, bool resumed,
                            struct ink_error *err);
void report_start(struct report *report, const struct report_start *start);
void report_batch(struct report *report, const struct ink_progress *progress);
void report_epoch(struct report *report, const struct ink_epoch_stats *stats);
/* `test` is NULL where the test split was not used. */
void report_end(struct report *report, const char *model, const struct ink_net *net, const struct ink_metrics *test);
/* INK_FAILED if the log could not be written, unless *err already holds a failure. */
enum ink_status report_close(struct report *report, struct ink_error *err);

#endif
