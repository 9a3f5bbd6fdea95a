/*
 * A worker: the loop, the deadlines of its connections, the batch.
 *
 * A connection has one deadline, set anew when it opens, when its answer is sent off and when the answer was taken. So
 * a whole request must have come in that time, however slowly its bytes drip, and an answer must have been taken in it;
 * and an idle connection is closed after it.
 */
#include "server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTION_MEMORY = 16 << 10, /* bytes, for the head of a request and for sending and receiving */
    SURPLUS = 64,                 /* connections more than allowed are told so; those beyond wait to be accepted */
    LAST_ACCEPTS = 50000000,      /* nanoseconds in which a stopping server takes in who has knocked already */
    DRAIN_TURN = 10,              /* milliseconds without anything coming in, after which a stopping worker goes on */
    SWEEP = 250                   /* milliseconds between two looks for peers that have gone */
};

/* ---- Deadlines --------------------------------------------------------------------------------------------------- */

uint64_t worker_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void unlink_connection(struct connection *connection)
{
    struct worker *const worker = connection->worker;
    *(connection->earlier != NULL ? &connection->earlier->later : &worker->oldest) = connection->later;
    *(connection->later != NULL ? &connection->later->earlier : &worker->newest) = connection->earlier;
}

static uint64_t timeout_of(const struct worker *worker)
{
    return (uint64_t)(1e9 * worker->server->options->timeout);
}

static void append_connection(struct connection *connection)
{
    struct worker *const worker = connection->worker;
    connection->deadline = worker_clock() + timeout_of(worker);
    connection->earlier = worker->newest;
    connection->later = NULL;
    *(worker->newest != NULL ? &worker->newest->later : &worker->oldest) = connection;
    worker->newest = connection;
}

void worker_renew(struct connection *connection)
{
    if (connection->expired)
        return;
    unlink_connection(connection);
    append_connection(connection);
}

/* Ends a connection from our side: libmicrohttpd sees its end and closes it. */
static void expire(struct connection *connection)
{
    unlink_connection(connection);
    connection->expired = true;
    shutdown(connection->socket, SHUT_RDWR);
}

/* Tells a peer that has begun a request that it took too long. libmicrohttpd has no answer under way, and could not
 * send one before all has come. */
static void tell_timeout(struct connection *connection)
{
    struct text body = { 0 }, text = { 0 };
    request_error(&body, MHD_HTTP_REQUEST_TIMEOUT, "the request has not come whole in time");
    text_print(&text,
               "HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
               "Connection: close\r\n\r\n%.*s",
               body.used, (int)body.used, body.bytes);
    if (!text.failed && !body.failed)
        send(connection->socket, text.bytes, text.used, MSG_DONTWAIT | MSG_NOSIGNAL);
    metrics_answer(&connection->worker->counters, MHD_HTTP_REQUEST_TIMEOUT);
    free(body.bytes);
    free(text.bytes);
}

static void expire_late(struct worker *worker, uint64_t now)
{
    while (worker->oldest != NULL && worker->oldest->deadline <= now) {
        struct connection *const connection = worker->oldest;
        if (connection->asked && connection->request.stage == RECEIVING)
            tell_timeout(connection);
        expire(connection);
    }
}

/* Whether a peer has sent all that it ever will, and all of it was read. */
static bool has_ended(const struct connection *connection)
{
    char byte;
    return recv(connection->socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

/* Ends the connections whose peers have gone in the midst of a request or after one. libmicrohttpd is told once that
 * there is something to read; where a peer's end had come with its last bytes, it reads those and waits for more. What
 * was renewed since the last look is left alone: libmicrohttpd may hold a whole request that is its next. */
static void expire_gone(struct worker *worker, uint64_t now)
{
    struct connection *later = NULL;
    if (now < worker->swept + SWEEP * 1000000ull)
        return;
    for (struct connection *connection = worker->oldest;
         connection != NULL && connection->deadline <= worker->swept + timeout_of(worker); connection = later) {
        later = connection->later;
        if (connection->request.stage == RECEIVING && has_ended(connection))
            expire(connection);
    }
    worker->swept = now;
}

/* ---- Connections ------------------------------------------------------------------------------------------------- */

static void on_connection(void *context, struct MHD_Connection *mhd, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct worker *const worker = context;
    struct server *const server = worker->server;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        struct connection *const connection = calloc(1, sizeof *connection);
        *socket_context = connection;
        if (connection == NULL)
            return; /* request_handle closes it */
        connection->worker = worker;
        connection->mhd = mhd;
        connection->socket = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        connection->request.connection = connection;
        connection->surplus = atomic_fetch_add(&server->connections, 1) >= server->options->connections;
        worker->open++;
        append_connection(connection);
        return;
    }
    struct connection *const connection = *socket_context;
    if (connection == NULL)
        return;
    if (!connection->expired)
        unlink_connection(connection);
    request_release(&connection->request);
    atomic_fetch_sub(&server->connections, 1);
    worker->open--;
    free(connection);
}

/* Paths and queries are compared as they were sent: nothing here needs escapes, and %00 would end a string. */
static size_t leave_escaped(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

/* ---- The batch --------------------------------------------------------------------------------------------------- */

void worker_enqueue(struct request *request)
{
    struct worker *const worker = request->connection->worker;
    request->stage = WAITING;
    request->next = NULL;
    *worker->last = request;
    worker->last = &request->next;
}

static void run_staged(struct worker *worker, float *const *to, size_t count)
{
    const size_t classes = worker->server->classes;
    ink_session_run_bytes(worker->session, worker->staged, count, worker->probabilities);
    for (size_t i = 0; i < count; i++)
        memcpy(to[i], worker->probabilities + i * classes, classes * sizeof(float));
    metrics_count(&worker->counters.batches, 1);
    metrics_count(&worker->counters.images, count);
}

/* Runs the network over the images of all waiting requests, whoever sent them. */
static void run_batch(struct worker *worker)
{
    const size_t image = worker->server->image, classes = worker->server->classes;
    float *to[SESSION_BATCH];
    size_t staged = 0;
    for (struct request *request = worker->first; request != NULL; request = request->next) {
        for (size_t i = 0; i < request->count; i++) {
            memcpy(worker->staged + staged * image, request->images + i * image, image);
            to[staged++] = request->probabilities + i * classes;
            if (staged == SESSION_BATCH) {
                run_staged(worker, to, staged);
                staged = 0;
            }
        }
    }
    if (staged > 0)
        run_staged(worker, to, staged);
    const uint64_t now = worker_clock();
    for (struct request *request = worker->first; request != NULL; request = request->next) {
        atomic_fetch_sub(&worker->server->waiting, request->count);
        request->stage = READY;
        request->computed = now;
        metrics_time(&worker->counters, now - request->received);
    }
    worker->first = NULL;
    worker->last = &worker->first;
}

/* ---- Stopping ---------------------------------------------------------------------------------------------------- */

/* The last worker to turn its back on the listening socket closes it: who comes later is refused, and not left to
 * wait. */
static void stop_accepting(struct worker *worker)
{
    struct server *const server = worker->server;
    MHD_quiesce_daemon(worker->daemon);
    worker->accepting = false;
    if (atomic_fetch_sub(&server->accepting, 1) == 1) {
        close(server->listener);
        server->listener = -1;
    }
}

/* Nothing has come in this turn: closes the connections on which nothing was asked. */
static void close_idle(struct worker *worker)
{
    struct connection *later = NULL;
    for (struct connection *connection = worker->oldest; connection != NULL; connection = later) {
        later = connection->later;
        if (!connection->asked)
            expire(connection);
    }
}

/* ---- The loop ---------------------------------------------------------------------------------------------------- */

/* How long nothing is to be done, in milliseconds; -1: for ever. */
static int idle_time(const struct worker *worker)
{
    MHD_UNSIGNED_LONG_LONG pending;
    if (MHD_get_timeout(worker->daemon, &pending) == MHD_YES)
        return 0; /* libmicrohttpd has no deadlines of its own here, only what is at hand */
    if (worker->draining)
        return DRAIN_TURN;
    if (worker->oldest == NULL)
        return -1;
    const uint64_t now = worker_clock(), deadline = worker->oldest->deadline;
    const uint64_t milliseconds = deadline > now ? (deadline - now) / 1000000 + 1 : 0;
    return milliseconds < SWEEP ? (int)milliseconds : SWEEP;
}

void *worker_run(void *context)
{
    struct worker *const worker = context;
    struct server *const server = worker->server;
    struct pollfd files[2] = {
        { .fd = MHD_get_daemon_info(worker->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, .events = POLLIN },
        { .fd = server->stop, .events = POLLIN },
    };
    uint64_t last_accept = 0;
    while (!worker->draining || (worker->open > 0 && !atomic_load(&server->abandon))) {
        const int idle = idle_time(worker);
        const bool quiet = poll(files, worker->draining ? 1 : 2, idle) == 0 && idle > 0;
        if (!worker->draining && files[1].revents != 0) {
            worker->draining = true;
            last_accept = worker_clock() + LAST_ACCEPTS;
        }
        MHD_run(worker->daemon);
        if (worker->first != NULL)
            run_batch(worker);
        const uint64_t now = worker_clock();
        expire_late(worker, now);
        expire_gone(worker, now);
        if (worker->draining && worker->accepting && (quiet || worker_clock() >= last_accept))
            stop_accepting(worker);
        else if (worker->draining && quiet)
            close_idle(worker);
    }
    if (worker->accepting)
        stop_accepting(worker);
    atomic_fetch_sub(&server->running, 1);
    return NULL;
}

/* ---- Making and freeing ------------------------------------------------------------------------------------------ */

static size_t largest_layer(const struct ink_net *net)
{
    struct ink_layer_info layer;
    size_t largest = 0;
    for (size_t i = 0; ink_net_layer(net, i, &layer); i++) {
        const size_t size = layer.out.height * layer.out.width * layer.out.channels;
        largest = size > largest ? size : largest;
    }
    return largest;
}

enum ink_status worker_make(struct worker *worker, struct server *server, struct ink_error *err)
{
    worker->server = server;
    worker->accepting = true;
    worker->last = &worker->first;
    worker->staged = calloc(SESSION_BATCH, server->image);
    worker->probabilities = calloc(SESSION_BATCH * server->classes, sizeof *worker->probabilities);
    worker->layer = calloc(largest_layer(server->net), sizeof *worker->layer);
    if (worker->staged == NULL || worker->probabilities == NULL || worker->layer == NULL)
        return serve_fail(err, INK_FAILED, "out of memory");
    const enum ink_status status =
        ink_session_new(&worker->session, server->net, SESSION_BATCH, &server->options->compute, err);
    if (status != INK_OK)
        return status;
    worker->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TURBO, 0, NULL, NULL, request_handle, worker, MHD_OPTION_LISTEN_SOCKET,
        server->listener, MHD_OPTION_CONNECTION_LIMIT, (unsigned)(server->options->connections + SURPLUS),
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY, MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, worker, MHD_OPTION_NOTIFY_COMPLETED, request_completed, worker,
        MHD_OPTION_URI_LOG_CALLBACK, request_line, worker, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_END);
    return worker->daemon != NULL ? INK_OK : serve_fail(err, INK_FAILED, "cannot start a server: %s", strerror(errno));
}

void worker_free(struct worker *worker)
{
    if (worker->daemon != NULL) {
        MHD_quiesce_daemon(worker->daemon); /* or it would close the listening socket, which is everybody's */
        MHD_stop_daemon(worker->daemon);
    }
    ink_session_free(worker->session);
    free(worker->staged);
    free(worker->probabilities);
    free(worker->layer);
}
