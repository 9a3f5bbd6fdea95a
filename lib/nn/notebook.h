/*
 * The notebook's own functions, once, in double precision and for any size: what `inkling notebook` runs, and the
 * oracle that every fast kernel is tested against. Written for the reader; every sum runs in ascending order.
 */
#ifndef INK_NN_NOTEBOOK_H
#define INK_NN_NOTEBOOK_H

#include "inkling.h"

/* y = x w + b. x (in), w (in, out), b (out), y (out). */
void ink__notebook_dense(const double *x, const double *w, const double *b, size_t in, size_t out, double *y);
/* x (count) becomes 1 / (1 + exp(-x)). */
void ink__notebook_sigmoid(double *x, size_t count);
/* x (count > 0) becomes exp(x - max(x)) / sum(exp(x - max(x))): taking the maximum away keeps exp from overflowing. */
void ink__notebook_softmax(double *x, size_t count);
/* Half the sum of squares of y - t. y (count), t (count). */
double ink__notebook_mean_square_error(const double *y, const double *t, size_t count);
/* -sum(t log(y + 1e-7)): the small number keeps log finite at 0. y (count), t (count). */
double ink__notebook_cross_entropy_error(const double *y, const double *t, size_t count);

/* The notebook's weights and biases, in the order in which it draws them. */
struct ink__notebook_network {
    double w1[784 * 50]; /* (784, 50) */
    double b1[50];
    double w2[50 * 100]; /* (50, 100) */
    double b2[100];
    double w3[100 * 10]; /* (100, 10) */
    double b3[10];
};

/* x (784), a picture's rows one after another, in [0, 1]; y (10), the probabilities. */
void ink__notebook_forward(const struct ink__notebook_network *network, const double x[784], double y[10]);

/* NumPy's text of a row of numbers, without its brackets, under set_printoptions(precision=2, suppress=True): at most
 * two decimals, as few as the longest number needs, points aligned. x (count), each finite and below 1e7 in magnitude.
 * `text` has room for 13 bytes a number; NumPy would break a row of more than 73 characters into lines, this does not.
 */
void ink__notebook_format(char *text, const double *x, size_t count);

#endif
