/* A network's line of text: what is taken says the same when it is read again, and the network can be used. */
#include "input.h"

#include "nn/net.h"

enum { MOST_PARAMETERS = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float probabilities[65536];
    const struct ink_shape shape = { 9, 8, 2 };
    const float image[9 * 8 * 2] = { 0.5f };
    struct ink_net *net, *again;
    struct ink_session *session;
    char *text = input_text(data, size);
    if (ink__net_make(&net, shape, text, NULL) == INK_OK) {
        if (ink__net_make(&again, shape, ink_net_spec(net), NULL) != INK_OK ||
            strcmp(ink_net_spec(net), ink_net_spec(again)) != 0 || ink_net_parameters(net) != ink_net_parameters(again))
            abort();
        ink_net_free(again);
        if (ink_net_parameters(net) <= MOST_PARAMETERS && ink__net_allocate(net, NULL) == INK_OK &&
            ink_session_new(&session, net, 1, NULL, NULL) == INK_OK) {
            ink_session_run(session, image, 1, probabilities);
            ink_session_free(session);
        }
        ink_net_free(net);
    }
    free(text);
    return 0;
}
