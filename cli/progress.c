#include "progress.h"

#include "terminal.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define LEAST_BAR     8 /* columns */
#define MOST_BAR      40
#define REDRAW_PERIOD 0.1

double progress_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void progress_begin(struct progress *progress, bool quiet)
{
    *progress = (struct progress){ .shown = !quiet && isatty(STDERR_FILENO) };
}

bool progress_due(struct progress *progress)
{
    if (!progress->shown)
        return false;
    const double now = progress_clock();
    if (now < progress->next)
        return false;
    progress->next = now + REDRAW_PERIOD;
    return true;
}

void progress_draw(struct progress *progress, const char *label, double fraction, const char *tail)
{
    if (!progress->shown)
        return;
    /* The bar gets the columns that the words leave; the last column stays free, or the line would wrap. */
    const size_t words = terminal_columns(label) + terminal_columns(tail) + sizeof " []  100% ";
    const size_t columns = terminal_width(stderr);
    const size_t room = columns > words ? columns - words : 0;
    const size_t width = room < LEAST_BAR ? LEAST_BAR : room < MOST_BAR ? room : MOST_BAR;
    char bar[3 * MOST_BAR + 1];
    terminal_bar(bar, fraction, width, terminal_has_utf8());
    const size_t taken = words - terminal_columns(tail) + width, tail_room = columns > taken ? columns - taken : 0;
    fprintf(stderr, "\r\x1b[K%s [%s] %3d%% %.*s", label, bar, (int)(100 * fraction), (int)terminal_fit(tail, tail_room),
            tail);
    fflush(stderr);
    progress->drawn = true;
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn)
        fputs("\r\x1b[K", stderr);
    progress->drawn = false;
}

const char *progress_duration(char text[32], double seconds)
{
    const double capped = seconds > 0 && seconds < 1e9 ? seconds : 0;
    const unsigned long whole = (unsigned long)(capped + 0.5);
    if (whole >= 3600)
        snprintf(text, 32, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(text, 32, "%lu:%02lu", whole / 60, whole % 60);
    return text;
}
