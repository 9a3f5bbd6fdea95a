/* One file over HTTP, taken up again where an earlier attempt ended. */
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include "inkling.h"

struct http_request {
    const char *url;  /* http or https; redirections are followed, proxies taken from the environment as curl does */
    const char *path; /* what is there already is kept, and only the rest is asked for */
    uint64_t largest; /* bytes; a file that grows beyond is refused */
    double timeout;   /* seconds to connect in, and seconds without a byte after which the server is given up */
    /* Called several times a second once the file is coming; `total` is 0 while it is unknown. */
    void (*on_progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

/* INK_OK when `path` holds all that the server has; where the server does not send parts, it was begun again. On
 * failure `path` keeps what came, for the next attempt. */
enum ink_status http_download(const struct http_request *request, struct ink_error *err);

#endif
