/* A network that was taken is used: for one image, where it is not too large to be quick. */
#ifndef INK_FUZZ_NET_H
#define INK_FUZZ_NET_H

#include "inkling.h"

enum { MOST_PARAMETERS = 100000, MOST_INPUT = 4096, MOST_CLASSES = 65536 };

static inline void net_use(const struct ink_net *net)
{
    static float image[MOST_INPUT], probabilities[MOST_CLASSES];
    struct ink_session *session;
    const struct ink_shape shape = ink_net_input(net);
    if (shape.height * shape.width * shape.channels > MOST_INPUT || ink_net_parameters(net) > MOST_PARAMETERS ||
        ink_session_new(&session, net, 1, NULL, NULL) != INK_OK)
        return;
    ink_session_run(session, image, 1, probabilities);
    ink_session_free(session);
}

#endif
