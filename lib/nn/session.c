/* Inference: a plan for one thread, over a net that many sessions share. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "nn/plan.h"

struct ink_session {
    struct ink__plan *plan;
    size_t last; /* the latest run's last image, by its place in a chunk */
};

enum ink_status ink_session_new(struct ink_session **out, const struct ink_net *net, size_t max_batch,
                                const struct ink_compute *compute, struct ink_error *err)
{
    struct ink_compute one = compute != NULL ? *compute : (struct ink_compute){ 0 };
    *out = NULL;
    if (max_batch == 0)
        return ink__fail(err, INK_BAD_ARGUMENT, "a session for 0 images, expected at least 1");
    struct ink_session *session = ink__array(1, sizeof *session);
    if (session == NULL)
        return ink__fail_memory(err);
    one.threads = 1;
    /* Drawn pictures are mostly ground; images that are not lose little by being read as sparse, since only the first
     * layer of a dense network is. */
    const enum ink_status status = ink__plan_new(&session->plan, net, max_batch, false, 0.0, &one, err);
    if (status != INK_OK) {
        free(session);
        return status;
    }
    *out = session;
    return INK_OK;
}

void ink_session_free(struct ink_session *session)
{
    if (session == NULL)
        return;
    ink__plan_free(session->plan);
    free(session);
}

static void run(struct ink_session *session, const struct ink__batch *batch, float *probabilities)
{
    ink__plan_infer(session->plan, NULL, batch, probabilities);
    if (batch->count > 0)
        session->last = (batch->count - 1) % INK__CHUNK;
}

void ink_session_run(struct ink_session *session, const float *images, size_t n, float *probabilities)
{
    run(session, &(struct ink__batch){ .count = n, .floats = images }, probabilities);
}

struct bytes {
    const uint8_t *images;
    size_t size;
};

static const uint8_t *nth_image(void *context, size_t i, size_t thread)
{
    const struct bytes *bytes = context;
    (void)thread;
    return bytes->images + i * bytes->size;
}

void ink_session_run_bytes(struct ink_session *session, const uint8_t *images, size_t n, float *probabilities)
{
    struct bytes bytes = { images, ink__elements(session->plan->net->input) };
    run(session, &(struct ink__batch){ .count = n, .image = nth_image, .context = &bytes }, probabilities);
}

bool ink_session_layer(const struct ink_session *session, size_t i, float *out)
{
    const struct ink__plan *plan = session->plan;
    if (i >= plan->layer_count)
        return false;
    const struct ink__tensor *value = &plan->value[i + 1];
    memcpy(out, ink__at(value, 0, 0) + session->last * value->size, value->size * sizeof *out);
    return true;
}
