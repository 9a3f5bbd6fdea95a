/* NumPy's files: zip archives, the headers of arrays, their elements, and the data sets in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <libdeflate.h>
#include <math.h>

#include "base/bytes.h"
#include "base/npz.h"
#include "opened.h"
#include "scratch.h"

enum { ROOM = 4096 };

/* ---- Tools ------------------------------------------------------------------------------------------------------- */

/* An npy of a version with that dictionary, and the elements behind it. Returns its size. */
static size_t make_npy(unsigned char *bytes, unsigned version, const char *dictionary, const void *elements,
                       size_t size)
{
    const size_t length = strlen(dictionary), prefix = version == 1 ? 10 : 12;
    memcpy(bytes, "\x93NUMPY", 6);
    bytes[6] = (unsigned char)version;
    bytes[7] = 0;
    ink__put_little(bytes + 8, length, prefix - 8);
    memcpy(bytes + prefix, dictionary, length);
    memcpy(bytes + prefix + length, elements, size);
    return prefix + length + size;
}

static void assert_npz_refused(const char *path, const char *word)
{
    struct ink_error err = { 0 };
    struct ink__npz *npz = (struct ink__npz *)&err;
    const enum ink_status status = ink__npz_open(&npz, path, &err);
    if (status != INK_BAD_INPUT || strstr(err.message, word) == NULL || strstr(err.message, path) == NULL)
        fail_msg("status %d, message \"%s\", expected \"%s\"", status, err.message, word);
    assert_null(npz);
    assert_int_equal(ink__npz_open(&npz, path, NULL), INK_BAD_INPUT);
}

static struct ink__npz *open_npz(const char *path)
{
    struct ink_error err = { 0 };
    struct ink__npz *npz;
    if (ink__npz_open(&npz, path, &err) != INK_OK)
        fail_msg("%s", err.message);
    return npz;
}

static const struct ink__npy *load(struct ink__npz *npz, const char *name)
{
    struct ink_error err = { 0 };
    const struct ink__npy *array = ink__npz_find(npz, name);
    assert_non_null(array);
    if (ink__npz_load(npz, array, &err) != INK_OK)
        fail_msg("%s", err.message);
    return array;
}

/* ---- Headers ----------------------------------------------------------------------------------------------------- */

#define SIX "\1\2\3\4\5\6"

/* What 2^61 and 2^32 elements are: a number that is too large, where sizes have 32 bits. */
#if SIZE_MAX > UINT32_MAX
#define HUGE "overflow"
#else
#define HUGE "a size that is a number and fits into memory"
#endif

/* What is no header, each of an array of the six bytes above. */
static const struct {
    const char *dictionary, *word;
} bad_headers[] = {
    { "", "expected a header that begins with {" },
    { "descr", "expected a header that begins with {" },
    { "{", "a key of the header" },
    { "{}", "the header has no descr" },
    { "{'descr': '|u1', 'shape': (6,)}", "the header has no fortran_order" },
    { "{'descr': '|u1', 'fortran_order': False}", "the header has no shape" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (6,)", "a comma or } after a value" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (6,)} x", "only blanks, then a line's end, after" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (6,)}\n ", "only blanks, then a line's end, after" },
    { "{'descr': ' u1', 'fortran_order': False, 'shape': (6,)}", "elements of type ' u1'" },
    { "{'descr': '<|u1', 'fortran_order': False, 'shape': (6,)}", "elements of type '<|u1'" },
    { "{'descr': '|u01', 'fortran_order': False, 'shape': (6,)}", "elements of type '|u01'" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (06,)}", "a size that is a number" },
    { "{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (6,)}", "each of the keys" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (6,), 'more': 1}", "each of the keys" },
    { "{'descr': '|u1' 'fortran_order': False, 'shape': (6,)}", "a comma or } after a value" },
    { "{'descr' '|u1', 'fortran_order': False, 'shape': (6,)}", "a colon" },
    { "{'descr: '|u1', 'fortran_order': False, 'shape': (6,)}", "a colon" },
    { "{'descr': |u1, 'fortran_order': False, 'shape': (6,)}", "the type of the elements" },
    { "{'descr': '|u1, 'fortran_order': False, 'shape': (6,)}", "elements of type '|u1, '" },
    { "{'descr': '|O', 'fortran_order': False, 'shape': (6,)}", "elements of type '|O'" },
    { "{'descr': '<u3', 'fortran_order': False, 'shape': (2,)}", "elements of type '<u3'" },
    { "{'descr': '<f16', 'fortran_order': False, 'shape': (6,)}", "elements of type '<f16'" },
    { "{'descr': '<c8', 'fortran_order': False, 'shape': (6,)}", "elements of type '<c8'" },
    { "{'descr': '|u', 'fortran_order': False, 'shape': (6,)}", "elements of type '|u'" },
    { "{'descr': '', 'fortran_order': False, 'shape': (6,)}", "elements of type ''" },
    { "{'descr': '|S0', 'fortran_order': False, 'shape': (6,)}", "elements of type '|S0'" },
    { "{'descr': '<U9999999999999999999', 'fortran_order': False, 'shape': (6,)}", "elements of type" },
    { "{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (6,)}", "found records" },
    { "{'descr': '|u1', 'fortran_order': 0, 'shape': (6,)}", "True or False" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': 6}", "the shape" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (6)}", "a comma between sizes" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (6 1)}", "a comma between sizes" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (-6,)}", "a size that is a number" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (99999999999999999999,)}", "a size that is a number" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (6,", "a size that is a number" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,6)}", "at most 8 dimensions" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (5,)}", "6 bytes of elements, expected 5" },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (7,)}", "6 bytes of elements, expected 7: truncated" },
    { "{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,)}", HUGE },
    { "{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", HUGE },
};

static void test_bad_headers(void **state)
{
    (void)state;
    unsigned char bytes[ROOM];
    for (size_t i = 0; i < sizeof bad_headers / sizeof bad_headers[0]; i++)
        for (unsigned version = 1; version <= 3; version++)
            assert_npz_refused(
                scratch_write("a.npy", bytes, make_npy(bytes, version, bad_headers[i].dictionary, SIX, 6)),
                bad_headers[i].word);
    static const char good[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }\n";
    const size_t size = make_npy(bytes, 1, good, SIX, 6);
    for (size_t cut = 0; cut < size; cut++) /* every truncation */
        assert_npz_refused(scratch_write("a.npy", bytes, cut), "a.npy");
    bytes[size] = 0;
    assert_npz_refused(scratch_write("a.npy", bytes, size + 1), "7 bytes of elements, expected 6");
    bytes[6] = 4;
    assert_npz_refused(scratch_write("a.npy", bytes, size), "version 4.0, expected 1.0 to 3.0");
    bytes[6] = 3, bytes[7] = 128;
    assert_npz_refused(scratch_write("a.npy", bytes, size), "version 3.128, expected 1.0 to 3.0");
    bytes[7] = 0;
    bytes[6] = 2; /* then four bytes say how long the header is */
    assert_npz_refused(scratch_write("a.npy", bytes, size), "expected at most");
}

/* The same six numbers, written in every way. */
static void test_good_headers(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }   \n",
        "{\"shape\": (2,3), \"fortran_order\" : False ,\"descr\":\"<u1\"}",
        "  { 'fortran_order':False,'descr':'u1','shape':(2L, 3L)}\n",
        "{'descr': '=u1', 'fortran_order': False, 'shape': (2, 3,)}",
    };
    unsigned char bytes[ROOM];
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        for (unsigned version = 1; version <= 3; version++) {
            struct ink__npz *npz =
                open_npz(scratch_write("a.npy", bytes, make_npy(bytes, version, headers[i], SIX, 6)));
            const struct ink__npy *array = load(npz, "");
            assert_int_equal(array->rank, 2);
            assert_int_equal(array->shape[0], 2);
            assert_int_equal(array->shape[1], 3);
            assert_int_equal(array->count, 6);
            assert_string_equal(ink__npy_type(array), "uint8");
            assert_memory_equal(array->data, SIX, 6);
            assert_null(ink__npz_array(npz, 1));
            assert_null(ink__npz_find(npz, "x"));
            ink__npz_free(npz);
        }
    }
    ink__npz_free(NULL);
}

/* Elements of every type and byte order, as numbers. */
static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *descr;
        unsigned char bytes[16];
        size_t size;
        double values[2];
    } rows[] = {
        { "|b1", { 0, 1 }, 2, { 0, 1 } },
        { "|b1", { 0, 7 }, 2, { 0, 1 } }, /* true, whatever its byte */
        { "|u1", { 7, 255 }, 2, { 7, 255 } },
        { "|i1", { 7, 255 }, 2, { 7, -1 } },
        { "<u2", { 1, 2, 255, 255 }, 4, { 513, 65535 } },
        { ">u2", { 1, 2, 255, 254 }, 4, { 258, 65534 } },
        { "<i2", { 1, 2, 255, 255 }, 4, { 513, -1 } },
        { ">i4", { 0, 0, 1, 0, 255, 255, 255, 254 }, 8, { 256, -2 } },
        { "<u4", { 0, 0, 0, 128, 1, 0, 0, 0 }, 8, { 2147483648.0, 1 } },
        { "<i8", { 0, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255 }, 16, { 4294967296.0, -1 } },
        { ">u8", { 0, 0, 0, 0, 0, 0, 0, 9, 128, 0, 0, 0, 0, 0, 0, 0 }, 16, { 9, 9223372036854775808.0 } },
        { "<f2", { 0, 0x3c, 1, 0x80 }, 4, { 1, -0x1p-24 } },
        { ">f2", { 0x7b, 0xff, 0xfc, 0 }, 4, { 65504, -INFINITY } },
        { "<f4", { 0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0 }, 8, { 1.5, -2 } },
        { ">f8", { 0x3f, 0xf8, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0 }, 16, { 1.5, -2 } },
    };
    unsigned char bytes[ROOM];
    char header[128];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (2,)}", rows[i].descr);
        struct ink__npz *npz =
            open_npz(scratch_write("a.npy", bytes, make_npy(bytes, 1, header, rows[i].bytes, rows[i].size)));
        const struct ink__npy *array = load(npz, "");
        for (size_t k = 0; k < 2; k++)
            if (!(ink__npy_value(array, k) == rows[i].values[k]))
                fail_msg("%s: %g, expected %g", rows[i].descr, ink__npy_value(array, k), rows[i].values[k]);
        ink__npz_free(npz);
    }
    /* (2, 3, 4) with the first index fastest: element (i, j, k) holds 12 i + 4 j + k. */
    unsigned char elements[24];
    for (size_t k = 0, at = 0; k < 4; k++)
        for (size_t j = 0; j < 3; j++)
            for (size_t n = 0; n < 2; n++)
                elements[at++] = (unsigned char)(12 * n + 4 * j + k);
    static const char fortran[] = "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3, 4)}";
    struct ink__npz *npz = open_npz(scratch_write("a.npy", bytes, make_npy(bytes, 1, fortran, elements, 24)));
    const struct ink__npy *array = load(npz, "");
    for (size_t i = 0; i < 24; i++)
        assert_true(ink__npy_value(array, i) == (double)i);
    ink__npz_free(npz);
}

/* ---- Archives ---------------------------------------------------------------------------------------------------- */

static const uint8_t some_bytes[2 * 3] = { 1, 2, 3, 4, 5, 6 };
static const float some_floats[4] = { 1.5f, -2, 0, 1e-30f };
static const struct ink__npy some_arrays[] = {
    { .name = "bytes", .kind = 'u', .width = 1, .rank = 2, .shape = { 2, 3 }, .data = some_bytes },
    { .name = "floats", .kind = 'f', .width = 4, .rank = 1, .shape = { 4 }, .data = some_floats },
    { .name = "one", .kind = 'f', .width = 4, .rank = 0, .data = some_floats },
    { .name = "none", .kind = 'f', .width = 4, .rank = 2, .shape = { 0, 3 }, .data = some_floats },
    { .name = "text", .kind = 'S', .width = 3, .rank = 1, .shape = { 2 }, .data = "catdog" },
};
enum { SOME = sizeof some_arrays / sizeof some_arrays[0] };

/* Reads a file of the folder; its size. */
static size_t read_back(const char *name, unsigned char *bytes, size_t room)
{
    FILE *file = fopen(scratch_path(name), "rb");
    assert_non_null(file);
    const size_t size = fread(bytes, 1, room, file);
    assert_int_equal(fgetc(file), EOF);
    fclose(file);
    return size;
}

static void test_round_trip(void **state)
{
    (void)state;
    for (int compress = 0; compress < 2; compress++) {
        const char *path = scratch_path("a.npz");
        assert_int_equal(ink__npz_write(path, some_arrays, SOME, compress, NULL), INK_OK);
        struct ink__npz *npz = open_npz(path);
        for (size_t i = 0; i < SOME; i++) {
            const struct ink__npy *array = load(npz, some_arrays[i].name);
            assert_ptr_equal(array, ink__npz_array(npz, i));
            assert_int_equal(array->kind, some_arrays[i].kind);
            assert_int_equal(array->width, some_arrays[i].width);
            assert_int_equal(array->rank, some_arrays[i].rank);
            assert_memory_equal(array->shape, some_arrays[i].shape, array->rank * sizeof array->shape[0]);
            assert_memory_equal(array->data, some_arrays[i].data, array->count * array->width);
        }
        ink__npz_free(npz);
        unsigned char first[ROOM], second[ROOM];
        const size_t size = read_back("a.npz", first, ROOM);
        assert_int_equal(ink__npz_write(path, some_arrays, SOME, compress, NULL), INK_OK);
        assert_int_equal(read_back("a.npz", second, ROOM), size);
        assert_memory_equal(first, second, size);
    }
    struct ink_error err = { 0 };
    const struct ink__npy huge = { .name = "huge", .kind = 'f', .width = 8, .rank = 2, .shape = { SIZE_MAX, 2 } };
    assert_int_equal(ink__npz_write(scratch_path("b.npz"), &huge, 1, false, &err), INK_BAD_ARGUMENT);
    assert_int_equal(access(scratch_path("b.npz"), F_OK), -1);
    assert_int_equal(ink__npz_write(scratch_path("no/b.npz"), some_arrays, SOME, false, &err), INK_FAILED);
}

/* Opens and loads everything; false if that was refused, with INK_BAD_INPUT and a message. */
static bool reads(const char *path)
{
    struct ink_error err = { 0 };
    struct ink__npz *npz;
    enum ink_status status = ink__npz_open(&npz, path, &err);
    for (size_t i = 0; status == INK_OK && ink__npz_array(npz, i) != NULL; i++)
        status = ink__npz_load(npz, ink__npz_array(npz, i), &err);
    if (status != INK_OK && (status != INK_BAD_INPUT || strstr(err.message, path) == NULL))
        fail_msg("status %d: %s", status, err.message);
    ink__npz_free(npz);
    return status == INK_OK;
}

/* The place of the n-th signature in an archive. */
static unsigned char *find(unsigned char *bytes, size_t size, const char *signature, size_t n)
{
    for (size_t at = 0; at + 4 <= size; at++)
        if (memcmp(bytes + at, signature, 4) == 0 && n-- == 0)
            return bytes + at;
    fail_msg("no signature");
    return NULL;
}

/* Every truncation is refused; and every change of a byte is, unless it changes nothing that is read. */
static void test_damage(void **state)
{
    (void)state;
    unsigned char bytes[ROOM];
    for (int compress = 0; compress < 2; compress++) {
        assert_int_equal(ink__npz_write(scratch_path("a.npz"), some_arrays, SOME, compress, NULL), INK_OK);
        const size_t size = read_back("a.npz", bytes, ROOM - 1);
        for (size_t cut = 0; cut < size; cut++)
            assert_false(reads(scratch_write("b.npz", bytes, cut)));
        bytes[size] = 0;
        assert_false(reads(scratch_write("b.npz", bytes, size + 1)));
        size_t accepted = 0;
        for (size_t at = 0; at < size; at++) {
            bytes[at] ^= 0x81;
            accepted += reads(scratch_write("b.npz", bytes, size));
            bytes[at] ^= 0x81;
        }
        for (size_t n = 0; n < SOME; n++) { /* of an entry's content every byte counts, through the CRC */
            const unsigned char *const header = find(bytes, size, "PK\3\4", n);
            const unsigned char *const end =
                n + 1 < SOME ? find(bytes, size, "PK\3\4", n + 1) : find(bytes, size, "PK\1\2", 0);
            for (unsigned char *at = bytes + (header - bytes) + 30 + header[26]; at < end; at++) {
                *at ^= 1;
                assert_false(reads(scratch_write("b.npz", bytes, size)));
                *at ^= 1;
            }
        }
        /* What is not read: of a local header all but its signature, its name and the lengths of name and extra field;
         * in the directory who made it, time and attributes. */
        assert_in_range(accepted, SOME * 20, SOME * 80);
        assert_true(reads(scratch_write("b.npz", bytes, size)));
    }
}

/* One field of the directory or the end is changed. */
static void test_bad_archives(void **state)
{
    (void)state;
    static const struct {
        const char *signature;
        size_t offset, width;
        uint64_t value;
        const char *word;
    } rows[] = {
        { "PK\1\2", 6, 1, 64, "needs version 6.4" },
        { "PK\1\2", 8, 2, 1, "is encrypted" },
        { "PK\1\2", 8, 2, 0x20, "a patch" },
        { "PK\1\2", 10, 2, 12, "method 12, expected 0 or 8" },
        { "PK\1\2", 24, 4, 1, "cannot be" },
        { "PK\1\2", 20, 4, 0x7fffffff, "does not lie before the directory" },
        { "PK\1\2", 42, 4, 0x7fffffff, "does not lie before the directory" },
        { "PK\1\2", 42, 4, 1, "does not lie before the directory" },
        { "PK\1\2", 42, 4, 0xffffffff, "damaged extra fields" },
        { "PK\1\2", 28, 2, 0xffff, "expected at most" },
        { "PK\1\2", 0, 1, 0, "expected an entry of the zip archive's directory" },
        { "PK\5\6", 4, 2, 1, "a part of a split zip archive" },
        { "PK\5\6", 10, 2, 0xffff, "entries, expected at most" },
        { "PK\5\6", 10, 2, 6, "6 entries, expected at most 5" },
        { "PK\5\6", 10, 2, 4, "more in the directory than its 4 entries" },
        { "PK\3\4", 30, 1, 'c', "another name here" },
        { "PK\5\6", 12, 4, 0x7fffffff, "does not end at byte" },
        { "PK\5\6", 16, 4, 0x7fffffff, "does not end at byte" },
        { "PK\5\6", 20, 2, 1, "expected byte" },
        { "PK\5\6", 0, 1, 0, "no end of the zip archive" },
    };
    unsigned char bytes[ROOM];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(ink__npz_write(scratch_path("a.npz"), some_arrays, SOME, false, NULL), INK_OK);
        const size_t size = read_back("a.npz", bytes, ROOM);
        ink__put_little(find(bytes, size, rows[i].signature, 0) + rows[i].offset, rows[i].value, rows[i].width);
        assert_npz_refused(scratch_write("b.npz", bytes, size), rows[i].word);
    }
    /* The first entry reaches over the second. */
    assert_int_equal(ink__npz_write(scratch_path("a.npz"), some_arrays, SOME, false, NULL), INK_OK);
    const size_t size = read_back("a.npz", bytes, ROOM);
    ink__put_little(ink__put_little(find(bytes, size, "PK\1\2", 0) + 20, 300, 4), 300, 4);
    assert_npz_refused(scratch_write("b.npz", bytes, size), "entry 'floats.npy' overlaps 'bytes.npy'");
    /* Two entries of one name. */
    const struct ink__npy twice[] = { some_arrays[0], some_arrays[0] };
    assert_int_equal(ink__npz_write(scratch_path("a.npz"), twice, 2, false, NULL), INK_OK);
    assert_npz_refused(scratch_path("a.npz"), "is there twice");
}

/* An entry that says it becomes more than it can, or more than its array needs. */
static void test_bomb(void **state)
{
    (void)state;
    const size_t size = (size_t)64 << 20;
    unsigned char *zeros = calloc(size, 1);
    assert_non_null(zeros);
    const struct ink__npy bomb = { .name = "x", .kind = 'u', .width = 1, .rank = 1, .shape = { size }, .data = zeros };
    assert_int_equal(ink__npz_write(scratch_path("a.npz"), &bomb, 1, true, NULL), INK_OK);
    free(zeros);
    unsigned char bytes[256 * 1024];
    const size_t packed = read_back("a.npz", bytes, sizeof bytes);
    unsigned char *const entry = find(bytes, packed, "PK\1\2", 0);
    ink__put_little(entry + 24, 0x7fffffff, 4); /* more than deflate can make of it */
    assert_npz_refused(scratch_write("b.npz", bytes, packed), "cannot be");
    ink__put_little(entry + 24, 64 << 19, 4); /* another size than the header says */
    assert_npz_refused(scratch_write("b.npz", bytes, packed), "bytes of elements, expected 67108864: truncated");
}

/* ---- Data sets --------------------------------------------------------------------------------------------------- */

static const uint8_t images[3 * 2 * 2] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static const uint8_t labels[3] = { 2, 0, 1 };
static const int64_t wide_labels[3] = { 2, 0, 300 };

#define ARRAY(name_, kind_, width_, data_, ...)                                                                        \
    {                                                                                                                  \
        .name = name_, .kind = kind_, .width = width_, .data = data_,                                                  \
        .rank = sizeof((size_t[]){ __VA_ARGS__ }) / sizeof(size_t), .shape = {                                         \
            __VA_ARGS__                                                                                                \
        }                                                                                                              \
    }
#define IMAGES(name) ARRAY(name, 'u', 1, images, 3, 2, 2)
#define LABELS(name) ARRAY(name, 'u', 1, labels, 3)

static const char *write_npz(const struct ink__npy *arrays, size_t count)
{
    const char *const path = scratch_path("data.npz");
    assert_int_equal(ink__npz_write(path, arrays, count, false, NULL), INK_OK);
    return path;
}

static void test_schemes(void **state)
{
    (void)state;
    static const struct ink__npy keras[] = { IMAGES("x_train"), LABELS("y_train"), IMAGES("x_test"), LABELS("y_test") };
    static const struct ink__npy medical[] = { IMAGES("test_images"), ARRAY("test_labels", 'u', 1, labels, 3, 1),
                                               IMAGES("train_images"), ARRAY("train_labels", 'i', 8, wide_labels, 3) };
    static const struct ink__npy plain[] = { LABELS("y"), IMAGES("x") };
    static const struct ink__npy flat[] = { ARRAY("arr_0", 'u', 1, images, 3, 4), LABELS("arr_1") };
    static const struct {
        const struct ink__npy *arrays;
        size_t count, classes;
        bool whole;
    } rows[] = { { keras, 4, 3, false }, { medical, 4, 301, false }, { plain, 2, 3, true }, { flat, 2, 3, true } };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *const path = write_npz(rows[i].arrays, rows[i].count);
        for (enum ink_split split = INK_TRAIN; split <= INK_TEST; split++) {
            struct ink_dataset *data = open_good(path, split, NULL);
            const struct ink_shape shape = ink_dataset_shape(data);
            assert_int_equal(ink_dataset_count(data), 3);
            assert_int_equal(shape.height, 2);
            assert_int_equal(shape.width, 2);
            assert_int_equal(shape.channels, 1);
            assert_memory_equal(ink_dataset_pixels(data, 0), images, sizeof images);
            assert_int_equal(ink_dataset_label(data, 0), 2);
            assert_int_equal(ink_dataset_classes(data), rows[i].classes);
            assert_int_equal(ink_dataset_is_whole(data), rows[i].whole);
            assert_null(ink_dataset_note(data, 0));
            ink_dataset_free(data);
        }
    }
    assert_refused(write_npz(keras, 2), INK_TEST, NULL, INK_FAILED, "no test images, expected an array 'x_test'",
                   "data.npz");
}

static void test_class_names(void **state)
{
    (void)state;
    static const uint32_t utf32[3][4] = { { 'c', 'a', 't' }, { 0xe9, 0x20ac }, { 0x1f600, 'x', 0x7ff, 0x800 } };
    static const struct ink__npy bytes[] = { IMAGES("x"), LABELS("y"),
                                             ARRAY("class_names", 'S', 4, "cat\0dog\0gnu!", 3) };
    static const struct ink__npy wide[] = { IMAGES("x"), LABELS("y"), ARRAY("class_names", 'U', 16, utf32, 3) };
    static const struct ink__npy twice[] = { IMAGES("x"), LABELS("y"), ARRAY("class_names", 'S', 1, "aab", 3) };
    static const struct ink__npy numbers[] = { IMAGES("x"), LABELS("y"), LABELS("class_names") };
    static const struct ink__npy latin[] = { IMAGES("x"), LABELS("y"), ARRAY("class_names", 'S', 1, "\xe9zy", 3) };
    struct ink_dataset *data = open_good(write_npz(bytes, 3), INK_TRAIN, NULL);
    assert_string_equal(ink_dataset_class_name(data, 0), "cat");
    assert_string_equal(ink_dataset_class_name(data, 2), "gnu!");
    ink_dataset_free(data);
    data = open_good(write_npz(wide, 3), INK_TRAIN, NULL);
    assert_string_equal(ink_dataset_class_name(data, 0), "cat");
    assert_string_equal(ink_dataset_class_name(data, 1), "\xc3\xa9\xe2\x82\xac");
    assert_string_equal(ink_dataset_class_name(data, 2), "\xf0\x9f\x98\x80x\xdf\xbf\xe0\xa0\x80");
    ink_dataset_free(data);
    assert_refused(write_npz(twice, 3), INK_TRAIN, NULL, INK_BAD_INPUT, "class 'a' is there twice", "class_names");
    assert_refused(write_npz(numbers, 3), INK_TRAIN, NULL, INK_BAD_INPUT, "uint8, expected a list of texts", NULL);
    assert_refused(write_npz(latin, 3), INK_TRAIN, NULL, INK_BAD_INPUT, "expected UTF-8 text", NULL);
}

/* What numbers may be, and what may not. */
static void test_types(void **state)
{
    (void)state;
    static const double levels[12] = { 0, 255, 3 }, half[12] = { 0, 0.5 }, negative[12] = { 0, 0, 0, 0, 0, -1 };
    static const int32_t large[12] = { [11] = 256 };
    static const float fractions[3] = { 0, 1, 1.5f }, not_numbers[3] = { NAN };
    static const int16_t minus[3] = { 0, -1, 2 }, many[3] = { 0, 0, 4096 };
    static const struct {
        struct ink__npy x, y;
        const char *word; /* NULL: it is good */
    } rows[] = {
        { ARRAY("x", 'f', 8, levels, 3, 2, 2), LABELS("y"), NULL },
        { ARRAY("x", 'f', 8, levels, 3, 4), ARRAY("y", 'i', 8, wide_labels, 3), NULL },
        { ARRAY("x", 'f', 8, levels, 3, 2, 2, 1), LABELS("y"), NULL },
        { ARRAY("x", 'f', 8, half, 3, 2, 2), LABELS("y"), "array 'x': number 1 of image 0 is 0.5, expected whole" },
        { ARRAY("x", 'f', 8, negative, 3, 2, 2), LABELS("y"), "number 1 of image 1 is -1" },
        { ARRAY("x", 'i', 4, large, 3, 2, 2), LABELS("y"), "number 3 of image 2 is 256" },
        { ARRAY("x", 'u', 1, images, 12), LABELS("y"), "uint8 (12), expected images" },
        { ARRAY("x", 'u', 1, images, 2, 6), LABELS("y"), "uint8 (2, 6), expected images" },
        { ARRAY("x", 'u', 1, images, 1, 3, 2, 2), LABELS("y"), "with the channels first?" },
        { ARRAY("x", 'u', 1, images, 0, 2, 2), LABELS("y"), "uint8 (0, 2, 2), expected images" },
        { ARRAY("x", 'S', 1, images, 3, 2, 2), LABELS("y"), "text (3, 2, 2), expected images" },
        { IMAGES("x"), ARRAY("y", 'u', 1, labels, 2), "array 'y': uint8 (2), expected 3 labels" },
        { IMAGES("x"), ARRAY("y", 'u', 1, images, 3, 4),
          "uint8 (3, 4), expected 3 labels: numbers (3), one for each "
          "image, not one-hot" },
        { IMAGES("x"), ARRAY("y", 'S', 1, "abc", 3), "text (3), expected 3 labels" },
        { IMAGES("x"), ARRAY("y", 'f', 4, fractions, 3), "label 2 is 1.5, expected a whole number from 0 to 4095" },
        { IMAGES("x"), ARRAY("y", 'f', 4, not_numbers, 3), "label 0 is nan" },
        { IMAGES("x"), ARRAY("y", 'i', 2, minus, 3), "label 1 is -1" },
        { IMAGES("x"), ARRAY("y", 'i', 2, many, 3), "label 2 is 4096" },
        { IMAGES("pictures"), LABELS("y"), "no arrays x_train and y_train, or x and y; found 'pictures'" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *const path = write_npz((const struct ink__npy[]){ rows[i].x, rows[i].y }, 2);
        if (rows[i].word != NULL) {
            assert_refused(path, INK_TRAIN, NULL, INK_BAD_INPUT, rows[i].word, "data.npz");
            continue;
        }
        struct ink_dataset *data = open_good(path, INK_TRAIN, NULL);
        assert_int_equal(ink_dataset_count(data), 3);
        assert_memory_equal(ink_dataset_pixels(data, 0), "\0\xff\3\0", 4);
        ink_dataset_free(data);
    }
    assert_refused(write_npz(NULL, 0), INK_TRAIN, NULL, INK_BAD_INPUT, "no arrays x_train", NULL);
}

/* An npy of images with another of labels beside it. */
static void test_pairs(void **state)
{
    (void)state;
    static const char *const names[][2] = { { "x_train.npy", "y_train.npy" },
                                            { "x.npy", "y.npy" },
                                            { "my-images.npy", "my-labels.npy" },
                                            { "train-imgs.npy", "train-labels.npy" } };
    unsigned char bytes[ROOM];
    static const char images_header[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 2, 2)}";
    static const char labels_header[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (3,)}";
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        scratch_clear();
        const char *path = scratch_write(names[i][0], bytes, make_npy(bytes, 1, images_header, images, sizeof images));
        assert_refused(path, INK_TRAIN, NULL, INK_FAILED, "has no label file beside it", names[i][0]);
        scratch_write(names[i][1], bytes, make_npy(bytes, 1, labels_header, labels, sizeof labels));
        struct ink_dataset *data = open_good(path, INK_TEST, NULL);
        assert_int_equal(ink_dataset_count(data), 3);
        assert_int_equal(ink_dataset_label(data, 2), 1);
        assert_true(ink_dataset_is_whole(data));
        ink_dataset_free(data);
    }
    /* The labels' file may be any that is given, and an npz too, if that has no other array. */
    const char *path = scratch_path("train-imgs.npy");
    static const struct ink__npy one[] = { LABELS("arr_0") }, two[] = { LABELS("arr_0"), IMAGES("arr_1") };
    assert_int_equal(ink__npz_write(scratch_path("l.npz"), one, 1, true, NULL), INK_OK);
    const struct ink_dataset_options options = { .labels = scratch_path("l.npz") };
    ink_dataset_free(open_good(path, INK_TRAIN, &options));
    assert_int_equal(ink__npz_write(scratch_path("l.npz"), two, 2, true, NULL), INK_OK);
    assert_refused(path, INK_TRAIN, &options, INK_BAD_INPUT, "more than one array", "l.npz");
    assert_refused(path, INK_TRAIN, &(struct ink_dataset_options){ .labels = path }, INK_BAD_INPUT,
                   "uint8 (3, 2, 2), expected 3 labels", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_headers), cmocka_unit_test(test_good_headers), cmocka_unit_test(test_values),
        cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_damage),       cmocka_unit_test(test_bad_archives),
        cmocka_unit_test(test_bomb),        cmocka_unit_test(test_schemes),      cmocka_unit_test(test_class_names),
        cmocka_unit_test(test_types),       cmocka_unit_test(test_pairs),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
