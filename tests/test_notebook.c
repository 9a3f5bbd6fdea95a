/* The notebook: its functions at hand-checked values, its text byte for byte against what NumPy printed. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inkling.h"
#include "nn/notebook.h"

/* ---- Functions --------------------------------------------------------------------------------------------------- */

static void assert_near(const double *found, const double *expected, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabs(found[i] - expected[i]) <= 1e-15 * fmax(1, fabs(expected[i]))))
            fail_msg("[%zu] is %.17g, expected %.17g", i, found[i], expected[i]);
}

static void dense_multiplies_rows_into_columns(void **state)
{
    (void)state;
    const double x[] = { 1, 10 }, w[] = { 1, 2, 3, /**/ 4, 5, 6 }, b[] = { 100, 200, 300 };
    double y[3];
    ink__notebook_dense(x, w, b, 2, 3, y);
    assert_near(y, (const double[]){ 141, 252, 363 }, 3);
    ink__notebook_dense(NULL, NULL, b, 0, 3, y);
    assert_near(y, b, 3);
}

static void sigmoid_survives_the_extremes(void **state)
{
    (void)state;
    double x[] = { 0, log(3), -log(3), 1000, -1000 };
    ink__notebook_sigmoid(x, 5);
    assert_near(x, (const double[]){ 0.5, 0.75, 0.25, 1, 0 }, 5);
}

static void softmax_survives_the_extremes(void **state)
{
    (void)state;
    double x[] = { 0, log(2), log(5) }, large[] = { 1e300, 1e300, -1e300 }, one[] = { -7 };
    ink__notebook_softmax(x, 3);
    assert_near(x, (const double[]){ 0.125, 0.25, 0.625 }, 3);
    ink__notebook_softmax(large, 3);
    assert_near(large, (const double[]){ 0.5, 0.5, 0 }, 3);
    ink__notebook_softmax(one, 1);
    assert_near(one, (const double[]){ 1 }, 1);
}

static void losses_are_the_notebooks(void **state)
{
    (void)state;
    const double y[] = { 0.25, 0.75, 0 }, t[][3] = { { 0, 1, 0 }, { 0, 0, 1 } };
    const double square[] = { ink__notebook_mean_square_error(y, t[0], 3),
                              ink__notebook_mean_square_error(y, t[1], 3) };
    assert_near(square, (const double[]){ 0.0625, 0.8125 }, 2);
    const double entropy[] = { ink__notebook_cross_entropy_error(y, t[0], 3),
                               ink__notebook_cross_entropy_error(y, t[1], 3) };
    assert_near(entropy, (const double[]){ -log(0.75 + 1e-7), 7 * log(10) }, 2);
}

/* ---- Text -------------------------------------------------------------------------------------------------------- */

static FILE *open_table(const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/notebook/%s", TEST_SOURCE_DIR, name);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("%s: cannot open", path);
    return file;
}

/* Repeats notebook/rows.txt, which notebook/make_rows.py wrote: "1.0 0.25|[1.   0.25]". */
static void rows_are_numpys(void **state)
{
    (void)state;
    FILE *file = open_table("rows.txt");
    char line[1024];
    size_t rows = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        double x[16];
        size_t count = 0;
        char *rest = line;
        while (*rest != '|' && count < 16)
            x[count++] = strtod(rest, &rest);
        rest[strcspn(rest, "\n")] = '\0';

        char row[13 * 16], found[sizeof row + 3];
        ink__notebook_format(row, x, count);
        snprintf(found, sizeof found, "|[%s]", row);
        assert_string_equal(found, rest);
        rows++;
    }
    fclose(file);
    assert_int_equal(rows, 177);
}

/* ---- Runs -------------------------------------------------------------------------------------------------------- */

/* Repeats seeds 0 to 99 of a table that notebook/make_table.py wrote: "seed N", then the notebook's four lines. */
static void assert_table_is_repeated(const struct ink_dataset *data, const char *table)
{
    FILE *file = open_table(table);
    for (unsigned seed = 0; seed < 100; seed++) {
        struct ink_notebook result;
        struct ink_error err = { 0 };
        if (ink_notebook_run(&result, data, seed, &err) != INK_OK)
            fail_msg("%s", err.message);
        char text[1024], found[1100], expected[1100] = "";
        ink_notebook_print(&result, text);
        snprintf(found, sizeof found, "seed %u\n%s", seed, text);

        char line[256];
        for (int i = 0; i < 5 && fgets(line, sizeof line, file) != NULL; i++)
            strncat(expected, line, sizeof expected - strlen(expected) - 1);
        assert_string_equal(found, expected);
    }
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
}

static struct ink_dataset *wrap(struct ink_shape shape, size_t count, size_t classes, const uint8_t *pixels,
                                const uint16_t *labels)
{
    struct ink_dataset *data;
    struct ink_error err = { 0 };
    if (ink_dataset_wrap(&data, "made", shape, count, classes, pixels, labels, &err) != INK_OK)
        fail_msg("%s", err.message);
    return data;
}

/* The data set that make_table.py calls "made". */
static void made_images_are_numpys(void **state)
{
    (void)state;
    static uint8_t pixels[200 * 784];
    static uint16_t labels[200];
    for (uint32_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(i * 2654435761u >> 24);
    for (size_t i = 0; i < 200; i++)
        labels[i] = (uint16_t)(i * 7 % 10);
    struct ink_dataset *data = wrap((struct ink_shape){ 28, 28, 1 }, 200, 10, pixels, labels);
    assert_table_is_repeated(data, "made.txt");
    ink_dataset_free(data);
}

/* A real data set, where the machine has it. */
static void assert_real_images_are_numpys(const char *name, const char *table)
{
    const char *given = getenv("INKLING_DATA");
    const char *const search[] = { "/usr/share/datasets", given, NULL };
    struct ink_dataset *data;
    struct ink_error err;
    const struct ink_dataset_options options = { .search = search };
    const enum ink_status status = ink_dataset_open(&data, name, INK_TRAIN, &options, &err);
    if (status == INK_FAILED) {
        print_message("skipped: %s\n", err.message);
        skip();
    }
    assert_int_equal(status, INK_OK);
    assert_table_is_repeated(data, table);
    ink_dataset_free(data);
}

static void mnist_is_numpys(void **state)
{
    (void)state;
    assert_real_images_are_numpys("mnist", "mnist.txt");
}

static void fashion_mnist_is_numpys(void **state)
{
    (void)state;
    assert_real_images_are_numpys("fashion-mnist", "fashion-mnist.txt");
}

static void unsuitable_data_are_refused(void **state)
{
    (void)state;
    static const uint8_t pixels[2 * 784];
    static const uint16_t labels[2] = { 0, 10 };
    static const struct {
        struct ink_shape shape;
        size_t classes;
        enum ink_status status;
        const char *message;
    } cases[] = {
        { { 784, 1, 1 }, 10, INK_OK, "" },
        { { 14, 14, 4 }, 1, INK_OK, "" },
        { { 28, 27, 1 }, 10, INK_BAD_INPUT, "made: images of 28 x 27 x 1, expected 784 bytes, as 28 x 28 x 1" },
        { { 28, 29, 1 }, 10, INK_BAD_INPUT, "made: images of 28 x 29 x 1, expected 784 bytes, as 28 x 28 x 1" },
        { { 28, 28, 1 }, 11, INK_BAD_INPUT, "made: 11 classes, expected at most 10" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct ink_dataset *data =
            wrap(cases[i].shape, cases[i].classes < 11 ? 1 : 2, cases[i].classes, pixels, labels);
        struct ink_notebook result;
        struct ink_error err = { 0 };
        assert_int_equal(ink_notebook_run(&result, data, 0, &err), cases[i].status);
        assert_int_equal(err.code, cases[i].status);
        assert_string_equal(err.message, cases[i].message);
        assert_int_equal(ink_notebook_run(&result, data, 0, NULL), cases[i].status);
        ink_dataset_free(data);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dense_multiplies_rows_into_columns),
        cmocka_unit_test(sigmoid_survives_the_extremes),
        cmocka_unit_test(softmax_survives_the_extremes),
        cmocka_unit_test(losses_are_the_notebooks),
        cmocka_unit_test(rows_are_numpys),
        cmocka_unit_test(made_images_are_numpys),
        cmocka_unit_test(mnist_is_numpys),
        cmocka_unit_test(fashion_mnist_is_numpys),
        cmocka_unit_test(unsuitable_data_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
