/* What a session tells of its layers; and that images come in as bytes or as floats, alone or together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "inkling.h"

enum { IMAGES = 37, CLASSES = 5, MOST = 1024 };

static void test_layers(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "conv 4 3x3 relu, dropout 0.5, pool 2, dense 5",
        "conv 4 3x3, norm relu, globalavg, dense 5",
        "dense 16 tanh, res [ dense 16 sigmoid ], dense 5",
    };
    for (size_t n = 0; n < sizeof specs / sizeof specs[0]; n++) {
        struct ink_error err = { 0 };
        struct ink_net *net = NULL;
        struct ink_session *session = NULL;
        struct ink_layer_info info;
        static uint8_t images[IMAGES * 64];
        float many[IMAGES * CLASSES], one[CLASSES], of_many[16][MOST], of_one[MOST];
        if (ink_net_new(&net, (struct ink_shape){ 8, 8, 1 }, specs[n], NULL, 7, &err) != INK_OK ||
            ink_session_new(&session, net, IMAGES, NULL, &err) != INK_OK)
            fail_msg("%s", err.message);
        for (size_t i = 0; i < sizeof images; i++)
            images[i] = (uint8_t)(i * 2654435761u >> 24);

        /* They are those of the last image, in whatever batch it came. */
        size_t layers = 0;
        ink_session_run_bytes(session, images, IMAGES, many);
        for (; ink_session_layer(session, layers, of_many[layers]); layers++) {
        }
        assert_false(ink_net_layer(net, layers, &info));
        assert_true(ink_net_layer(net, layers - 1, &info));
        ink_session_run_bytes(session, images + (IMAGES - 1) * 64, 1, one);
        assert_memory_equal(one, many + (IMAGES - 1) * CLASSES, sizeof one);
        for (size_t i = 0; i < layers; i++) {
            assert_true(ink_net_layer(net, i, &info));
            assert_true(ink_session_layer(session, i, of_one));
            assert_memory_equal(of_one, of_many[i],
                                info.out.height * info.out.width * info.out.channels * sizeof(float));
        }

        /* The last one's are the logits. */
        double sum = 0;
        for (size_t c = 0; c < CLASSES; c++)
            sum += exp((double)of_many[layers - 1][c]);
        for (size_t c = 0; c < CLASSES; c++)
            assert_true(fabs(exp((double)of_many[layers - 1][c]) / sum - (double)one[c]) < 1e-5);
        if (strstr(specs[n], "dropout") != NULL)
            assert_memory_equal(of_many[0], of_many[1], 6 * 6 * 4 * sizeof(float));
        ink_session_free(session);
        ink_net_free(net);
    }
}

/* Mostly zero, as the lists of a sparse first layer have it; convolutions see all of it. */
static void test_images(void **state)
{
    (void)state;
    static const char *const specs[] = { "dense 9 relu, dense 5", "conv 3 3x3 relu, dense 5" };
    for (size_t n = 0; n < sizeof specs / sizeof specs[0]; n++) {
        struct ink_error err = { 0 };
        struct ink_net *net = NULL;
        struct ink_session *session = NULL;
        static uint8_t bytes[IMAGES * 64 + 64];
        static float floats[IMAGES * 64 + 64], expected[IMAGES * CLASSES], found[IMAGES * CLASSES];
        if (ink_net_new(&net, (struct ink_shape){ 8, 8, 1 }, specs[n], NULL, 7, &err) != INK_OK ||
            ink_session_new(&session, net, IMAGES, NULL, &err) != INK_OK)
            fail_msg("%s", err.message);
        for (size_t i = 0; i < sizeof bytes; i++) {
            const uint32_t random = (uint32_t)i * 2654435761u >> 16;
            bytes[i] = (uint8_t)(random % 4 == 0 ? random >> 8 : 0);
            floats[i] = (float)bytes[i] / 255.0f;
        }
        for (size_t i = 0; i < IMAGES; i++)
            ink_session_run_bytes(session, bytes + i * 64, 1, expected + i * CLASSES);
        for (size_t count = 1; count <= IMAGES; count++) {
            ink_session_run_bytes(session, bytes, count, found);
            assert_memory_equal(found, expected, count * CLASSES * sizeof *found);
            memset(found, 0, sizeof found);
            ink_session_run(session, floats, count, found);
            assert_memory_equal(found, expected, count * CLASSES * sizeof *found);
        }
        ink_session_free(session);
        ink_net_free(net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_layers), cmocka_unit_test(test_images) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
