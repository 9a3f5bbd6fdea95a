/* Folders of pictures as data sets, and data sets written in every format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "opened.h"
#include "scratch.h"

/* ---- Tools ------------------------------------------------------------------------------------------------------- */

/* Makes the folders of a path of the scratch folder, up to its last slash. */
static void make_folders(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s", name);
    for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(scratch_path(path), 0777);
        *slash = '/';
    }
}

static const char *write_bytes(const char *name, const void *bytes, size_t size)
{
    make_folders(name);
    return scratch_write(name, bytes, size);
}

/* A grey picture of 2 x 3, height by width, that begins with `level`. */
static void write_grey(const char *name, uint8_t level)
{
    const unsigned char bytes[] = { 'P', '5', ' ', '3', ' ', '2', ' ', '2', '5', '5', '\n', level, 2, 3, 4, 5, 6 };
    write_bytes(name, bytes, sizeof bytes);
}

static void write_colour(const char *name, uint8_t level)
{
    unsigned char bytes[11 + 18] = "P6 3 2 255\n";
    memset(bytes + 11, level, 18);
    write_bytes(name, bytes, sizeof bytes);
}

static void write_png(const char *name, uint8_t level)
{
    const uint8_t pixels[6] = { level, 2, 3, 4, 5, 6 };
    make_folders(name);
    assert_int_equal(ink_picture_write_png(scratch_path(name), (struct ink_shape){ 2, 3, 1 }, pixels, NULL), INK_OK);
}

static void write_text(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

/* Opens "pets" of the scratch folder, and checks the first level of each image and its label. */
static void assert_images(enum ink_split split, const struct ink_dataset_options *options, size_t count,
                          const uint8_t *levels, const size_t *labels)
{
    struct ink_dataset *data = open_good(scratch_path("pets"), split, options);
    assert_int_equal(ink_dataset_count(data), count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(ink_dataset_pixels(data, i)[0], levels[i]);
        assert_int_equal(ink_dataset_label(data, i), labels[i]);
    }
    ink_dataset_free(data);
}

static void assert_classes(enum ink_split split, size_t count, const char *const *names)
{
    struct ink_dataset *data = open_good(scratch_path("pets"), split, NULL);
    assert_int_equal(ink_dataset_classes(data), count);
    for (size_t c = 0; c < count; c++)
        assert_string_equal(ink_dataset_class_name(data, c), names[c]);
    ink_dataset_free(data);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* One set; names in order of bytes, which is not that of a dictionary; what is hidden is not seen. */
static void test_whole(void **state)
{
    (void)state;
    scratch_clear();
    write_png("pets/cat/b.png", 20);
    write_grey("pets/cat/a.pgm", 10);
    write_grey("pets/cat/B.pgm", 30);
    write_grey("pets/Zebra/1.pgm", 40);
    write_text("pets/cat/.DS_Store", "x");
    write_text("pets/cat/Thumbs.db", "x");
    write_text("pets/.git/config", "x");
    write_text("pets/README.txt", "x");
    for (enum ink_split split = INK_TRAIN; split <= INK_TEST; split++) {
        assert_images(split, NULL, 4, (const uint8_t[]){ 40, 30, 10, 20 }, (const size_t[]){ 0, 1, 1, 1 });
        assert_classes(split, 2, (const char *const[]){ "Zebra", "cat" });
    }
    struct ink_dataset *data = open_good(scratch_path("pets"), INK_TRAIN, NULL);
    assert_true(ink_dataset_is_whole(data));
    assert_int_equal(ink_dataset_shape(data).height, 2);
    assert_int_equal(ink_dataset_shape(data).width, 3);
    assert_int_equal(ink_dataset_shape(data).channels, 1);
    assert_memory_equal(ink_dataset_pixels(data, 3), "\x14\2\3\4\5\6", 6);
    assert_null(ink_dataset_note(data, 0));
    ink_dataset_free(data);
}

static void test_numbers(void **state)
{
    (void)state;
    scratch_clear();
    write_grey("pets/10/1.pgm", 1);
    write_grey("pets/9/1.pgm", 2);
    write_grey("pets/007/1.pgm", 3);
    assert_images(INK_TRAIN, NULL, 3, (const uint8_t[]){ 3, 2, 1 }, (const size_t[]){ 0, 1, 2 });
    assert_classes(INK_TRAIN, 3, (const char *const[]){ "007", "9", "10" });
    write_grey("pets/x/1.pgm", 4); /* now they are names */
    assert_classes(INK_TRAIN, 4, (const char *const[]){ "007", "10", "9", "x" });
}

static void test_divided(void **state)
{
    (void)state;
    static const char *const names[][2] = { { "train", "test" }, { "training", "val" }, { "train", "validation" } };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char name[64];
        scratch_clear();
        snprintf(name, sizeof name, "pets/%s/a/1.pgm", names[i][0]);
        write_grey(name, 1);
        assert_refused(scratch_path("pets"), INK_TEST, NULL, INK_FAILED, "no test pictures, expected a folder test",
                       NULL);
        snprintf(name, sizeof name, "pets/%s/b/1.pgm", names[i][0]);
        write_grey(name, 2);
        snprintf(name, sizeof name, "pets/%s/b/1.pgm", names[i][1]);
        write_grey(name, 3);
        assert_images(INK_TRAIN, NULL, 2, (const uint8_t[]){ 1, 2 }, (const size_t[]){ 0, 1 });
        assert_images(INK_TEST, NULL, 1, (const uint8_t[]){ 3 }, (const size_t[]){ 1 });
        assert_classes(INK_TEST, 2, (const char *const[]){ "a", "b" });
        struct ink_dataset *data = open_good(scratch_path("pets"), INK_TEST, NULL);
        assert_false(ink_dataset_is_whole(data));
        ink_dataset_free(data);
        snprintf(name, sizeof name, "pets/%s/c/1.pgm", names[i][1]);
        write_grey(name, 4);
        assert_refused(scratch_path("pets"), INK_TEST, NULL, INK_BAD_INPUT,
                       "/c: not the folder of one of the 2 classes", NULL);
    }
    scratch_clear(); /* without a training split its own folders tell the classes */
    write_grey("pets/test/b/1.pgm", 3);
    assert_classes(INK_TEST, 1, (const char *const[]){ "b" });
    assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_FAILED, "no training pictures", NULL);
    scratch_clear(); /* a class may be called so, beside others */
    write_grey("pets/train/1.pgm", 1);
    write_grey("pets/bus/1.pgm", 2);
    assert_classes(INK_TRAIN, 2, (const char *const[]){ "bus", "train" });
}

static void test_class_file(void **state)
{
    (void)state;
    scratch_clear();
    write_grey("pets/cat/1.pgm", 1);
    write_grey("pets/a_b/1.pgm", 2);
    write_grey("pets/_hidden/1.pgm", 3);
    write_text("pets/classes.txt", "cat\r\nnone here\na/b\n.hidden");
    assert_images(INK_TRAIN, NULL, 3, (const uint8_t[]){ 1, 2, 3 }, (const size_t[]){ 0, 2, 3 });
    assert_classes(INK_TRAIN, 4, (const char *const[]){ "cat", "none here", "a/b", ".hidden" });
    write_grey("pets/dog/1.pgm", 4);
    assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT, "pets/dog: not the folder of one of the 4",
                   NULL);
    static const struct {
        const char *text, *word;
    } bad[] = {
        { "cat\ncat\n", "classes.txt: line 2: class 'cat' is there twice" },
        { "cat\n\ndog\n", "classes.txt: line 2: a class named ''" },
        { "cat\nd\xffog\n", "classes.txt: line 2: a class named" },
        { "cat\nd\tog\n", "expected UTF-8 text without control characters" },
        { "cat\n\xc0\x80\n", "line 2: a class named" },         /* a long form of zero */
        { "cat\n\xed\xa0\x80\n", "line 2: a class named" },     /* half a pair of UTF-16 */
        { "cat\n\xf4\x90\x80\x80\n", "line 2: a class named" }, /* beyond the last character */
        { "cat\n\xe2\x82", "line 2: a class named" },           /* cut off */
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        write_text("pets/classes.txt", bad[i].text);
        assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT, bad[i].word, "pets/classes.txt");
    }
    char text[300];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    write_text("pets/classes.txt", text);
    assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT, "a class's name of 299 bytes", NULL);
    write_bytes("pets/classes.txt", "cat\nd\0g\n", 8);
    assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT, "line 2: a class's name", NULL);
}

/* Sizes and colours that differ: refused, unless the user said what they are to become. */
static void test_sizes(void **state)
{
    (void)state;
    static const struct ink_dataset_options square = { .size = { 2, 2, 0 } }, grey = { .size = { 2, 3, 1 } },
                                            colour = { .size = { 2, 3, 3 } }, seen = { .picture_size = { 4, 4, 1 } };
    scratch_clear();
    write_grey("pets/a/1.pgm", 1);
    write_text("pets/a/2.pgm", "P2 2 2 255 9 9 9 9");
    assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT,
                   "2.pgm: 2 pixels high and 2 wide, expected 2 and 3 as in", "1.pgm (--size 2x3 resizes all)");
    struct ink_dataset *data = open_good(scratch_path("pets"), INK_TRAIN, &square);
    assert_int_equal(ink_dataset_shape(data).width, 2);
    assert_memory_equal(ink_dataset_pixels(data, 1), "\x09\x09\x09\x09", 4);
    ink_dataset_free(data);
    data = open_good(scratch_path("pets"), INK_TRAIN, &seen);
    assert_int_equal(ink_dataset_shape(data).height, 4);
    ink_dataset_free(data);

    scratch_clear();
    write_grey("pets/a/1.pgm", 8);
    write_colour("pets/a/2.ppm", 9);
    assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT, "2.ppm: a picture in colour, expected grey",
                   "--size 2x3x1 makes all grey, x3 colour");
    assert_refused(scratch_path("pets"), INK_TRAIN, &square, INK_BAD_INPUT, "2.ppm: a picture in colour", NULL);
    assert_images(INK_TRAIN, &grey, 2, (const uint8_t[]){ 8, 9 }, (const size_t[]){ 0, 0 });
    data = open_good(scratch_path("pets"), INK_TRAIN, &colour);
    assert_int_equal(ink_dataset_shape(data).channels, 3);
    assert_memory_equal(ink_dataset_pixels(data, 0), "\x08\x08\x08\2\2\2\3\3\3", 9);
    ink_dataset_free(data);
    write_colour("pets/a/0.ppm", 7); /* grey among colours loses nothing */
    data = open_good(scratch_path("pets"), INK_TRAIN, NULL);
    assert_int_equal(ink_dataset_shape(data).channels, 3);
    assert_memory_equal(ink_dataset_pixels(data, 1), "\x08\x08\x08\2\2\2\3\3\3", 9);
    ink_dataset_free(data);
}

static void test_bad(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        struct {
            const char *bytes;
            size_t size;
        } content;
        const char *word;
    } rows[] = {
        { "pets/dog/2.png", { "", 0 }, "pets/dog/2.png: empty" },
        { "pets/dog/2.png", { "\x89PNG\r\n\x1a\n", 8 }, "pets/dog/2.png: byte 8: a damaged PNG" },
        { "pets/dog/2.png", { "\xff\xd8\xff\xe0", 4 }, "pets/dog/2.png: a JPEG picture, expected PNG, PGM or PPM" },
        { "pets/dog/2.pgm", { "P5 3 2 255\n12345", 16 }, "pets/dog/2.pgm: byte 16: truncated" },
        { "pets/dog/notes.txt", { "hello", 5 }, "pets/dog/notes.txt: byte 0: not a picture" },
        { "pets/dog/puppies/1.pgm", { "P5 1 1 255\n1", 12 }, "pets/dog/puppies: is a folder, expected a file" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scratch_clear();
        write_grey("pets/cat/1.pgm", 1);
        write_grey("pets/dog/1.pgm", 1);
        write_bytes(rows[i].name, rows[i].content.bytes, rows[i].content.size);
        assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT, rows[i].word, "pets/dog/");
    }
    scratch_clear();
    write_grey("pets/cat/1.pgm", 1);
    write_text("pets/dog/.nothing", "");
    write_text("pets/dog/desktop.ini", "");
    assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT, "pets/dog: no pictures in the folder", NULL);
    scratch_clear();
    write_grey("pets/1.pgm", 1);
    assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_FAILED, "or a folder of pictures for each class", NULL);
    scratch_clear();
    write_grey("pets/train/1.pgm", 1);
    assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT, "pets/train: no sub-folders, expected one",
                   NULL);
    scratch_clear();
    write_grey("pets/\xff/1.pgm", 1);
    assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT, "expected UTF-8 text", NULL);
    scratch_clear();
    write_grey("pets/two\nlines/1.pgm", 1);
    assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT, "a class named 'two?lines'", NULL);
}

/* Every truncation of a PNG is named. */
static void test_truncated(void **state)
{
    (void)state;
    scratch_clear();
    write_grey("pets/a/1.pgm", 1);
    write_png("pets/a/2.png", 1);
    unsigned char bytes[1024];
    FILE *file = fopen(scratch_path("pets/a/2.png"), "rb");
    assert_non_null(file);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 0; cut < size; cut++) {
        write_bytes("pets/a/2.png", bytes, cut);
        assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT, "pets/a/2.png: ", NULL);
    }
}

/* ---- Many -------------------------------------------------------------------------------------------------------- */

enum { MANY = 500 };

struct progress {
    size_t calls, last, stop_at;
};

static bool on_progress(void *context, size_t done, size_t count)
{
    struct progress *progress = context;
    assert_int_equal(count, MANY);
    assert_true(done > progress->last && done <= count);
    progress->last = done;
    progress->calls++;
    return progress->stop_at == 0 || done < progress->stop_at;
}

/* The same images, and the same file found broken, whatever the number of threads. */
static void test_many(void **state)
{
    (void)state;
    char name[64];
    scratch_clear();
    for (size_t i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "pets/%c/%03zu.pgm", (int)('a' + i * 3 / MANY), i);
        write_grey(name, (uint8_t)(i * 7));
    }
    for (size_t threads = 0; threads <= 5; threads++) {
        struct progress progress = { 0 };
        const struct ink_dataset_options options = { .work = { threads, on_progress, &progress } };
        struct ink_dataset *data = open_good(scratch_path("pets"), INK_TRAIN, &options);
        assert_int_equal(progress.last, MANY);
        assert_true(progress.calls > 2);
        for (size_t i = 0; i < MANY; i++) {
            assert_int_equal(ink_dataset_pixels(data, i)[0], (uint8_t)(i * 7));
            assert_int_equal(ink_dataset_label(data, i), i * 3 / MANY);
        }
        ink_dataset_free(data);
        progress = (struct progress){ .stop_at = 200 };
        assert_refused(scratch_path("pets"), INK_TRAIN,
                       &(struct ink_dataset_options){ .work = { threads, NULL, NULL }, .size = { SIZE_MAX, 2, 1 } },
                       INK_BAD_ARGUMENT, "are too many bytes", NULL);
        struct ink_error err = { 0 };
        assert_int_equal(ink_dataset_open(&data, scratch_path("pets"), INK_TRAIN, &options, &err), INK_STOPPED);
        assert_null(data);
        assert_non_null(strstr(err.message, "stopped after"));
        assert_in_range(progress.last, 200, MANY - 1);
    }
    for (size_t i = 270; i < MANY; i++) { /* so many that every thread finds some */
        snprintf(name, sizeof name, "pets/%c/%03zu.pgm", (int)('a' + i * 3 / MANY), i);
        write_text(name, "P5");
    }
    for (size_t threads = 1; threads <= 5; threads++)
        assert_refused(scratch_path("pets"), INK_TRAIN, &(struct ink_dataset_options){ .work = { .threads = threads } },
                       INK_BAD_INPUT, "pets/b/270.pgm: ", NULL);
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static struct ink_dataset *wrap(struct ink_shape shape, size_t count, size_t classes, const uint8_t *pixels,
                                const uint16_t *labels)
{
    struct ink_dataset *data = NULL;
    assert_int_equal(ink_dataset_wrap(&data, "made", shape, count, classes, pixels, labels, NULL), INK_OK);
    return data;
}

static void assert_same(const struct ink_dataset *data, const struct ink_dataset *expected)
{
    const struct ink_shape a = ink_dataset_shape(data), b = ink_dataset_shape(expected);
    assert_int_equal(ink_dataset_count(data), ink_dataset_count(expected));
    assert_int_equal(ink_dataset_classes(data), ink_dataset_classes(expected));
    assert_memory_equal(&a, &b, sizeof a);
    assert_memory_equal(ink_dataset_pixels(data, 0), ink_dataset_pixels(expected, 0),
                        ink_dataset_count(data) * a.height * a.width * a.channels);
    for (size_t i = 0; i < ink_dataset_count(data); i++)
        assert_int_equal(ink_dataset_label(data, i), ink_dataset_label(expected, i));
    for (size_t c = 0; c < ink_dataset_classes(data); c++)
        assert_string_equal(ink_dataset_class_name(data, c), ink_dataset_class_name(expected, c));
}

/* Labels in order, for folders keep no other; more than a byte holds; the last classes without images. */
static void test_formats(void **state)
{
    (void)state;
    enum { IMAGES = 12 };
    static const uint16_t few[IMAGES] = { 0, 0, 1, 1, 1, 2, 2, 5, 5, 5, 5, 6 };
    static const uint16_t many[IMAGES] = { 0, 0, 1, 9, 10, 99, 100, 255, 256, 257, 300, 301 };
    static const struct ink_shape shapes[] = { { 3, 2, 1 }, { 2, 5, 3 } };
    uint8_t pixels[IMAGES * 30];
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 41);
    for (size_t i = 0; i < 4 * 2 * 2; i++) { /* shapes, labels, compressed, divided */
        const uint16_t *const labels = i & 2 ? many : few;
        const size_t classes = i & 2 ? 302 : 8;
        struct ink_dataset *train = wrap(shapes[i & 1], IMAGES, classes, pixels, labels);
        struct ink_dataset *test = i & 8 ? wrap(shapes[i & 1], 4, classes, pixels + 7, labels + 4) : NULL;
        for (size_t f = 0; ink_dataset_format_name(f) != NULL; f++) {
            struct ink_error err = { 0 };
            scratch_clear();
            const char *const path = scratch_path("out");
            if (ink_dataset_write(train, test, ink_dataset_format_name(f), path, i & 4, NULL, &err) != INK_OK)
                fail_msg("%s", err.message);
            struct ink_dataset *data = open_good(path, INK_TRAIN, NULL);
            assert_same(data, train);
            ink_dataset_free(data);
            if (test != NULL) {
                data = open_good(path, INK_TEST, NULL);
                assert_same(data, test);
                ink_dataset_free(data);
            }
        }
        ink_dataset_free(train);
        ink_dataset_free(test);
    }
}

/* The scratch folder holds these and nothing else. */
static void assert_only(const char *a, const char *b, const char *c)
{
    DIR *folder = opendir(scratch_folder);
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        const char *const expected[] = { ".", "..", a, b, c };
        bool known = false;
        for (size_t i = 0; i < 5; i++)
            known = known || (expected[i] != NULL && strcmp(entry->d_name, expected[i]) == 0);
        if (!known)
            fail_msg("%s was left", entry->d_name);
    }
    closedir(folder);
}

/* Nothing that is there is touched, and nothing is left of what failed. */
static void test_not_written(void **state)
{
    (void)state;
    static const uint8_t pixels[4] = { 1, 2, 3, 4 };
    static const uint16_t labels[2] = { 0, 1 };
    struct ink_error err = { 0 };
    struct ink_dataset *data = wrap((struct ink_shape){ 1, 2, 1 }, 2, 2, pixels, labels);
    struct ink_dataset *other = wrap((struct ink_shape){ 2, 1, 1 }, 2, 2, pixels, labels);
    scratch_clear();
    write_text("there/file", "x");
    write_text("file", "x");
    static const char *const folders[] = { "idx", "png" };
    for (size_t f = 0; f < 2; f++) {
        assert_int_equal(ink_dataset_write(data, NULL, folders[f], scratch_path("there"), false, NULL, &err),
                         INK_FAILED);
        assert_non_null(strstr(err.message, "there: cannot write: the folder is there already and not empty"));
        assert_int_equal(ink_dataset_write(data, NULL, folders[f], scratch_path("file"), false, NULL, &err),
                         INK_FAILED);
        assert_non_null(strstr(err.message, "file: cannot write: is there already"));
        assert_int_equal(ink_dataset_write(data, NULL, folders[f], scratch_path("no/where"), false, NULL, &err),
                         INK_FAILED);
        mkdir(scratch_path("empty"), 0777);
        assert_int_equal(ink_dataset_write(data, NULL, folders[f], scratch_path("empty/"), false, NULL, &err), INK_OK);
        scratch_empty(scratch_path("empty"));
    }
    assert_int_equal(ink_dataset_write(data, NULL, "npz", scratch_path("there"), false, NULL, &err), INK_FAILED);
    assert_int_equal(ink_dataset_write(data, NULL, "jpeg", scratch_path("new"), false, NULL, &err), INK_BAD_ARGUMENT);
    assert_non_null(strstr(err.message, "format 'jpeg', expected idx, npz or png"));
    assert_int_equal(ink_dataset_write(data, other, "idx", scratch_path("new"), false, NULL, &err), INK_BAD_INPUT);
    ink_dataset_free(data);
    ink_dataset_free(other);
    /* Stopped half way. */
    static const uint8_t dark[MANY] = { 0 };
    static const uint16_t zeros[MANY] = { 0 };
    struct progress progress = { .stop_at = 200 };
    const struct ink_work work = { 2, on_progress, &progress };
    data = wrap((struct ink_shape){ 1, 1, 1 }, MANY, 1, dark, zeros);
    assert_int_equal(ink_dataset_write(data, NULL, "png", scratch_path("new"), false, &work, &err), INK_STOPPED);
    ink_dataset_free(data);
    assert_only("there", "file", "empty");

    /* Two classes that would have one folder. */
    scratch_clear();
    write_grey("pets/a_b/1.pgm", 1);
    write_text("pets/classes.txt", "a/b\nc\n");
    data = open_good(scratch_path("pets"), INK_TRAIN, NULL);
    assert_int_equal(ink_dataset_write(data, NULL, "png", scratch_path("new"), false, NULL, &err), INK_OK);
    write_text("pets/classes.txt", "a/b\na_b\n");
    ink_dataset_free(data);
    assert_refused(scratch_path("pets"), INK_TRAIN, NULL, INK_BAD_INPUT, "would be called 'a_b'", NULL);
    scratch_clear();
    write_bytes("i/train-images-idx3-ubyte", "\0\0\x08\3\0\0\0\1\0\0\0\1\0\0\0\1x", 17);
    write_bytes("i/train-labels-idx1-ubyte", "\0\0\x08\1\0\0\0\1\0", 9);
    write_text("i/classes.txt", "a/b\na_b\n");
    data = open_good(scratch_path("i"), INK_TRAIN, NULL);
    assert_int_equal(ink_dataset_write(data, NULL, "png", scratch_path("new"), false, NULL, &err), INK_BAD_ARGUMENT);
    assert_non_null(strstr(err.message, "would be called 'a_b'"));
    assert_only("i", NULL, NULL);
    ink_dataset_free(data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole),       cmocka_unit_test(test_numbers), cmocka_unit_test(test_divided),
        cmocka_unit_test(test_class_file),  cmocka_unit_test(test_sizes),   cmocka_unit_test(test_bad),
        cmocka_unit_test(test_truncated),   cmocka_unit_test(test_many),    cmocka_unit_test(test_formats),
        cmocka_unit_test(test_not_written),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
