/* inkling predict: what a model sees in pictures. */
#include "json.h"
#include "terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGEST_FILE ((size_t)1 << 29) /* bytes; 64 megapixels of 16-bit colour, and more than any sane photograph */
#define BAR_WIDTH    30

struct predict_arguments {
    size_t top;
    const char *colour;
    bool raw, json, show;
};

#define AT(member, kind) CLI_AT(struct predict_arguments, member, kind)

/* What is needed for each picture, made once. */
struct predictor {
    const struct predict_arguments *arguments;
    struct ink_net *net;
    struct ink_session *session;
    struct ink_dataset *data; /* the last one that was asked for, */
    char *data_name;          /* and its name */
    bool raw;                 /* pictures are resized, and no more */
    uint8_t *pixels;          /* (H, W, C), what the network sees */
    float *probabilities;     /* (classes) */
    size_t *ranking;          /* (classes), most probable first */
};

/* One picture's result. */
struct sighting {
    const char *name;  /* as it was given */
    const char *truth; /* the true class, of an image from a data set; else NULL */
};

/* ---- Where pictures come from ------------------------------------------------------------------------------------ */

/* Reads a file, or stdin for "-", to its end. */
static enum ink_status read_all(unsigned char **bytes, size_t *size, const char *path, struct ink_error *err)
{
    const bool is_stdin = strcmp(path, "-") == 0;
    FILE *const file = is_stdin ? stdin : fopen(path, "rb");
    size_t room = 0, used = 0;
    unsigned char *buffer = NULL;
    enum ink_status status = INK_OK;
    if (file == NULL)
        return cli_fail(err, INK_FAILED, "%s: cannot open: %s", path, strerror(errno));
    for (;;) {
        if (used == room) {
            room = room > 0 ? 2 * room : (size_t)1 << 16;
            unsigned char *const larger = room <= LARGEST_FILE ? realloc(buffer, room) : NULL;
            if (larger == NULL) {
                status = cli_fail(err, room <= LARGEST_FILE ? INK_FAILED : INK_BAD_INPUT, "%s: too large", path);
                break;
            }
            buffer = larger;
        }
        const size_t got = fread(buffer + used, 1, room - used, file);
        used += got;
        if (got == 0) {
            if (ferror(file))
                status = cli_fail(err, INK_FAILED, "%s: cannot read: %s", path, strerror(errno));
            break;
        }
    }
    if (!is_stdin)
        fclose(file);
    if (status != INK_OK) {
        free(buffer);
        buffer = NULL;
    }
    *bytes = buffer;
    *size = used;
    return status;
}

static enum ink_status see_file(struct predictor *predictor, const char *path, struct ink_error *err)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    struct ink_picture *picture = NULL;
    enum ink_status status = read_all(&bytes, &size, path, err);
    if (status == INK_OK)
        status = ink_picture_decode(&picture, bytes, size, strcmp(path, "-") == 0 ? "standard input" : path, err);
    if (status == INK_OK)
        status = ink_picture_fit(picture, predictor->raw ? INK_FIT_RAW : INK_FIT_DIGIT, ink_net_input(predictor->net),
                                 predictor->pixels, err);
    ink_picture_free(picture);
    free(bytes);
    return status;
}

/* The colon of DATA:INDEX; NULL if `name` is not of that form, or there is a file of that name. */
static const char *index_colon(const char *name)
{
    const char *const colon = strrchr(name, ':');
    const bool is_index = colon != NULL && colon != name && colon[1] != 0 &&
                          colon[1 + strspn(colon + 1, "0123456789")] == 0 && access(name, F_OK) != 0;
    return is_index ? colon : NULL;
}

static enum ink_status see_index(struct predictor *predictor, struct sighting *sighting, const char *colon,
                                 struct ink_error *err)
{
    const size_t length = (size_t)(colon - sighting->name);
    if (predictor->data == NULL || strlen(predictor->data_name) != length ||
        memcmp(predictor->data_name, sighting->name, length) != 0) {
        ink_dataset_free(predictor->data);
        predictor->data = NULL;
        free(predictor->data_name);
        predictor->data_name = strndup(sighting->name, length);
        if (predictor->data_name == NULL)
            return cli_fail(err, INK_FAILED, "out of memory");
        const struct cli_opening opening = { .net = predictor->net };
        const enum ink_status status =
            cli_open_dataset_as(&predictor->data, predictor->data_name, INK_TEST, &opening, err);
        if (status != INK_OK)
            return status;
    }
    const struct ink_dataset *data = predictor->data;
    const struct ink_shape found = ink_dataset_shape(data), expected = ink_net_input(predictor->net);
    const size_t count = ink_dataset_count(data);
    errno = 0;
    const unsigned long long index = strtoull(colon + 1, NULL, 10);
    if (errno != 0 || index >= count)
        return cli_fail(err, INK_BAD_ARGUMENT, "%s: found index %s, expected one below %zu, the test images of %s",
                        sighting->name, colon + 1, count, predictor->data_name);
    if (found.height != expected.height || found.width != expected.width || found.channels != expected.channels)
        return cli_fail(err, INK_BAD_INPUT, "%s: found images of %zu x %zu x %zu, the model expects %zu x %zu x %zu",
                        sighting->name, found.height, found.width, found.channels, expected.height, expected.width,
                        expected.channels);
    memcpy(predictor->pixels, ink_dataset_pixels(data, (size_t)index),
           expected.height * expected.width * expected.channels);
    sighting->truth = ink_dataset_class_name(data, ink_dataset_label(data, (size_t)index));
    return INK_OK;
}

/* ---- Results ----------------------------------------------------------------------------------------------------- */

/* Sorts the classes by falling probability, equal ones in order. */
static void rank(struct predictor *predictor)
{
    const size_t classes = ink_net_classes(predictor->net);
    for (size_t c = 0; c < classes; c++) {
        size_t place = c;
        for (; place > 0; place--) {
            if (predictor->probabilities[predictor->ranking[place - 1]] >= predictor->probabilities[c])
                break;
            predictor->ranking[place] = predictor->ranking[place - 1];
        }
        predictor->ranking[place] = c;
    }
}

static void print_text(const struct predictor *predictor, const struct sighting *sighting)
{
    const struct ink_net *net = predictor->net;
    const char *const answer = ink_net_class_name(net, predictor->ranking[0]);
    const bool utf8 = terminal_has_utf8();
    if (predictor->arguments->show || isatty(STDOUT_FILENO)) {
        const uint8_t *const picture = predictor->pixels;
        terminal_print_pictures(stdout, &picture, 1, ink_net_input(net), 1,
                                terminal_has_colour(stdout, predictor->arguments->colour));
    }
    printf("%s: %s", sighting->name, answer);
    if (sighting->truth != NULL)
        printf(", %s: the label is %s", strcmp(sighting->truth, answer) == 0 ? "right" : "wrong", sighting->truth);
    printf("\n");
    size_t width = 0;
    for (size_t i = 0; i < predictor->arguments->top && i < ink_net_classes(net); i++) {
        const size_t length = strlen(ink_net_class_name(net, predictor->ranking[i]));
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < predictor->arguments->top && i < ink_net_classes(net); i++) {
        const size_t c = predictor->ranking[i];
        const double probability = (double)predictor->probabilities[c];
        char bar[3 * BAR_WIDTH + 1];
        terminal_bar(bar, probability, BAR_WIDTH, utf8);
        printf("  %-*s %6.2f%% %s\n", (int)width, ink_net_class_name(net, c), 100 * probability, bar);
    }
}

static enum ink_status print_json(const struct predictor *predictor, const struct sighting *sighting,
                                  struct ink_error *err)
{
    const struct ink_net *net = predictor->net;
    json_t *const top = json_array();
    for (size_t i = 0; i < predictor->arguments->top && i < ink_net_classes(net); i++) {
        const size_t c = predictor->ranking[i];
        json_array_append_new(top, json_pack("{s:s, s:I, s:f}", "class", ink_net_class_name(net, c), "index",
                                             (json_int_t)c, "probability", (double)predictor->probabilities[c]));
    }
    return cli_print_json(json_pack("{s:s, s:s, s:s*, s:o}", "picture", sighting->name, "answer",
                                    ink_net_class_name(net, predictor->ranking[0]), "truth", sighting->truth, "top",
                                    top),
                          stdout, err);
}

static enum ink_status predict(struct predictor *predictor, const char *name, struct ink_error *err)
{
    struct sighting sighting = { .name = name };
    const char *const colon = index_colon(name);
    const enum ink_status status =
        colon != NULL ? see_index(predictor, &sighting, colon, err) : see_file(predictor, name, err);
    if (status != INK_OK)
        return status;
    ink_session_run_bytes(predictor->session, predictor->pixels, 1, predictor->probabilities);
    rank(predictor);
    if (predictor->arguments->json)
        return print_json(predictor, &sighting, err);
    print_text(predictor, &sighting);
    return INK_OK;
}

static enum ink_status prepare(struct predictor *predictor, const char *model, struct ink_error *err)
{
    struct ink_compute compute;
    enum ink_status status = cli_compute(&compute, 1, err);
    if (status != INK_OK || (status = ink_net_load(&predictor->net, model, err)) != INK_OK ||
        (status = ink_session_new(&predictor->session, predictor->net, 1, &compute, err)) != INK_OK)
        return status;
    const char *key = NULL, *value = NULL;
    predictor->raw = predictor->arguments->raw;
    for (size_t i = 0; ink_net_metadata(predictor->net, i, &key, &value); i++)
        predictor->raw = predictor->raw || (strcmp(key, "fit") == 0 && strcmp(value, "raw") == 0);
    const struct ink_shape shape = ink_net_input(predictor->net);
    const size_t classes = ink_net_classes(predictor->net);
    predictor->pixels = calloc(shape.height * shape.width, shape.channels);
    predictor->probabilities = calloc(classes, sizeof *predictor->probabilities);
    predictor->ranking = calloc(classes, sizeof *predictor->ranking);
    if (predictor->pixels == NULL || predictor->probabilities == NULL || predictor->ranking == NULL)
        return cli_fail(err, INK_FAILED, "out of memory");
    return INK_OK;
}

static int run(const struct cli_call *call, struct ink_error *err)
{
    struct predictor predictor = { .arguments = call->arguments };
    enum ink_status status = prepare(&predictor, call->operands[0], err);
    if (status != INK_OK)
        goto out;
    /* A bad picture does not keep the others from being seen; the first bad one gives the exit code. */
    for (size_t i = 1; i < call->operand_count; i++) {
        const enum ink_status result = predict(&predictor, call->operands[i], err);
        if (result == INK_OK)
            continue;
        fflush(stdout);
        cli_print_error(err);
        err->message[0] = 0;
        status = status == INK_OK ? result : status;
    }
out:
    free(predictor.ranking);
    free(predictor.probabilities);
    free(predictor.pixels);
    free(predictor.data_name);
    ink_dataset_free(predictor.data);
    ink_session_free(predictor.session);
    ink_net_free(predictor.net);
    return (int)status;
}

const struct command cmd_predict = {
    .name = "predict",
    .operands = "MODEL PICTURE...",
    .least_operands = 2,
    .most_operands = SIZE_MAX,
    .summary = "tell what a model sees in pictures",
    .about =
        "Tells the class of each PICTURE: a PNG, PGM or PPM file of any size, - for one on stdin, or DATA:INDEX "
        "for a test image of a data set. A picture is made as MNIST's were: grey, ink bright on black, cropped, "
        "scaled into 20 x 20, centred by mass; but where MODEL was trained on a folder of pictures it is resized, as "
        "those were. On a terminal the result is drawn, as the model sees it.",
    .options =
        (const struct cli_option[]){
            { "top", AT(top, CLI_SIZE), .value = "N", .least = 1, .most = 1000,
              .help = "classes to list, the most probable first" },
            { "raw", AT(raw, CLI_FLAG), .help = "resize the picture, and change nothing else" },
            { "show", AT(show, CLI_FLAG), .help = "draw what the model sees even where stdout is no terminal" },
            CLI_OPTION_COLOUR(struct predict_arguments, colour),
            { "json", AT(json, CLI_FLAG), .help = "print a JSON object for each picture, one a line" },
            { .name = NULL },
        },
    .examples = (const char *const[]){ "inkling predict digits.safetensors photo.png",
                                       "inkling predict digits.safetensors mnist:17 mnist:18 --top 5",
                                       "convert photo.jpg png:- | inkling predict digits.safetensors -", NULL },
    .defaults = &(const struct predict_arguments){ .top = 3, .colour = "auto" },
    .size = sizeof(struct predict_arguments),
    .run = run,
};
