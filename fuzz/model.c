/* Model files: what is taken can be used. */
#include "input.h"

#include "inkling.h"

enum { MOST_PARAMETERS = 100000, MOST_INPUT = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float images[MOST_INPUT], probabilities[65536];
    struct ink_net *net;
    struct ink_session *session;
    const struct input input = input_open_safetensors(data, size);
    if (ink_net_load(&net, input.path, NULL) == INK_OK) {
        const struct ink_shape shape = ink_net_input(net);
        if (shape.height * shape.width * shape.channels <= MOST_INPUT && ink_net_parameters(net) <= MOST_PARAMETERS &&
            ink_session_new(&session, net, 1, NULL, NULL) == INK_OK) {
            ink_session_run(session, images, 1, probabilities);
            ink_session_free(session);
        }
        ink_net_free(net);
    }
    input_close(&input);
    return 0;
}
