/* ONNX files that lie: cut short, changed byte by byte, or made to cost more than they weigh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/file.h"
#include "format/import.h"
#include "scratch.h"

static bool has_onnx(void)
{
    for (const struct ink_feature *feature = ink_features(); feature->name != NULL; feature++)
        if (strcmp(feature->name, "onnx") == 0)
            return feature->present;
    return false;
}

/* Imports; whatever comes out of it, it is a whole network or a message in one line. */
static enum ink_status import(const char *path)
{
    struct ink_error err = { 0 };
    struct ink_net *net = (struct ink_net *)&err;
    const enum ink_status status = ink_net_import(&net, path, NULL, &err);
    if (status == INK_OK) {
        struct ink_session *session;
        assert_non_null(net);
        assert_int_equal(ink_session_new(&session, net, 1, NULL, &err), INK_OK);
        ink_session_free(session);
    } else {
        assert_null(net);
        assert_int_equal(err.code, status);
        if (status != INK_BAD_INPUT || strstr(err.message, path) == NULL || strchr(err.message, '\n') != NULL)
            fail_msg("status %d, message \"%s\"", status, err.message);
    }
    ink_net_free(net);
    return status;
}

struct model {
    unsigned char *bytes;
    size_t size;
};

static struct model read_model(const char *name)
{
    char path[SCRATCH_PATH];
    struct ink__file file;
    struct ink_error err;
    snprintf(path, sizeof path, "%s/onnx/%s", TEST_SOURCE_DIR, name);
    if (ink__file_open(&file, path, &err) != INK_OK)
        fail_msg("%s", err.message);
    struct model model = { malloc(file.size), file.size };
    memcpy(model.bytes, file.bytes, file.size);
    ink__file_close(&file);
    return model;
}

/* Every truncation of a small file; at some, what is left may still be a network. */
static void test_cut(void **state)
{
    (void)state;
    if (!has_onnx())
        skip();
    const struct model model = read_model("torch_global.onnx");
    size_t refused = 0;
    for (size_t size = 0; size < model.size; size++)
        refused += import(scratch_write("cut.onnx", model.bytes, size)) != INK_OK;
    assert_true(refused > model.size - 64); /* the versions of operators stand last */
    assert_int_equal(import(scratch_write("whole.onnx", model.bytes, model.size)), INK_OK);
    free(model.bytes);
}

/* Every byte of the graph changed, in some ways. */
static void test_changed(void **state)
{
    (void)state;
    if (!has_onnx())
        skip();
    static const char *const names[] = { "torch_global.onnx", "torch_residual.onnx" };
    static const unsigned char masks[] = { 0x01, 0x80, 0xff };
    for (size_t i = 0; i < 2; i++) {
        const struct model model = read_model(names[i]);
        const size_t step = 1 + model.size / 2500; /* of the larger one every few bytes */
        for (size_t at = 0; at < model.size; at += step)
            for (size_t m = 0; m < sizeof masks; m++) {
                model.bytes[at] ^= masks[m];
                import(scratch_write("changed.onnx", model.bytes, model.size));
                model.bytes[at] ^= masks[m];
            }
        free(model.bytes);
    }
}

/* ---- Files made here --------------------------------------------------------------------------------------------- */

struct bytes {
    unsigned char *at;
    size_t size, room;
};

static void put(struct bytes *bytes, const void *from, size_t size)
{
    if (bytes->size + size > bytes->room) {
        bytes->room = 2 * (bytes->size + size);
        bytes->at = realloc(bytes->at, bytes->room);
    }
    memcpy(bytes->at + bytes->size, from, size);
    bytes->size += size;
}

static void put_number(struct bytes *bytes, uint64_t number)
{
    do {
        const unsigned char byte = (unsigned char)((number & 0x7f) | (number > 0x7f ? 0x80 : 0));
        put(bytes, &byte, 1);
        number >>= 7;
    } while (number > 0);
}

/* A field of bytes: a text, or another message, which is released. */
static void put_field(struct bytes *bytes, unsigned field, const void *from, size_t size)
{
    put_number(bytes, field << 3 | 2);
    put_number(bytes, size);
    put(bytes, from, size);
}

static void put_message(struct bytes *bytes, unsigned field, struct bytes message)
{
    put_field(bytes, field, message.at, message.size);
    free(message.at);
}

static void put_text(struct bytes *bytes, unsigned field, const char *text)
{
    put_field(bytes, field, text, strlen(text));
}

static const char *write_graph(struct bytes graph)
{
    struct bytes output = { 0 }, model = { 0 };
    put_text(&output, 1, "y");
    put_message(&graph, 12, output);
    put_message(&model, 7, graph);
    const char *path = scratch_write("made.onnx", model.at, model.size);
    free(model.at);
    return path;
}

static void assert_refused(const char *path, const char *word)
{
    struct ink_error err = { 0 };
    struct ink_net *net;
    const enum ink_status status = ink_net_import(&net, path, NULL, &err);
    if (status != INK_BAD_INPUT || strstr(err.message, word) == NULL)
        fail_msg("status %d, message \"%s\", expected \"%s\"", status, err.message, word);
}

/* Two bytes of a file are an empty node, which takes a hundred in memory: their number, and all memory, is bounded. */
static void test_bombs(void **state)
{
    (void)state;
    if (!has_onnx())
        skip();
    struct bytes graph = { 0 };
    for (size_t i = 0; i < 5000; i++)
        put_field(&graph, 1, "", 0);
    assert_refused(write_graph(graph), "5000 nodes");

    graph = (struct bytes){ 0 };
    for (size_t i = 0; i < 8000000; i++)
        put_field(&graph, 1, "", 0);
    assert_refused(write_graph(graph), "more memory than a model's of this size");

    /* A name of a megabyte would be compared with all others. */
    char *const name = malloc(1 << 20);
    memset(name, 'x', 1 << 20);
    struct bytes node = { 0 };
    graph = (struct bytes){ 0 };
    put_field(&node, 1, name, 1 << 20);
    put_message(&graph, 1, node);
    assert_refused(write_graph(graph), "a name of more than 255 bytes");
    free(name);
}

/* An input x of one dimension after the batch. */
static void put_input(struct bytes *graph, uint64_t size)
{
    struct bytes dim = { 0 }, shape = { 0 }, tensor = { 0 }, type = { 0 }, value = { 0 };
    put_number(&dim, 1 << 3);
    put_number(&dim, size);
    put_field(&shape, 1, "", 0);
    put_message(&shape, 1, dim);
    put_number(&tensor, 1 << 3);
    put_number(&tensor, 1);
    put_message(&tensor, 2, shape);
    put_message(&type, 1, tensor);
    put_text(&value, 1, "x");
    put_message(&value, 2, type);
    put_message(graph, 11, value);
}

/* Constants that name each other in a circle, and nodes that lack what they read. */
static void test_circles(void **state)
{
    (void)state;
    if (!has_onnx())
        skip();
    static const char *const operators[] = {
        "Gemm",      "MatMul",      "Conv",          "BatchNormalization",
        "MaxPool",   "AveragePool", "GlobalMaxPool", "ReduceMean",
        "Dropout",   "Flatten",     "Reshape",       "Squeeze",
        "Unsqueeze", "Transpose",   "Identity",      "Cast",
        "Add",       "Mul",         "Shape",         "Gather",
        "Concat",    "Slice",       "Constant",      "Softmax",
        "Sigmoid",   "Gelu",        "LeakyRelu",     "Pad",
        "Pow",       "Erf",         "Relu",          "Sub",
    };
    for (size_t o = 0; o < sizeof operators / sizeof operators[0]; o++)
        for (unsigned inputs = 0; inputs <= 6; inputs++) {
            struct bytes graph = { 0 };
            put_input(&graph, 16);
            for (size_t i = 0; i < 3; i++) { /* c0 = c2, c1 = c0, c2 = c1 */
                static const char *const names[] = { "c2", "c0", "c1", "c2" };
                struct bytes node = { 0 };
                put_text(&node, 1, names[i]);
                put_text(&node, 2, names[i + 1]);
                put_text(&node, 4, i == 1 ? "Transpose" : "Identity");
                put_message(&graph, 1, node);
            }
            struct bytes node = { 0 };
            for (unsigned i = 0; i < inputs; i++)
                put_text(&node, 1, i == 0 ? "x" : i == 1 ? "c0" : "");
            put_text(&node, 2, "y");
            put_text(&node, 4, operators[o]);
            put_message(&graph, 1, node);
            assert_int_equal(import(write_graph(graph)), INK_BAD_INPUT);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_changed),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_circles),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
