#include "bench.h"

#ifdef BENCH_ONEDNN
#include <dnnl.h>
#else
#define DNNL_VERSION_MAJOR 0
#endif

#if DNNL_VERSION_MAJOR == 2
#include <stdio.h>
#include <stdlib.h>

enum { SOURCE, WEIGHTS, BIAS, RESULT, ARGUMENTS };

struct convolution {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t description;
    dnnl_primitive_t primitive;
    dnnl_memory_t memory[ARGUMENTS];
};

static void release(void *work)
{
    struct convolution *c = work;
    for (size_t i = 0; i < ARGUMENTS; i++)
        dnnl_memory_destroy(c->memory[i]);
    dnnl_primitive_destroy(c->primitive);
    dnnl_primitive_desc_destroy(c->description);
    dnnl_stream_destroy(c->stream);
    dnnl_engine_destroy(c->engine);
    free(c);
}

/* Memory in the layout that the primitive chose, filled with ordinary numbers. */
static bool take_memory(struct convolution *c, size_t which, dnnl_query_t query, int index)
{
    const dnnl_memory_desc_t *layout = dnnl_primitive_desc_query_md(c->description, query, index);
    void *data = NULL;
    if (dnnl_memory_create(&c->memory[which], layout, c->engine, DNNL_MEMORY_ALLOCATE) != dnnl_success ||
        dnnl_memory_get_data_handle(c->memory[which], &data) != dnnl_success)
        return false;
    for (size_t i = 0; i < dnnl_memory_desc_get_size(layout) / sizeof(float); i++)
        ((float *)data)[i] = (float)(i % 17) / 17.0f;
    return true;
}

static bool describe(struct convolution *c, const struct bench_shape *s)
{
    const dnnl_dims_t source = { (dnnl_dim_t)s->n, (dnnl_dim_t)s->in.channels, (dnnl_dim_t)s->in.height,
                                 (dnnl_dim_t)s->in.width };
    const dnnl_dims_t weights = { (dnnl_dim_t)s->out.channels, (dnnl_dim_t)s->in.channels, (dnnl_dim_t)s->kernel_height,
                                  (dnnl_dim_t)s->kernel_width };
    const dnnl_dims_t bias = { (dnnl_dim_t)s->out.channels };
    const dnnl_dims_t result = { (dnnl_dim_t)s->n, (dnnl_dim_t)s->out.channels, (dnnl_dim_t)s->out.height,
                                 (dnnl_dim_t)s->out.width };
    const dnnl_dims_t strides = { (dnnl_dim_t)s->stride, (dnnl_dim_t)s->stride };
    const dnnl_dims_t pad = { (dnnl_dim_t)s->pad, (dnnl_dim_t)s->pad };
    dnnl_memory_desc_t md[ARGUMENTS];
    dnnl_convolution_desc_t convolution;
    return dnnl_memory_desc_init_by_tag(&md[SOURCE], 4, source, dnnl_f32, dnnl_format_tag_any) == dnnl_success &&
           dnnl_memory_desc_init_by_tag(&md[WEIGHTS], 4, weights, dnnl_f32, dnnl_format_tag_any) == dnnl_success &&
           dnnl_memory_desc_init_by_tag(&md[BIAS], 1, bias, dnnl_f32, dnnl_format_tag_any) == dnnl_success &&
           dnnl_memory_desc_init_by_tag(&md[RESULT], 4, result, dnnl_f32, dnnl_format_tag_any) == dnnl_success &&
           dnnl_convolution_forward_desc_init(&convolution, dnnl_forward_inference, dnnl_convolution_auto, &md[SOURCE],
                                              &md[WEIGHTS], &md[BIAS], &md[RESULT], strides, pad,
                                              pad) == dnnl_success &&
           dnnl_primitive_desc_create(&c->description, &convolution, NULL, c->engine, NULL) == dnnl_success;
}

static const char *version(void)
{
    static char text[64];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "oneDNN %d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

static void *make(const struct bench_shape *s)
{
    struct convolution *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    if (dnnl_engine_create(&c->engine, dnnl_cpu, 0) != dnnl_success ||
        dnnl_stream_create(&c->stream, c->engine, dnnl_stream_default_flags) != dnnl_success || !describe(c, s) ||
        dnnl_primitive_create(&c->primitive, c->description) != dnnl_success ||
        !take_memory(c, SOURCE, dnnl_query_src_md, 0) || !take_memory(c, WEIGHTS, dnnl_query_weights_md, 0) ||
        !take_memory(c, BIAS, dnnl_query_weights_md, 1) || !take_memory(c, RESULT, dnnl_query_dst_md, 0)) {
        release(c);
        return NULL;
    }
    return c;
}

static void run(void *work)
{
    const struct convolution *c = work;
    const dnnl_exec_arg_t arguments[ARGUMENTS] = { { DNNL_ARG_SRC, c->memory[SOURCE] },
                                                   { DNNL_ARG_WEIGHTS, c->memory[WEIGHTS] },
                                                   { DNNL_ARG_BIAS, c->memory[BIAS] },
                                                   { DNNL_ARG_DST, c->memory[RESULT] } };
    dnnl_primitive_execute(c->primitive, c->stream, ARGUMENTS, arguments);
    dnnl_stream_wait(c->stream);
}

const struct bench_rival bench_onednn = { "onednn", version, make, run, release };
#else
const struct bench_rival bench_onednn = { .name = "onednn" };
#endif
