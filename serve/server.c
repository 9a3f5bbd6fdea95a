/* Sockets, threads and signals: starting and stopping. */
#include "server.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,   /* connections that wait to be accepted */
    OWN_FILES = 64,   /* descriptors beside those of connections */
    MOST_ADDRESS = 64 /* characters */
};

enum ink_status serve_fail(struct ink_error *err, enum ink_status code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    err->code = code;
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return code;
}

/* ---- The socket -------------------------------------------------------------------------------------------------- */

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET)
        return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
    const struct in6_addr *const six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
    return address->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(six);
}

/* Makes the listening socket on the first address of the host that can be had, and writes its URL. */
static enum ink_status listen_at(int *listener, char url[MOST_ADDRESS + 32], const struct serve_options *options,
                                 struct ink_error *err)
{
    static const int yes = 1;
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *addresses = NULL;
    struct sockaddr_storage bound = { 0 };
    socklen_t size = sizeof bound;
    char port[16], host[MOST_ADDRESS], service[16];
    *listener = -1;
    snprintf(port, sizeof port, "%zu", options->port);
    const int failure = getaddrinfo(options->host, port, &hints, &addresses);
    if (failure != 0)
        return serve_fail(err, INK_BAD_ARGUMENT, "--host %s: %s", options->host, gai_strerror(failure));

    enum ink_status status = INK_OK;
    for (const struct addrinfo *at = addresses; at != NULL && options->token == NULL; at = at->ai_next)
        if (!is_loopback(at->ai_addr))
            status = serve_fail(err, INK_BAD_ARGUMENT,
                                "--host %s: others can reach it, so it needs --token or --token-file", options->host);
    for (const struct addrinfo *at = addresses; at != NULL && status == INK_OK && *listener < 0; at = at->ai_next) {
        const int file = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (file >= 0 && setsockopt(file, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
            bind(file, at->ai_addr, at->ai_addrlen) == 0 && listen(file, BACKLOG) == 0)
            *listener = file;
        else if (file >= 0)
            close(file);
    }
    freeaddrinfo(addresses);
    if (status == INK_OK && (*listener < 0 || getsockname(*listener, (struct sockaddr *)&bound, &size) != 0 ||
                             getnameinfo((struct sockaddr *)&bound, size, host, sizeof host, service, sizeof service,
                                         NI_NUMERICHOST | NI_NUMERICSERV) != 0))
        status = serve_fail(err, INK_FAILED, "cannot listen on %s port %zu: %s", options->host, options->port,
                            strerror(errno));
    if (status == INK_OK)
        snprintf(url, MOST_ADDRESS + 32, bound.ss_family == AF_INET6 ? "http://[%s]:%s/" : "http://%s:%s/", host,
                 service);
    return status;
}

/* Sees to it that there may be as many files open as there may be connections. */
static enum ink_status allow_files(const struct serve_options *options, size_t workers, struct ink_error *err)
{
    struct rlimit limit;
    const rlim_t needed = (rlim_t)(options->connections + OWN_FILES * (workers + 1));
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return INK_OK; /* then accepting fails where it must */
    if (limit.rlim_max < needed)
        return serve_fail(err, INK_BAD_ARGUMENT,
                          "--max-connections %zu: the system allows this process %llu open files, expected %llu",
                          options->connections, (unsigned long long)limit.rlim_max, (unsigned long long)needed);
    if (limit.rlim_cur < needed) {
        limit.rlim_cur = needed;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return INK_OK;
}

/* ---- Starting and stopping --------------------------------------------------------------------------------------- */

/* Threads are made with these signals blocked; only the main thread waits for them. */
static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static void stop_workers(const struct server *server)
{
    static const uint64_t one = 1;
    const ssize_t written = write(server->stop, &one, sizeof one);
    (void)written; /* a new eventfd takes it */
}

static enum ink_status start(struct server *server, char url[MOST_ADDRESS + 32], struct ink_error *err)
{
    const struct serve_options *const options = server->options;
    const size_t count = options->compute.threads > 0 ? options->compute.threads : ink_usable_cpus();
    enum ink_status status = ink_net_load(&server->net, options->model, err);
    if (status != INK_OK || (status = card_make(server, err)) != INK_OK ||
        (status = allow_files(options, count, err)) != INK_OK ||
        (status = listen_at(&server->listener, url, options, err)) != INK_OK)
        return status;
    const struct ink_shape input = ink_net_input(server->net);
    server->image = input.height * input.width * input.channels;
    server->classes = ink_net_classes(server->net);
    server->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    server->workers = calloc(count, sizeof *server->workers);
    if (server->stop < 0 || server->workers == NULL)
        return serve_fail(err, INK_FAILED, "out of memory or of files");
    atomic_store(&server->accepting, count);
    for (; server->worker_count < count && status == INK_OK; server->worker_count++)
        status = worker_make(&server->workers[server->worker_count], server, err);
    for (size_t w = 0; w < server->worker_count && status == INK_OK; w++) {
        struct worker *const worker = &server->workers[w];
        atomic_fetch_add(&server->running, 1);
        worker->started = pthread_create(&worker->thread, NULL, worker_run, worker) == 0;
        if (!worker->started)
            status = serve_fail(err, INK_FAILED, "cannot start a thread");
    }
    return status;
}

/* Waits for the signal to stop, and then for the workers; a second signal makes short work. */
static enum ink_status wait_for_end(struct server *server, const sigset_t *signals, struct ink_error *err)
{
    static const struct timespec turn = { .tv_nsec = 5000000 };
    int signal_number;
    sigwait(signals, &signal_number);
    stop_workers(server);
    while (atomic_load(&server->running) > 0)
        if (sigtimedwait(signals, NULL, &turn) > 0)
            atomic_store(&server->abandon, true);
    const size_t left = atomic_load(&server->connections);
    return left == 0 ? INK_OK : serve_fail(err, INK_FAILED, "stopped at once, %zu connections dropped", left);
}

enum ink_status serve_run(const struct serve_options *options, struct ink_error *err)
{
    struct server server = { .options = options, .listener = -1, .stop = -1 };
    sigset_t signals;
    char url[MOST_ADDRESS + 32];
    block_signals(&signals);
    enum ink_status status = start(&server, url, err);
    if (status == INK_OK) {
        options->on_listening(options->context, url);
        status = wait_for_end(&server, &signals, err);
    } else if (server.stop >= 0) {
        stop_workers(&server);
    }
    for (size_t w = 0; w < server.worker_count; w++)
        if (server.workers[w].started)
            pthread_join(server.workers[w].thread, NULL);
    for (size_t w = 0; w < server.worker_count; w++)
        worker_free(&server.workers[w]);
    if (server.listener >= 0)
        close(server.listener);
    if (server.stop >= 0)
        close(server.stop);
    free(server.workers);
    free(server.card.bytes);
    free(server.head.bytes);
    ink_net_free(server.net);
    return status;
}
