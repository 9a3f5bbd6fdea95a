/* Model files: what is taken can be used. */
#include "input.h"
#include "net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ink_net *net;
    const struct input input = input_open_safetensors(data, size);
    if (ink_net_load(&net, input.path, NULL) == INK_OK) {
        net_use(net);
        ink_net_free(net);
    }
    input_close(&input);
    return 0;
}
