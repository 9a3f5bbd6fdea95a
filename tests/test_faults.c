/*
 * Machines that fail: from opening a data set to exporting C, every allocation and every call on a file fails once, the
 * N-th for every N. Whatever fails, the run ends in an error of the system's, gives back all it took, and every file of
 * its is the old one or the whole new one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "inkling.h"
#include "scratch.h"

enum { SIDE = 6, COUNT = 24, MOST_FILE = 64 * 1024 };

static const char line[] = "conv 2 3x3, norm relu, pool 2, dropout 0.1, dense 2";

/* What a run writes. */
enum output { CHECKPOINT, MODEL, SOURCE, HEADER, PICTURE, OUTPUTS };
static const char *const names[OUTPUTS] = { "checkpoint", "model", "net.c", "net.h", "picture.png" };
static const char old[] = "what was there before";

struct content {
    size_t size;
    unsigned char bytes[MOST_FILE];
};
static struct content whole[OUTPUTS]; /* of a run in which nothing fails */
static float whole_answer[2];

struct path {
    char text[SCRATCH_PATH];
};
static struct path paths[OUTPUTS], images, labels, test_images;

static void load(struct content *content, const char *path)
{
    FILE *file = fopen(path, "rb");
    content->size = file == NULL ? 0 : fread(content->bytes, 1, MOST_FILE, file);
    assert_true(file != NULL && content->size < MOST_FILE);
    fclose(file);
}

/* ---- The run ----------------------------------------------------------------------------------------------------- */

struct run {
    struct ink_dataset *data, *test;
    struct ink_net *net, *again, *loaded;
    struct ink_trainer *trainer, *resumed;
    struct ink_session *session;
    struct ink_picture *picture;
    struct ink_metrics metrics;
    struct ink_train_options options;
    float answer[2];
    const char *step; /* what failed */
};

static bool stop_after_first(void *context, const struct ink_progress *progress)
{
    (void)context;
    return progress->batch != 1;
}

static enum ink_status open_data(struct run *r, struct ink_error *err)
{
    return ink_dataset_open(&r->data, images.text, INK_TRAIN, NULL, err);
}

static enum ink_status open_gzipped(struct run *r, struct ink_error *err)
{
    const struct ink_dataset_options options = { .labels = labels.text };
    return ink_dataset_open(&r->test, test_images.text, INK_TEST, &options, err);
}

static enum ink_status new_net(struct run *r, struct ink_error *err)
{
    return ink_net_new(&r->net, ink_dataset_shape(r->data), line, NULL, 1, err);
}

static enum ink_status new_trainer(struct run *r, struct ink_error *err)
{
    return ink_trainer_new(&r->trainer, r->net, r->data, &r->options, err);
}

/* A step allocates nothing and opens nothing: stopped after one batch it can only say so. */
static enum ink_status train_batch(struct run *r, struct ink_error *err)
{
    struct ink_epoch_stats stats;
    const enum ink_status status = ink_trainer_epoch(r->trainer, &stats, err);
    return status == INK_STOPPED ? INK_OK : status;
}

static enum ink_status save_state(struct run *r, struct ink_error *err)
{
    return ink_trainer_save(r->trainer, paths[CHECKPOINT].text, err);
}

static enum ink_status new_again(struct run *r, struct ink_error *err)
{
    return ink_net_new(&r->again, ink_dataset_shape(r->data), line, NULL, 1, err);
}

static enum ink_status new_resumed(struct run *r, struct ink_error *err)
{
    return ink_trainer_new(&r->resumed, r->again, r->data, &r->options, err);
}

static enum ink_status resume(struct run *r, struct ink_error *err)
{
    return ink_trainer_resume(r->resumed, paths[CHECKPOINT].text, err);
}

static enum ink_status train_on(struct run *r, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    while (status == INK_OK && !ink_trainer_done(r->resumed)) {
        struct ink_epoch_stats stats;
        status = ink_trainer_epoch(r->resumed, &stats, err);
        status = status == INK_STOPPED ? INK_OK : status;
    }
    return status;
}

static enum ink_status finish(struct run *r, struct ink_error *err)
{
    return ink_trainer_finish(r->resumed, err);
}

static enum ink_status save(struct run *r, struct ink_error *err)
{
    return ink_net_save(r->again, paths[MODEL].text, err);
}

static enum ink_status load_model(struct run *r, struct ink_error *err)
{
    return ink_net_load(&r->loaded, paths[MODEL].text, err);
}

static enum ink_status new_session(struct run *r, struct ink_error *err)
{
    return ink_session_new(&r->session, r->loaded, 1, NULL, err);
}

static enum ink_status write_picture(struct run *r, struct ink_error *err)
{
    const struct ink_shape shape = { SIDE, SIDE, 1 };
    return ink_picture_write_png(paths[PICTURE].text, shape, ink_dataset_pixels(r->data, 1), err);
}

static enum ink_status predict(struct run *r, struct ink_error *err)
{
    uint8_t pixels[SIDE * SIDE];
    enum ink_status status = ink_picture_decode(&r->picture, whole[PICTURE].bytes, whole[PICTURE].size, "picture", err);
    if (status == INK_OK)
        status = ink_picture_fit(r->picture, INK_FIT_DIGIT, ink_net_input(r->loaded), pixels, err);
    if (status == INK_OK)
        ink_session_run_bytes(r->session, pixels, 1, r->answer);
    return status;
}

static enum ink_status evaluate(struct run *r, struct ink_error *err)
{
    return ink_evaluate(r->loaded, r->test, &r->options.compute, &r->metrics, err);
}

static enum ink_status export_c(struct run *r, struct ink_error *err)
{
    return ink_export_c(r->loaded, "net", paths[SOURCE].text, paths[HEADER].text, err);
}

static const struct step {
    const char *name;
    enum ink_status (*fn)(struct run *r, struct ink_error *err);
    enum output first, count; /* the files that it writes */
} steps[] = {
    { "open a data set", open_data, 0, 0 },
    { "write a picture", write_picture, PICTURE, 1 },
    { "open a gzipped data set", open_gzipped, 0, 0 },
    { "make a network", new_net, 0, 0 },
    { "make a trainer", new_trainer, 0, 0 },
    { "train a batch", train_batch, 0, 0 },
    { "save the state", save_state, CHECKPOINT, 1 },
    { "make a second network", new_again, 0, 0 },
    { "make a second trainer", new_resumed, 0, 0 },
    { "resume", resume, 0, 0 },
    { "train on", train_on, 0, 0 },
    { "finish", finish, 0, 0 },
    { "save the model", save, MODEL, 1 },
    { "load the model", load_model, 0, 0 },
    { "make a session", new_session, 0, 0 },
    { "recognise a picture", predict, 0, 0 },
    { "evaluate", evaluate, 0, 0 },
    { "export", export_c, SOURCE, 2 },
};

static void give_back(struct run *r)
{
    ink_metrics_free(&r->metrics);
    ink_picture_free(r->picture);
    ink_session_free(r->session);
    ink_trainer_free(r->resumed);
    ink_trainer_free(r->trainer);
    ink_net_free(r->loaded);
    ink_net_free(r->again);
    ink_net_free(r->net);
    ink_dataset_free(r->test);
    ink_dataset_free(r->data);
}

/* Runs all steps, or until one fails. */
static enum ink_status run_steps(struct run *r, size_t threads, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    *r = (struct run){ .step = "" };
    ink_train_options_default(&r->options, line);
    r->options.epochs = 2;
    r->options.batch = 8;
    r->options.validation = 4;
    r->options.ema = 1.0;
    r->options.augment = "shift 1, elastic 1";
    r->options.normalise = true;
    r->options.compute.threads = threads;
    r->options.on_batch = stop_after_first;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == INK_OK; i++) {
        r->step = steps[i].name;
        status = steps[i].fn(r, err);
    }
    return status;
}

/* ---- Its files --------------------------------------------------------------------------------------------------- */

static bool is(const struct content *content, const void *bytes, size_t size)
{
    return content->size == size && memcmp(content->bytes, bytes, size) == 0;
}

/* Nothing but the files that belong there. */
static size_t files_in_folder(void)
{
    size_t count = 0;
    DIR *folder = opendir(scratch_folder);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void reset_outputs(void)
{
    for (size_t i = 0; i < OUTPUTS; i++)
        scratch_write(names[i], old, sizeof old);
}

/* Every file is whole: the new one of the steps before the one that failed, the old one of that and the later ones. One
 * rename can fail after another was done: only then export may leave one new file of its two. */
static void check_outputs(const char *failed, const struct fault *fault)
{
    static struct content found;
    bool reached = false;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const bool here = strcmp(steps[i].name, failed) == 0;
        reached = reached || here;
        for (enum output o = steps[i].first; o < steps[i].first + steps[i].count; o++) {
            load(&found, paths[o].text);
            const bool is_old = is(&found, old, sizeof old), is_new = is(&found, whole[o].bytes, whole[o].size);
            const bool either = here && steps[i].count == 2 && fault->kind == FAULT_RENAME;
            if (either ? !is_old && !is_new : reached ? !is_old : !is_new)
                fail_msg("'%s' failed: %s is %s", failed, names[o], is_old ? "old" : is_new ? "new" : "broken");
        }
    }
}

/* ---- Failing ----------------------------------------------------------------------------------------------------- */

enum { INPUTS = 5 };

/* jansson 2.14 tells a parser's lasting want of memory as an error of the text. */
static bool is_blamed_on_file(enum ink_status status, const char *step, const struct fault *fault)
{
    return status == INK_BAD_INPUT && fault->kind == FAULT_ALLOCATE && fault->lasts &&
           (strcmp(step, "resume") == 0 || strcmp(step, "load the model") == 0);
}

static void check_run(const struct fault *fault, size_t threads, bool harmless, size_t *failures)
{
    struct run r;
    struct ink_error err = { .code = INK_OK };
    reset_outputs();
    faults_arm(fault);
    const enum ink_status status = run_steps(&r, threads, &err);
    give_back(&r);
    const size_t left = faults_left();
    faults_disarm(fault->kind);
    if (left != 0)
        fail_msg("'%s', call %zu: %zu blocks, descriptors or mappings are left", r.step, fault->first, left);
    /* A lock that another program holds is on that program's PATH.part, which is left to it. */
    const bool theirs = fault->kind == FAULT_LOCK && fault->error == EWOULDBLOCK;
    for (size_t o = 0; theirs && o < OUTPUTS; o++) {
        static char part[1 << 16];
        snprintf(part, sizeof part, "%s.part", paths[o].text);
        unlink(part);
    }
    if (files_in_folder() != INPUTS + OUTPUTS)
        fail_msg("'%s', call %zu: %zu files in the folder", r.step, fault->first, files_in_folder());
    if (status == INK_OK) {
        check_outputs("", fault);
        assert_memory_equal(r.answer, whole_answer, sizeof r.answer);
        return;
    }
    ++*failures;
    if (harmless || (status != INK_FAILED && !is_blamed_on_file(status, r.step, fault)) || err.code != status ||
        err.message[0] == 0)
        fail_msg("'%s', call %zu: status %d, '%s'", r.step, fault->first, (int)status, err.message);
    check_outputs(r.step, fault);
}

static const struct kind {
    const char *name;
    struct fault fault;
    size_t threads;
    bool harmless; /* it can be done without */
} kinds[] = {
    { "an allocation", { .kind = FAULT_ALLOCATE, .error = ENOMEM }, 1, false },
    { "all allocations from one on", { .kind = FAULT_ALLOCATE, .error = ENOMEM, .lasts = true }, 1, false },
    { "an allocation with two threads", { .kind = FAULT_ALLOCATE, .error = ENOMEM }, 2, false },
    { "open", { .kind = FAULT_OPEN, .error = EMFILE }, 1, false },
    { "all opens from one on", { .kind = FAULT_OPEN, .error = EMFILE, .lasts = true }, 1, false },
    { "fstat or stat", { .kind = FAULT_EXAMINE, .error = EIO }, 1, false },
    { "mmap", { .kind = FAULT_MAP, .error = ENODEV }, 1, true },
    { "read", { .kind = FAULT_READ, .error = EIO, .unmap = true }, 1, false },
    { "read, interrupted", { .kind = FAULT_READ, .error = EINTR, .unmap = true }, 1, true },
    { "read, past the end", { .kind = FAULT_READ, .error = 0, .unmap = true }, 1, false },
    { "read, in slices", { .kind = FAULT_READ, .error = EIO, .unmap = true, .slices = true }, 1, false },
    { "write on a full disk", { .kind = FAULT_WRITE, .error = ENOSPC }, 1, false },
    { "write, interrupted", { .kind = FAULT_WRITE, .error = EINTR }, 1, true },
    { "write, in slices", { .kind = FAULT_WRITE, .error = EDQUOT, .slices = true }, 1, false },
    { "ftruncate", { .kind = FAULT_TRUNCATE, .error = EIO }, 1, false },
    { "flock, where there is none", { .kind = FAULT_LOCK, .error = ENOLCK }, 1, true },
    { "flock, held by another", { .kind = FAULT_LOCK, .error = EWOULDBLOCK }, 1, false },
    { "fsync", { .kind = FAULT_SYNC, .error = EIO }, 1, false },
    { "rename", { .kind = FAULT_RENAME, .error = EACCES }, 1, false },
    { "pthread_create", { .kind = FAULT_THREAD, .error = EAGAIN }, 3, true },
};

static void test_every_call(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct fault fault = kinds[k].fault;
        struct run r;
        struct ink_error err;
        size_t failures = 0;
        reset_outputs();
        fault.first = SIZE_MAX; /* none: how many calls are there? */
        faults_arm(&fault);
        const enum ink_status status = run_steps(&r, kinds[k].threads, &err);
        give_back(&r);
        const size_t left = faults_left(), calls = faults_disarm(fault.kind);
        assert_int_equal(status, INK_OK);
        assert_int_equal(left, 0);
        check_outputs("", &fault);
        assert_true(calls > 0);
        /* Thousands of slices are all alike. */
        const size_t stride = fault.slices ? calls / 100 + 1 : 1;
        for (fault.first = 1; fault.first <= calls; fault.first += stride)
            check_run(&fault, kinds[k].threads, kinds[k].harmless, &failures);
        printf("%s: %zu calls, %zu runs failed\n", kinds[k].name, calls, failures);
        assert_true(kinds[k].harmless ? failures == 0 : failures > 0);
    }
}

/* A page, by itself: every allocation and every call on a file fails, and there is no page, and nothing is left. */
static void test_page(void **state)
{
    static const struct fault faults[] = {
        { .kind = FAULT_ALLOCATE, .error = ENOMEM }, { .kind = FAULT_ALLOCATE, .error = ENOMEM, .lasts = true },
        { .kind = FAULT_OPEN, .error = EMFILE },     { .kind = FAULT_WRITE, .error = ENOSPC },
        { .kind = FAULT_SYNC, .error = EIO },        { .kind = FAULT_RENAME, .error = EIO },
    };
    (void)state;
    struct path page;
    struct ink_net *net = NULL;
    struct ink_error err;
    strcpy(page.text, scratch_path("page.html"));
    assert_int_equal(ink_net_load(&net, paths[MODEL].text, &err), INK_OK);
    const bool is_built = ink_export_html(net, page.text, &err) == INK_OK; /* or without "html" */
    unlink(page.text);
    for (size_t f = 0; is_built && f < sizeof faults / sizeof faults[0]; f++) {
        struct fault fault = faults[f];
        enum ink_status status = INK_FAILED;
        for (fault.first = 1; status != INK_OK; fault.first++) {
            err.message[0] = 0;
            faults_arm(&fault);
            status = ink_export_html(net, page.text, &err);
            const size_t left = faults_left();
            faults_disarm(fault.kind);
            assert_true(left == 0 && (status == INK_OK || (status == INK_FAILED && err.message[0] != 0)));
            assert_int_equal(access(page.text, F_OK) == 0, status == INK_OK);
            unlink(page.text);
            assert_int_equal(files_in_folder(), INPUTS + OUTPUTS);
        }
        assert_true(fault.first > 2); /* one failed */
    }
    ink_net_free(net);
}

/* ---- The folder -------------------------------------------------------------------------------------------------- */

/* An IDX file of bytes, as it is or gzipped. */
static void write_idx(struct path *path, const char *name, const uint8_t *elements, size_t rank, bool gzipped)
{
    const size_t sizes[3] = { COUNT, SIDE, SIDE };
    unsigned char bytes[4 + 12 + COUNT * SIDE * SIDE] = { 0, 0, 8, (unsigned char)rank }, packed[2 * sizeof bytes];
    size_t size = 4, count = 1;
    for (size_t d = 0; d < rank; d++, size += 4) {
        bytes[size + 3] = (unsigned char)sizes[d];
        count *= sizes[d];
    }
    memcpy(bytes + size, elements, count);
    size += count;
    if (gzipped) {
        struct libdeflate_compressor *compressor = libdeflate_alloc_compressor(6);
        size = libdeflate_gzip_compress(compressor, bytes, size, packed, sizeof packed);
        libdeflate_free_compressor(compressor);
    }
    strcpy(path->text, scratch_write(name, gzipped ? packed : bytes, size));
}

static int make_folder(void **state)
{
    static uint8_t pixels[COUNT * SIDE * SIDE], classes[COUNT];
    struct run r;
    struct ink_error err = { .code = INK_OK };
    struct path ignored;
    if (scratch_make(state) != 0)
        return -1;
    for (size_t i = 0; i < COUNT; i++) {
        classes[i] = (uint8_t)(i % 2);
        for (size_t p = 0; p < SIDE * SIDE; p++)
            pixels[i * SIDE * SIDE + p] = (uint8_t)((i % 2 == p / SIDE % 2 ? 200 : 0) + (i * 7 + p * 3) % 50);
    }
    write_idx(&images, "train-images-idx3-ubyte", pixels, 3, false);
    write_idx(&ignored, "train-labels-idx1-ubyte", classes, 1, false);
    write_idx(&test_images, "t10k-images-idx3-ubyte.gz", pixels, 3, true);
    write_idx(&ignored, "t10k-labels-idx1-ubyte.gz", classes, 1, true);
    write_idx(&labels, "labels", classes, 1, true);
    for (size_t i = 0; i < OUTPUTS; i++)
        strcpy(paths[i].text, scratch_path(names[i]));

    /* The picture first: a later step reads what was written. */
    const struct ink_shape shape = { SIDE, SIDE, 1 };
    if (ink_picture_write_png(paths[PICTURE].text, shape, pixels + SIDE * SIDE, &err) != INK_OK)
        return -1;
    load(&whole[PICTURE], paths[PICTURE].text);
    const enum ink_status status = run_steps(&r, 1, &err);
    if (status != INK_OK)
        printf("%s: %s\n", r.step, err.message);
    memcpy(whole_answer, r.answer, sizeof r.answer);
    give_back(&r);
    for (size_t i = 0; status == INK_OK && i < OUTPUTS; i++)
        load(&whole[i], paths[i].text);
    faults_hook();
    return status == INK_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_page), cmocka_unit_test(test_every_call) };
    return cmocka_run_group_tests_name("faults", tests, make_folder, scratch_remove);
}
