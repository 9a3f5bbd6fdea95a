/* inkling show: what a model file or a data set holds. */
#include "json.h"
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define THUMBNAIL_WIDTH 14 /* columns */
#define THUMBNAIL_ROWS  2  /* images of each class */

struct show_arguments {
    const char *colour, *size;
    bool json;
};

/* ---- A model ----------------------------------------------------------------------------------------------------- */

/* "784", or "24 x 24 x 16". */
static const char *shape_text(char text[80], struct ink_shape shape)
{
    if (shape.height == 1 && shape.width == 1)
        snprintf(text, 80, "%zu", shape.channels);
    else
        snprintf(text, 80, "%zu x %zu x %zu", shape.height, shape.width, shape.channels);
    return text;
}

static void print_net(const char *path, const struct ink_net *net)
{
    char shape[80], number[32], work[32];
    struct ink_layer_info layer;
    double multiply_adds = 0;
    printf("%s\n  network  %s\n  input    %s\n  classes  %zu:", path, ink_net_spec(net),
           shape_text(shape, ink_net_input(net)), ink_net_classes(net));
    for (size_t c = 0; c < ink_net_classes(net); c++) {
        printf("%s ", c > 0 ? "," : "");
        terminal_print_text(stdout, ink_net_class_name(net, c));
    }
    printf("\n\n  %2s  %-32s  %-14s  %10s  %13s\n", "", "layer", "output", "parameters", "multiply-adds");
    for (size_t i = 0; ink_net_layer(net, i, &layer); i++) {
        printf("  %2zu  %-32s  %-14s  %10s  %13s\n", i, layer.text, shape_text(shape, layer.out),
               terminal_number(number, layer.parameters), terminal_number(work, (size_t)layer.multiply_adds));
        multiply_adds += layer.multiply_adds;
    }
    printf("  %2s  %-32s  %-14s  %10s  %13s\n", "", "total", "", terminal_number(number, ink_net_parameters(net)),
           terminal_number(work, (size_t)multiply_adds));
    printf("\n  weights: %s bytes of %s\n", terminal_number(number, ink_net_bytes(net)),
           ink_net_is_quantised(net) ? "8-bit integers" : "floats");
    const char *key = NULL, *value = NULL;
    for (size_t i = 0; ink_net_metadata(net, i, &key, &value); i++) {
        printf("%s  ", i == 0 ? "\n" : "");
        terminal_print_text(stdout, key);
        printf(": ");
        terminal_print_text(stdout, value);
        printf("\n");
    }
}

static json_t *shape_json(struct ink_shape shape)
{
    return json_pack("[I, I, I]", (json_int_t)shape.height, (json_int_t)shape.width, (json_int_t)shape.channels);
}

static json_t *net_json(const char *path, const struct ink_net *net)
{
    json_t *const layers = json_array(), *const classes = json_array(), *const metadata = json_object();
    struct ink_layer_info layer;
    for (size_t i = 0; ink_net_layer(net, i, &layer); i++)
        json_array_append_new(layers, json_pack("{s:s, s:o, s:I, s:I}", "text", layer.text, "output",
                                                shape_json(layer.out), "parameters", (json_int_t)layer.parameters,
                                                "multiply_adds", (json_int_t)layer.multiply_adds));
    for (size_t c = 0; c < ink_net_classes(net); c++)
        json_array_append_new(classes, json_string(ink_net_class_name(net, c)));
    const char *key = NULL, *value = NULL;
    for (size_t i = 0; ink_net_metadata(net, i, &key, &value); i++)
        json_object_set_new(metadata, key, json_string(value));
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:b, s:o, s:o, s:o}", "model", path, "network", ink_net_spec(net),
                     "input", shape_json(ink_net_input(net)), "parameters", (json_int_t)ink_net_parameters(net),
                     "bytes", (json_int_t)ink_net_bytes(net), "quantised", ink_net_is_quantised(net), "classes",
                     classes, "layers", layers, "metadata", metadata);
}

/* ---- A data set -------------------------------------------------------------------------------------------------- */

/* One split of a data set. */
struct part {
    const char *name;
    struct ink_dataset *data; /* NULL if there is none */
    size_t *counts;           /* (classes), images of each */
};

static enum ink_status open_part(struct part *part, const char *name, enum ink_split split, const char *size,
                                 struct ink_error *err)
{
    const enum ink_status status =
        cli_open_dataset_as(&part->data, name, split, &(const struct cli_opening){ .size = size }, err);
    if (status != INK_OK)
        return status;
    part->name = ink_dataset_is_whole(part->data) ? "all" : split == INK_TRAIN ? "train" : "test";
    part->counts = calloc(ink_dataset_classes(part->data), sizeof *part->counts);
    if (part->counts == NULL)
        return cli_fail(err, INK_FAILED, "out of memory");
    for (size_t i = 0; i < ink_dataset_count(part->data); i++)
        part->counts[ink_dataset_label(part->data, i)]++;
    return INK_OK;
}

/* Images of class `c`; a split may know fewer classes than the other. */
static size_t class_count(const struct part *part, size_t c)
{
    return c < ink_dataset_classes(part->data) ? part->counts[c] : 0;
}

/* The `nth` image of class `c`, or `blank` if there are fewer. */
static const uint8_t *find_image(const struct ink_dataset *data, size_t c, size_t nth, const uint8_t *blank)
{
    for (size_t i = 0; i < ink_dataset_count(data); i++)
        if (ink_dataset_label(data, i) == c && nth-- == 0)
            return ink_dataset_pixels(data, i);
    return blank;
}

/* The first images of each class, a column a class, as many columns as fit side by side. */
static enum ink_status print_contact_sheet(const struct ink_dataset *data, bool colour, struct ink_error *err)
{
    const struct ink_shape shape = ink_dataset_shape(data);
    const size_t shrink = (shape.width + THUMBNAIL_WIDTH - 1) / THUMBNAIL_WIDTH, classes = ink_dataset_classes(data);
    const size_t width = terminal_picture_width(shape, shrink) + 1, fit = terminal_width(stdout) / width;
    const size_t columns = fit < 1 ? 1 : fit < classes ? fit : classes;
    uint8_t *const blank = calloc(shape.height * shape.width, shape.channels);
    const uint8_t **const row = calloc(columns, sizeof *row);
    const enum ink_status status = blank != NULL && row != NULL ? INK_OK : cli_fail(err, INK_FAILED, "out of memory");
    for (size_t first = 0; status == INK_OK && first < classes; first += columns) {
        const size_t count = classes - first < columns ? classes - first : columns;
        printf("\n");
        for (size_t i = 0; i < count; i++)
            printf("%-*.*s", (int)width, (int)width - 1, ink_dataset_class_name(data, first + i));
        printf("\n");
        for (size_t nth = 0; nth < THUMBNAIL_ROWS; nth++) {
            for (size_t i = 0; i < count; i++)
                row[i] = find_image(data, first + i, nth, blank);
            terminal_print_pictures(stdout, row, count, shape, shrink, colour);
        }
    }
    free(row);
    free(blank);
    return status;
}

static void print_counts(const char *name, const struct part *parts, size_t count)
{
    const struct ink_dataset *data = parts[0].data;
    char shape[80], number[32];
    printf("%s: images of %s, %zu classes\n\n  %-20s", name, shape_text(shape, ink_dataset_shape(data)),
           ink_dataset_classes(data), "class");
    for (size_t i = 0; i < count; i++)
        printf("  %8s", parts[i].name);
    for (size_t c = 0; c < ink_dataset_classes(data); c++) {
        printf("\n  %-20s", ink_dataset_class_name(data, c));
        for (size_t i = 0; i < count; i++)
            printf("  %8s", terminal_number(number, class_count(&parts[i], c)));
    }
    printf("\n  %-20s", "total");
    for (size_t i = 0; i < count; i++)
        printf("  %8s", terminal_number(number, ink_dataset_count(parts[i].data)));
    printf("\n");
}

static json_t *dataset_json(const char *name, const struct part *parts, size_t count)
{
    const size_t classes = ink_dataset_classes(parts[0].data);
    json_t *const names = json_array(), *const splits = json_object();
    for (size_t c = 0; c < classes; c++)
        json_array_append_new(names, json_string(ink_dataset_class_name(parts[0].data, c)));
    for (size_t i = 0; i < count; i++) {
        json_t *const counts = json_array();
        char sha256[65];
        ink_dataset_sha256(parts[i].data, sha256);
        for (size_t c = 0; c < classes; c++)
            json_array_append_new(counts, json_integer((json_int_t)class_count(&parts[i], c)));
        json_object_set_new(splits, parts[i].name,
                            json_pack("{s:I, s:s, s:o}", "count", (json_int_t)ink_dataset_count(parts[i].data),
                                      "sha256", sha256, "class_counts", counts));
    }
    return json_pack("{s:s, s:o, s:o, s:o}", "data", name, "shape", shape_json(ink_dataset_shape(parts[0].data)),
                     "classes", names, "splits", splits);
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

/* Files that begin so are data sets. */
static const struct {
    const char *bytes;
    size_t count;
} data_heads[] = { { "\0\0\x08", 3 }, { "\x1f\x8b", 2 }, { "PK\3\4", 4 }, { "\x93NUMPY", 6 } };

/* Text is CSV, but not a web page that was saved as a model; in a model the ninth byte opens its header. */
static bool is_csv(const char *head, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)head[i] < ' ' && strchr("\t\r\n", head[i]) == NULL)
            return false;
    return size > 0 && head[0] != '<' && (size < 9 || head[8] != '{');
}

/* A regular file is a model unless its content is a data set's. */
static bool is_model(const char *path)
{
    struct stat info;
    char head[9] = { 0 };
    if (stat(path, &info) != 0 || !S_ISREG(info.st_mode))
        return false;
    FILE *const file = fopen(path, "rb");
    if (file == NULL)
        return true;
    const size_t got = fread(head, 1, sizeof head, file);
    fclose(file);
    for (size_t i = 0; i < sizeof data_heads / sizeof data_heads[0]; i++)
        if (got >= data_heads[i].count && memcmp(head, data_heads[i].bytes, data_heads[i].count) == 0)
            return false;
    return !is_csv(head, got);
}

static enum ink_status show_net(const struct cli_call *call, struct ink_error *err)
{
    const struct show_arguments *arguments = call->arguments;
    const char *const path = call->operands[0];
    struct ink_net *net = NULL;
    enum ink_status status = ink_net_load(&net, path, err);
    if (status == INK_OK && arguments->json)
        status = cli_print_json(net_json(path, net), stdout, err);
    else if (status == INK_OK)
        print_net(path, net);
    ink_net_free(net);
    return status;
}

static enum ink_status show_dataset(const struct cli_call *call, struct ink_error *err)
{
    const struct show_arguments *arguments = call->arguments;
    const char *const name = call->operands[0];
    struct part parts[2] = { { .name = NULL } };
    size_t count = 1;
    enum ink_status status = open_part(&parts[0], name, INK_TRAIN, arguments->size, err);
    if (status == INK_OK && !ink_dataset_is_whole(parts[0].data)) {
        status = open_part(&parts[1], name, INK_TEST, arguments->size, err);
        if (status == INK_OK)
            count = 2;
        else if (status == INK_FAILED) {
            cli_print_error(err);
            status = INK_OK;
        }
    }
    if (status == INK_OK && arguments->json) {
        status = cli_print_json(dataset_json(name, parts, count), stdout, err);
    } else if (status == INK_OK) {
        print_counts(name, parts, count);
        status = print_contact_sheet(parts[0].data, terminal_has_colour(stdout, arguments->colour), err);
    }
    for (size_t i = 0; i < 2; i++) {
        free(parts[i].counts);
        ink_dataset_free(parts[i].data);
    }
    return status;
}

static int run(const struct cli_call *call, struct ink_error *err)
{
    return (int)(is_model(call->operands[0]) ? show_net(call, err) : show_dataset(call, err));
}

const struct command cmd_show = {
    .name = "show",
    .operands = "MODEL|DATA",
    .least_operands = 1,
    .most_operands = 1,
    .summary = "describe a model or a data set",
    .about = "Tells the layers, shapes, parameters and metadata of a model file, or the classes of a data set (a name, "
             "a folder, a CSV, npz or image file, synthetic) with a contact sheet of their first training images.",
    .options =
        (const struct cli_option[]){
            CLI_OPTION_SIZE(struct show_arguments, size),
            CLI_OPTION_JSON(struct show_arguments, json),
            CLI_OPTION_COLOUR(struct show_arguments, colour),
            { .name = NULL },
        },
    .examples = (const char *const[]){ "inkling show digits.safetensors", "inkling show fashion-mnist", NULL },
    .defaults = &(const struct show_arguments){ .colour = "auto" },
    .size = sizeof(struct show_arguments),
    .run = run,
};
