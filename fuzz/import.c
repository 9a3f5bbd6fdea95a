/* Networks of others: ONNX, and the weights alone of a known network as npz or safetensors; what is taken can be
 * used. */
#include "input.h"
#include "zip.h"

#include "inkling.h"

enum { MOST_PARAMETERS = 100000, MOST_INPUT = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static float images[MOST_INPUT], probabilities[65536];
    const struct ink_import_options options[] = {
        { .spec = NULL },
        { .spec = "conv 1 2x2 relu, norm, dense 2", .input = { 2, 2, 1 } },
    };
    struct ink_net *net;
    struct ink_session *session;
    uint8_t *const copy = (uint8_t *)input_text(data, size);
    zip_mend(copy, size);
    const struct input input = input_open_safetensors(copy, size);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (ink_net_import(&net, input.path, &options[i], NULL) != INK_OK)
            continue;
        const struct ink_shape shape = ink_net_input(net);
        if (shape.height * shape.width * shape.channels <= MOST_INPUT && ink_net_parameters(net) <= MOST_PARAMETERS &&
            ink_session_new(&session, net, 1, NULL, NULL) == INK_OK) {
            ink_session_run(session, images, 1, probabilities);
            ink_session_free(session);
        }
        ink_net_free(net);
    }
    input_close(&input);
    free(copy);
    return 0;
}
