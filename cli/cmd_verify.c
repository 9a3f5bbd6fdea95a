/* inkling verify: whether an exported file gives what the model gives. */
#include "compiled.h"
#include "json.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>

struct verify_arguments {
    bool json;
};

/* ---- What an export may be --------------------------------------------------------------------------------------- */

/* An export that runs. Which members count depends on its kind. */
struct running {
    const struct kind *kind;
    size_t inputs, classes;
    struct compiled program;
    struct ink_net *net;
    struct ink_session *session;
};

/* The kinds, told apart by how the name ends. */
struct kind {
    const char *ending;
    double most_difference; /* of a probability, to be accepted */
    /* Starts it and says its sizes. `net` is the model that it is compared with. */
    enum ink_status (*start)(struct running *export, const char *path, const struct ink_net *net,
                             struct ink_error *err);
    enum ink_status (*predict)(const struct running *export, const float *image, float *probabilities,
                               struct ink_error *err);
};

static enum ink_status start_c(struct running *export, const char *path, const struct ink_net *net,
                               struct ink_error *err)
{
    (void)net;
    const enum ink_status status = compiled_start(&export->program, path, err);
    export->inputs = export->program.inputs;
    export->classes = export->program.classes;
    return status;
}

static enum ink_status predict_c(const struct running *export, const float *image, float *probabilities,
                                 struct ink_error *err)
{
    return compiled_predict(&export->program, image, probabilities, err);
}

/* What 'inkling import' makes of it. */
static enum ink_status start_import(struct running *export, const char *path, const struct ink_net *net,
                                    struct ink_error *err)
{
    const struct ink_import_options options = { .input = ink_net_input(net), .spec = ink_net_spec(net) };
    struct ink_compute compute;
    enum ink_status status = ink_net_import(&export->net, path, &options, err);
    if (status == INK_OK)
        status = cli_compute(&compute, 1, err);
    if (status == INK_OK)
        status = ink_session_new(&export->session, export->net, 1, &compute, err);
    if (status != INK_OK)
        return status;
    const struct ink_shape in = ink_net_input(export->net);
    export->inputs = in.height * in.width * in.channels;
    export->classes = ink_net_classes(export->net);
    return INK_OK;
}

static enum ink_status predict_import(const struct running *export, const float *image, float *probabilities,
                                      struct ink_error *err)
{
    (void)err;
    ink_session_run(export->session, image, 1, probabilities);
    return INK_OK;
}

static const struct kind kinds[] = {
    { ".c", 1e-6, start_c, predict_c },
    { ".onnx", 1e-6, start_import, predict_import },
    { ".npz", 1e-6, start_import, predict_import },
    { ".safetensors", 1e-6, start_import, predict_import },
};
#define KINDS (sizeof kinds / sizeof kinds[0])

static void stop(struct running *export)
{
    compiled_stop(&export->program);
    ink_session_free(export->session);
    ink_net_free(export->net);
}

static enum ink_status start(struct running *export, const char *path, const struct ink_net *net, struct ink_error *err)
{
    const struct ink_shape in = ink_net_input(net);
    const size_t inputs = in.height * in.width * in.channels, classes = ink_net_classes(net);
    char endings[128] = "";
    for (size_t i = 0; i < KINDS && export->kind == NULL; i++) {
        const size_t used = strlen(endings);
        if (cli_ends_with(path, kinds[i].ending))
            export->kind = &kinds[i];
        else
            snprintf(endings + used, sizeof endings - used, "%s%s", used > 0 ? ", " : "", kinds[i].ending);
    }
    if (export->kind == NULL)
        return cli_fail_usage(err, "verify", "EXPORT: found '%s', expected a name that ends in one of %s", path,
                              endings);
    const enum ink_status status = export->kind->start(export, path, net, err);
    if (status == INK_OK && (export->inputs != inputs || export->classes != classes))
        return cli_fail(err, INK_BAD_INPUT, "%s: found %zu inputs and %zu classes, the model has %zu and %zu", path,
                        export->inputs, export->classes, inputs, classes);
    return status;
}

/* ---- Comparing --------------------------------------------------------------------------------------------------- */

/* What was found over all images. */
struct comparison {
    size_t count, same_bits, same_answers;
    double largest; /* difference of a probability; not a number if there was one */
};

static size_t answer(const float *p, size_t classes)
{
    size_t best = 0;
    for (size_t c = 1; c < classes; c++)
        if (p[c] > p[best])
            best = c;
    return best;
}

static void compare(struct comparison *found, const float *ours, const float *theirs, size_t classes)
{
    found->count++;
    found->same_bits += memcmp(ours, theirs, classes * sizeof *ours) == 0;
    found->same_answers += answer(ours, classes) == answer(theirs, classes);
    for (size_t c = 0; c < classes; c++) {
        const double difference = fabs((double)ours[c] - (double)theirs[c]);
        if (!(difference <= found->largest))
            found->largest = difference;
    }
}

static enum ink_status run_both(struct comparison *found, const struct running *export, const struct ink_net *net,
                                const struct ink_dataset *data, struct ink_error *err)
{
    const size_t inputs = export->inputs, classes = export->classes;
    struct ink_session *session = NULL;
    struct ink_compute compute;
    float *const image = calloc(inputs, sizeof *image);
    float *const ours = calloc(classes, sizeof *ours), *const theirs = calloc(classes, sizeof *theirs);
    enum ink_status status = cli_compute(&compute, 1, err);
    if (status == INK_OK)
        status = ink_session_new(&session, net, 1, &compute, err);
    if (status == INK_OK && (image == NULL || ours == NULL || theirs == NULL))
        status = cli_fail(err, INK_FAILED, "out of memory");
    for (size_t i = 0; status == INK_OK && i < ink_dataset_count(data); i++) {
        const uint8_t *const pixels = ink_dataset_pixels(data, i);
        for (size_t k = 0; k < inputs; k++)
            image[k] = (float)pixels[k] / 255.0f;
        ink_session_run(session, image, 1, ours);
        status = export->kind->predict(export, image, theirs, err);
        if (status == INK_OK)
            compare(found, ours, theirs, classes);
    }
    ink_session_free(session);
    free(image);
    free(ours);
    free(theirs);
    return status;
}

static bool same_shape(struct ink_shape a, struct ink_shape b)
{
    return a.height == b.height && a.width == b.width && a.channels == b.channels;
}

/* The data that were named, or else those the model was trained on. */
static enum ink_status open_data(struct ink_dataset **data, const char **name, const struct ink_net *net,
                                 struct ink_error *err)
{
    const char *key = NULL, *value = NULL;
    for (size_t i = 0; *name == NULL && ink_net_metadata(net, i, &key, &value); i++)
        if (strcmp(key, "dataset") == 0)
            *name = value;
    if (*name == NULL)
        return cli_fail_usage(err, "verify", "the model does not say which data it was trained on: name some as DATA");
    const struct cli_opening opening = { .net = net };
    const enum ink_status status = cli_open_dataset_as(data, *name, INK_TEST, &opening, err);
    if (status != INK_OK)
        return status;
    const struct ink_shape found = ink_dataset_shape(*data), expected = ink_net_input(net);
    if (!same_shape(found, expected))
        return cli_fail(err, INK_BAD_INPUT, "%s: found images of %zu x %zu x %zu, the model expects %zu x %zu x %zu",
                        *name, found.height, found.width, found.channels, expected.height, expected.width,
                        expected.channels);
    return INK_OK;
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

static void print_text(const struct cli_call *call, const char *data, const struct comparison *found)
{
    char count[32], number[32];
    printf("%s against %s on %s test images of %s\n", call->operands[1], call->operands[0],
           terminal_number(count, found->count), data);
    printf("largest difference of a probability  %g\n", found->largest);
    printf("same bits     %s of %s\n", terminal_number(number, found->same_bits), count);
    printf("same answers  %s of %s\n", terminal_number(number, found->same_answers), count);
}

static enum ink_status print_json(const struct cli_call *call, const char *data, const struct comparison *found,
                                  struct ink_error *err)
{
    return cli_print_json(json_pack("{s:s, s:s, s:s, s:I, s:o, s:I, s:I}", "model", call->operands[0], "export",
                                    call->operands[1], "data", data, "count", (json_int_t)found->count,
                                    "largest_difference", cli_json_real(found->largest), "same_bits",
                                    (json_int_t)found->same_bits, "same_answers", (json_int_t)found->same_answers),
                          stdout, err);
}

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct verify_arguments *arguments = call->arguments;
    const char *const path = call->operands[1];
    const char *name = call->operand_count > 2 ? call->operands[2] : NULL;
    struct ink_net *net = NULL;
    struct ink_dataset *data = NULL;
    struct running export = { .program = { .to = -1, .from = -1 } };
    struct comparison found = { .count = 0 };
    int status = (int)ink_net_load(&net, call->operands[0], err);
    if (status != INK_OK || (status = (int)open_data(&data, &name, net, err)) != INK_OK ||
        (status = (int)start(&export, path, net, err)) != INK_OK ||
        (status = (int)run_both(&found, &export, net, data, err)) != INK_OK)
        goto out;
    if (arguments->json)
        status = (int)print_json(call, name, &found, err);
    else
        print_text(call, name, &found);
    if (status == INK_OK && !(found.largest <= export.kind->most_difference)) {
        cli_fail(err, INK_FAILED, "%s: largest difference %g, expected at most %g", path, found.largest,
                 export.kind->most_difference);
        status = CLI_BELOW_THRESHOLD;
    }
out:
    stop(&export);
    ink_dataset_free(data);
    ink_net_free(net);
    return status;
}

const struct command cmd_verify = {
    .name = "verify",
    .operands = "MODEL EXPORT [DATA]",
    .least_operands = 2,
    .most_operands = 3,
    .summary = "prove that an exported file gives what its model gives",
    .about = "Runs EXPORT, a file that 'inkling export' wrote, and MODEL on the test images of DATA (by default the "
             "data that MODEL was trained on), and tells the largest difference of a probability and how often the "
             "answers are the same. A C file is compiled with $CC or cc; other files are read back as 'inkling import' "
             "reads them. Exits with 4 if the difference is above 1e-6.",
    .options =
        (const struct cli_option[]){
            CLI_OPTION_JSON(struct verify_arguments, json),
            { .name = NULL },
        },
    .examples = (const char *const[]){ "inkling verify digits.safetensors digits.c",
                                       "CC=clang inkling verify digits.safetensors digits.c mnist", NULL },
    .defaults = &(const struct verify_arguments){ .json = false },
    .size = sizeof(struct verify_arguments),
    .run = run,
};
