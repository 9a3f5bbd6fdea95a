/* Networks of others: ONNX, and the weights alone of a known network as npz or safetensors; what is taken can be
 * used. */
#include "input.h"
#include "net.h"
#include "zip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ink_import_options options[] = {
        { .spec = NULL },
        { .spec = "conv 1 2x2 relu, norm, dense 2", .input = { 2, 2, 1 } },
    };
    struct ink_net *net;
    uint8_t *const copy = (uint8_t *)input_text(data, size);
    zip_mend(copy, size);
    const struct input input = input_open_safetensors(copy, size);
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (ink_net_import(&net, input.path, &options[i], NULL) != INK_OK)
            continue;
        net_use(net);
        ink_net_free(net);
    }
    input_close(&input);
    free(copy);
    return 0;
}
