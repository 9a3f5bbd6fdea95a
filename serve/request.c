/*
 * One request, from its first line to its answer. What is wrong with it is known as early as possible, but told only
 * when all of it has come: a peer that is still sending would not read the answer, and lose it with the connection.
 * What comes after a refusal is thrown away, up to a limit. A peer that asks first (Expect: 100-continue) is told at
 * once.
 */
#include "server.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    FIRST_ROOM = 1 << 16, /* at most, for a body; it doubles as more comes, so that a promise of much takes nothing */
    SWALLOWED = 8         /* as many times the largest body are thrown away; then the connection is closed */
};

/* ---- Routes ------------------------------------------------------------------------------------------------------ */

static unsigned answer_health(struct request *request, struct text *text)
{
    (void)request;
    text_print(text, "{\"status\":\"ok\"}\n");
    return MHD_HTTP_OK;
}

static unsigned answer_card(struct request *request, struct text *text)
{
    const struct text *const card = &request->connection->worker->server->card;
    text_add(text, card->bytes, card->used);
    return MHD_HTTP_OK;
}

static const char json[] = "application/json";

const struct route routes[] = {
    { "/v1/predict", MHD_HTTP_METHOD_POST, json, false, predict_answer },
    { "/v1/model", MHD_HTTP_METHOD_GET, json, false, answer_card },
    { "/healthz", MHD_HTTP_METHOD_GET, json, true, answer_health },
    { "/metrics", MHD_HTTP_METHOD_GET, "text/plain; version=0.0.4", false, metrics_write },
    { NULL, NULL, NULL, false, NULL },
};

/* ---- Refusals ---------------------------------------------------------------------------------------------------- */

bool request_refuse(struct request *request, unsigned status, const char *format, ...)
{
    va_list arguments;
    if (request->status != 0)
        return false;
    request->status = status;
    va_start(arguments, format);
    vsnprintf(request->message, sizeof request->message, format, arguments);
    va_end(arguments);
    return false;
}

void request_error(struct text *text, unsigned status, const char *message)
{
    text_print(text, "{\"error\":");
    text_string(text, message);
    text_print(text, ",\"status\":%u}\n", status);
}

static const char *header(const struct request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection->mhd, MHD_HEADER_KIND, name);
}

/* Whether the request bears the token. Takes the same time wherever the first difference is. */
static bool is_permitted(const struct request *request)
{
    static const char scheme[] = "Bearer ";
    const char *const token = request->connection->worker->server->options->token;
    const char *const given = header(request, MHD_HTTP_HEADER_AUTHORIZATION);
    if (token == NULL)
        return true;
    if (given == NULL || strncasecmp(given, scheme, sizeof scheme - 1) != 0)
        return false;
    const size_t size = strlen(token);
    return strlen(given + sizeof scheme - 1) == size && CRYPTO_memcmp(given + sizeof scheme - 1, token, size) == 0;
}

/* Whether a prediction's body is of a type and a length that can be taken. */
static void check_body(struct request *request)
{
    const size_t most = request->connection->worker->server->options->body;
    const char *const type = header(request, MHD_HTTP_HEADER_CONTENT_TYPE);
    const char *const length = header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const unsigned long long promised = length != NULL ? strtoull(length, NULL, 10) : ULLONG_MAX;
    request->promised = promised < FIRST_ROOM ? (size_t)promised : FIRST_ROOM;
    if (!predict_takes(type))
        request_refuse(request, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                       "Content-Type: found %.40s, expected image/png, image/x-portable-graymap, "
                       "image/x-portable-pixmap, application/octet-stream or application/json",
                       type != NULL ? type : "none");
    else if (length != NULL && promised > most)
        request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "a body of %.20s bytes, expected at most %zu", length,
                       most);
    else
        predict_query(request);
}

/* What can be said of a request before its body has come. */
static void check_head(struct request *request, const char *path, const char *method)
{
    const bool get = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    for (const struct page *page = pages; page->path != NULL; page++)
        if (strcmp(page->path, path) == 0)
            request->page = page;
    for (const struct route *route = routes; route->path != NULL; route++)
        if (strcmp(route->path, path) == 0)
            request->route = route;
    const char *const allowed =
        request->page != NULL || request->route == NULL ? MHD_HTTP_METHOD_GET : request->route->method;
    if (request->connection->surplus)
        request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "too many connections, at most %zu",
                       request->connection->worker->server->options->connections);
    else if (request->page == NULL && request->route == NULL)
        request_refuse(request, MHD_HTTP_NOT_FOUND, "nothing is here; /openapi.json tells what there is");
    else if (strcmp(allowed, get ? MHD_HTTP_METHOD_GET : method) != 0)
        request_refuse(request, MHD_HTTP_METHOD_NOT_ALLOWED, "found %.20s, expected %s", method, allowed);
    else if (request->route != NULL && !request->route->open && !is_permitted(request))
        request_refuse(request, MHD_HTTP_UNAUTHORIZED, "expected the header Authorization: Bearer TOKEN");
    else if (!get)
        check_body(request);
}

/* ---- The body ---------------------------------------------------------------------------------------------------- */

static void release_body(struct request *request)
{
    atomic_fetch_sub(&request->connection->worker->server->memory, request->room);
    free(request->body);
    request->body = NULL;
    request->size = request->room = 0;
}

/* Makes room for a body of `size` bytes. */
static bool reserve_body(struct request *request, size_t size)
{
    struct server *const server = request->connection->worker->server;
    size_t room = request->room > 0 ? request->room : request->promised;
    while (room < size)
        room *= 2;
    const size_t more = room - request->room;
    if (atomic_fetch_add(&server->memory, more) + more > server->options->memory) {
        atomic_fetch_sub(&server->memory, more);
        return request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "too many large requests at a time");
    }
    request->room = room;
    unsigned char *const body = realloc(request->body, room);
    if (body == NULL)
        return request_refuse(request, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    request->body = body;
    return true;
}

/* Takes in a part of the body, or throws it away where none is wanted; MHD_NO closes the connection. */
static enum MHD_Result receive(struct request *request, const char *upload, size_t size)
{
    const size_t most = request->connection->worker->server->options->body;
    if (request->promised > 0 && request->status == 0 && size > most - request->size)
        request_refuse(request, MHD_HTTP_CONTENT_TOO_LARGE, "the body has more than %zu bytes", most);
    if (request->promised > 0 && request->status == 0 &&
        (size <= request->room - request->size || reserve_body(request, request->size + size))) {
        memcpy(request->body + request->size, upload, size);
        request->size += size;
        return MHD_YES;
    }
    release_body(request);
    request->swallowed += size;
    return request->swallowed / SWALLOWED <= most ? MHD_YES : MHD_NO;
}

/* Releases what the network needed: an answer may take long to be taken. */
static void release_input(struct request *request)
{
    if (request->images != request->body)
        free(request->images);
    release_body(request);
    free(request->boxes);
    free(request->probabilities);
    request->images = NULL;
    request->boxes = NULL;
    request->probabilities = NULL;
}

void request_release(struct request *request)
{
    if (request->stage == WAITING)
        atomic_fetch_sub(&request->connection->worker->server->waiting, request->count);
    release_input(request);
    *request = (struct request){ .connection = request->connection };
}

/* ---- The answer -------------------------------------------------------------------------------------------------- */

struct header {
    const char *name, *value;
};

/* Queues an answer of `size` bytes, which are freed if they are not to persist. */
static enum MHD_Result send_answer(struct request *request, unsigned status, void *bytes, size_t size,
                                   enum MHD_ResponseMemoryMode mode, const char *type)
{
    struct worker *const worker = request->connection->worker;
    const bool closing = worker->draining || request->connection->surplus;
    const bool later = status == MHD_HTTP_SERVICE_UNAVAILABLE, page = request->page != NULL && request->status == 0;
    const char *const allowed = request->route != NULL && request->page == NULL ? request->route->method : "GET, HEAD";
    const struct header headers[] = {
        { MHD_HTTP_HEADER_CONTENT_TYPE, type },
        { MHD_HTTP_HEADER_CACHE_CONTROL, page ? "no-cache" : "no-store" },
        { "X-Content-Type-Options", "nosniff" },
        { MHD_HTTP_HEADER_CONNECTION, closing ? "close" : NULL },
        { MHD_HTTP_HEADER_RETRY_AFTER, later ? "1" : NULL },
        { MHD_HTTP_HEADER_ALLOW, status == MHD_HTTP_METHOD_NOT_ALLOWED ? allowed : NULL },
        { MHD_HTTP_HEADER_WWW_AUTHENTICATE, status == MHD_HTTP_UNAUTHORIZED ? "Bearer" : NULL },
        { "Content-Security-Policy",
          page ? "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                 "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; "
                 "frame-ancestors 'none'"
               : NULL },
        { "Referrer-Policy", page ? "no-referrer" : NULL },
    };
    struct MHD_Response *const response = MHD_create_response_from_buffer(size, bytes, mode);
    if (response == NULL) {
        if (mode == MHD_RESPMEM_MUST_FREE)
            free(bytes);
        return MHD_NO;
    }
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        if (headers[i].value != NULL)
            MHD_add_response_header(response, headers[i].name, headers[i].value);
    const enum MHD_Result result = MHD_queue_response(request->connection->mhd, status, response);
    MHD_destroy_response(response);
    request->stage = ANSWERED;
    metrics_answer(&worker->counters, status);
    worker_renew(request->connection);
    return result;
}

static enum MHD_Result send_text(struct request *request, unsigned status, struct text *text, const char *type)
{
    if (!text->failed)
        return send_answer(request, status, text->bytes, text->used, MHD_RESPMEM_MUST_FREE, type);
    static char failure[] = "{\"error\":\"out of memory\",\"status\":503}\n";
    free(text->bytes);
    return send_answer(request, MHD_HTTP_SERVICE_UNAVAILABLE, failure, sizeof failure - 1, MHD_RESPMEM_PERSISTENT,
                       json);
}

static enum MHD_Result send_refusal(struct request *request)
{
    struct text text = { 0 };
    request_error(&text, request->status, request->message);
    return send_text(request, request->status, &text, json);
}

/* All of it has come. */
static enum MHD_Result answer(struct request *request)
{
    struct text text = { 0 };
    request->received = worker_clock();
    worker_renew(request->connection);
    if (request->status != 0)
        return send_refusal(request);
    if (request->page != NULL) /* libmicrohttpd only reads what persists */
        return send_answer(request, MHD_HTTP_OK, (void *)(uintptr_t)request->page->bytes, request->page->size,
                           MHD_RESPMEM_PERSISTENT, request->page->type);
    const unsigned status = request->route->answer(request, &text);
    if (request->status != 0) {
        free(text.bytes);
        return send_refusal(request);
    }
    return status != 0 ? send_text(request, status, &text, request->route->type) : MHD_YES;
}

/* ---- What libmicrohttpd calls ------------------------------------------------------------------------------------ */

static struct connection *connection_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

void *request_line(void *worker, const char *uri, struct MHD_Connection *mhd)
{
    (void)worker;
    (void)uri;
    struct connection *const connection = connection_of(mhd);
    if (connection != NULL)
        connection->asked = true;
    return NULL;
}

/* Called first when the head has come, then for every part of the body, then, without any, when all has come. A handler
 * that does nothing then is called again in the next turn: so a request waits for the network. */
enum MHD_Result request_handle(void *worker, struct MHD_Connection *mhd, const char *path, const char *method,
                               const char *version, const char *upload, size_t *size, void **context)
{
    struct connection *const connection = connection_of(mhd);
    struct request *const request = connection != NULL ? &connection->request : NULL;
    (void)worker;
    (void)version;
    if (request == NULL)
        return MHD_NO; /* there was no memory for it */
    if (*context == NULL) {
        *context = request;
        check_head(request, path, method);
        const bool asks_first = header(request, MHD_HTTP_HEADER_EXPECT) != NULL;
        return request->status != 0 && asks_first ? send_refusal(request) : MHD_YES;
    }
    if (*size > 0) {
        const enum MHD_Result result = receive(request, upload, *size);
        *size = 0;
        return result;
    }
    if (request->stage == RECEIVING)
        return answer(request);
    if (request->stage == WAITING)
        return MHD_YES;
    struct text text = { 0 };
    predict_write(request, &text);
    const enum MHD_Result result = send_text(request, MHD_HTTP_OK, &text, json);
    release_input(request);
    return result;
}

void request_completed(void *worker, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how)
{
    struct connection *const connection = connection_of(mhd);
    (void)worker;
    (void)how;
    *context = NULL;
    if (connection == NULL)
        return;
    connection->asked = false;
    request_release(&connection->request);
    worker_renew(connection);
}
