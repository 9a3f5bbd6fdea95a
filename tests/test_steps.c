/*
 * No memory is taken in a training step, by any thread, nor in running a session: this program brings its own malloc,
 * which counts.
 *
 * free() is not counted: a thread that starts late frees what it was started with at any time, and a step that takes
 * nothing has nothing to free.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "inkling.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#endif

/* ---- The counting malloc ----------------------------------------------------------------------------------------- */

static atomic_size_t taken;

/* A sanitizer has a malloc of its own; other C libraries than glibc do not offer theirs under a second name. */
#if defined(__GLIBC__) && !defined(SANITIZED)
#define COUNTING 1

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
    atomic_fetch_add(&taken, 1);
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    atomic_fetch_add(&taken, 1);
    return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    atomic_fetch_add(&taken, 1);
    return __libc_realloc(old, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    atomic_fetch_add(&taken, 1);
    return __libc_memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    atomic_fetch_add(&taken, 1);
    *out = __libc_memalign(alignment, size);
    return *out == NULL;
}
#else
#define COUNTING 0
#endif

/* Called through a pointer that the compiler cannot see through, lest it leaves out what is not used. */
static void test_counts(void **state)
{
    void *(*volatile take)(size_t) = malloc;
    void *(*volatile take_zeroed)(size_t, size_t) = calloc;
    void *(*volatile take_aligned)(size_t, size_t) = aligned_alloc;
    (void)state;
    if (!COUNTING) {
        print_message("no allocations are counted: this build's malloc cannot be replaced\n");
        skip();
    }
    const size_t before = atomic_load(&taken);
    free(take(8));
    free(take_zeroed(8, 8));
    free(take_aligned(64, 64));
    assert_int_equal(atomic_load(&taken) - before, 3);
}

/* ---- What takes none --------------------------------------------------------------------------------------------- */

static const char *const networks[] = { "notebook", "lenet", "convnet",
                                        "dense 20 gelu, dropout 0.5, res [ dense 20 ], dense 10" };
#define NETWORKS (sizeof networks / sizeof networks[0])

static void check(enum ink_status status, const struct ink_error *err)
{
    if (status != INK_OK)
        fail_msg("%s", err->message);
}

static struct ink_dataset *draw(size_t count)
{
    const struct ink_dataset_options options = { .synthetic_count = count };
    struct ink_dataset *data = NULL;
    struct ink_error err;
    check(ink_dataset_open(&data, "synthetic", INK_TRAIN, &options, &err), &err);
    return data;
}

struct steps {
    size_t before;       /* `taken` after the last batch */
    size_t steps, taken; /* how many were counted, and what they took */
};

/* What lies between two epochs is not a step. */
static bool on_batch(void *context, const struct ink_progress *progress)
{
    struct steps *steps = context;
    const size_t now = atomic_load(&taken);
    if (progress->batch > 1) {
        steps->steps++;
        steps->taken += now - steps->before;
    }
    steps->before = now;
    return true;
}

static void train(struct ink_net *net, const struct ink_dataset *data, double clip, const char *augment)
{
    struct steps steps = { 0 };
    struct ink_trainer *trainer = NULL;
    struct ink_epoch_stats stats;
    struct ink_error err;
    struct ink_train_options options;
    ink_train_options_default(&options, ink_net_spec(net));
    options.epochs = 2;
    options.batch = 20;
    options.validation = 10;
    options.clip = clip;
    options.augment = augment;
    options.compute.threads = 2;
    options.on_batch = on_batch;
    options.context = &steps;
    check(ink_trainer_new(&trainer, net, data, &options, &err), &err);
    while (!ink_trainer_done(trainer))
        check(ink_trainer_epoch(trainer, &stats, &err), &err);
    ink_trainer_free(trainer);
    if (steps.taken > 0)
        fail_msg("%s: %zu allocations in %zu steps", ink_net_spec(net), steps.taken, steps.steps);
    assert_int_equal(steps.steps, 2 * 9); /* 190 images are 10 batches, the last of 10 */
}

static void test_training(void **state)
{
    struct ink_dataset *data = draw(200);
    struct ink_error err;
    (void)state;
    for (size_t i = 0; i < NETWORKS; i++) {
        struct ink_net *net = NULL;
        check(ink_net_new(&net, ink_dataset_shape(data), networks[i], NULL, 1, &err), &err);
        train(net, data, 0.0, NULL);
        train(net, data, 1.0, "shift 2, rotate 12, elastic 3, flip, erase 50%, contrast 20%");
        ink_net_free(net);
    }
    ink_dataset_free(data);
}

static void test_sessions(void **state)
{
    enum { IMAGES = 33, SIZE = 28 * 28 };
    static float images[IMAGES * SIZE], probabilities[IMAGES * 10];
    struct ink_dataset *data = draw(IMAGES);
    struct ink_error err;
    (void)state;
    for (size_t i = 0; i < IMAGES * SIZE; i++)
        images[i] = (float)ink_dataset_pixels(data, i / SIZE)[i % SIZE] / 255.0f;
    for (size_t i = 0; i < NETWORKS; i++) {
        struct ink_net *net = NULL;
        struct ink_session *session = NULL;
        check(ink_net_new(&net, ink_dataset_shape(data), networks[i], NULL, 1, &err), &err);
        check(ink_session_new(&session, net, IMAGES, NULL, &err), &err);
        const size_t before = atomic_load(&taken);
        for (size_t n = 1; n <= IMAGES; n += 16) {
            ink_session_run(session, images, n, probabilities);
            ink_session_run_bytes(session, ink_dataset_pixels(data, 0), n, probabilities);
        }
        const size_t took = atomic_load(&taken) - before;
        if (took > 0)
            fail_msg("%s: %zu allocations in a session", networks[i], took);
        ink_session_free(session);
        ink_net_free(net);
    }
    ink_dataset_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_training),
        cmocka_unit_test(test_sessions),
    };
    return cmocka_run_group_tests_name("steps", tests, NULL, NULL);
}
