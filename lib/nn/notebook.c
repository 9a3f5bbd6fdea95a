/* The notebook in C: a 784-50-100-10 network of random weights looks at one random image, and tells its two losses. */
#include "nn/notebook.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"

#define PIXELS  ((size_t)784)
#define CLASSES ((size_t)10)

/* ---- Functions --------------------------------------------------------------------------------------------------- */

void ink__notebook_dense(const double *x, const double *w, const double *b, size_t in, size_t out, double *y)
{
    for (size_t j = 0; j < out; j++) {
        double sum = 0;
        for (size_t i = 0; i < in; i++)
            sum += x[i] * w[i * out + j];
        y[j] = sum + b[j];
    }
}

void ink__notebook_sigmoid(double *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = 1 / (1 + exp(-x[i]));
}

void ink__notebook_softmax(double *x, size_t count)
{
    double largest = x[0], sum = 0;
    for (size_t i = 1; i < count; i++)
        largest = fmax(largest, x[i]);
    for (size_t i = 0; i < count; i++) {
        x[i] = exp(x[i] - largest);
        sum += x[i];
    }
    for (size_t i = 0; i < count; i++)
        x[i] /= sum;
}

double ink__notebook_mean_square_error(const double *y, const double *t, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (y[i] - t[i]) * (y[i] - t[i]);
    return 0.5 * sum;
}

double ink__notebook_cross_entropy_error(const double *y, const double *t, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += t[i] * log(y[i] + 1e-7);
    return -sum;
}

void ink__notebook_forward(const struct ink__notebook_network *network, const double x[784], double y[10])
{
    double y1[50], y2[100];
    ink__notebook_dense(x, network->w1, network->b1, 784, 50, y1);
    ink__notebook_sigmoid(y1, 50);
    ink__notebook_dense(y1, network->w2, network->b2, 50, 100, y2);
    ink__notebook_sigmoid(y2, 100);
    ink__notebook_dense(y2, network->w3, network->b3, 100, 10, y);
    ink__notebook_softmax(y, 10);
}

/* ---- A run ------------------------------------------------------------------------------------------------------- */

/* values (rows, columns) */
static void randn(struct ink__numpy_random *random, size_t rows, size_t columns, double *values)
{
    for (size_t i = 0; i < rows * columns; i++)
        values[i] = ink__numpy_randn(random);
}

static void init_network(struct ink__notebook_network *network, struct ink__numpy_random *random)
{
    randn(random, 784, 50, network->w1);
    randn(random, 1, 50, network->b1);
    randn(random, 50, 100, network->w2);
    randn(random, 1, 100, network->b2);
    randn(random, 100, 10, network->w3);
    randn(random, 1, 10, network->b3);
}

static enum ink_status check_data(const struct ink_dataset *data, struct ink_error *err)
{
    const char *name = ink_dataset_name(data);
    const struct ink_shape shape = ink_dataset_shape(data);
    const size_t classes = ink_dataset_classes(data), count = ink_dataset_count(data);
    if (shape.height * shape.width * shape.channels != PIXELS)
        return ink__fail(err, INK_BAD_INPUT, "%s: images of %zu x %zu x %zu, expected 784 bytes, as 28 x 28 x 1", name,
                         shape.height, shape.width, shape.channels);
    if (classes > CLASSES)
        return ink__fail(err, INK_BAD_INPUT, "%s: %zu classes, expected at most 10", name, classes);
    if (count == 0 || count > UINT32_MAX)
        return ink__fail(err, INK_BAD_INPUT, "%s: %zu images, expected 1 to 4294967295", name, count);
    return INK_OK;
}

enum ink_status ink_notebook_run(struct ink_notebook *result, const struct ink_dataset *data, uint32_t seed,
                                 struct ink_error *err)
{
    *result = (struct ink_notebook){ 0 };
    const enum ink_status status = check_data(data, err);
    if (status != INK_OK)
        return status;
    struct ink__notebook_network *network = ink__array(1, sizeof *network);
    if (network == NULL)
        return ink__fail_memory(err);

    struct ink__numpy_random random;
    ink__numpy_seed(&random, seed);
    result->index = (size_t)ink__numpy_randint(&random, ink_dataset_count(data));
    result->label = ink_dataset_label(data, result->index);
    result->t[result->label] = 1;
    init_network(network, &random);

    /* The notebook divides in float and goes on in double. */
    const uint8_t *pixels = ink_dataset_pixels(data, result->index);
    double x[PIXELS];
    for (size_t i = 0; i < PIXELS; i++)
        x[i] = (double)((float)pixels[i] / 255.0f);

    ink__notebook_forward(network, x, result->y);
    result->mean_square_error = ink__notebook_mean_square_error(result->y, result->t, CLASSES);
    result->cross_entropy_error = ink__notebook_cross_entropy_error(result->y, result->t, CLASSES);
    free(network);
    return INK_OK;
}

/* ---- Printing ---------------------------------------------------------------------------------------------------- */

/* A number written out: "-12.50" has 3 characters left of its point and 2 right of it. */
struct decimal {
    char text[32];
    size_t left, right;
};

/* x, below 1e7 in magnitude, rounded to `places` decimals, ties to even, with a point whatever the locale. */
static struct decimal decimal_of(double x, size_t places)
{
    struct decimal d = { .right = places };
    const size_t length = (size_t)snprintf(d.text, sizeof d.text, "%.*f", (int)places, x);
    d.left = strspn(d.text, "-0123456789");
    memmove(d.text + d.left + 1, d.text + length - places, places + 1);
    d.text[d.left] = '.';
    return d;
}

/* NumPy prints the fewest digits that identify a number, or two decimals if that is less. Numbers below 1e7 lie so
 * close together that two decimals are the end of all but those which end sooner: it is printf's rounding without the
 * zeros behind. */
static struct decimal trimmed_of(double x)
{
    struct decimal d = decimal_of(x, 2);
    while (d.right > 0 && d.text[d.left + d.right] == '0')
        d.right--;
    d.text[d.left + 1 + d.right] = '\0';
    return d;
}

void ink__notebook_format(char *text, const double *x, size_t count)
{
    size_t left = 0, right = 0; /* of the widest */
    for (size_t i = 0; i < count; i++) {
        const struct decimal d = trimmed_of(x[i]);
        left = d.left > left ? d.left : left;
        right = d.right > right ? d.right : right;
    }
    *text = '\0';
    for (size_t i = 0; i < count; i++) {
        const struct decimal d = trimmed_of(x[i]);
        text +=
            sprintf(text, "%s%*s%s%*s", i > 0 ? " " : "", (int)(left - d.left), "", d.text, (int)(right - d.right), "");
    }
}

void ink_notebook_print(const struct ink_notebook *result, char text[1024])
{
    char t[13 * CLASSES], y[13 * CLASSES];
    ink__notebook_format(t, result->t, CLASSES);
    ink__notebook_format(y, result->y, CLASSES);
    const struct decimal e1 = decimal_of(result->mean_square_error, 6);
    const struct decimal e2 = decimal_of(result->cross_entropy_error, 6);
    snprintf(text, 1024, "t = [%s]\ny = [[%s]]\ne1 = %s\ne2 = %s\n", t, y, e1.text, e2.text);
}
