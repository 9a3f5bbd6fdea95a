/* The line of text that is a network: what lines mean, and what wrong ones are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "inkling.h"
#include "nn/net.h"

static const struct ink_shape mnist = { 28, 28, 1 }, small = { 8, 6, 2 };

/* ---- Lines that are right ---------------------------------------------------------------------------------------- */

/* One layer as ink_net_layer tells it. */
struct row {
    const char *text;
    struct ink_shape out;
    size_t parameters;
    double multiply_adds;
};

static const struct {
    const char *spec;
    const struct ink_shape *input;
    size_t parameters;
    struct row rows[16]; /* ended by a NULL text */
} lines[] = {
    { "notebook",
      &mnist,
      45360,
      { { "dense 50 sigmoid", { 1, 1, 50 }, 39250, 39200 },
        { "dense 100 sigmoid", { 1, 1, 100 }, 5100, 5000 },
        { "dense 10", { 1, 1, 10 }, 1010, 1000 } } },
    { "lenet",
      &mnist,
      56042,
      { { "conv 8 5x5 pad 2 relu", { 28, 28, 8 }, 208, 156800 },
        { "pool 2", { 14, 14, 8 }, 0, 0 },
        { "conv 16 5x5 relu", { 10, 10, 16 }, 3216, 320000 },
        { "pool 2", { 5, 5, 16 }, 0, 0 },
        { "dense 128 relu", { 1, 1, 128 }, 51328, 51200 },
        { "dense 10", { 1, 1, 10 }, 1290, 1280 } } },
    { "convnet", /* no biases before the norms */
      &mnist,
      17274,
      { { "conv 16 5x5", { 24, 24, 16 }, 400, 230400 },
        { "norm relu", { 24, 24, 16 }, 32, 0 },
        { "pool 2", { 12, 12, 16 }, 0, 0 },
        { "conv 32 3x3", { 10, 10, 32 }, 4608, 460800 },
        { "norm relu", { 10, 10, 32 }, 64, 0 },
        { "pool 2", { 5, 5, 32 }, 0, 0 },
        { "conv 32 3x3", { 3, 3, 32 }, 9216, 82944 },
        { "norm relu", { 3, 3, 32 }, 64, 0 },
        { "dense 10", { 1, 1, 10 }, 2890, 2880 } } },
    { "dense 2", &small, 194, { { "dense 2", { 1, 1, 2 }, 194, 192 } } },
    { " \t dense\n3  tanh ,norm,dense 2 , mse ",
      &small,
      305,
      { { "dense\n3  tanh", { 1, 1, 3 }, 291, 288 },
        { "norm", { 1, 1, 3 }, 6, 0 },
        { "dense 2", { 1, 1, 2 }, 8, 6 } } },
    { "conv 4 3x2 stride 2 pad 1, pool 2 stride 1, avgpool 1x3, dense 2, cross-entropy",
      &small,
      78,
      { { "conv 4 3x2 stride 2 pad 1", { 4, 4, 4 }, 52, 768 },
        { "pool 2 stride 1", { 3, 3, 4 }, 0, 0 },
        { "avgpool 1x3", { 3, 1, 4 }, 0, 0 },
        { "dense 2", { 1, 1, 2 }, 26, 24 } } },
    { "conv 8 3 pad 1 gelu, res [ conv 8 3x3 pad 1, norm relu, res[dropout .25] ], globalavg, dense 2",
      &small,
      762,
      { { "conv 8 3 pad 1", { 8, 6, 8 }, 152, 6912 },
        { "gelu", { 8, 6, 8 }, 0, 0 },
        { "res [", { 8, 6, 8 }, 0, 0 },
        { "conv 8 3x3 pad 1", { 8, 6, 8 }, 576, 27648 },
        { "norm relu", { 8, 6, 8 }, 16, 0 },
        { "res[", { 8, 6, 8 }, 0, 0 },
        { "dropout .25", { 8, 6, 8 }, 0, 0 },
        { "]", { 8, 6, 8 }, 0, 0 },
        { "]", { 8, 6, 8 }, 0, 0 },
        { "globalavg", { 1, 1, 8 }, 0, 0 },
        { "dense 2", { 1, 1, 2 }, 18, 16 } } },
    { "dense 5 gelu, leaky, dense 4 leaky 0.1, sigmoid, dense 3 relu, dropout 0.5, dense 2",
      &small,
      532,
      { { "dense 5", { 1, 1, 5 }, 485, 480 },
        { "gelu", { 1, 1, 5 }, 0, 0 },
        { "leaky", { 1, 1, 5 }, 0, 0 },
        { "dense 4 leaky 0.1", { 1, 1, 4 }, 24, 20 },
        { "sigmoid", { 1, 1, 4 }, 0, 0 },
        { "dense 3 relu", { 1, 1, 3 }, 15, 12 },
        { "dropout 0.5", { 1, 1, 3 }, 0, 0 },
        { "dense 2", { 1, 1, 2 }, 8, 6 } } },
    { "globalpool, norm gelu, dense 2",
      &small,
      10,
      { { "globalpool", { 1, 1, 2 }, 0, 0 },
        { "norm", { 1, 1, 2 }, 4, 0 },
        { "gelu", { 1, 1, 2 }, 0, 0 },
        { "dense 2", { 1, 1, 2 }, 6, 4 } } },
};
#define LINES (sizeof lines / sizeof lines[0])

static struct ink_net *net_of(const char *spec, struct ink_shape input)
{
    struct ink_net *net;
    struct ink_error err = { 0 };
    if (ink_net_new(&net, input, spec, NULL, 0, &err) != INK_OK)
        fail_msg("'%s': %s", spec, err.message);
    return net;
}

static void right_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < LINES; i++) {
        struct ink_net *net = net_of(lines[i].spec, *lines[i].input);
        struct ink_layer_info info;
        size_t layers = 0;
        for (const struct row *row = lines[i].rows; row->text != NULL; row++, layers++) {
            assert_true(ink_net_layer(net, layers, &info));
            assert_string_equal(info.text, row->text);
            if (memcmp(&info.out, &row->out, sizeof info.out) != 0 || info.parameters != row->parameters ||
                info.multiply_adds != row->multiply_adds)
                fail_msg("'%s': '%s' gives %zux%zux%zu with %zu parameters, %g multiply-adds", lines[i].spec, row->text,
                         info.out.height, info.out.width, info.out.channels, info.parameters, info.multiply_adds);
        }
        assert_false(ink_net_layer(net, layers, &info));
        assert_int_equal(ink_net_parameters(net), lines[i].parameters);
        assert_int_equal(ink_net_classes(net), lines[i].rows[layers - 1].out.channels);
        ink_net_free(net);
    }
}

/* What the layers of a line are told that does not show in their shapes. */
static void what_the_layers_know(void **state)
{
    (void)state;
    struct ink_net *net = net_of("conv 2 3x2 stride 2 pad 1 leaky, pool 2x1 stride 1, norm tanh, res [ dropout 0.25 ], "
                                 "globalavg, leaky .5, gelu, dense 2 sigmoid, mse",
                                 small);
    const struct ink__layer *l = net->layers;
    assert_int_equal(net->layer_count, 10);
    assert_int_equal(net->loss, INK__MSE);
    assert_true(l[0].kind == INK__CONV && l[0].activation == INK__LEAKY && l[0].slope == 0.01f && l[0].bias);
    assert_true(l[0].kernel_height == 3 && l[0].kernel_width == 2 && l[0].stride == 2 && l[0].pad == 1);
    assert_true(l[1].kind == INK__MAX_POOL && l[1].kernel_height == 2 && l[1].kernel_width == 1 && l[1].stride == 1);
    assert_true(l[2].kind == INK__NORM && l[2].activation == INK__TANH);
    assert_true(l[3].kind == INK__OPEN && l[3].partner == 5);
    assert_true(l[4].kind == INK__DROPOUT && l[4].rate == 0.25f);
    assert_true(l[5].kind == INK__CLOSE && l[5].partner == 3);
    assert_true(l[6].kind == INK__MEAN_POOL && l[6].global && l[6].kernel_height == 3 && l[6].kernel_width == 4);
    assert_true(l[7].kind == INK__MAP && l[7].activation == INK__LEAKY && l[7].slope == 0.5f);
    assert_true(l[8].kind == INK__MAP && l[8].activation == INK__GELU);
    assert_true(l[9].kind == INK__DENSE && l[9].activation == INK__SIGMOID && l[9].bias);
    ink_net_free(net);

    net = net_of("conv 2 3x3, norm, dense 2, norm", small);
    assert_int_equal(net->loss, INK__CROSS_ENTROPY);
    assert_false(net->layers[0].bias); /* the norm's shift does its work */
    assert_false(net->layers[2].bias);
    ink_net_free(net);

    net = net_of("conv 2 3x3 relu, norm, dense 2", small);
    assert_true(net->layers[0].bias);
    ink_net_free(net);

    net = net_of("lenet", mnist);
    assert_string_equal(ink_net_spec(net), ink_presets()[1].spec);
    ink_net_free(net);
}

static void parameters_have_names_and_shapes(void **state)
{
    (void)state;
    static const struct ink_parameter_info expected[] = {
        { "0.weight", { 3, 2, 2, 4 }, 4, 48 },
        { "1.scale", { 4 }, 1, 4 },
        { "1.shift", { 4 }, 1, 4 },
        { "1.mean", { 4 }, 1, 4 },
        { "1.variance", { 4 }, 1, 4 },
        { "3.weight", { 4, 2 }, 2, 8 },
        { "3.bias", { 2 }, 1, 2 },
    };
    struct ink_net *net = net_of("conv 4 3x2, norm relu, globalavg, dense 2", small);
    struct ink_parameter_info info;
    size_t i = 0;
    for (; i < sizeof expected / sizeof expected[0]; i++) {
        float values[48];
        assert_true(ink_net_parameter(net, i, &info, values));
        assert_string_equal(info.name, expected[i].name);
        assert_int_equal(info.rank, expected[i].rank);
        assert_int_equal(info.count, expected[i].count);
        assert_memory_equal(info.shape, expected[i].shape, info.rank * sizeof info.shape[0]);
        if (strstr(info.name, "scale") != NULL || strstr(info.name, "variance") != NULL)
            assert_true(values[0] == 1.0f && values[3] == 1.0f);
    }
    assert_false(ink_net_parameter(net, i, &info, NULL));
    ink_net_free(net);
}

/* ---- Lines that are wrong ---------------------------------------------------------------------------------------- */

static const struct {
    const char *spec, *message;
} wrong[] = {
    /* Words. */
    { "", "column 1: expected a layer, found the end of the line" },
    { "  ", "column 3: expected a layer, found the end of the line" },
    { "dense 50 sigmod, dense 10",
      "column 10: expected ',' or the end of the line, found 'sigmod' (did you mean 'sigmoid'?)" },
    { "dnese 50", "column 1: expected a layer, found 'dnese' (did you mean 'dense'?)" },
    { "dense 10, sofmax", "column 11: expected a layer, found 'sofmax'" },
    { "lennet", "column 1: expected a layer, found 'lennet' (did you mean 'lenet'?)" },
    { "Dense 10", "column 1: expected a layer, found 'Dense' (did you mean 'dense'?)" },
    { "dense 10,", "column 10: expected a layer, found the end of the line" },
    { "dense 10,, dense 2", "column 10: expected a layer, found ','" },
    { "dense 10 dense 10", "column 10: expected ',' or the end of the line, found 'dense'" },
    { "pool 2 relu, dense 10", "column 8: expected ',' or the end of the line, found 'relu'" },
    { "dense 10 relu relu", "column 15: expected ',' or the end of the line, found 'relu'" },
    { "conv 4 3x3 strid 2, dense 2",
      "column 12: expected ',' or the end of the line, found 'strid' (did you mean 'stride'?)" },
    { "conv 4 3x3 pad 1 stride 2", "column 18: expected ',' or the end of the line, found 'stride'" },
    { "res", "column 4: expected '[', found the end of the line" },
    { "res dense 4", "column 5: expected '[', found 'dense'" },
    { "\xe5\xb1\x82 10", "column 1: expected a layer, found '\xe5\xb1\x82'" },
    { "\x80\x80\x80", "column 1: expected a layer, found '\x80\x80\x80'" },
    { "\x1b[2J", "column 1: expected a layer, found '?'" },
    { "dense 10, x_____________________________________\xe5\xb1\x82____",
      "column 11: expected a layer, found 'x_____________________________________'" },
    /* Numbers. */
    { "dense", "column 6: expected a number of units from 1 to 65535, found the end of the line" },
    { "dense ten", "column 7: expected a number of units from 1 to 65535, found 'ten'" },
    { "dense 0", "column 7: expected a number of units from 1 to 65535, found '0'" },
    { "dense -3", "column 7: expected a number of units from 1 to 65535, found '-3'" },
    { "dense 65536", "column 7: expected a number of units from 1 to 65535, found '65536'" },
    { "dense 18446744073709551617, dense 2",
      "column 7: expected a number of units from 1 to 65535, found '18446744073709551617'" },
    { "dense 1.5", "column 8: expected ',' or the end of the line, found '.5'" },
    { "conv 0 3x3", "column 6: expected a number of filters from 1 to 65535, found '0'" },
    { "conv 4", "column 7: expected a window such as 5x5, found the end of the line" },
    { "conv 4 axa", "column 8: expected a window such as 5x5, found 'axa'" },
    { "conv 4 3x", "column 10: expected the width of the window, found the end of the line" },
    { "conv 4 3x0", "column 10: expected the width of the window, found '0'" },
    { "conv 4 3x3 stride 0", "column 19: expected a stride of at least 1, found '0'" },
    { "conv 4 3x3 pad 3, dense 2", "column 16: expected a padding below the size of the window, found '3'" },
    { "conv 4 3x2 pad 2", "column 16: expected a padding below the size of the window, found '2'" },
    { "pool 0", "column 6: expected a window such as 5x5, found '0'" },
    { "dropout", "column 8: expected a probability below 1, found the end of the line" },
    { "dropout 1", "column 9: expected a probability below 1, found '1'" },
    { "dropout 1.5", "column 9: expected a probability below 1, found '1.5'" },
    { "dropout .", "column 9: expected a probability below 1, found '.'" },
    { "dropout -0.5", "column 9: expected a probability below 1, found '-0.5'" },
    { "dropout 0.99999999", "column 9: expected a probability below 1, found '0.99999999'" },
    { "dropout 0,5", "column 11: expected a layer, found '5'" },
    { "leaky 2", "column 7: expected a slope below 1, found '2'" },
    /* Shapes. */
    { "conv 4 9x3, dense 2", "column 1: a window of 9x3 does not fit into 8x6" },
    { "dense 4,  conv 4 3x3 pad 0", "column 11: a window of 3x3 does not fit into 1x1" },
    { "pool 4x4, pool 2 stride 2", "column 11: a window of 2x2 does not fit into 2x1" },
    { "res [ conv 4 3x3 ], dense 2", "column 18: res [ ... ] gives 6x4x4, expected its input's 8x6x2" },
    { "conv 4 3x3", "the last layer gives 6x4x4, expected 1x1xN with N >= 2 (is a last 'dense N' missing?)" },
    { "dense 1", "the last layer gives 1x1x1, expected 1x1xN with N >= 2 (is a last 'dense N' missing?)" },
    { "dense 65535, dense 65535, dense 2", "more weights than the library can address (2^31)" },
    /* Groups and the loss. */
    { "res [ dense 96", "column 15: expected ',' or ']', found the end of the line" },
    { "res [ relu, mse ]", "column 13: expected a layer, found 'mse'" },
    { "res [ ]", "column 7: expected a layer, found ']'" },
    { "dense 2 ]", "column 9: expected ',' or the end of the line, found ']'" },
    { "res [ relu ] ], dense 2", "column 14: expected ',' or the end of the line, found ']'" },
    { "mse", "column 1: expected a layer, found 'mse'" },
    { "dense 2, mse, dense 2", "column 13: expected the end of the line after the loss, found ','" },
    { "dense 2, mse 3", "column 14: expected the end of the line after the loss, found '3'" },
    { "dense 2, cross_entropy", "column 10: expected a layer, found 'cross_entropy' (did you mean 'cross-entropy'?)" },
    { "dense 2, crossentropy", "column 10: expected a layer, found 'crossentropy' (did you mean 'cross-entropy'?)" },
};

static void assert_refused(const char *spec, const char *message)
{
    struct ink_error err = { 0 };
    struct ink_net *net = (struct ink_net *)&err;
    char expected[200];
    snprintf(expected, sizeof expected, "network: %s", message);
    if (ink_net_new(&net, small, spec, NULL, 0, &err) != INK_BAD_ARGUMENT)
        fail_msg("'%s' was not refused", spec);
    assert_null(net);
    assert_int_equal(err.code, INK_BAD_ARGUMENT);
    assert_string_equal(err.message, expected);
    assert_int_equal(ink_net_new(&net, small, spec, NULL, 0, NULL), INK_BAD_ARGUMENT);
}

static void wrong_lines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_refused(wrong[i].spec, wrong[i].message);
}

static void wrong_inputs_and_initialisations(void **state)
{
    (void)state;
    static const struct ink_shape shapes[] = { { 0, 1, 1 }, { 1, 0, 1 }, { 1, 1, 0 }, { 4097, 1, 1 }, { 1, 1, 5 } };
    struct ink_net *net;
    struct ink_error err;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        assert_int_equal(ink_net_new(&net, shapes[i], "dense 2", NULL, 0, NULL), INK_BAD_ARGUMENT);
    assert_int_equal(ink_net_new(&net, small, "dense 2", "xaver", 0, &err), INK_BAD_ARGUMENT);
    assert_non_null(strstr(err.message, "did you mean 'xavier'?"));
    assert_null(net);
}

/* `count` times `piece`, then `end`; to be freed. */
static char *long_line(const char *piece, size_t count, const char *end)
{
    const size_t size = strlen(piece);
    char *line = malloc(count * size + strlen(end) + 1);
    assert_non_null(line);
    for (size_t i = 0; i < count; i++)
        memcpy(line + i * size, piece, size);
    strcpy(line + count * size, end);
    return line;
}

static void assert_long_line_refused(const char *piece, size_t count, const char *end, const char *message)
{
    char *line = long_line(piece, count, end);
    assert_refused(line, message);
    free(line);
}

static void long_lines(void **state)
{
    (void)state;
    char *most = long_line("relu, ", 255, "dense 2");
    ink_net_free(net_of(most, small));
    free(most);
    assert_long_line_refused("relu, ", 256, "dense 2", "more than 256 layers");
    assert_long_line_refused("relu, ", 100000, "dense 2", "more than 256 layers");
    assert_long_line_refused("res [ ", 17, "relu", "column 101: expected fewer groups inside each other, found '['");
    assert_long_line_refused(" ", 1000000, "x", "column 1000001: expected a layer, found 'x'");
    assert_long_line_refused("x", 1000000, "",
                             "column 1: expected a layer, found "
                             "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'");
    assert_long_line_refused("dense 9", 1, "9999999999999999999999999999999999999999999999",
                             "column 7: expected a number of units from 1 to 65535, found "
                             "'9999999999999999999999999999999999999999'");
    assert_long_line_refused("\x80", 100, "", "column 1: expected a layer, found '\x80'");
    assert_long_line_refused("[", 1000000, "", "column 1: expected a layer, found '['");
}

/* Soup of the grammar's own words: whatever it is, it is read or refused with a message, and nothing else happens. */
static void soup(void **state)
{
    (void)state;
    static const char *const pieces[] = {
        "dense",  "conv",    "pool",  "avgpool", "globalpool", "globalavg", "norm",    "relu",      "gelu",
        "leaky",  "dropout", "res",   "[",       "]",          ",",         ",",       ",",         "mse",
        "stride", "pad",     "x",     " ",       " ",          "3x3",       "1",       "2",         "65535",
        "0.5",    ".",       "99999", "\n",      "\xff",       "%s",        "dense 2", "conv 2 1x1"
    };
    uint32_t random = 1;
    size_t right = 0;
    for (size_t i = 0; i < 100000; i++) {
        char line[300] = "";
        struct ink_net *net;
        struct ink_error err = { 0 };
        for (size_t k = 0; k < 2 + i % 20; k++) {
            random = random * 1664525u + 1013904223u;
            strcat(line, pieces[(random >> 8) % (sizeof pieces / sizeof pieces[0])]);
        }
        const enum ink_status status = ink__net_make(&net, small, line, &err);
        right += status == INK_OK;
        if (status == INK_OK ? net == NULL : status != INK_BAD_ARGUMENT || strncmp(err.message, "network: ", 9) != 0)
            fail_msg("'%s': %s", line, err.message);
        ink_net_free(net);
    }
    assert_true(right > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_lines),
        cmocka_unit_test(what_the_layers_know),
        cmocka_unit_test(parameters_have_names_and_shapes),
        cmocka_unit_test(wrong_lines),
        cmocka_unit_test(wrong_inputs_and_initialisations),
        cmocka_unit_test(long_lines),
        cmocka_unit_test(soup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
