/* Several digits in one picture, told apart; and a caller's own limit of pixels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inkling.h"

enum { MOST = 8, IMAGE = 28 * 28, ROOM = 4000 * 1000 };

static const struct ink_shape digit = { 28, 28, 1 };

/* A page of white paper, to be filled with black boxes. */
struct page {
    size_t height, width;
    unsigned char bytes[ROOM + 64];
};
static struct page page;

static void take_page(size_t height, size_t width)
{
    assert_true(height * width <= ROOM);
    page.height = height;
    page.width = width;
    memset(page.bytes, 255, sizeof page.bytes);
}

static void fill(size_t top, size_t left, size_t height, size_t width)
{
    for (size_t y = top; y < top + height; y++)
        memset(page.bytes + y * page.width + left, 0, width);
}

static struct ink_picture *scan(void)
{
    static unsigned char file[ROOM + 64];
    struct ink_error err = { 0 };
    struct ink_picture *picture = NULL;
    const int length = snprintf((char *)file, sizeof file, "P5 %zu %zu 255\n", page.width, page.height);
    memcpy(file + length, page.bytes, page.height * page.width);
    if (ink_picture_decode(&picture, file, (size_t)length + page.height * page.width, "page", &err) != INK_OK)
        fail_msg("%s", err.message);
    return picture;
}

/* Segments the page. */
static size_t segment(struct ink_box boxes[MOST], uint8_t pixels[MOST * IMAGE])
{
    struct ink_error err = { 0 };
    size_t count = 99;
    struct ink_picture *picture = scan();
    if (ink_picture_segment(picture, digit, MOST, boxes, pixels, &count, &err) != INK_OK)
        fail_msg("%s", err.message);
    ink_picture_free(picture);
    return count;
}

static void assert_box(struct ink_box box, size_t top, size_t left, size_t height, size_t width)
{
    if (box.top != top || box.left != left || box.height != height || box.width != width)
        fail_msg("box %zu %zu %zu %zu, expected %zu %zu %zu %zu", box.top, box.left, box.height, box.width, top, left,
                 height, width);
}

static void test_apart(void **state)
{
    (void)state;
    static const size_t place[][4] = { { 20, 10, 40, 6 }, { 30, 30, 40, 25 }, { 10, 58, 50, 4 }, { 28, 70, 45, 30 } };
    struct ink_box boxes[MOST];
    uint8_t pixels[MOST * IMAGE], alone[IMAGE];
    take_page(90, 120);
    for (size_t i = 0; i < 4; i++)
        fill(place[i][0], place[i][1], place[i][2], place[i][3]);
    assert_int_equal(segment(boxes, pixels), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_box(boxes[i], place[i][0], place[i][1], place[i][2], place[i][3]);
        take_page(90, 120);
        fill(place[i][0], place[i][1], place[i][2], place[i][3]);
        struct ink_picture *picture = scan();
        assert_int_equal(ink_picture_fit(picture, INK_FIT_DIGIT, digit, alone, NULL), INK_OK);
        assert_memory_equal(pixels + i * IMAGE, alone, IMAGE);
        ink_picture_free(picture);
    }
}

/* Pieces that are one digit, or are not. */
static void test_pieces(void **state)
{
    (void)state;
    struct ink_box boxes[MOST];
    uint8_t pixels[MOST * IMAGE];

    take_page(100, 200); /* a 5 whose bar stands by itself, reaching over what is below */
    fill(30, 20, 50, 20);
    fill(20, 26, 6, 30);
    assert_int_equal(segment(boxes, pixels), 1);
    assert_box(boxes[0], 20, 20, 60, 36);

    take_page(100, 200); /* a colon: one above the other */
    fill(20, 50, 12, 12);
    fill(60, 52, 12, 12);
    assert_int_equal(segment(boxes, pixels), 1);

    take_page(100, 200); /* a 4 whose stroke stands a little off */
    fill(20, 20, 35, 6);
    fill(49, 20, 6, 20);
    fill(20, 42, 60, 6);
    assert_int_equal(segment(boxes, pixels), 1);
    assert_box(boxes[0], 20, 20, 60, 28);

    take_page(100, 200); /* an 11, as near */
    fill(20, 20, 60, 6);
    fill(20, 28, 60, 6);
    assert_int_equal(segment(boxes, pixels), 2);

    take_page(100, 200); /* a low piece far off is a digit of its own */
    fill(20, 20, 60, 6);
    fill(50, 40, 20, 10);
    assert_int_equal(segment(boxes, pixels), 2);

    take_page(100, 200); /* slanting digits, each in the other's box: neither image has ink of the other */
    for (size_t y = 0; y < 60; y++) {
        fill(20 + y, 80 - y / 2, 1, 6);
        fill(20 + y, 100 - y / 2, 1, 6);
    }
    assert_int_equal(segment(boxes, pixels), 2);
    assert_true(boxes[1].left < boxes[0].left + boxes[0].width);
    assert_memory_equal(pixels, pixels + IMAGE, IMAGE);
}

/* A picture that is shrunk before: places are told in its own pixels. */
static void test_large(void **state)
{
    (void)state;
    struct ink_box boxes[MOST];
    uint8_t pixels[MOST * IMAGE];
    take_page(1000, 2048);
    fill(200, 400, 600, 80);
    fill(200, 1200, 600, 240);
    assert_int_equal(segment(boxes, pixels), 2);
    assert_box(boxes[0], 200, 400, 600, 80);
    assert_box(boxes[1], 200, 1200, 600, 240);
}

static void assert_refused(struct ink_shape shape, size_t most, enum ink_status expected, const char *word)
{
    struct ink_error err = { 0 };
    struct ink_box boxes[MOST];
    uint8_t pixels[MOST * IMAGE];
    size_t count = 99;
    struct ink_picture *picture = scan();
    const enum ink_status status = ink_picture_segment(picture, shape, most, boxes, pixels, &count, &err);
    if (status != expected || strstr(err.message, word) == NULL || count != 0)
        fail_msg("status %d, count %zu, message \"%s\", expected \"%s\"", status, count, err.message, word);
    ink_picture_free(picture);
}

static void test_refusals(void **state)
{
    (void)state;
    take_page(60, 60);
    assert_refused(digit, MOST, INK_BAD_INPUT, "no ink");
    fill(10, 10, 30, 4);
    fill(10, 30, 30, 4);
    assert_refused(digit, 1, INK_BAD_INPUT, "found 2 pieces of ink side by side, expected at most 1 digits");
    assert_refused((struct ink_shape){ 28, 28, 2 }, MOST, INK_BAD_ARGUMENT, "28 x 28 x 2");
    assert_refused((struct ink_shape){ 0, 28, 1 }, MOST, INK_BAD_ARGUMENT, "0 x 28 x 1");

    /* A hundred thousand pieces are soon done with. */
    take_page(512, 512);
    for (size_t y = 1; y < 511; y += 2)
        for (size_t x = 1; x < 511; x += 2)
            fill(y, x, 1, 1);
    assert_refused(digit, MOST, INK_BAD_INPUT, "side by side");
}

static void test_within(void **state)
{
    (void)state;
    static const char file[] = "P2 3 2 9 1 2 3 4 5 6";
    struct ink_error err = { 0 };
    struct ink_picture *picture = (struct ink_picture *)&err;
    assert_int_equal(ink_picture_decode_within(&picture, file, sizeof file - 1, 5, "the.file", &err), INK_BAD_ARGUMENT);
    assert_string_equal(err.message, "the.file: 3 x 2 pixels, expected at most 5");
    assert_null(picture);
    assert_int_equal(ink_picture_decode_within(&picture, file, sizeof file - 1, 6, "the.file", &err), INK_OK);
    ink_picture_free(picture);
    /* The library's own limit holds all the same. */
    assert_int_equal(ink_picture_decode_within(&picture, "P5 8000 8001 255\n", 17, SIZE_MAX, "the.file", &err),
                     INK_BAD_INPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_apart),    cmocka_unit_test(test_pieces), cmocka_unit_test(test_large),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
