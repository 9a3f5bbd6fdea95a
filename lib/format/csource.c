/*
 * A network as C: its weights as constants, the sections of lib/infer that it needs, and NAME_predict, which calls one
 * function a layer. What is written layer by layer is left to a dialect.
 */
#include "format/csource.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define MOST_SECTIONS  32
#define SELFTEST_SEEDS 16

/* ---- What dialects share ----------------------------------------------------------------------------------------- */

struct ink__expression ink__place_text(const struct ink__source *s, size_t v)
{
    const char *const rooms[] = {
        [INK__IMAGE] = "image", [INK__SCRATCH] = "scratch", [INK__RESULT] = s->dialect->result
    };
    const struct ink__place *place = &s->places[v];
    struct ink__expression at;
    snprintf(at.text, sizeof at.text, place->offset > 0 ? "%s + %zu" : "%s", rooms[place->room], place->offset);
    return at;
}

void ink__put_window(struct ink__source *s, size_t i)
{
    const struct ink__layer *l = s->steps[i].layer;
    if (l->kind == INK__CONV || l->kind == INK__MAX_POOL || l->kind == INK__MEAN_POOL)
        ink__put(&s->writer,
                 "static const struct infer_window %s_window_%zu = { %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu, %zu };\n",
                 s->name, i, l->in.height, l->in.width, l->in.channels, l->out.height, l->out.width, l->kernel_height,
                 l->kernel_width, l->stride, l->pad);
}

static void need(const struct ink__section *sections, bool *needed, const char *name)
{
    for (size_t i = 0; name != NULL && sections[i].name != NULL; i++)
        needed[i] |= strcmp(sections[i].name, name) == 0;
}

/* The marked sections, and those that they need in turn, which stand before them. */
static void put_needed(struct ink__source *s, const struct ink__section *sections, bool *needed)
{
    size_t count = 0;
    while (sections[count].name != NULL)
        count++;
    for (size_t i = count; i-- > 0;)
        for (size_t t = 0; needed[i] && t < i; t++) {
            char word[INK__LONGEST_NAME];
            snprintf(word, sizeof word, " %s ", sections[t].name);
            needed[t] |= strstr(sections[i].needs, word) != NULL;
        }
    for (size_t i = 0; i < count; i++)
        if (needed[i]) {
            ink__put_text(&s->writer, sections[i].text);
            ink__put_text(&s->writer, "\n");
        }
}

void ink__put_sections(struct ink__source *s, const struct ink__section *sections, const char *name)
{
    bool needed[MOST_SECTIONS] = { false };
    need(sections, needed, name);
    put_needed(s, sections, needed);
}

static void put_runtime(struct ink__source *s)
{
    const struct ink__dialect *d = s->dialect;
    bool needed[MOST_SECTIONS] = { false };
    for (size_t k = 0; d->first[k] != NULL; k++)
        need(d->sections, needed, d->first[k]);
    need(d->sections, needed, s->normalises ? "input" : NULL);
    for (size_t i = 0; i < s->step_count; i++) {
        const char *names[2] = { NULL, NULL };
        if (!s->steps[i].skip)
            d->needs(s, i, names);
        need(d->sections, needed, names[0]);
        need(d->sections, needed, names[1]);
    }
    put_needed(s, d->sections, needed);
}

/* ---- The test inside --------------------------------------------------------------------------------------------- */

/* The bytes that an exported file makes for its test: noise by a linear congruential generator. */
static void make_noise(uint8_t *image, size_t count, uint32_t seed)
{
    for (size_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        image[i] = (uint8_t)(seed >> 24);
    }
}

static const uint8_t *as_it_is(void *context, size_t i, size_t thread)
{
    (void)i;
    (void)thread;
    return context;
}

struct ink__batch ink__batch_of(uint8_t *image)
{
    return (struct ink__batch){ .count = 1, .image = as_it_is, .context = image };
}

static float largest(const float *p, size_t classes)
{
    float most = p[0];
    for (size_t c = 1; c < classes; c++)
        most = p[c] > most ? p[c] : most;
    return most;
}

void ink__choose_noise(const struct ink__source *s, uint8_t *image, float *p, uint32_t *seed)
{
    const size_t inputs = ink__elements(s->net->input);
    const struct ink__batch batch = ink__batch_of(image);
    float least = 2.0f;
    for (uint32_t candidate = 1; candidate <= SELFTEST_SEEDS; candidate++) {
        make_noise(image, inputs, candidate);
        ink__plan_infer(s->plan, NULL, &batch, p);
        if (largest(p, s->net->classes) < least) {
            least = largest(p, s->net->classes);
            *seed = candidate;
        }
    }
    make_noise(image, inputs, *seed);
    ink__plan_infer(s->plan, NULL, &batch, p);
}

void ink__put_noise(struct ink__source *s, uint32_t seed, const char *pixel)
{
    ink__put(&s->writer, "    unsigned long state = %luUL;\n    int i;\n", (unsigned long)seed);
    ink__put(&s->writer,
             "    for (i = 0; i < %s_INPUTS; i++) {\n"
             "        state = (state * 1664525UL + 1013904223UL) & 0xffffffffUL;\n"
             "        image[i] = %s;\n    }\n",
             s->upper, pixel);
}

/* ---- The files --------------------------------------------------------------------------------------------------- */

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

static void put_about(struct ink__source *s)
{
    static const char *const keys[] = { "dataset", "dataset_sha256", "validation_accuracy", "seed" };
    ink__put_text(&s->writer, "/*\n * A trained network, written by inkling " INK_VERSION ".\n *\n *   network: ");
    ink__put_comment(&s->writer, s->net->spec);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const char *text = ink__net_get(s->net, keys[i]);
        if (text != NULL) {
            ink__put(&s->writer, "\n *   %s: ", keys[i]);
            ink__put_comment(&s->writer, text);
        }
    }
    ink__put_text(&s->writer, "\n */\n");
}

static void put_header(struct ink__source *s)
{
    const struct ink_shape in = s->net->input;
    const char *u = s->upper;
    put_about(s);
    ink__put(&s->writer, "#ifndef %s_H\n#define %s_H\n\n", u, u);
    ink__put_text(&s->writer, s->dialect->includes);
    ink__put_text(&s->writer, "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
    ink__put(&s->writer,
             "#define %s_HEIGHT %zu\n#define %s_WIDTH %zu\n#define %s_CHANNELS %zu\n"
             "#define %s_INPUTS %zu /* the product */\n#define %s_CLASSES %zu\n"
             "#define %s_SCRATCH_%s %zu\n",
             u, in.height, u, in.width, u, in.channels, u, ink__elements(in), u, s->net->classes, u, s->dialect->unit,
             s->scratch > 0 ? s->scratch : 1);
    ink__put(&s->writer, "\n/* The names of the classes. */\nextern const char *const %s_classes[%s_CLASSES];\n\n",
             s->name, u);
    s->dialect->put_declaration(s);
    ink__put_text(&s->writer, "\n#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

static void put_predict(struct ink__source *s)
{
    ink__put(&s->writer, "const char *const %s_classes[%s_CLASSES] = {\n", s->name, s->upper);
    for (size_t c = 0; c < s->net->classes; c++) {
        ink__put_text(&s->writer, "    ");
        ink__put_string(&s->writer, s->net->class_names[c]);
        ink__put_text(&s->writer, ",\n");
    }
    ink__put_text(&s->writer, "};\n\n");
    s->dialect->put_prototype(s);
    ink__put_text(&s->writer, "\n{\n");
    if (s->scratch == 0)
        ink__put_text(&s->writer, "    (void)scratch;\n");
    if (s->normalises)
        s->dialect->put_input_call(s);
    for (size_t i = 0; i < s->step_count; i++) {
        const struct ink__layer *l = s->steps[i].layer;
        if (s->steps[i].skip)
            continue;
        ink__put_text(&s->writer, "    /* ");
        ink__put_comment(&s->writer, l->kind == INK__CLOSE ? "the end of res [ ... ]" : l->text);
        ink__put_text(&s->writer, " */\n");
        s->dialect->put_calls(s, i);
    }
    s->dialect->put_end(s);
}

static enum ink_status put_source(struct ink__source *s, const char *path_h, struct ink_error *err)
{
    put_about(s);
    ink__put_text(&s->writer, "#include ");
    ink__put(&s->writer, "\"%s\"\n\n", last_part(path_h));
    s->dialect->put_preamble(s);
    put_runtime(s);
    if (s->normalises)
        s->dialect->put_input(s);
    for (size_t i = 0; i < s->step_count; i++)
        if (!s->steps[i].skip)
            s->dialect->put_constants(s, i);
    ink__put_text(&s->writer, "\n");
    put_predict(s);
    return s->dialect->put_selftest(s, err);
}

/* Both files, or neither: they are renamed only when both are on disk. */
static enum ink_status write_files(struct ink__source *s, const char *path_c, const char *path_h, struct ink_error *err)
{
    struct ink__writer header = { .descriptor = -1 };
    enum ink_status status = ink__writer_open(&s->writer, path_h, err);
    if (status != INK_OK)
        return status;
    put_header(s);
    header = s->writer;
    s->writer = (struct ink__writer){ .descriptor = -1 };
    status = ink__writer_sync(&header, err);
    if (status == INK_OK)
        status = ink__writer_open(&s->writer, path_c, err);
    if (status == INK_OK)
        status = put_source(s, path_h, err);
    if (status == INK_OK)
        status = ink__writer_commit(&s->writer, err);
    if (status == INK_OK)
        status = ink__writer_commit(&header, err);
    ink__writer_abandon(&s->writer);
    ink__writer_abandon(&header);
    return status;
}

static bool is_identifier(const char *name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", digits[] = "0123456789";
    size_t length = 0;
    for (; name[length] != 0; length++)
        if (strchr(letters, name[length]) == NULL && strchr(digits, name[length]) == NULL)
            return false;
    return length > 0 && length <= INK__LONGEST_NAME && strchr(digits, name[0]) == NULL;
}

enum ink_status ink__source_open(struct ink__source *s, struct ink_error *err)
{
    const struct ink_net *const net = s->net;
    const struct ink_compute one = { .threads = 1 };
    for (size_t c = 0; c < net->input.channels; c++)
        s->normalises |= net->mean[c] != 0.0f || net->deviation[c] != 1.0f;
    enum ink_status status = ink__plan_new(&s->plan, net, 1, false, 1.0, &one, err);
    if (status != INK_OK)
        return status;
    s->steps = ink__array(net->layer_count + 1, sizeof *s->steps);
    s->places = ink__array(net->layer_count + 2, sizeof *s->places);
    if (s->steps == NULL || s->places == NULL)
        return ink__fail_memory(err);
    status = s->dialect->prepare(s, err);
    if (status != INK_OK)
        return status;
    return ink__place_values(s->steps, s->step_count, ink__elements(net->input), s->normalises, s->places, &s->scratch,
                             err);
}

void ink__source_close(struct ink__source *s)
{
    free(s->places);
    free(s->steps);
    ink__plan_free(s->plan);
}

enum ink_status ink_export_c(const struct ink_net *net, const char *name, const char *path_c, const char *path_h,
                             struct ink_error *err)
{
    struct ink__source s = { .net = net,
                             .dialect = net->int8 != NULL ? &ink__dialect_int8 : &ink__dialect_float,
                             .name = name };
    if (!is_identifier(name))
        return ink__fail(err, INK_BAD_ARGUMENT,
                         "name '%s': expected letters, digits and '_', at most %d, no digit first", name,
                         INK__LONGEST_NAME);
    for (size_t i = 0; name[i] != 0; i++)
        s.upper[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);

    enum ink_status status = ink__source_open(&s, err);
    if (status == INK_OK)
        status = write_files(&s, path_c, path_h, err);
    ink__source_close(&s);
    return status;
}
