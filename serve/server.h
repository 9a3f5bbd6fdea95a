/* What the parts of the server share. */
#ifndef SERVE_SERVER_H
#define SERVE_SERVER_H

#include "serve.h"
#include "text.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

/* Images that a session takes at a time. */
#define SESSION_BATCH ((size_t)64)

/* A file of the page, in the program itself; made by cmake/embed_pages.cmake. */
struct page {
    const char *path, *type;
    const unsigned char *bytes;
    size_t size;
};
extern const struct page pages[]; /* ended by a row whose path is NULL */

/* ---- Counters ---------------------------------------------------------------------------------------------------- */

/* How many statuses there are, and how many classes of times. */
#define METRICS_STATUSES 10
#define METRICS_TIMES    11

/* Each worker has its own, which only it writes. */
struct counters {
    atomic_size_t answers[METRICS_STATUSES];
    atomic_size_t times[METRICS_TIMES]; /* of predictions, by how long they took */
    atomic_size_t nanoseconds;          /* the sum of these times */
    atomic_size_t images, batches;
};

/* ---- A request --------------------------------------------------------------------------------------------------- */

struct connection;
struct worker;
struct request;

/* What is answered at a path. */
struct route {
    const char *path, *method;
    const char *type; /* of the answer */
    bool open;        /* without a token too */
    /* Answers a request that has come whole: returns the status and writes the text. 0: the answer is made when the
     * network has run. */
    unsigned (*answer)(struct request *request, struct text *text);
};
extern const struct route routes[]; /* ended by a row whose path is NULL */

enum stage {
    RECEIVING, /* until all of it has come */
    WAITING,   /* for the network */
    READY,     /* to be answered */
    ANSWERED   /* the answer is on its way */
};

/* What the query of a prediction asks for. */
struct wishes {
    enum ink_fit fit;
    bool number;   /* a picture holds several digits */
    bool pixels;   /* tell what the network saw */
    size_t layers; /* tell what the layers gave for this image; SIZE_MAX: none */
};

struct request {
    struct connection *connection;
    const struct route *route;
    const struct page *page;
    enum stage stage;
    unsigned status;   /* of a refusal; 0: none */
    char message[512]; /* its reason */
    unsigned char *body;
    size_t size, room; /* of the body: bytes that have come, that there is memory for */
    size_t promised;   /* how much room its length asks for to begin with; 0: no body is wanted */
    size_t swallowed;  /* bytes that came after a refusal */
    uint64_t received; /* when all of it had come, in nanoseconds */
    uint64_t computed;
    struct wishes wishes;
    uint8_t *images; /* (count, H, W, C); the body itself where it is pixels */
    size_t count;
    struct ink_box *boxes; /* (count), where digits are in the picture; NULL if that was not asked for */
    float *probabilities;  /* (count, classes) */
    struct request *next;  /* in the worker's queue */
};

/* Of a peer. It stands in its worker's list, ordered by deadline: all have the same time. */
struct connection {
    struct worker *worker;
    struct MHD_Connection *mhd;
    int socket;
    struct connection *earlier, *later;
    uint64_t deadline; /* nanoseconds */
    bool surplus;      /* one more than there may be */
    bool asked;        /* the first line of a request has come, and it is not answered yet */
    bool expired;
    struct request request; /* the one that is under way */
};

/* ---- Workers ----------------------------------------------------------------------------------------------------- */

struct worker {
    struct server *server;
    struct ink_session *session;
    struct MHD_Daemon *daemon;
    pthread_t thread;
    bool started;                       /* the thread */
    bool draining, accepting;           /* stopping; still taking connections in */
    size_t open;                        /* connections */
    struct connection *oldest, *newest; /* by deadline */
    uint64_t swept;                     /* when the last look for peers that have gone was, in nanoseconds */
    struct request *first, **last;      /* waiting for the network */
    uint8_t *staged;                    /* (SESSION_BATCH, H, W, C) */
    float *probabilities;               /* (SESSION_BATCH, classes) */
    float *layer;                       /* the largest output of a layer */
    struct counters counters;
};

struct server {
    const struct serve_options *options;
    struct ink_net *net;
    size_t image, classes; /* bytes of an image */
    char sha256[65];       /* of the model's file */
    struct text card;      /* the answer of /v1/model */
    struct text head;      /* what every prediction begins with */
    int listener, stop;    /* `stop` is readable once the server is to stop */
    struct worker *workers;
    size_t worker_count;
    atomic_size_t accepting; /* workers that still take connections in; the last closes the listener */
    atomic_size_t running;   /* workers */
    atomic_bool abandon;     /* stop without answering what is left */
    atomic_size_t connections, waiting, memory; /* open; images; bytes of bodies */
};

/* ---- Functions --------------------------------------------------------------------------------------------------- */

/* Fills *err and returns `code`. */
enum ink_status serve_fail(struct ink_error *err, enum ink_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* worker.c. Makes what a worker needs; to be freed in any case. */
enum ink_status worker_make(struct worker *worker, struct server *server, struct ink_error *err);
void worker_free(struct worker *worker);
void *worker_run(void *worker);
/* The time of a clock that only goes forward, in nanoseconds. */
uint64_t worker_clock(void);
/* Gives the peer the whole time again. */
void worker_renew(struct connection *connection);
/* Has the images of a request run in this turn. */
void worker_enqueue(struct request *request);

/* request.c: what libmicrohttpd calls with a worker as its context. */
enum MHD_Result request_handle(void *worker, struct MHD_Connection *mhd, const char *path, const char *method,
                               const char *version, const char *upload, size_t *size, void **context);
void *request_line(void *worker, const char *uri, struct MHD_Connection *mhd);
void request_completed(void *worker, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how);
/* Sets the status and the reason of a refusal, if it is the first. Returns false. */
bool request_refuse(struct request *request, unsigned status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Releases what a request holds. */
void request_release(struct request *request);
/* The text of an error: {"error": ..., "status": ...}. */
void request_error(struct text *text, unsigned status, const char *message);

/* predict.c. Reads the query: false if it was refused. */
bool predict_query(struct request *request);
/* From the body to images, and into the queue; the status of a refusal, or 0. */
unsigned predict_answer(struct request *request, struct text *text);
/* The answer, once there are probabilities. */
void predict_write(const struct request *request, struct text *text);
/* Room for one more image, NULL if it was refused. */
uint8_t *predict_add_image(struct request *request);
/* Decodes a picture and adds what is in it; false if it was refused. */
bool predict_add_picture(struct request *request, const void *bytes, size_t size);
/* Whether there is a media type `type` that a prediction takes. */
bool predict_takes(const char *type);

/* body.c: adds the images of a JSON body; false if it was refused. */
bool body_read_json(struct request *request);

/* card.c: the digest of the model's file, and the texts that tell of it. */
enum ink_status card_make(struct server *server, struct ink_error *err);

/* metrics.c */
void metrics_count(atomic_size_t *counter, size_t more);
void metrics_answer(struct counters *counters, unsigned status);
void metrics_time(struct counters *counters, uint64_t nanoseconds);
unsigned metrics_write(struct request *request, struct text *text);

#endif
