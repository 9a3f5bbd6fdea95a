#include "progress.h"

#include "terminal.h"

#include <time.h>
#include <unistd.h>

#define BAR_WIDTH     24
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
    char bar[3 * BAR_WIDTH + 1];
    terminal_bar(bar, fraction, BAR_WIDTH, terminal_has_utf8());
    const int taken = BAR_WIDTH + 10, width = (int)terminal_width(stderr);
    const int room = width > taken ? width - taken : 0;
    const int label_width = (int)snprintf(NULL, 0, "%.*s", room, label);
    fprintf(stderr, "\r\x1b[K%.*s [%s] %3d%% %.*s", room, label, bar, (int)(100 * fraction), room - label_width, tail);
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
