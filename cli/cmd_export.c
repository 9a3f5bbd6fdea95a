/* inkling export: a model as a file that other programs run. */
#include "quantised.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct export_arguments {
    const char *output, *format, *name, *layout, *data;
    double max_drop;
};

#define AT(member, kind) CLI_AT(struct export_arguments, member, kind)

typedef enum ink_status export_fn(const struct ink_net *net, const struct export_arguments *arguments,
                                  struct ink_error *err);
static export_fn export_c, export_onnx, export_npz, export_safetensors, export_html;

/* The formats, and how their files' names end: where no format is named, the first that ends so. */
static const struct format {
    const char *name, *ending;
    export_fn *write;
    bool integers; /* the model is quantised first, if it is not yet */
} formats[] = {
    { "c", ".c", export_c, false },
    { "c-int8", ".c", export_c, true },
    { "onnx", ".onnx", export_onnx, false },
    { "html", ".html", export_html, false },
    { "npz", ".npz", export_npz, false },
    { "safetensors", ".safetensors", export_safetensors, false },
    { "int8", ".safetensors", export_safetensors, true },
};
#define FORMATS (sizeof formats / sizeof formats[0])

static const char *format_name(size_t i)
{
    return i < FORMATS ? formats[i].name : NULL;
}

/* Finds the format that is meant; *found is NULL if there is none. */
static enum ink_status find_format(const struct format **found, const struct export_arguments *arguments,
                                   struct ink_error *err)
{
    const char *const output = arguments->output, *const name = arguments->format;
    char endings[128] = "";
    *found = NULL;
    for (size_t i = 0; i < FORMATS && *found == NULL; i++) {
        const size_t used = strlen(endings);
        if (name != NULL ? strcmp(name, formats[i].name) == 0 : cli_ends_with(output, formats[i].ending))
            *found = &formats[i];
        else if (name == NULL && strstr(endings, formats[i].ending) == NULL)
            snprintf(endings + used, sizeof endings - used, "%s%s", used > 0 ? ", " : "", formats[i].ending);
    }
    if (*found == NULL)
        return cli_fail_usage(err, "export", "--output: found '%s', expected a name that ends in one of %s", output,
                              endings);
    if (!cli_ends_with(output, (*found)->ending))
        return cli_fail_usage(err, "export", "--output: found '%s', expected a name that ends in %s", output,
                              (*found)->ending);
    return INK_OK;
}

/* The last part of `path`, its `length` bytes before the extension, as a C identifier; for free(). */
static char *identifier(const char *path)
{
    const char *const slash = strrchr(path, '/'), *const base = slash != NULL ? slash + 1 : path;
    const size_t length = strcspn(base, ".");
    char *const name = calloc(length + 2, 1);
    if (name == NULL)
        return NULL;
    size_t used = 0;
    if (length == 0 || isdigit((unsigned char)base[0]))
        name[used++] = '_';
    for (size_t i = 0; i < length; i++)
        name[used++] = isalnum((unsigned char)base[i]) ? base[i] : '_';
    return name;
}

static enum ink_status export_c(const struct ink_net *net, const struct export_arguments *arguments,
                                struct ink_error *err)
{
    enum ink_status status = INK_OK;
    char *const header = strdup(arguments->output), *const name = identifier(arguments->output);
    if (header == NULL || name == NULL) {
        status = cli_fail(err, INK_FAILED, "out of memory");
        goto out;
    }
    header[strlen(header) - 1] = 'h';
    const char *const chosen = arguments->name != NULL ? arguments->name : name;
    status = ink_export_c(net, chosen, arguments->output, header, err);
    if (status == INK_OK)
        printf("saved %s and %s (%s_predict, %zu parameters)\n", arguments->output, header, chosen,
               ink_net_parameters(net));
out:
    free(header);
    free(name);
    return status;
}

static enum ink_status export_onnx(const struct ink_net *net, const struct export_arguments *arguments,
                                   struct ink_error *err)
{
    const enum ink_status status = ink_export_onnx(net, arguments->output, err);
    if (status == INK_OK)
        printf("saved %s (%zu parameters)\n", arguments->output, ink_net_parameters(net));
    return status;
}

static enum ink_status export_html(const struct ink_net *net, const struct export_arguments *arguments,
                                   struct ink_error *err)
{
    const enum ink_status status = ink_export_html(net, arguments->output, err);
    if (status == INK_OK)
        printf("saved %s (%zu parameters)\n", arguments->output, ink_net_parameters(net));
    return status;
}

/* Says what was written, and which module of PyTorch's takes it. */
static enum ink_status report_weights(const struct ink_net *net, const struct export_arguments *arguments,
                                      enum ink_layout layout, struct ink_error *err)
{
    const size_t size = ink_torch_module(net, NULL, 0) + 1;
    char *const module = malloc(size);
    if (module == NULL)
        return cli_fail(err, INK_FAILED, "out of memory");
    ink_torch_module(net, module, size);
    printf("saved %s (%zu parameters)\n", arguments->output, ink_net_parameters(net));
    if (layout == INK_LAYOUT_TORCH)
        printf("for %s\n", module);
    free(module);
    return INK_OK;
}

static enum ink_status export_npz(const struct ink_net *net, const struct export_arguments *arguments,
                                  struct ink_error *err)
{
    const enum ink_layout layout = cli_layout(arguments->layout);
    const enum ink_status status = ink_export_npz(net, layout, arguments->output, err);
    return status == INK_OK ? report_weights(net, arguments, layout, err) : status;
}

static enum ink_status export_safetensors(const struct ink_net *net, const struct export_arguments *arguments,
                                          struct ink_error *err)
{
    const enum ink_layout layout = cli_layout(arguments->layout);
    const enum ink_status status = ink_export_safetensors(net, layout, arguments->output, err);
    return status == INK_OK ? report_weights(net, arguments, layout, err) : status;
}

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct export_arguments *arguments = call->arguments;
    const struct format *format;
    struct ink_net *net = NULL, *integers = NULL;
    int status = (int)find_format(&format, arguments, err);
    if (status == INK_OK)
        status = (int)ink_net_load(&net, call->operands[0], err);
    if (status == INK_OK && format->integers && !ink_net_is_quantised(net))
        status = quantised_make(&integers, net, arguments->data, arguments->max_drop, err);
    if (status == INK_OK)
        status = (int)format->write(integers != NULL ? integers : net, arguments, err);
    ink_net_free(integers);
    ink_net_free(net);
    return status;
}

const struct command cmd_export = {
    .name = "export",
    .operands = "MODEL",
    .least_operands = 1,
    .most_operands = 1,
    .summary = "write a model as plain C, or for other programs",
    .about =
        "Writes MODEL as FILE. c: one C99 file, with its header beside it, that needs nothing but <math.h>: the "
        "weights as constants, no memory of its own, and NAME_predict(image, probabilities, scratch), whose "
        "results have the bits of 'inkling predict'. c-int8: the same in integers of 8 bits, calibrated on training "
        "images, a quarter of the size, no floating point, almost the same answers; int8 is a model file of them. "
        "onnx: for ONNX Runtime and whatever else reads that. html: a page that reads what is drawn on it, in any "
        "browser, without a network. npz and "
        "safetensors: the weights as arrays, with --layout torch as PyTorch's load_state_dict takes them. "
        "'inkling verify' proves each of them but the page.",
    .options =
        (const struct cli_option[]){
            { "output", AT(output, CLI_STRING), .letter = 'o', .required = true, .value = "FILE",
              .help = "the file; a C file's header has the same name, ending in .h" },
            { "format", AT(format, CLI_CHOICE), .value = "FORMAT", .unset = "by FILE's ending", .choice = format_name,
              .help = "what to write" },
            { "name", AT(name, CLI_STRING), .value = "NAME", .unset = "FILE's", .help = "what the C names begin with" },
            { "layout", AT(layout, CLI_CHOICE), .value = "LAYOUT", .choice = cli_layout_name,
              .help = "names and shapes of the arrays of npz and safetensors" },
            { "data", AT(data, CLI_STRING), .value = "DATA", .unset = "what MODEL was trained on",
              .help = "for integers: the data to calibrate and compare with" },
            { "max-drop", AT(max_drop, CLI_DOUBLE), .value = "POINTS",
              .help = "exit with code 4, and write nothing, if integers lose more points of accuracy" },
            { .name = NULL },
        },
    .examples =
        (const char *const[]){ "inkling export digits.safetensors -o digits.c",
                               "inkling export digits.safetensors -o src/net.c --name digits",
                               "inkling export digits.safetensors --format c-int8 -o digits.c",
                               "inkling export digits.safetensors -o digits.onnx",
                               "inkling export digits.safetensors -o digits.html",
                               "inkling export digits.safetensors -o weights.safetensors --layout torch", NULL },
    .defaults = &(const struct export_arguments){ .layout = "inkling", .max_drop = 0.2 },
    .size = sizeof(struct export_arguments),
    .run = run,
};
