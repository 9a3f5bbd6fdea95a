/* inkling import: a network that was trained elsewhere, as a model of ours. */
#include "cli.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct import_arguments {
    const char *output, *net, *input, *mean, *deviation, *layout;
};

#define AT(member, kind) CLI_AT(struct import_arguments, member, kind)

/* "28x28x1" */
static enum ink_status read_shape(struct ink_shape *shape, const char *text, struct ink_error *err)
{
    size_t *const sides[] = { &shape->height, &shape->width, &shape->channels };
    const char *at = text;
    for (size_t i = 0; i < 3; i++) {
        char *end = NULL;
        const unsigned long side = isdigit((unsigned char)*at) ? strtoul(at, &end, 10) : 0;
        if (side == 0 || side > 65535 || *end != (i < 2 ? 'x' : '\0'))
            return cli_fail_usage(err, "import", "--input: found '%s', expected HEIGHTxWIDTHxCHANNELS such as 28x28x1",
                                  text);
        *sides[i] = side;
        at = end + 1;
    }
    return INK_OK;
}

/* A number, or one for each channel with commas between them. */
static enum ink_status read_channels(float channels[4], const char *option, const char *text, struct ink_error *err)
{
    size_t count = 0;
    for (const char *at = text; at != NULL; count++) {
        char *end = NULL;
        const float value = count < 4 ? strtof(at, &end) : 0.0f;
        if (end == NULL || end == at || (*end != ',' && *end != '\0') || !isfinite(value))
            return cli_fail_usage(err, "import",
                                  "--%s: found '%s', expected a number or one for each channel, as in "
                                  "0.485,0.456,0.406",
                                  option, text);
        channels[count] = value;
        at = *end == ',' ? end + 1 : NULL;
    }
    for (size_t c = 1; count == 1 && c < 4; c++)
        channels[c] = channels[0];
    return INK_OK;
}

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct import_arguments *const arguments = call->arguments;
    struct ink_import_options options = { .spec = arguments->net, .layout = cli_layout(arguments->layout) };
    struct ink_net *net = NULL;
    enum ink_status status = INK_OK;
    if (arguments->input != NULL)
        status = read_shape(&options.input, arguments->input, err);
    if (status == INK_OK && arguments->mean != NULL)
        status = read_channels(options.mean, "mean", arguments->mean, err);
    if (status == INK_OK && arguments->deviation != NULL)
        status = read_channels(options.deviation, "deviation", arguments->deviation, err);
    if (status == INK_OK)
        status = ink_net_import(&net, call->operands[0], &options, err);
    if (status == INK_OK)
        status = ink_net_save(net, arguments->output, err);
    if (status == INK_OK) {
        const struct ink_shape in = ink_net_input(net);
        printf("saved %s (%zux%zux%zu, %s; %zu parameters)\n", arguments->output, in.height, in.width, in.channels,
               ink_net_spec(net), ink_net_parameters(net));
    }
    ink_net_free(net);
    return (int)status;
}

const struct command cmd_import = {
    .name = "import",
    .operands = "FILE",
    .least_operands = 1,
    .most_operands = 1,
    .summary = "make a model of a network that was trained elsewhere",
    .about =
        "Reads FILE and saves it as a model, which all other commands take. FILE is an ONNX model of layers in a row "
        "(with residual additions), such as PyTorch's and Keras's exporters write, whose unsupported nodes are "
        "named; a network that ends without a softmax gets one. Or it is the weights alone of the network --net, "
        "as npz or safetensors, in PyTorch's names and shapes or in ours (see 'inkling export').",
    .options =
        (const struct cli_option[]){
            { "output", AT(output, CLI_STRING), .letter = 'o', .required = true, .value = "MODEL",
              .help = "where the model is saved" },
            { "net", AT(net, CLI_STRING), .value = "NET", .unset = "FILE's",
              .help = "the network that weights alone are of: a name or a line of layers, as of 'inkling train'" },
            { "layout", AT(layout, CLI_CHOICE), .value = "LAYOUT", .unset = "as names and shapes say",
              .choice = cli_layout_name, .help = "how weights alone are laid out" },
            { "input", AT(input, CLI_STRING), .value = "HxWxC", .unset = "FILE's, or 28x28x1",
              .help = "shape of an image, where FILE does not say it" },
            { "mean", AT(mean, CLI_STRING), .value = "M[,M...]", .unset = "0",
              .help = "what the program that trained it took off the intensities (from 0 to 1), by channel" },
            { "deviation", AT(deviation, CLI_STRING), .value = "D[,D...]", .unset = "1",
              .help = "what it divided them by then" },
            { .name = NULL },
        },
    .examples = (const char *const[]){ "inkling import model.onnx -o digits.safetensors",
                                       "inkling import model.onnx -o digits.safetensors --mean 0.1307 "
                                       "--deviation 0.31",
                                       "inkling import weights.safetensors -o digits.safetensors --net lenet", NULL },
    .defaults = &(const struct import_arguments){ .output = NULL },
    .size = sizeof(struct import_arguments),
    .run = run,
};
