/* A progress bar: one line on stderr, redrawn in place, where stderr is a terminal; nothing elsewhere. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>

struct progress {
    bool shown;  /* false: every call does nothing */
    bool drawn;  /* the bar stands on the line now */
    double next; /* when it is due again */
};

/* Shown if stderr is a terminal and `quiet` is not set. */
void progress_begin(struct progress *progress, bool quiet);

/* Whether to draw now: at most ten times a second, so that the caller formats text only when it is seen. */
bool progress_due(struct progress *progress);

/* Draws `label`, a bar at `fraction` in [0, 1], then `tail`, cut to the width of the terminal. */
void progress_draw(struct progress *progress, const char *label, double fraction, const char *tail);

/* Takes the bar off the line, so that a message can stand there. */
void progress_clear(struct progress *progress);

/* Seconds on the monotonic clock. */
double progress_clock(void);

/* Writes a duration as "0:07" or "1:02:33" and returns text. */
const char *progress_duration(char text[32], double seconds);

#endif
