/*
 * The HTTP server: a model behind a port, for people at `/` and for programs at `/v1/predict`. It sees the library
 * through inkling.h alone, and of the program this header is all that is seen.
 *
 * A worker is a thread with an event loop (libmicrohttpd over epoll) and a session of its own over the one const net;
 * all workers accept from one listening socket. A turn of the loop takes in whatever has arrived, runs the network once
 * over all images of all whole requests among it, and answers. So nobody ever waits for a batch to fill: an image that
 * comes alone is run alone at once, and under load, what came while the last batch was computed is the next batch.
 *
 *   server.c     sockets, threads, signals: starting and stopping
 *   worker.c     the loop, the deadlines of connections, the batch
 *   request.c    one request: its route, its limits, its body, its answer
 *   predict.c    from a body to images, from probabilities to JSON
 *   body.c       the JSON of a body, read by hand because it is a stranger's
 *   card.c       what is known of the model
 *   metrics.c    counters, and the text of /metrics
 *   text.c       growing text, JSON strings, base64
 *
 * No client's input is believed: what it may make the server keep or do is bounded by an option below.
 */
#ifndef SERVE_SERVE_H
#define SERVE_SERVE_H

#include "inkling.h"

struct serve_options {
    const char *model;  /* the model's file */
    const char *host;   /* to listen on; other than loopback needs a token */
    size_t port;        /* 0: any that is free */
    const char *token;  /* NULL, or what clients must bear */
    size_t body;        /* bytes of one request's body */
    size_t memory;      /* bytes of all bodies that are being received or worked on */
    size_t pixels;      /* of one picture */
    size_t batch;       /* images in one request */
    size_t queue;       /* images waiting to be run, of all requests */
    size_t connections; /* open at a time */
    double timeout;     /* seconds in which a whole request must have come, and an answer must have been taken */
    struct ink_compute compute; /* threads: workers */
    /* Called once, when the server listens. */
    void (*on_listening)(void *context, const char *url);
    void *context;
};

/* Serves until SIGINT or SIGTERM, then answers what was asked and returns INK_OK. A second signal drops what is left,
 * INK_FAILED. INK_BAD_ARGUMENT for options that do not go together. Changes the process's handling of these signals. */
enum ink_status serve_run(const struct serve_options *options, struct ink_error *err);

#endif
