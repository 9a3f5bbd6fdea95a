/* safetensors: what is written, byte for byte, and what is read, well formed and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "format/safetensors.h"
#include "model_bytes.h"
#include "scratch.h"

/* ---- Tools ------------------------------------------------------------------------------------------------------- */

/* Opening fails, leaves no object, and the message names the file and holds both words (if not NULL). */
static void assert_refused(const char *path, const char *word, const char *word2)
{
    struct ink_error err = { 0 };
    struct ink__safetensors *file = (struct ink__safetensors *)&err;
    const enum ink_status status = ink__safetensors_open(&file, path, &err);
    if (status != INK_BAD_INPUT || strstr(err.message, path) == NULL ||
        (word != NULL && strstr(err.message, word) == NULL) || (word2 != NULL && strstr(err.message, word2) == NULL))
        fail_msg("status %d (expected %d), message \"%s\", expected \"%s\" and \"%s\"", status, INK_BAD_INPUT,
                 err.message, word, word2);
    assert_null(file);
    assert_int_equal(err.code, status);
    for (const char *at = err.message; *at != '\0'; at++)
        assert_true((unsigned char)*at >= ' ');
    assert_int_equal(ink__safetensors_open(&file, path, NULL), INK_BAD_INPUT);
}

static struct ink__safetensors *open_good(const char *path)
{
    struct ink_error err = { 0 };
    struct ink__safetensors *file = NULL;
    if (ink__safetensors_open(&file, path, &err) != INK_OK)
        fail_msg("%s", err.message);
    assert_non_null(file);
    return file;
}

static const char *write_model(const char *name, const char *header, const void *data, size_t size)
{
    const struct bytes bytes = model_bytes(header, data, size);
    const char *path = scratch_write(name, bytes.at, bytes.size);
    free(bytes.at);
    return path;
}

/* ---- A file of every type ---------------------------------------------------------------------------------------- */

static const uint8_t u8[3] = { 1, 2, 3 };
static const uint32_t u32[2] = { 0x04030201, 0x08070605 };
static const uint64_t u64[1] = { 0x0807060504030201 };
static const float f32[4] = { 1.0f, -2.0f, 0.5f, 0.0f };
static const double f64[1] = { 1.0 };

/* Out of order, as the writer must not care. */
static const struct ink__entry all_types[] = {
    { .name = "b", .dtype = INK__U8, .shape = { 3 }, .rank = 1, .data = u8 },
    { .name = "f", .dtype = INK__F32, .shape = { 2, 1, 2 }, .rank = 3, .data = f32 },
    { .name = "scalar", .dtype = INK__F64, .rank = 0, .data = f64 },
    { .name = "empty", .dtype = INK__F32, .shape = { 0, 5 }, .rank = 2, .data = f32 },
    { .name = "i", .dtype = INK__U32, .shape = { 2 }, .rank = 1, .data = u32 },
    { .name = "long", .dtype = INK__U64, .shape = { 1 }, .rank = 1, .data = u64 },
};
#define ALL_TYPES (sizeof all_types / sizeof all_types[0])

/* What the format says these are in a file. */
static const char all_types_header[] = "{\"__metadata__\":{\"a\":\"\\\"1\\\"\",\"b\":\"h\xc3\xa9\"},"
                                       "\"long\":{\"dtype\":\"U64\",\"shape\":[1],\"data_offsets\":[0,8]},"
                                       "\"scalar\":{\"dtype\":\"F64\",\"shape\":[],\"data_offsets\":[8,16]},"
                                       "\"empty\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[16,16]},"
                                       "\"f\":{\"dtype\":\"F32\",\"shape\":[2,1,2],\"data_offsets\":[16,32]},"
                                       "\"i\":{\"dtype\":\"U32\",\"shape\":[2],\"data_offsets\":[32,40]},"
                                       "\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[40,43]}}";
static const unsigned char all_types_data[] = {
    1, 2, 3,    4,    5, 6, 7,    8,                               /* long */
    0, 0, 0,    0,    0, 0, 0xf0, 0x3f,                            /* scalar */
    0, 0, 0x80, 0x3f, 0, 0, 0,    0xc0, 0, 0, 0, 0x3f, 0, 0, 0, 0, /* f */
    1, 2, 3,    4,    5, 6, 7,    8,                               /* i */
    1, 2, 3,                                                       /* b */
};

static void assert_all_types(const struct ink__safetensors *file)
{
    size_t count = 0;
    for (; ink__safetensors_entry(file, count) != NULL; count++)
        ;
    assert_int_equal(count, ALL_TYPES);
    for (size_t i = 0; i < ALL_TYPES; i++) {
        const struct ink__entry *expected = &all_types[i], *found = ink__safetensors_find(file, expected->name);
        assert_non_null(found);
        assert_string_equal(found->name, expected->name);
        assert_int_equal(found->dtype, expected->dtype);
        assert_int_equal(found->rank, expected->rank);
        assert_memory_equal(found->shape, expected->shape, sizeof found->shape);
        assert_non_null(found->data);
        const size_t size = ink__dtypes[found->dtype].size;
        assert_int_equal((uintptr_t)found->data % size, 0);
        assert_memory_equal(found->data, expected->data, ink__entry_count(expected) * size);
    }
    assert_null(ink__safetensors_find(file, "c"));
    assert_null(ink__safetensors_find(file, "__metadata__"));
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static char key_a[] = "a", key_b[] = "b", one[] = "\"1\"", accent[] = "h\xc3\xa9", not_utf8[] = "\xff";
static const struct ink__pair pairs[] = { { key_b, accent }, { key_a, one } };

static void test_written_bytes(void **state)
{
    (void)state;
    const char *path = scratch_path("all.safetensors");
    assert_int_equal(ink__safetensors_write(path, all_types, ALL_TYPES, pairs, 2, NULL), INK_OK);
    const struct bytes found = read_bytes(path);
    char padded[sizeof all_types_header + 8];
    snprintf(padded, sizeof padded, "%s%*s", all_types_header, (int)(7 - (sizeof all_types_header + 6) % 8), "");
    assert_int_equal(strlen(padded) % 8, 0);
    const struct bytes expected = model_bytes(padded, all_types_data, sizeof all_types_data);
    assert_int_equal(found.size, expected.size);
    assert_memory_equal(found.at, expected.at, expected.size);
    free(found.at);
    free(expected.at);

    struct ink__safetensors *file = open_good(path);
    assert_all_types(file);
    const struct ink__texts texts = ink__safetensors_texts(file);
    assert_int_equal(texts.count, 2);
    assert_string_equal(texts.pairs[1].key, "b");
    assert_string_equal(texts.pairs[1].value, accent);
    assert_string_equal(ink__safetensors_metadata(file, "a"), one);
    assert_null(ink__safetensors_metadata(file, "c"));
    ink__safetensors_free(file);
    ink__safetensors_free(NULL);
}

/* The header may need 0 to 7 spaces; the data are written in pieces, which a large tensor must show. */
static void test_round_trip(void **state)
{
    (void)state;
    static float large[5000];
    static char name[20];
    for (size_t i = 0; i < 5000; i++)
        large[i] = (float)i;
    for (size_t length = 1; length <= 9; length++) {
        memset(name, 'n', length);
        const struct ink__entry entry = {
            .name = name, .dtype = INK__F32, .shape = { 5000 }, .rank = 1, .data = large
        };
        const char *path = scratch_path("large.safetensors");
        assert_int_equal(ink__safetensors_write(path, &entry, 1, NULL, 0, NULL), INK_OK);
        struct ink__safetensors *file = open_good(path);
        const struct ink__entry *found = ink__safetensors_entry(file, 0);
        assert_string_equal(found->name, name);
        assert_memory_equal(found->data, large, sizeof large);
        ink__safetensors_free(file);
    }
    const char *path = scratch_path("nothing.safetensors");
    assert_int_equal(ink__safetensors_write(path, NULL, 0, NULL, 0, NULL), INK_OK);
    struct ink__safetensors *file = open_good(path);
    assert_null(ink__safetensors_entry(file, 0));
    ink__safetensors_free(file);
}

static void assert_not_written(const struct ink__entry *entries, size_t count, const struct ink__pair *metadata,
                               size_t metadata_count, const char *word)
{
    struct ink_error err = { 0 };
    const char *path = scratch_path("refused.safetensors");
    assert_int_equal(ink__safetensors_write(path, entries, count, metadata, metadata_count, &err), INK_BAD_ARGUMENT);
    assert_non_null(strstr(err.message, word));
    assert_int_equal(access(path, F_OK), -1);
}

static void test_refuses_to_write(void **state)
{
    (void)state;
    struct ink__entry twice[2] = { all_types[0], all_types[1] };
    twice[1].name = twice[0].name;
    assert_not_written(twice, 2, NULL, 0, "'b' twice");
    twice[1].name = not_utf8;
    assert_not_written(twice, 2, NULL, 0, "UTF-8");
    assert_not_written(NULL, 0, &(struct ink__pair){ key_a, not_utf8 }, 1, "'a': not UTF-8");
    assert_not_written(NULL, 0, (struct ink__pair[]){ { key_a, one }, { key_a, one } }, 2, "'a' twice");
}

/* The files of the folder, counted. */
static size_t count_files(void)
{
    size_t count = 0;
    DIR *folder = opendir(scratch_folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void test_failed_write_leaves_old_file(void **state)
{
    (void)state;
    static const float large[100000];
    const struct ink__entry entry = { .name = "x", .dtype = INK__F32, .shape = { 100000 }, .rank = 1, .data = large };
    struct ink_error err = { 0 };
    scratch_clear();
    const char *path = scratch_write("old.safetensors", "old", 3);

    /* As good as a full disk. */
    struct rlimit limit, little = { 0 };
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    little = (struct rlimit){ 100000, limit.rlim_max };
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    const enum ink_status status = ink__safetensors_write(path, &entry, 1, NULL, 0, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(status, INK_FAILED);
    assert_non_null(strstr(err.message, "old.safetensors: cannot write: "));
    const struct bytes old = read_bytes(path);
    assert_int_equal(old.size, 3);
    assert_memory_equal(old.at, "old", 3);
    free(old.at);
    assert_int_equal(count_files(), 1);

    assert_int_equal(ink__safetensors_write(scratch_path("no/x"), &entry, 1, NULL, 0, &err), INK_FAILED);
    assert_non_null(strstr(err.message, "no/x: cannot write: "));
    assert_int_equal(ink__safetensors_write(scratch_folder, &entry, 1, NULL, 0, &err), INK_FAILED);
    assert_non_null(strstr(err.message, "a folder"));

    /* Not even the superuser replaces a device, here a pipe. */
    struct stat info;
    assert_int_equal(mkfifo(scratch_path("pipe"), 0600), 0);
    assert_int_equal(ink__safetensors_write(scratch_path("pipe"), &entry, 1, NULL, 0, &err), INK_FAILED);
    assert_non_null(strstr(err.message, "not a regular file"));
    assert_int_equal(stat(scratch_path("pipe"), &info), 0);
    assert_true(S_ISFIFO(info.st_mode));
    assert_int_equal(count_files(), 2);

    assert_int_equal(ink__safetensors_write(scratch_path("old.safetensors"), &entry, 1, NULL, 0, NULL), INK_OK);
    ink__safetensors_free(open_good(scratch_path("old.safetensors")));
    assert_int_equal(count_files(), 2);
    scratch_clear();
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

/* Other writers order and space things differently, and give no thought to alignment. */
static void test_reads_what_others_write(void **state)
{
    (void)state;
    static const char *const spaces[] = { "", " ", "  ", "   ", "    ", "     ", "      ", " \n\t\r   " };
    for (size_t i = 0; i < sizeof spaces / sizeof spaces[0]; i++) {
        char header[sizeof all_types_header + 8];
        snprintf(header, sizeof header, "%s%s", all_types_header, spaces[i]);
        struct ink__safetensors *file =
            open_good(write_model("spaces.safetensors", header, all_types_data, sizeof all_types_data));
        assert_all_types(file);
        ink__safetensors_free(file);
    }
    /* Any order of keys and of tensors, one key more, no metadata, an empty tensor amid. */
    struct ink__safetensors *file = open_good(
        write_model("order.safetensors",
                    "{ \"z\": {\"data_offsets\": [ 3, 11 ], \"shape\": [2], \"dtype\": \"U32\", \"more\": {}},\n"
                    "  \"a\": {\"shape\": [3], \"data_offsets\": [0, 3], \"dtype\": \"U8\"},"
                    "  \"m\": {\"shape\": [1,0,4294967295], \"data_offsets\": [3, 3], \"dtype\": \"F64\"} }",
                    "\7\7\7\1\2\3\4\5\6\7\x08", 11));
    assert_string_equal(ink__safetensors_entry(file, 0)->name, "a");
    assert_string_equal(ink__safetensors_entry(file, 1)->name, "m");
    assert_string_equal(ink__safetensors_entry(file, 2)->name, "z");
    assert_memory_equal(ink__safetensors_entry(file, 2)->data, u32, sizeof u32);
    assert_null(ink__safetensors_metadata(file, "a"));
    ink__safetensors_free(file);
    ink__safetensors_free(open_good(write_model("empty.safetensors", "{}", NULL, 0)));
}

static void test_truncated_at_every_byte(void **state)
{
    (void)state;
    const struct bytes whole = model_bytes(all_types_header, all_types_data, sizeof all_types_data);
    for (size_t size = 0; size < whole.size; size++)
        assert_refused(scratch_write("cut.safetensors", whole.at, size), "end of file", NULL);
    assert_refused(scratch_write("cut.safetensors", whole.at, whole.size - 1), "cut short", NULL);
    assert_refused(scratch_write("cut.safetensors", whole.at, 100), "byte 100: end of file", "cut short");
    free(whole.at);
}

/* Whatever bit is wrong, the file is refused or is another file that can be read whole. */
static void test_every_bit_flipped(void **state)
{
    (void)state;
    const struct bytes whole = model_bytes(all_types_header, all_types_data, sizeof all_types_data);
    size_t refused = 0;
    for (size_t bit = 0; bit < 8 * (8 + sizeof all_types_header - 1); bit++) {
        struct ink__safetensors *file;
        whole.at[bit / 8] ^= (unsigned char)(1u << bit % 8);
        const enum ink_status status =
            ink__safetensors_open(&file, scratch_write("flip.safetensors", whole.at, whole.size), NULL);
        whole.at[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_true(status == INK_OK || status == INK_BAD_INPUT);
        refused += status != INK_OK;
        volatile unsigned char sum = 0;
        for (size_t i = 0; status == INK_OK && ink__safetensors_entry(file, i) != NULL; i++) {
            const struct ink__entry *entry = ink__safetensors_entry(file, i);
            for (size_t k = 0; k < ink__entry_count(entry) * ink__dtypes[entry->dtype].size; k++)
                sum = (unsigned char)(sum + ((const unsigned char *)entry->data)[k]);
        }
        ink__safetensors_free(file);
    }
    assert_true(refused > 2000);
    free(whole.at);
}

#define X(dtype, shape, offsets) "{\"x\":{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
#define XY(begin, end)                                                                                                 \
    "{\"x\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"                                                  \
    "\"y\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[" begin "," end "]}}"

/* Headers before 16 bytes of data. */
static const struct {
    const char *header, *word, *word2;
} malformed[] = {
    /* no JSON, or JSON of another form */
    { "{\"x\":", "header", "near end of file" },
    { "{\"x\" 1}", "byte 14: header", "':' expected near '1'" },
    { "{} {}", "end of file expected", NULL },
    { "[]", "byte 8: 0x5b, expected '{'", NULL },
    { " {}", "byte 8: 0x20, expected '{'", NULL },
    { "{\"\\u0000\":1}", "header", NULL },
    { "{\"x\xff\":1}", "header", "unable to decode byte 0xff" },
    { "{\"x\":1,\"x\":1}", "duplicate", NULL },
    { "{\"__metadata__\":{},\"__metadata__\":{}}", "duplicate", NULL },
    { "{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", "duplicate", NULL },
    { "{\"x\":{\"dtype\":\"U8\",\"dtype\":\"U8\"}}", "duplicate", NULL },
    { "{\"__metadata__\":[]}", "__metadata__ is no object", NULL },
    { "{\"__metadata__\":{\"a\":1}}", "metadata 'a'", "no text" },
    { "{\"x\":[1,\"y\"]}", "tensor 'x': its entry is [1,\"y\"], expected an object", NULL },
    { "{\"a\\nb\":1}", "tensor 'a?b'", NULL },
    /* dtype */
    { "{\"x\":{\"shape\":[16],\"data_offsets\":[0,16]}}", "tensor 'x': dtype is missing", "F32" },
    { X("\"F16\"", "[8]", "[0,16]"), "dtype is \"F16\", expected U8", NULL },
    { X("7", "[16]", "[0,16]"), "dtype is 7", NULL },
    { X("\"\\u001b[31m\"", "[16]", "[0,16]"), "dtype is \"\\u001B[31m\"", NULL },
    /* shape */
    { "{\"x\":{\"dtype\":\"U8\",\"data_offsets\":[0,16]}}", "shape is missing", NULL },
    { X("\"U8\"", "16", "[0,16]"), "shape is 16", "numbers" },
    { X("\"U8\"", "[16.0]", "[0,16]"), "shape is [16.0]", NULL },
    { X("\"U8\"", "[-16]", "[0,16]"), "shape is [-16]", NULL },
    { X("\"U8\"", "[-4,-4]", "[0,16]"), "shape is [-4,-4]", NULL },
    { X("\"U8\"", "[\"16\"]", "[0,16]"), "shape is [\"16\"]", NULL },
    { X("\"U8\"", "[1,1,1,1,1,1,1,1,16]", "[0,16]"), "shape is [1,1,1,1,1,1,1,1,16]", "at most 8" },
    { X("\"U8\"", "[4294967296,4294967296]", "[0,16]"), "into memory", NULL },
    { X("\"F64\"", "[2305843009213693954]", "[0,16]"), "into memory", NULL },
    { X("\"U8\"", "[99999999999999999999]", "[0,16]"), "header", "too big integer" },
    { X("\"U8\"", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23]", "[0,16]"), "...", NULL },
    /* data_offsets */
    { "{\"x\":{\"dtype\":\"U8\",\"shape\":[16]}}", "data_offsets is missing", NULL },
    { X("\"U8\"", "[16]", "16"), "data_offsets is 16, expected two numbers", NULL },
    { X("\"U8\"", "[16]", "[0,16,16]"), "two numbers", NULL },
    { X("\"U8\"", "[16]", "[-16,0]"), "two numbers", NULL },
    { X("\"U8\"", "[16]", "[0,1.6e1]"), "two numbers", NULL },
    { X("\"U8\"", "[16]", "[16,0]"), "expected 16 bytes", NULL },
    { X("\"U8\"", "[16]", "[0,15]"), "tensor 'x': data_offsets is [0,15], expected 16 bytes", NULL },
    { X("\"U32\"", "[16]", "[0,16]"), "expected 64 bytes", NULL },
    { X("\"U8\"", "[0]", "[0,16]"), "expected 0 bytes", NULL },
#if SIZE_MAX > UINT32_MAX
    { X("\"U8\"", "[16]", "[9223372036854775800,9223372036854775807]"), "expected 16 bytes", NULL },
    { X("\"U8\"", "[9223372036854775807]", "[0,9223372036854775807]"), "cut short", NULL },
#endif
    /* where the data lie */
    { X("\"U8\"", "[15]", "[1,16]"), "tensor 'x': data_offsets begin at 1, expected 0", "gap" },
    { X("\"U8\"", "[0]", "[16,16]"), "begin at 16, expected 0", "gap" },
    { XY("4", "12"), "tensor 'y': data_offsets begin at 4, expected 8 (an overlap)", NULL },
    { XY("0", "8"), "begin at 0, expected 8 (an overlap)", NULL },
    { XY("9", "17"), "tensor 'y': data_offsets begin at 9, expected 8 (a gap)", NULL },
    { X("\"U8\"", "[15]", "[0,15]"), "end of file, expected at byte", "something was added" },
    { X("\"U8\"", "[17]", "[0,17]"), "end of file, expected at byte", "cut short" },
    { "{}", "byte 26: end of file, expected at byte 10", "something was added" },
};

static void test_malformed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++)
        assert_refused(write_model("bad.safetensors", malformed[i].header, "0123456789abcdef", 16), malformed[i].word,
                       malformed[i].word2);

    char *name = malloc(1000);
    snprintf(name, 1000, "{\"%0256d\":1}", 0);
    assert_refused(write_model("bad.safetensors", name, NULL, 0), "a name of 256 bytes, expected at most 255", NULL);
    free(name);
    const size_t deep = 200000;
    char *nested = malloc(deep + 1);
    memcpy(nested, "{\"x\":", 5);
    memset(nested + 5, '[', deep - 5);
    nested[deep] = '\0';
    assert_refused(write_model("bad.safetensors", nested, NULL, 0), "header", "depth");
    free(nested);
    static const char zero[] = "\x08\0\0\0\0\0\0\0{\"x\":1\0}"; /* jansson passes over it */
    assert_refused(scratch_write("bad.safetensors", zero, sizeof zero - 1), "byte 14: header: a zero byte", NULL);
}

/* The first bytes of files that are something else. */
static const struct {
    const char *bytes;
    size_t size;
    const char *word;
} strangers[] = {
    { "<!DOCTYPE html><html><body>404</body></html>", 44, "byte 0: this is an HTML page" },
    { "\r\n<html>", 8, "an HTML page" },
    { "<a>", 3, "an HTML page" },
    { "version https://git-lfs.github.com/spec/v1\noid", 46, "a Git LFS pointer" },
    { "PK\3\4\0\0\0\0\0\0", 10, "a zip archive" },
    { "\x1f\x8b\x08\0\0\0\0\0\0\3abc", 13, "gzipped" },
    { "\x93NUMPY\1\0v\0{'descr'", 18, "a NumPy array" },
    { "\x89HDF\r\n\x1a\n\0\0", 10, "HDF5" },
    { "\x89PNG\r\n\x1a\n\0\0", 10, "a picture" },
    { "", 0, "byte 0: end of file" },
    { "\2\0\0\0\0\0\0\0", 8, "byte 8: end of file" },
    { "\0\0\0\0\0\0\0\0{}", 10, "header of 0 bytes, expected 2 to 100000000" },
    { "\1\0\0\0\0\0\0\0{}", 10, "header of 1 bytes, expected 2 to" },
    { "\3\0\0\0\0\0\0\0{}", 10, "byte 10: end of file, expected a header of 3 bytes" },
    { "\1\341\365\5\0\0\0\0{}", 10, "header of 100000001 bytes, expected 2 to" },
    { "\0\341\365\5\0\0\0\0{}", 10, "expected a header of 100000000 bytes" },
    { "\377\377\377\377\377\377\377\377{}", 10, "header of 18446744073709551615 bytes, expected 2 to" },
    { "\2\0\0\0\1\0\0\0{}", 10, "header of 4294967298 bytes, expected 2 to" },
    { "\0\0\0\0\0\0\0\x80{}", 10, "header of 9223372036854775808 bytes, expected 2 to" },
};

static void test_strangers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof strangers / sizeof strangers[0]; i++)
        assert_refused(scratch_write("other", strangers[i].bytes, strangers[i].size), strangers[i].word, NULL);
    struct ink__safetensors *file = NULL;
    struct ink_error err = { 0 };
    assert_int_equal(ink__safetensors_open(&file, scratch_path("missing"), &err), INK_FAILED);
    assert_non_null(strstr(err.message, "missing: cannot open"));
    assert_refused(scratch_folder, "a folder", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_bytes),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refuses_to_write),
        cmocka_unit_test(test_failed_write_leaves_old_file),
        cmocka_unit_test(test_reads_what_others_write),
        cmocka_unit_test(test_truncated_at_every_byte),
        cmocka_unit_test(test_every_bit_flipped),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_strangers),
    };
    return cmocka_run_group_tests_name("safetensors", tests, scratch_make, scratch_remove);
}
