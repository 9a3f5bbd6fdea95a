/*
 * A network as a page that needs no server: the page of web/export with lib/page inside, compiled to WebAssembly when
 * inkling was built, and a JSON object of what is this network's: its constants in base64, the calls that an exported C
 * file would make, and what the page tells of it.
 */
#include "base/error.h"
#include "format/csource.h"

#ifndef INK_HTML

enum ink_status ink_export_html(const struct ink_net *net, const char *path, struct ink_error *err)
{
    (void)net;
    return ink__fail(err, INK_FAILED,
                     "%s: this build writes no pages (clang for wasm32-wasi, lld and wasi-libc were not found)", path);
}

#else

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "format/calls.h"
#include "format/html.h"
#include "format/json.h"

/* A window, as lib/infer has it: integers of 32 bits. */
#define WINDOW_MEMBERS 9

/* Where one array of constants, or a window, begins in the block of them all: in elements of 4 bytes. */
struct entry {
    const char *what; /* "window" */
    size_t layer, offset;
};

/* A page while it is made. */
struct page {
    struct ink__source source;
    uint32_t *block; /* all constants, floats by their bits */
    size_t size;     /* elements */
    struct entry *entries;
    size_t entry_count;
    json_t *calls; /* [[function, argument, ...], ...] */
    bool failed;   /* memory ran out */
};

/* ---- Constants --------------------------------------------------------------------------------------------------- */

static void add_entry(struct page *p, const char *what, size_t layer)
{
    p->entries[p->entry_count++] = (struct entry){ what, layer, p->size };
}

/* Measures where p->block is NULL, and fills it where it is not. */
static void add_constants(struct page *p, const struct ink__constants *constants, size_t count)
{
    for (const struct ink__constants *k = constants; k < constants + count; k++) {
        if (p->block != NULL)
            add_entry(p, k->what, k->layer);
        for (size_t r = 0; r < k->rows && p->block != NULL; r++)
            memcpy(p->block + p->size + r * k->columns, k->values + r * k->ld, k->columns * sizeof(float));
        p->size += k->rows * k->columns;
    }
}

static void add_window(struct page *p, size_t i)
{
    const struct ink__layer *const l = p->source.steps[i].layer;
    const size_t members[WINDOW_MEMBERS] = { l->in.height,    l->in.width,  l->in.channels,
                                             l->out.height,   l->out.width, l->kernel_height,
                                             l->kernel_width, l->stride,    l->pad };
    if (l->kind != INK__CONV && l->kind != INK__MAX_POOL && l->kind != INK__MEAN_POOL)
        return;
    if (p->block != NULL)
        add_entry(p, "window", i);
    for (size_t m = 0; m < WINDOW_MEMBERS && p->block != NULL; m++)
        p->block[p->size + m] = (uint32_t)members[m];
    p->size += WINDOW_MEMBERS;
}

static void add_all_constants(struct page *p)
{
    struct ink__constants constants[INK__MOST_CONSTANTS];
    p->size = 0;
    add_constants(p, constants, ink__constants_of_input(&p->source, constants));
    for (size_t i = 0; i < p->source.step_count; i++) {
        add_window(p, i);
        add_constants(p, constants, ink__constants_of(&p->source, i, constants));
    }
}

/* ---- Calls ------------------------------------------------------------------------------------------------------- */

static json_t *make_place(const char *room, size_t offset)
{
    return json_pack("[sI]", room, (json_int_t)offset);
}

static json_t *make_constant(const struct page *p, const char *what, size_t layer)
{
    size_t e = 0;
    while (strcmp(p->entries[e].what, what) != 0 || p->entries[e].layer != layer)
        e++;
    return make_place("constants", p->entries[e].offset);
}

static json_t *make_argument(const struct page *p, const struct ink__argument *a)
{
    static const char *const rooms[] = { [INK__IMAGE] = "image", [INK__SCRATCH] = "scratch", [INK__RESULT] = "result" };
    switch (a->given) {
    case INK__GIVEN_IMAGE:
        return make_place("image", 0);
    case INK__GIVEN_RESULT:
        return make_place("result", 0);
    case INK__GIVEN_VALUE:
        return make_place(rooms[p->source.places[a->number].room], p->source.places[a->number].offset);
    case INK__GIVEN_ARRAY:
        return make_constant(p, a->what, a->number);
    case INK__GIVEN_WINDOW:
        return make_constant(p, "window", a->number);
    case INK__GIVEN_SIZE:
        return json_integer((json_int_t)a->number);
    case INK__GIVEN_FACTOR:
        return json_real((double)a->factor);
    }
    return NULL;
}

static void add_call(struct page *p, const struct ink__call *call)
{
    json_t *const made = json_array();
    p->failed |= json_array_append_new(made, json_sprintf("infer_%s", call->function)) != 0;
    for (size_t a = 0; a < call->count; a++)
        p->failed |= json_array_append_new(made, make_argument(p, &call->arguments[a])) != 0;
    p->failed |= json_array_append_new(p->calls, made) != 0;
}

static void add_all_calls(struct page *p)
{
    const struct ink__call input = ink__call_input(&p->source), softmax = ink__call_softmax(&p->source);
    if (p->source.normalises)
        add_call(p, &input);
    for (size_t i = 0; i < p->source.step_count; i++) {
        struct ink__call calls[INK__MOST_CALLS];
        for (size_t c = 0, count = ink__calls_of(&p->source, i, calls); c < count; c++)
            add_call(p, &calls[c]);
    }
    add_call(p, &softmax);
}

/* ---- The page ---------------------------------------------------------------------------------------------------- */

/* All that is not bytes, in JSON; NULL if memory runs out or a text is not UTF-8. */
static char *describe(struct page *p)
{
    const struct ink_net *const net = p->source.net;
    json_t *const classes = json_array(), *const metadata = json_object();
    const char *key, *value;
    for (size_t c = 0; c < net->classes; c++)
        p->failed |= json_array_append_new(classes, json_string(net->class_names[c])) != 0;
    for (size_t i = 0; ink_net_metadata(net, i, &key, &value); i++)
        p->failed |= json_object_set_new(metadata, key, json_string(value)) != 0;
    json_t *const all =
        json_pack("{sssss[III]sIsIsOsoso}", "version", INK_VERSION, "network", net->spec, "input",
                  (json_int_t)net->input.height, (json_int_t)net->input.width, (json_int_t)net->input.channels,
                  "parameters", (json_int_t)ink_net_parameters(net), "scratch", (json_int_t)p->source.scratch, "calls",
                  p->calls, "classes", classes, "metadata", metadata);
    char *const text = all != NULL && !p->failed ? ink__json_text(all, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;
    json_decref(all);
    return text;
}

/* JSON has '<' in strings alone; escaped, none of them can end the script that holds it. */
static void put_json(struct ink__writer *out, const char *text)
{
    for (; *text != 0; text++)
        if (*text == '<')
            ink__put_text(out, "\\u003c");
        else
            ink__writer_write(out, text, 1);
}

static void put_base64(struct ink__writer *out, const unsigned char *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const uint32_t second = i + 1 < size ? bytes[i + 1] : 0, third = i + 2 < size ? bytes[i + 2] : 0;
        const uint32_t three = (uint32_t)bytes[i] << 16 | second << 8 | third;
        const char four[4] = { digits[three >> 18], digits[three >> 12 & 63],
                               i + 1 < size ? digits[three >> 6 & 63] : '=', i + 2 < size ? digits[three & 63] : '=' };
        ink__writer_write(out, four, sizeof four);
    }
}

/* The block as a page reads it, the lowest byte of an element first. */
static void put_block(struct ink__writer *out, const struct page *p)
{
    unsigned char *const bytes = malloc(4 * p->size);
    for (size_t i = 0; bytes != NULL && i < 4 * p->size; i++)
        bytes[i] = (unsigned char)(p->block[i / 4] >> 8 * (i % 4));
    if (bytes == NULL)
        out->error = ENOMEM;
    else
        put_base64(out, bytes, 4 * p->size);
    free(bytes);
}

static void put_page(struct ink__writer *out, const struct page *p, const char *description)
{
    ink__writer_write(out, ink__html_head, ink__html_head_size);
    ink__put_text(out, "{\"model\":");
    put_json(out, description);
    ink__put_text(out, ",\"constants\":\"");
    put_block(out, p);
    ink__put_text(out, "\",\"code\":\"");
    put_base64(out, ink__html_code, ink__html_code_size);
    ink__put_text(out, "\"}");
    ink__writer_write(out, ink__html_tail, ink__html_tail_size);
}

enum ink_status ink_export_html(const struct ink_net *net, const char *path, struct ink_error *err)
{
    struct page p = { .source = { .net = net, .dialect = &ink__dialect_float } };
    struct ink__writer writer = { .descriptor = -1 };
    char *description = NULL;
    if (net->int8 != NULL)
        return ink__fail(err, INK_BAD_ARGUMENT, "%s: a page computes with floats; found a model of integers", path);
    enum ink_status status = ink__source_open(&p.source, err);
    if (status != INK_OK)
        goto out;
    add_all_constants(&p); /* measures */
    p.block = ink__array(p.size, sizeof *p.block);
    p.entries = ink__array((INK__MOST_CONSTANTS + 1) * (p.source.step_count + 1), sizeof *p.entries);
    p.calls = json_array();
    if (p.block != NULL && p.entries != NULL && p.calls != NULL) {
        add_all_constants(&p);
        add_all_calls(&p);
        description = describe(&p);
    }
    if (description == NULL) {
        status = ink__fail(err, INK_FAILED, "%s: cannot write: out of memory, or a text is not UTF-8", path);
        goto out;
    }
    status = ink__writer_open(&writer, path, err);
    if (status != INK_OK)
        goto out;
    put_page(&writer, &p, description);
    status = ink__writer_commit(&writer, err);
out:
    ink__writer_abandon(&writer);
    free(description);
    json_decref(p.calls);
    free(p.entries);
    free(p.block);
    ink__source_close(&p.source);
    return status;
}

#endif
