/* Opening data sets as the program does: where they are looked for, how far it is, what there is to say of them. */
#include "terminal.h"

#include <stdlib.h>
#include <string.h>

#define LARGEST_SIDE 4096 /* of a network's input */
#define UNBALANCED   2    /* times as many images of a class as of another are worth a word */

/* ---- Progress ---------------------------------------------------------------------------------------------------- */

static bool on_progress(void *context, size_t done, size_t count)
{
    struct cli_work *const work = context;
    if (!progress_due(&work->progress))
        return true;
    char tail[128], did[32], all[32], left[32];
    const double elapsed = progress_clock() - work->begun;
    snprintf(tail, sizeof tail, "%s of %s  %s left", terminal_number(did, done), terminal_number(all, count),
             progress_duration(left, elapsed / (double)done * (double)(count - done)));
    progress_draw(&work->progress, work->label, (double)done / (double)count, tail);
    return true;
}

void cli_work_begin(struct cli_work *work, const char *label, size_t threads, bool quiet)
{
    *work = (struct cli_work){ .label = label,
                               .begun = progress_clock(),
                               .work = { .threads = threads, .on_progress = on_progress, .context = work } };
    progress_begin(&work->progress, quiet);
}

void cli_work_end(struct cli_work *work)
{
    progress_clear(&work->progress);
}

/* ---- Opening ----------------------------------------------------------------------------------------------------- */

/* Reads "28x28" or "28x28x3" into `sides`; false if it is neither. */
static bool parse_sides(size_t sides[3], size_t *count, const char *text)
{
    for (*count = 0; *count < 3; text++) {
        char *end = NULL;
        if (*text < '1' || *text > '9')
            return false;
        sides[*count] = strtoul(text, &end, 10);
        if (sides[(*count)++] > LARGEST_SIDE)
            return false;
        if (*end == '\0')
            return *count >= 2;
        if (*end != 'x')
            return false;
        text = end;
    }
    return false;
}

static enum ink_status read_size(struct ink_shape *shape, const char *text, struct ink_error *err)
{
    size_t sides[3] = { 0 }, count;
    if (!parse_sides(sides, &count, text) || (count == 3 && sides[2] != 1 && sides[2] != 3))
        return cli_fail(err, INK_BAD_ARGUMENT,
                        "--size: found '%s', expected HxW or HxWxC, such as 28x28 or 32x32x3: sides from 1 to %d, 1 or "
                        "3 channels",
                        text, LARGEST_SIDE);
    *shape = (struct ink_shape){ sides[0], sides[1], sides[2] };
    return INK_OK;
}

enum ink_status cli_open_dataset_as(struct ink_dataset **out, const char *name_or_path, enum ink_split split,
                                    const struct cli_opening *opening, struct ink_error *err)
{
    static const struct cli_opening usual = { .size = NULL };
    struct cli_work work;
    *out = NULL;
    opening = opening != NULL ? opening : &usual;
    struct ink_dataset_options options = { .search = NULL };
    if (opening->net != NULL)
        options.picture_size = ink_net_input(opening->net);
    if (opening->size != NULL) {
        const enum ink_status status = read_size(&options.size, opening->size, err);
        if (status != INK_OK)
            return status;
    }
    const char **const folders = cli_data_folders(err);
    if (folders == NULL)
        return INK_FAILED;
    cli_work_begin(&work, "reading", opening->threads, opening->quiet);
    options.search = folders;
    options.work = work.work;
    const enum ink_status status = ink_dataset_open(out, name_or_path, split, &options, err);
    cli_work_end(&work);
    free(folders);
    for (size_t i = 0; status == INK_OK && !opening->quiet && ink_dataset_note(*out, i) != NULL; i++) {
        fputs("note: ", stderr);
        terminal_print_text(stderr, ink_dataset_note(*out, i));
        fputc('\n', stderr);
    }
    return status;
}

enum ink_status cli_open_dataset(struct ink_dataset **out, const char *name_or_path, enum ink_split split,
                                 struct ink_error *err)
{
    return cli_open_dataset_as(out, name_or_path, split, NULL, err);
}

/* ---- Balance ----------------------------------------------------------------------------------------------------- */

void cli_report_balance(const struct ink_dataset *data, const char *hint)
{
    const size_t classes = ink_dataset_classes(data);
    size_t *const counts = calloc(classes, sizeof *counts);
    size_t least = 0, most = 0;
    if (counts == NULL)
        return; /* only a remark */
    for (size_t i = 0; i < ink_dataset_count(data); i++)
        counts[ink_dataset_label(data, i)]++;
    for (size_t c = 0; c < classes; c++) {
        least = counts[c] < counts[least] ? c : least;
        most = counts[c] > counts[most] ? c : most;
    }
    if (counts[most] > UNBALANCED * counts[least]) {
        char few[32], many[32];
        fprintf(stderr, "note: unbalanced classes: from %s images of '", terminal_number(few, counts[least]));
        terminal_print_text(stderr, ink_dataset_class_name(data, least));
        fprintf(stderr, "' to %s of '", terminal_number(many, counts[most]));
        terminal_print_text(stderr, ink_dataset_class_name(data, most));
        fprintf(stderr, "'%s\n", hint);
    }
    free(counts);
}
