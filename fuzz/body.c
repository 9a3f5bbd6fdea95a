/* The body of an HTTP request, as JSON: a refusal says why, and images that are taken are whole. */
#include "input.h"

#include "serve/server.h"

enum { MOST_IMAGES = 16, MOST_PIXELS = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ink_net *net;
    const struct ink_shape shape = { 3, 3, 1 };
    if (net == NULL && ink_net_new(&net, shape, "dense 2", NULL, 0, NULL) != INK_OK)
        abort();
    const struct serve_options options = { .body = size, .batch = MOST_IMAGES, .pixels = MOST_PIXELS };
    struct server server = { .options = &options, .net = net, .image = 9, .classes = 2 };
    struct worker worker = { .server = &server };
    struct connection connection = { .worker = &worker };
    struct request *const request = &connection.request;
    *request = (struct request){ .connection = &connection, .size = size, .wishes = { .number = size % 2 == 1 } };
    request->body = malloc(size > 0 ? size : 1); /* of its very size */
    if (request->body == NULL)
        abort();
    memcpy(request->body, data, size);
    const bool taken = body_read_json(request);
    volatile unsigned sum = 0;
    for (size_t i = 0; taken && i < request->count * server.image; i++)
        sum = sum + request->images[i];
    if (taken != (request->status == 0) || request->count > MOST_IMAGES)
        abort();
    free(request->boxes);
    free(request->images);
    free(request->body);
    return 0;
}
