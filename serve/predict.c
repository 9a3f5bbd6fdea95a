/* A prediction: from the query and the body to images, and from probabilities to JSON. */
#include "server.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Digits in one picture; a longer number would not be legible in what a picture is shrunk to. */
#define MOST_DIGITS ((size_t)32)

/* ---- The query --------------------------------------------------------------------------------------------------- */

static bool read_flag(bool *flag, const char *value)
{
    *flag = strcmp(value, "true") == 0;
    return *flag || strcmp(value, "false") == 0;
}

static bool set_fit(struct wishes *wishes, const char *value)
{
    wishes->fit = strcmp(value, "raw") == 0 ? INK_FIT_RAW : INK_FIT_DIGIT;
    return wishes->fit == INK_FIT_RAW || strcmp(value, "digit") == 0;
}

static bool set_number(struct wishes *wishes, const char *value)
{
    return read_flag(&wishes->number, value);
}

static bool set_pixels(struct wishes *wishes, const char *value)
{
    return read_flag(&wishes->pixels, value);
}

static bool set_layers(struct wishes *wishes, const char *value)
{
    const size_t length = strlen(value);
    wishes->layers = (size_t)strtoul(value, NULL, 10);
    return length > 0 && length <= 6 && strspn(value, "0123456789") == length;
}

static const struct wish {
    const char *name, *values;
    bool (*set)(struct wishes *wishes, const char *value);
} wishes[] = {
    { "fit", "digit or raw", set_fit },
    { "number", "true or false", set_number },
    { "pixels", "true or false", set_pixels },
    { "layers", "the place of an image, from 0", set_layers },
};

static enum MHD_Result read_wish(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct request *const request = context;
    (void)kind;
    for (size_t i = 0; i < sizeof wishes / sizeof wishes[0]; i++) {
        if (strcmp(name, wishes[i].name) != 0)
            continue;
        if (value == NULL || !wishes[i].set(&request->wishes, value))
            request_refuse(request, MHD_HTTP_BAD_REQUEST, "%s: found '%.40s', expected %s", wishes[i].name,
                           value != NULL ? value : "", wishes[i].values);
        return MHD_YES;
    }
    request_refuse(request, MHD_HTTP_BAD_REQUEST, "the query: found '%.40s', expected fit, number, pixels or layers",
                   name);
    return MHD_YES;
}

bool predict_query(struct request *request)
{
    request->wishes = (struct wishes){ .fit = INK_FIT_DIGIT, .layers = SIZE_MAX };
    MHD_get_connection_values(request->connection->mhd, MHD_GET_ARGUMENT_KIND, read_wish, request);
    if (request->wishes.number && request->wishes.fit == INK_FIT_RAW)
        request_refuse(request, MHD_HTTP_BAD_REQUEST, "number=true and fit=raw do not go together");
    return request->status == 0;
}

/* ---- Images ------------------------------------------------------------------------------------------------------ */

static struct server *server_of(const struct request *request)
{
    return request->connection->worker->server;
}

static bool refuse_batch(struct request *request)
{
    return request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "more than %zu images in one request",
                          server_of(request)->options->batch);
}

static bool refuse_memory(struct request *request)
{
    return request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
}

/* Room for `more` images at the end, which are not counted yet; NULL if it was refused. */
static uint8_t *reserve_images(struct request *request, size_t more)
{
    const size_t image = server_of(request)->image;
    if (more > server_of(request)->options->batch - request->count) {
        refuse_batch(request);
        return NULL;
    }
    /* Doubled at powers of two: what there is room for need not be kept. */
    if (more > 1 || (request->count & (request->count - 1)) == 0) {
        const size_t room = 2 * request->count + more;
        uint8_t *const images = realloc(request->images, room * image);
        if (images == NULL) {
            refuse_memory(request);
            return NULL;
        }
        request->images = images;
    }
    return request->images + request->count * image;
}

uint8_t *predict_add_image(struct request *request)
{
    uint8_t *const image = reserve_images(request, 1);
    request->count += image != NULL;
    return image;
}

/* Finds the digits of a picture, which is the only one of its request. */
static bool add_number(struct request *request, const struct ink_picture *picture, struct ink_error *err)
{
    const size_t batch = server_of(request)->options->batch, most = batch < MOST_DIGITS ? batch : MOST_DIGITS;
    if (request->count > 0)
        return request_refuse(request, MHD_HTTP_BAD_REQUEST, "number=true goes with one picture");
    uint8_t *const images = reserve_images(request, most);
    request->boxes = calloc(most, sizeof *request->boxes);
    if (images == NULL || request->boxes == NULL)
        return refuse_memory(request);
    if (ink_picture_segment(picture, ink_net_input(server_of(request)->net), most, request->boxes, images,
                            &request->count, err) != INK_OK)
        return request_refuse(request, MHD_HTTP_UNPROCESSABLE_CONTENT, "%s", err->message);
    return true;
}

bool predict_add_picture(struct request *request, const void *bytes, size_t size)
{
    const struct server *const server = server_of(request);
    struct ink_error err;
    struct ink_picture *picture = NULL;
    bool good = true;
    const enum ink_status status =
        ink_picture_decode_within(&picture, bytes, size, server->options->pixels, "the picture", &err);
    if (status != INK_OK)
        return request_refuse(request, status == INK_BAD_ARGUMENT ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_BAD_REQUEST,
                              "%s", err.message);
    if (request->wishes.number) {
        good = add_number(request, picture, &err);
    } else {
        uint8_t *const image = predict_add_image(request);
        good = image != NULL;
        if (good && ink_picture_fit(picture, request->wishes.fit, ink_net_input(server->net), image, &err) != INK_OK)
            good = request_refuse(request, MHD_HTTP_UNPROCESSABLE_CONTENT, "%s", err.message);
    }
    ink_picture_free(picture);
    return good;
}

static bool read_picture(struct request *request)
{
    return predict_add_picture(request, request->body, request->size);
}

static bool read_pixels(struct request *request)
{
    const size_t image = server_of(request)->image;
    if (request->size == 0 || request->size % image != 0)
        return request_refuse(request, MHD_HTTP_BAD_REQUEST, "%zu bytes, expected %zu for each image", request->size,
                              image);
    if (request->size / image > server_of(request)->options->batch)
        return refuse_batch(request);
    request->images = request->body;
    request->count = request->size / image;
    return true;
}

static const struct media {
    const char *type;
    bool (*read)(struct request *request);
} media[] = {
    { "application/octet-stream", read_pixels },
    { "application/json", body_read_json },
    { "image/png", read_picture },
    { "image/x-portable-graymap", read_picture },
    { "image/x-portable-pixmap", read_picture },
    { "image/x-portable-anymap", read_picture },
};

/* The row of a media type, its parameters left out; NULL if there is none. */
static const struct media *find_media(const char *type)
{
    const size_t length = type != NULL ? strcspn(type, "; \t") : 0;
    for (size_t i = 0; i < sizeof media / sizeof media[0]; i++)
        if (strlen(media[i].type) == length && strncasecmp(media[i].type, type, length) == 0)
            return &media[i];
    return NULL;
}

bool predict_takes(const char *type)
{
    return find_media(type) != NULL;
}

unsigned predict_answer(struct request *request, struct text *text)
{
    struct server *const server = server_of(request);
    const char *const type =
        MHD_lookup_connection_value(request->connection->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    (void)text;
    if (!find_media(type)->read(request))
        return request->status;
    if (request->wishes.layers != SIZE_MAX && request->wishes.layers >= request->count)
        request_refuse(request, MHD_HTTP_BAD_REQUEST, "layers: found %zu, expected one of %zu images, from 0",
                       request->wishes.layers, request->count);
    request->probabilities = malloc(request->count * server->classes * sizeof *request->probabilities);
    if (request->probabilities == NULL)
        refuse_memory(request);
    if (request->status != 0)
        return request->status;
    if (atomic_fetch_add(&server->waiting, request->count) + request->count > server->options->queue) {
        atomic_fetch_sub(&server->waiting, request->count);
        request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "too many images are waiting, at most %zu",
                       server->options->queue);
        return request->status;
    }
    worker_enqueue(request);
    return 0;
}

/* ---- The answer -------------------------------------------------------------------------------------------------- */

static size_t most_probable(const float *probabilities, size_t classes)
{
    size_t best = 0;
    for (size_t c = 1; c < classes; c++)
        best = probabilities[c] > probabilities[best] ? c : best;
    return best;
}

static void write_prediction(const struct request *request, size_t i, struct text *text)
{
    const struct server *const server = server_of(request);
    const float *const probabilities = request->probabilities + i * server->classes;
    text_print(text, "%s{\"answer\":", i > 0 ? "," : "");
    text_string(text, ink_net_class_name(server->net, most_probable(probabilities, server->classes)));
    for (size_t c = 0; c < server->classes; c++) {
        text_print(text, c > 0 ? "," : ",\"probabilities\":[");
        text_float(text, probabilities[c]);
    }
    text_add(text, "]", 1);
    if (request->boxes != NULL)
        text_print(text, ",\"box\":[%zu,%zu,%zu,%zu]", request->boxes[i].top, request->boxes[i].left,
                   request->boxes[i].height, request->boxes[i].width);
    if (request->wishes.pixels) {
        text_print(text, ",\"pixels\":");
        text_base64(text, request->images + i * server->image, server->image);
    }
    text_add(text, "}", 1);
}

/* The classes of all digits in a row. */
static void write_number(const struct request *request, struct text *text)
{
    const struct server *const server = server_of(request);
    struct text number = { 0 };
    for (size_t i = 0; i < request->count; i++)
        text_print(&number, "%s",
                   ink_net_class_name(server->net,
                                      most_probable(request->probabilities + i * server->classes, server->classes)));
    text_print(text, ",\"number\":");
    text_string(text, number.bytes != NULL ? number.bytes : "");
    text->failed = text->failed || number.failed;
    free(number.bytes);
}

/* What every layer gave for one image, each in bytes from its least value to its largest: for looking at. */
static void write_layers(const struct request *request, struct text *text)
{
    struct worker *const worker = request->connection->worker;
    const struct ink_net *const net = worker->server->net;
    struct ink_layer_info info;
    ink_session_run_bytes(worker->session, request->images + request->wishes.layers * worker->server->image, 1,
                          worker->probabilities);
    for (size_t i = 0; ink_net_layer(net, i, &info); i++) {
        const size_t size = info.out.height * info.out.width * info.out.channels;
        unsigned char *const bytes = (unsigned char *)worker->layer; /* a byte never overtakes the float it is from */
        ink_session_layer(worker->session, i, worker->layer);
        float least = worker->layer[0], largest = least;
        for (size_t k = 0; k < size; k++) {
            least = worker->layer[k] < least ? worker->layer[k] : least;
            largest = worker->layer[k] > largest ? worker->layer[k] : largest;
        }
        const float scale = largest > least ? 255.0f / (largest - least) : 0.0f;
        for (size_t k = 0; k < size; k++) {
            const float level = (worker->layer[k] - least) * scale;
            bytes[k] = (unsigned char)(level >= 0.0f ? level + 0.5f : 0.0f); /* 255.5 at most; NaN is 0 */
        }
        text_print(text, "%s{\"text\":", i > 0 ? "," : ",\"layers\":[");
        text_string(text, info.text);
        text_print(text, ",\"shape\":[%zu,%zu,%zu],\"least\":", info.out.height, info.out.width, info.out.channels);
        text_float(text, least);
        text_print(text, ",\"largest\":");
        text_float(text, largest);
        text_print(text, ",\"values\":");
        text_base64(text, bytes, size);
        text_add(text, "}", 1);
    }
    text_add(text, "]", 1);
}

void predict_write(const struct request *request, struct text *text)
{
    const struct text *const head = &server_of(request)->head;
    text_add(text, head->bytes, head->used);
    text_print(text, ",\"milliseconds\":%.3f", 1e-6 * (double)(request->computed - request->received));
    if (request->boxes != NULL)
        write_number(request, text);
    text_print(text, ",\"predictions\":[");
    for (size_t i = 0; i < request->count; i++)
        write_prediction(request, i, text);
    text_add(text, "]", 1);
    if (request->wishes.layers != SIZE_MAX)
        write_layers(request, text);
    text_add(text, "}\n", 2);
}
