/*
 * Small networks and optimizers against what PyTorch made of the same ones: the tables of tests/golden, printed by
 * make_golden.py there. Images, weights and gradients are the same formula on both sides.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "step.h"
#include "train/optimizer.h"

/* ---- The formula and the file ------------------------------------------------------------------------------------ */

static uint32_t made_state;

static float made(void)
{
    made_state = made_state * 1664525u + 1013904223u;
    return (float)(made_state >> 16) / 65536.0f;
}

/* A file, a line at a time. */
struct lines {
    FILE *file;
    char *text, *at; /* the line, and the rest of it */
    size_t room;
};

static void open_lines(struct lines *l, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/golden/%s", TEST_SOURCE_DIR, name);
    *l = (struct lines){ .file = fopen(path, "r") };
    if (l->file == NULL)
        fail_msg("%s: cannot be opened", path);
}

static bool next_line(struct lines *l)
{
    const bool more = getline(&l->text, &l->room, l->file) > 0;
    l->at = l->text;
    if (!more) {
        free(l->text);
        fclose(l->file);
        return false;
    }
    l->text[strcspn(l->text, "\n")] = '\0';
    return true;
}

/* The next word of the line, ended with a zero. */
static const char *word(struct lines *l)
{
    char *begin = l->at + strspn(l->at, " ");
    l->at = begin + strcspn(begin, " ");
    if (*l->at != '\0')
        *l->at++ = '\0';
    return begin;
}

static double number(struct lines *l)
{
    char *end;
    const double value = strtod(l->at, &end);
    if (end == l->at)
        fail_msg("'%s': a number is missing", l->text);
    l->at = end;
    return value;
}

static void assert_near(const char *where, const char *what, double found, double expected, double most)
{
    if (!(fabs(found - expected) <= most))
        fail_msg("%s: %s is %.9g, expected %.9g", where, what, found, expected);
}

/* ---- Layers ------------------------------------------------------------------------------------------------------ */

/* A network with its batch, and what the library makes of them. */
struct golden {
    char spec[200];
    struct ink_net *net;
    size_t count;
    struct step_result result;
    float *probabilities; /* of inference */
};

static void fill(struct ink_net *net)
{
    for (size_t i = 0; i < net->parameter_count; i++) {
        const struct ink__parameter *p = &net->parameters[i];
        const bool positive = strstr(p->name, "scale") != NULL || strstr(p->name, "variance") != NULL;
        for (size_t r = 0; r < p->rows; r++)
            for (size_t c = 0; c < p->columns; c++)
                net->weights[p->offset + r * p->ld + c] = made() + (positive ? 0.5f : -0.5f);
    }
}

/* "batch H W C COUNT SMOOTHING": runs the network. */
static void run(struct golden *g, struct lines *l)
{
    const size_t h = (size_t)number(l), w = (size_t)number(l), c = (size_t)number(l);
    struct ink_error err = { 0 };
    g->count = (size_t)number(l);
    if (ink_net_new(&g->net, (struct ink_shape){ h, w, c }, g->spec, NULL, 0, &err) != INK_OK)
        fail_msg("'%s': %s", g->spec, err.message);
    float *images = step_array(g->count * h * w * c, sizeof *images);
    uint16_t *label = step_array(g->count, sizeof *label);
    g->probabilities = step_array(g->count * g->net->classes, sizeof *g->probabilities);
    made_state = 1;
    for (size_t i = 0; i < g->count * h * w * c; i++)
        images[i] = made();
    fill(g->net);
    for (size_t i = 0; i < g->count; i++)
        label[i] = (uint16_t)(i * 7 % g->net->classes);
    const struct ink__batch batch = {
        .count = g->count, .floats = images, .label = label, .smoothing = (float)number(l)
    };
    g->result = step(g->net, &batch, 1.0, NULL, 1);
    struct ink__plan *plan = step_plan(g->net, g->count, false, 1.0, NULL, 1);
    ink__plan_infer(plan, NULL, &batch, g->probabilities);
    ink__plan_free(plan);
    free(images);
    free(label);
}

static void finish(struct golden *g)
{
    ink_net_free(g->net);
    step_free(&g->result);
    free(g->probabilities);
    *g = (struct golden){ 0 };
}

/* A line of values for parameter NAME, found in `values` of the net's layout. Gradients are compared by the largest of
 * the parameter. */
static void compare(const struct golden *g, struct lines *l, const float *values)
{
    const char *name = word(l);
    const struct ink__parameter *p = g->net->parameters, *end = p + g->net->parameter_count;
    while (p < end && strcmp(p->name, name) != 0)
        p++;
    if (p == end)
        fail_msg("'%s' has no parameter %s", g->spec, name);
    double largest = 0.0;
    char *from = l->at;
    for (size_t i = 0; i < p->rows * p->columns; i++)
        largest = fmax(largest, fabs(number(l)));
    l->at = from;
    for (size_t i = 0; i < p->rows * p->columns; i++)
        assert_near(g->spec, name, (double)values[p->offset + i / p->columns * p->ld + i % p->columns], number(l),
                    5e-6 * largest + 1e-8);
}

static void layers(void **state)
{
    (void)state;
    struct lines l;
    struct golden g = { 0 };
    size_t cases = 0, gradients = 0, running = 0;
    open_lines(&l, "layers.txt");
    while (next_line(&l)) {
        const char *what = word(&l);
        if (strcmp(what, "spec") == 0) {
            finish(&g);
            snprintf(g.spec, sizeof g.spec, "%s", l.at);
            continue;
        } else if (strcmp(what, "batch") == 0) {
            run(&g, &l);
            cases++;
        } else if (strcmp(what, "loss") == 0) {
            assert_near(g.spec, what, g.result.loss, number(&l), 1e-6);
        } else if (strcmp(what, "gradient") == 0) {
            compare(&g, &l, g.result.gradient);
            gradients++;
        } else if (strcmp(what, "running") == 0) {
            compare(&g, &l, g.result.weights);
            running++;
        } else {
            assert_string_equal(what, "probabilities");
            for (size_t i = 0; i < g.count * g.net->classes; i++)
                assert_near(g.spec, what, (double)g.probabilities[i], number(&l), 1e-6);
        }
        assert_int_equal(strspn(l.at, " "), strlen(l.at)); /* nothing left over */
    }
    finish(&g);
    assert_int_equal(cases, 18);
    assert_true(gradients > 80 && running > 10);
}

/* ---- Optimizers -------------------------------------------------------------------------------------------------- */

/* Eight steps of five weights, each after its line of the file. */
static void follow(struct lines *l, const char *name, const struct ink_train_options *options)
{
    struct ink_error err = { 0 };
    const struct ink__optimizer *optimizer = ink__optimizer_find(name, &err);
    if (optimizer == NULL)
        fail_msg("%s", err.message);
    float w[5], g[5], s1[5] = { 0 }, s2[5] = { 0 };
    made_state = 1;
    for (size_t i = 0; i < 5; i++)
        w[i] = made() - 0.5f;
    for (size_t step = 1; step <= 8; step++) {
        const struct ink__update u =
            ink__update_of(optimizer, options, options->learning_rate, pow(options->momentum, (double)step),
                           pow(options->beta2, (double)step));
        for (size_t i = 0; i < 5; i++)
            g[i] = made() - 0.5f;
        ink__kernels_find(NULL)->update(&u, w, g, s1, s2, 5);
        assert_true(next_line(l));
        for (size_t i = 0; i < 5; i++)
            assert_near(name, "a weight", (double)w[i], number(l), 5e-7);
    }
}

static void optimizers(void **state)
{
    (void)state;
    struct lines l;
    size_t cases = 0;
    open_lines(&l, "optimizers.txt");
    while (next_line(&l)) {
        char name[20];
        snprintf(name, sizeof name, "%s", word(&l));
        struct ink_train_options options = { .learning_rate = number(&l) };
        options.momentum = number(&l);
        options.beta2 = number(&l);
        options.weight_decay = number(&l);
        follow(&l, name, &options);
        cases++;
    }
    assert_int_equal(cases, 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers),
        cmocka_unit_test(optimizers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
