/* Tells what a model sees in a picture: recognise MODEL < PICTURE */
#include <inkling.h>
#include <stdio.h>

#define SIDE    28
#define CLASSES 10

static bool fits(const struct ink_net *net)
{
    const struct ink_shape input = ink_net_input(net);
    return input.height == SIDE && input.width == SIDE && input.channels == 1 && ink_net_classes(net) == CLASSES;
}

int main(int argc, char **argv)
{
    static unsigned char file[1 << 22], pixels[SIDE * SIDE];
    float probability[CLASSES];
    struct ink_error err = { INK_BAD_ARGUMENT,
                             "usage: recognise MODEL < PICTURE, MODEL of 28 x 28 pixels and ten classes" };
    struct ink_net *net = NULL;
    struct ink_session *session = NULL;
    struct ink_picture *picture = NULL;
    const struct ink_shape shape = { SIDE, SIDE, 1 };
    const size_t size = fread(file, 1, sizeof file, stdin);
    size_t best = 0;

    if (argc != 2 || ink_net_load(&net, argv[1], &err) != INK_OK || !fits(net) ||
        ink_session_new(&session, net, 1, NULL, &err) != INK_OK ||
        ink_picture_decode(&picture, file, size, "the picture", &err) != INK_OK ||
        ink_picture_fit(picture, INK_FIT_DIGIT, shape, pixels, &err) != INK_OK)
        goto out;
    ink_session_run_bytes(session, pixels, 1, probability);
    for (size_t c = 1; c < CLASSES; c++)
        best = probability[c] > probability[best] ? c : best;
    printf("%s: %.1f%%\n", ink_net_class_name(net, best), 100.0 * (double)probability[best]);
    err.code = INK_OK;
out:
    if (err.code != INK_OK)
        fprintf(stderr, "recognise: %s\n", err.message);
    ink_picture_free(picture);
    ink_session_free(session);
    ink_net_free(net);
    return (int)err.code;
}
