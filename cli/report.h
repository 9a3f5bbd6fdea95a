/*
 * Reports on training runs: what is told of a run, and the forms it is told in.
 *
 * A run is read from its log (report_log.c), its model is loaded and measured (report_run.c); then a page
 * (report_page.c, a run's part of it report_section.c, with drawings of report_plot.c and pictures of
 * report_picture.c), Markdown or JSON (report_text.c) is printed from that.
 */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include "json.h"

#define REPORT_BINS      10 /* of confidence */
#define REPORT_SHOWN     24 /* images of a kind */
#define REPORT_MOST_RUNS 8  /* as many as there are colours */

/* ---- A run ------------------------------------------------------------------------------------------------------- */

/* An epoch as the log has it; NaN for what there was not. */
struct run_epoch {
    double number; /* from 1 */
    double seconds, loss, accuracy, validation_loss, validation_accuracy, learning_rate, images_per_second;
};

/* A log of `train --log`. */
struct run_log {
    json_t *start, *end; /* the events; NULL: there is no log, or the run did not come to its end */
    struct run_epoch *epochs;
    size_t count;
};

/* Reads a log, JSON lines, of which nothing is believed: INK_BAD_INPUT names the line. `name` is for messages. */
enum ink_status run_log_read(struct run_log *log, FILE *file, const char *name, struct ink_error *err);
void run_log_free(struct run_log *log);
/* The epoch of the best validation accuracy; NULL without validation. */
const struct run_epoch *run_log_best(const struct run_log *log);

/* The images whose label is not the network's answer; of them, those worth looking at come first. */
struct run_miss {
    size_t index, label, answer;
    double label_probability, answer_probability;
};
struct run_misses {
    struct ink_dataset *data; /* owned by the run */
    const char *split;        /* "test", "train"; of a data set without splits, "all" or "validation" */
    struct run_miss *list;
    size_t count;
};

/* "training" for "train", the others as they are. */
const char *run_images_word(const char *split);

/* Answers by confidence, the probability of the answer: how many, their mean confidence, the share that was right. */
struct run_bin {
    size_t count;
    double confidence, accuracy;
};

struct run {
    const char *name; /* as it was given */
    struct run_log log;
    char *model;                                                /* path, or NULL */
    struct ink_net *net;                                        /* NULL: all below is empty */
    size_t bytes;                                               /* of the model file */
    double multiply_adds, seconds_per_image, images_per_second; /* one image in one thread; many in all threads */
    struct ink_dataset *measured, *train;                       /* `train` is NULL where it is the same data set */
    const char *split;                                          /* of `measured` */
    struct ink_metrics metrics;                                 /* count is 0 where nothing was measured */
    struct run_bin bins[REPORT_BINS];
    double calibration_error;   /* expected: Naeini, Cooper, Hauskrecht, "Obtaining well calibrated
                                           probabilities using Bayesian binning" (2015) */
    struct run_misses mistakes; /* of `measured`, the least probable labels first */
    struct run_misses doubtful; /* of the training images, the surest contradictions first */
};

struct report_request {
    const char *data; /* to measure on; NULL: what the run was trained on */
    const char *size; /* of --size; NULL: what the network sees */
    enum ink_split split;
    bool no_test; /* leave test images alone: no measurement */
    struct ink_compute compute;
};

/* Reads `path`, a log or a model, loads what belongs to it and measures it. A model or data set that is not there any
 * more is told on stderr and left out. */
enum ink_status run_open(struct run *run, const char *path, const struct report_request *request,
                         struct ink_error *err);
/* The same for a model whose log, which may be NULL, is open. */
enum ink_status run_open_model(struct run *run, const char *model, FILE *log, const struct report_request *request,
                               struct ink_error *err);
void run_free(struct run *run);

/* ---- Forms ------------------------------------------------------------------------------------------------------- */

/* Each fails for want of memory or, as JSON, for names that are not UTF-8; never for want of room in the file. */
enum ink_status report_print_page(FILE *file, const struct run *runs, size_t count, struct ink_error *err);
enum ink_status report_print_markdown(FILE *file, const struct run *runs, size_t count, struct ink_error *err);
enum ink_status report_print_json(FILE *file, const struct run *runs, size_t count, struct ink_error *err);

/* "html", "md", "json" */
const char *report_format(size_t i);
/* Writes it to `path`, stdout if that is NULL. No file if it cannot be written. */
enum ink_status report_write(const char *path, const char *format, const struct run *runs, size_t count,
                             struct ink_error *err);

/* ---- Parts of a page --------------------------------------------------------------------------------------------- */

/* Prints text that is not ours so that HTML takes it as text, in an attribute too. */
void page_text(FILE *file, const char *text);
/* A paragraph: what was trained on what. */
void page_print_subject(FILE *file, const struct run *run);
/* The sections of one run: its mistakes, its calibration, its layers, how to repeat it. */
void page_print_run(FILE *file, const struct run *run);

struct plot_line {
    const char *name;
    size_t colour; /* the run's number */
    bool dashed;
    const struct run_epoch *epochs;
    size_t count;
    size_t offset; /* of the value in an epoch */
};
struct plot {
    const char *title;
    bool percent;
    const struct plot_line *lines;
    size_t count;
};
/* An SVG drawing of values over epochs; nothing if there is no value. */
void plot_epochs(FILE *file, const struct plot *plot);
/* An SVG drawing of confidence against accuracy, a bar a bin. */
void plot_reliability(FILE *file, const struct run *run);

/* Prints the data: URI of a PNG of (H, W, C) pixels, C = 1 or 3. */
void picture_print_uri(FILE *file, struct ink_shape shape, const uint8_t *pixels);
/* Prints an <img> of the first layer's filters and returns how many there are; nothing and 0 if they are no pictures:
 * another first layer, or channels that are neither grey nor colour. */
size_t picture_print_filters(FILE *file, const struct ink_net *net);

#endif
