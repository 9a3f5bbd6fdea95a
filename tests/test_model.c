/* Model files: what is saved is what is loaded, and nothing malformed becomes a network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <sys/resource.h>

#include "base/bytes.h"
#include "model_bytes.h"
#include "nn/net.h"
#include "scratch.h"

/* ---- Tools ------------------------------------------------------------------------------------------------------- */

/* Loading fails, leaves no object, and the message names the file and holds both words (if not NULL). */
static void assert_refused(const char *path, const char *word, const char *word2)
{
    struct ink_error err = { 0 };
    struct ink_net *net = (struct ink_net *)&err;
    const enum ink_status status = ink_net_load(&net, path, &err);
    if (status != INK_BAD_INPUT || strstr(err.message, path) == NULL ||
        (word != NULL && strstr(err.message, word) == NULL) || (word2 != NULL && strstr(err.message, word2) == NULL))
        fail_msg("status %d (expected %d), message \"%s\", expected \"%s\" and \"%s\"", status, INK_BAD_INPUT,
                 err.message, word, word2);
    assert_null(net);
    assert_int_equal(err.code, status);
    for (const char *at = err.message; *at != '\0'; at++)
        assert_true((unsigned char)*at >= ' ');
    assert_int_equal(ink_net_load(&net, path, NULL), INK_BAD_INPUT);
}

static struct ink_net *load_good(const char *path)
{
    struct ink_error err = { 0 };
    struct ink_net *net = NULL;
    if (ink_net_load(&net, path, &err) != INK_OK)
        fail_msg("%s", err.message);
    assert_non_null(net);
    return net;
}

static struct ink_net *make(struct ink_shape input, const char *spec)
{
    struct ink_error err = { 0 };
    struct ink_net *net = NULL;
    if (ink_net_new(&net, input, spec, "randn", 1, &err) != INK_OK)
        fail_msg("%s", err.message);
    return net;
}

static void save(const struct ink_net *net, const char *path)
{
    struct ink_error err = { 0 };
    if (ink_net_save(net, path, &err) != INK_OK)
        fail_msg("%s", err.message);
}

/* ---- Round trip -------------------------------------------------------------------------------------------------- */

static void assert_same_net(const struct ink_net *a, const struct ink_net *b)
{
    assert_memory_equal(&a->input, &b->input, sizeof a->input);
    assert_string_equal(ink_net_spec(a), ink_net_spec(b));
    assert_int_equal(a->loss, b->loss);
    assert_memory_equal(a->mean, b->mean, sizeof a->mean);
    assert_memory_equal(a->deviation, b->deviation, sizeof a->deviation);
    assert_int_equal(a->classes, b->classes);
    for (size_t c = 0; c < a->classes; c++)
        assert_string_equal(ink_net_class_name(a, c), ink_net_class_name(b, c));
    /* Padding included, which must stay zero. */
    assert_int_equal(a->weight_count, b->weight_count);
    assert_memory_equal(a->weights, b->weights, a->weight_count * sizeof *a->weights);
    assert_int_equal(a->metadata_count, b->metadata_count);
    for (size_t i = 0; i < a->metadata_count; i++)
        assert_string_equal(a->metadata[i].value, ink__net_get(b, a->metadata[i].key));
}

/* Saves, loads, compares, saves again: the same bytes. */
static void assert_round_trip(const struct ink_net *net)
{
    const char *first = scratch_path("first.safetensors"), *second = scratch_path("second.safetensors");
    save(net, first);
    struct ink_net *loaded = load_good(first);
    assert_same_net(net, loaded);
    save(loaded, second);
    const struct bytes a = read_bytes(first), b = read_bytes(second);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.at, b.at, a.size);
    free(a.at);
    free(b.at);
    ink_net_free(loaded);
}

static void test_round_trip(void **state)
{
    (void)state;
    static const struct {
        struct ink_shape input;
        const char *spec;
    } nets[] = {
        { { 28, 28, 1 }, "notebook" },
        { { 28, 28, 1 }, "dense 50 sigmoid, dense 10, mse" },
        { { 1, 1, 1 }, "dense 2" },
        { { 9, 7, 3 }, "conv 5 3x2 stride 2 pad 1 leaky 0.2, norm, pool 2, dropout 0.25, dense 17 gelu, dense 3" },
        { { 8, 8, 4 }, "conv 4 3x3 pad 1, res [ conv 4 3x3 pad 1, norm relu ], globalavg, dense 300, cross-entropy" },
    };
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        struct ink_net *net = make(nets[i].input, nets[i].spec);
        assert_round_trip(net);
        ink_net_free(net);
    }
}

static struct ink_net *make_with_everything(void)
{
    static const char *const names[3] = { "T-shirt/top", "\xe4\xb8\x83 \"7\"", "" };
    static const float mean[3] = { 0.1f, -1e-30f, FLT_MAX }, deviation[3] = { 0.30810940f, 1.0f / 3.0f, FLT_MIN };
    struct ink_net *net = make((struct ink_shape){ 4, 5, 3 }, "dense 3");
    for (size_t c = 0; c < 3; c++)
        assert_int_equal(ink__net_set_class_name(net, c, names[c], NULL), INK_OK);
    memcpy(net->mean, mean, sizeof mean);
    memcpy(net->deviation, deviation, sizeof deviation);
    assert_int_equal(ink__net_set(net, "seed", "18446744073709551615", NULL), INK_OK);
    assert_int_equal(ink__net_set(net, "dataset", "mnist", NULL), INK_OK);
    assert_int_equal(ink_net_set_metadata(net, "zettel", "\xc3\xa4\n\t\\\"", NULL), INK_OK);
    assert_int_equal(ink_net_set_metadata(net, "", "", NULL), INK_OK);
    return net;
}

static void test_metadata(void **state)
{
    (void)state;
    struct ink_error err;
    struct ink_net *net = make_with_everything();
    assert_round_trip(net);
    static const char *const own[] = { "format",
                                       "spec",
                                       "input",
                                       "classes",
                                       "mean",
                                       "deviation",
                                       "dataset",
                                       "dataset_sha256",
                                       "seed",
                                       "options",
                                       "validation_accuracy" };
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
        assert_int_equal(ink_net_set_metadata(net, own[i], "", &err), INK_BAD_ARGUMENT);
    assert_non_null(strstr(err.message, "validation_accuracy"));

    /* What cannot be JSON is told, not written. */
    const char *path = scratch_path("text.safetensors");
    assert_int_equal(ink_net_set_metadata(net, "zettel", "\xff", NULL), INK_OK);
    assert_int_equal(ink_net_save(net, path, &err), INK_BAD_ARGUMENT);
    assert_non_null(strstr(err.message, "'zettel': not UTF-8"));
    assert_int_equal(ink_net_set_metadata(net, "zettel", "", NULL), INK_OK);
    assert_int_equal(ink__net_set_class_name(net, 1, "\xff", NULL), INK_OK);
    assert_int_equal(ink_net_save(net, path, &err), INK_FAILED);
    assert_non_null(strstr(err.message, "a class name is not UTF-8"));
    assert_int_equal(access(path, F_OK), -1);
    ink_net_free(net);
}

/* A decimal comma must not reach the file. */
static void test_locale(void **state)
{
    (void)state;
    static const char *const with_comma[] = { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8" };
    bool found = false;
    for (size_t i = 0; i < sizeof with_comma / sizeof with_comma[0] && !found; i++)
        found = setlocale(LC_NUMERIC, with_comma[i]) != NULL;
    if (!found) {
        print_message("no locale with a decimal comma is installed\n");
        skip();
    }
    struct ink_net *net = make_with_everything();
    assert_round_trip(net);
    save(net, scratch_path("comma.safetensors"));
    setlocale(LC_NUMERIC, "C");
    save(net, scratch_path("point.safetensors"));
    const struct bytes a = read_bytes(scratch_path("comma.safetensors"));
    const struct bytes b = read_bytes(scratch_path("point.safetensors"));
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.at, b.at, a.size);
    free(a.at);
    free(b.at);
    ink_net_free(net);
}

/* ---- Malformed models -------------------------------------------------------------------------------------------- */

#define FORMAT  "\"format\":\"inkling-1\""
#define SPEC    "\"spec\":\"dense 2\""
#define INPUT   "\"input\":\"1x2x1\""
#define BASE    FORMAT "," SPEC "," INPUT
#define WEIGHT  "\"0.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]}"
#define BIAS    "\"0.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]}"
#define TENSORS WEIGHT "," BIAS
/* A file of the pairs `m` and the tensors `t`. */
#define MODEL(m, t) "{\"__metadata__\":{" m "}," t "}"

static const float small_data[6] = { 1.0f, -2.0f, 3.0f, 4.0f, 0.5f, -0.0f };

/* The floats stand little-endian in the file, whatever this machine is. */
static const char *write_small(const char *header, const float *data, size_t size)
{
    unsigned char floats[sizeof small_data];
    assert_true(size <= sizeof floats);
    for (size_t i = 0; i < size / sizeof *data; i++) {
        uint32_t bits;
        memcpy(&bits, data + i, sizeof bits);
        ink__put_little(floats + i * sizeof bits, bits, sizeof bits);
    }
    const struct bytes bytes = model_bytes(header, floats, size);
    const char *path = scratch_write("small.safetensors", bytes.at, bytes.size);
    free(bytes.at);
    return path;
}

static void test_smallest_model(void **state)
{
    (void)state;
    struct ink_net *net = load_good(write_small(MODEL(BASE, TENSORS), small_data, sizeof small_data));
    struct ink_parameter_info info;
    float values[4];
    assert_true(ink_net_parameter(net, 0, &info, values));
    assert_string_equal(info.name, "0.weight");
    assert_memory_equal(values, small_data, 16);
    assert_true(ink_net_parameter(net, 1, &info, values));
    assert_memory_equal(values, small_data + 4, 8);
    assert_string_equal(ink_net_class_name(net, 1), "1");
    assert_int_equal(net->metadata_count, 0);
    ink_net_free(net);

    net = load_good(write_small(MODEL(BASE ",\"classes\":\"[\\\"no\\\",\\\"yes\\\"]\",\"mean\":\" [ 1 ]\","
                                           "\"deviation\":\"[2.5e-1]\",\"author\":\"me\"",
                                      TENSORS),
                                small_data, sizeof small_data));
    assert_string_equal(ink_net_class_name(net, 1), "yes");
    assert_true(net->mean[0] == 1.0f && net->deviation[0] == 0.25f);
    assert_string_equal(ink__net_get(net, "author"), "me");
    ink_net_free(net);
}

/* Headers before the 24 bytes of small_data. */
static const struct {
    const char *header, *word, *word2;
} malformed[] = {
    /* what it is */
    { "{" TENSORS "}", "metadata 'format': missing, expected 'inkling-1'", NULL },
    { MODEL(SPEC "," INPUT, TENSORS), "metadata 'format': missing", NULL },
    { MODEL("\"format\":\"pt\"," SPEC "," INPUT, TENSORS), "metadata 'format': 'pt', expected 'inkling-1'", NULL },
    { MODEL("\"format\":\"inkling-checkpoint-1\"," SPEC "," INPUT, TENSORS), "'inkling-checkpoint-1'", NULL },
    /* the input */
    { MODEL(FORMAT "," SPEC, TENSORS), "metadata 'input': missing", "28x28x1" },
    { MODEL(FORMAT "," SPEC ",\"input\":\"\"", TENSORS), "metadata 'input': ''", NULL },
    { MODEL(FORMAT "," SPEC ",\"input\":\"1x2\"", TENSORS), "metadata 'input': '1x2', expected a shape", NULL },
    { MODEL(FORMAT "," SPEC ",\"input\":\"1x2x1x1\"", TENSORS), "metadata 'input'", NULL },
    { MODEL(FORMAT "," SPEC ",\"input\":\"1x2x1 \"", TENSORS), "metadata 'input'", NULL },
    { MODEL(FORMAT "," SPEC ",\"input\":\"1x2x\"", TENSORS), "metadata 'input'", NULL },
    { MODEL(FORMAT "," SPEC ",\"input\":\"-1x2x1\"", TENSORS), "metadata 'input'", NULL },
    { MODEL(FORMAT "," SPEC ",\"input\":\"0x2x1\"", TENSORS), "input 0x2x1, expected 1 to 4096", NULL },
    { MODEL(FORMAT "," SPEC ",\"input\":\"4097x2x1\"", TENSORS), "input 4097x2x1, expected 1 to 4096", NULL },
    { MODEL(FORMAT "," SPEC ",\"input\":\"1x2x18446744073709551617\"", TENSORS), "metadata 'input'", NULL },
    /* the line */
    { MODEL(FORMAT "," INPUT, TENSORS), "metadata 'spec': missing", NULL },
    { MODEL(FORMAT "," INPUT ",\"spec\":\"\"", TENSORS), "metadata: network: column 1: expected a layer", NULL },
    { MODEL(FORMAT "," INPUT ",\"spec\":\"dence 2\"", TENSORS), "found 'dence'", "did you mean 'dense'" },
    { MODEL(FORMAT "," INPUT ",\"spec\":\"dense 2\\u0007\\nx\"", TENSORS), "column 8", NULL },
    { MODEL(FORMAT "," INPUT ",\"spec\":\"pool 2, dense 2\"", TENSORS), "does not fit", NULL },
    { MODEL(FORMAT "," INPUT ",\"spec\":\"relu\"", TENSORS), "the last layer gives", NULL },
    { MODEL(FORMAT "," INPUT ",\"spec\":\"dense 65535, dense 65535, dense 2\"", TENSORS), "more weights than", NULL },
    /* class names and scaling */
    { MODEL(BASE ",\"classes\":\"no,yes\"", TENSORS), "metadata 'classes': 'no,yes', expected a JSON array of 2",
      NULL },
    { MODEL(BASE ",\"classes\":\"{}\"", TENSORS), "metadata 'classes': '{}'", NULL },
    { MODEL(BASE ",\"classes\":\"[\\\"a\\\"]\"", TENSORS), "metadata 'classes'", "2 elements" },
    { MODEL(BASE ",\"classes\":\"[\\\"a\\\",\\\"b\\\",\\\"c\\\"]\"", TENSORS), "metadata 'classes'", "2 elements" },
    { MODEL(BASE ",\"classes\":\"[\\\"a\\\",1]\"", TENSORS), "metadata 'classes'", "expected texts" },
    { MODEL(BASE ",\"mean\":\"0.5\"", TENSORS), "metadata 'mean': '0.5', expected a JSON array of 1", NULL },
    { MODEL(BASE ",\"mean\":\"[0,5]\"", TENSORS), "metadata 'mean'", NULL },
    { MODEL(BASE ",\"mean\":\"[NaN]\"", TENSORS), "metadata 'mean'", NULL },
    { MODEL(BASE ",\"mean\":\"[null]\"", TENSORS), "metadata 'mean': '[null]', expected numbers", NULL },
    { MODEL(BASE ",\"mean\":\"[1e39]\"", TENSORS), "metadata 'mean'", NULL },
    { MODEL(BASE ",\"mean\":\"[-1e39]\"", TENSORS), "metadata 'mean'", NULL },
    { MODEL(BASE ",\"deviation\":\"[0]\"", TENSORS), "metadata 'deviation': '[0]', expected numbers above 0", NULL },
    { MODEL(BASE ",\"deviation\":\"[-1]\"", TENSORS), "metadata 'deviation'", NULL },
    { MODEL(BASE ",\"deviation\":\"[1e-40]\"", TENSORS), "metadata 'deviation'", NULL },
    { MODEL(BASE ",\"note\":7", TENSORS), "metadata 'note' is no text", NULL },
    /* the tensors */
    { MODEL(BASE, "\"0.weight\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}"),
      "tensor '0.weight': shape is [6], expected [2, 2]", NULL },
    { MODEL(BASE, "\"0.weight\":{\"dtype\":\"F32\",\"shape\":[4,1],\"data_offsets\":[0,16]}," BIAS),
      "tensor '0.weight': shape is [4, 1], expected [2, 2]", NULL },
    { MODEL(BASE, "\"0.bias\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}"),
      "tensor '0.weight': missing, expected F32 of shape [2, 2]", NULL },
    { MODEL(BASE, WEIGHT ",\"0.bias\":{\"dtype\":\"F32\",\"shape\":[2,1],\"data_offsets\":[16,24]}"),
      "tensor '0.bias': shape is [2, 1], expected [2]", NULL },
    { MODEL(BASE, WEIGHT ",\"0.bias\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[16,24]}"),
      "tensor '0.bias': dtype is F64, expected F32", NULL },
    { MODEL(BASE, WEIGHT ",\"0.bias\":{\"dtype\":\"U32\",\"shape\":[2],\"data_offsets\":[16,24]}"), "dtype is U32",
      NULL },
    { MODEL(BASE, WEIGHT ",\"0.bios\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[16,24]}"),
      "tensor '0.bios': not of this network", NULL },
    { MODEL(BASE, TENSORS ",\"1.bias\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[24,24]}"),
      "tensor '1.bias': not of this network", NULL },
    { MODEL(BASE, TENSORS "," BIAS), "duplicate", NULL },
    { MODEL(BASE, WEIGHT ",\"0.bias\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,16]}"), "overlap", NULL },
};

static void test_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        assert_refused(write_small(malformed[i].header, small_data, sizeof small_data), malformed[i].word,
                       malformed[i].word2);
    const char html[] = "<!DOCTYPE html>\n<html><body>Not found</body></html>\n";
    assert_refused(scratch_write("page.safetensors", html, sizeof html - 1), "HTML page", NULL);
}

static void test_truncated_at_every_byte(void **state)
{
    (void)state;
    const struct bytes whole = model_bytes(MODEL(BASE, TENSORS), small_data, sizeof small_data);
    for (size_t size = 0; size < whole.size; size++)
        assert_refused(scratch_write("cut.safetensors", whole.at, size), "end of file", NULL);
    free(whole.at);
}

static void test_bad_weights(void **state)
{
    (void)state;
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    for (size_t i = 0; i < 3; i++) {
        float data[6];
        memcpy(data, small_data, sizeof data);
        data[5] = bad[i];
        assert_refused(write_small(MODEL(BASE, TENSORS), data, sizeof data), "tensor '0.bias': element 1 is ",
                       "expected a finite number");
        data[2] = bad[i];
        assert_refused(write_small(MODEL(BASE, TENSORS), data, sizeof data), "tensor '0.weight': element 2 is ",
                       isnan(bad[i]) ? "nan" : "inf");
    }
    /* A variance must not be negative; nothing else minds. */
    struct ink_net *net = make((struct ink_shape){ 3, 3, 1 }, "conv 2 3x3, norm, dense 2");
    const char *path = scratch_path("norm.safetensors");
    for (size_t i = 0; i < 4; i++) {
        const struct ink__parameter *p = &net->parameters[net->layers[1].parameter + i];
        net->weights[p->offset + 1] = -1.0f;
        save(net, path);
        if (i == INK__VARIANCE)
            assert_refused(path, "tensor '1.variance': element 1 is -1, expected a variance from 0", NULL);
        else
            ink_net_free(load_good(path));
    }
    net->weights[net->parameters[net->layers[1].parameter + INK__VARIANCE].offset + 1] = 0.0f;
    assert_round_trip(net);
    ink_net_free(net);
}

/* 300 bytes ask for 3.6 GB: refused before any is taken. */
static void test_small_file_large_network(void **state)
{
    (void)state;
    struct rusage before, after;
    assert_int_equal(getrusage(RUSAGE_SELF, &before), 0);
    assert_refused(write_small(MODEL(FORMAT "," INPUT ",\"spec\":\"dense 30000, dense 30000, dense 2\"",
                                     "\"0.weight\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,24]}"),
                               small_data, sizeof small_data),
                   "tensor '0.weight': shape is [6], expected [2, 30000]", NULL);
    assert_int_equal(getrusage(RUSAGE_SELF, &after), 0);
    assert_true(after.ru_maxrss - before.ru_maxrss < 200 * 1024); /* KiB */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_metadata),
        cmocka_unit_test(test_locale),      cmocka_unit_test(test_smallest_model),
        cmocka_unit_test(test_malformed),   cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_bad_weights), cmocka_unit_test(test_small_file_large_network),
    };
    return cmocka_run_group_tests_name("model", tests, scratch_make, scratch_remove);
}
