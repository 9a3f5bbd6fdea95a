#include "http.h"

#ifdef INK_FETCH

#include "cli.h"
#include "progress.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_REDIRECTIONS 5L

struct transfer {
    const struct http_request *request;
    CURL *curl;
    FILE *file;
    uint64_t size;              /* bytes of the file so far */
    uint64_t offset;            /* where the body that is coming belongs */
    bool begun;                 /* the body has begun */
    double last_change;         /* seconds, when the last byte came */
    curl_off_t received;        /* bytes of the body at last_change */
    char problem[128];          /* why we, not curl, ended it */
    char text[CURL_ERROR_SIZE]; /* why curl did */
};

static bool empty_file(struct transfer *t)
{
    if (ftruncate(fileno(t->file), 0) != 0) {
        snprintf(t->problem, sizeof t->problem, "cannot empty %s: %s", t->request->path, strerror(errno));
        return false;
    }
    t->size = 0;
    return true;
}

/* Decides by the answer's head where its body belongs: behind what we have, or instead of it. */
static bool begin_body(struct transfer *t)
{
    t->begun = true;
    if (t->offset == 0)
        return true;
    long code = 0;
    curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &code);
    if (code == 206) {
        struct curl_header *range = NULL;
        uint64_t from = 0;
        if (curl_easy_header(t->curl, "Content-Range", 0, CURLH_HEADER, -1, &range) == CURLHE_OK &&
            sscanf(range->value, "bytes %" SCNu64 "-", &from) == 1 && from == t->offset)
            return true;
        snprintf(t->problem, sizeof t->problem,
                 "the server sent another part of the file than byte %" PRIu64 " onwards", t->offset);
        return false;
    }
    t->offset = 0;
    return empty_file(t);
}

static size_t on_body(char *bytes, size_t one, size_t count, void *context)
{
    (void)one; /* always 1 */
    struct transfer *t = context;
    if (!t->begun && !begin_body(t))
        return 0;
    if (t->size > t->request->largest || count > t->request->largest - t->size) {
        if (empty_file(t))
            snprintf(t->problem, sizeof t->problem, "more than %" PRIu64 " bytes, which is not the file looked for",
                     t->request->largest);
        return 0;
    }
    if (fwrite(bytes, 1, count, t->file) != count) {
        snprintf(t->problem, sizeof t->problem, "cannot write %s: %s", t->request->path, strerror(errno));
        return 0;
    }
    t->size += count;
    return count;
}

/* Curl calls this several times a second, also while nothing comes. Not 0 ends the transfer. */
static int on_tick(void *context, curl_off_t total, curl_off_t received, curl_off_t upload_total, curl_off_t uploaded)
{
    (void)upload_total;
    (void)uploaded;
    struct transfer *t = context;
    const double time = progress_clock();
    if (received != t->received) {
        t->received = received;
        t->last_change = time;
    }
    if (time - t->last_change > t->request->timeout) {
        snprintf(t->problem, sizeof t->problem, "nothing came for %g s", t->request->timeout);
        return 1;
    }
    if (t->begun)
        t->request->on_progress(t->request->context, t->size, total > 0 ? t->offset + (uint64_t)total : 0);
    return 0;
}

/* Asks once, for what follows the file's present end. */
static CURLcode attempt(struct transfer *t)
{
    char range[32];
    snprintf(range, sizeof range, "%" PRIu64 "-", t->size);
    t->offset = t->size;
    t->begun = false;
    t->received = 0;
    t->last_change = progress_clock();
    curl_easy_setopt(t->curl, CURLOPT_RANGE, t->offset > 0 ? range : NULL);
    return curl_easy_perform(t->curl);
}

static bool set_up(struct transfer *t)
{
    const struct http_request *request = t->request;
    t->curl = curl_easy_init();
    return t->curl != NULL && curl_easy_setopt(t->curl, CURLOPT_URL, request->url) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_MAXREDIRS, MOST_REDIRECTIONS) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_USERAGENT, "inkling/" INK_VERSION) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)(1000 * request->timeout)) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_ERRORBUFFER, t->text) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, t) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_XFERINFOFUNCTION, on_tick) == CURLE_OK &&
           curl_easy_setopt(t->curl, CURLOPT_XFERINFODATA, t) == CURLE_OK;
}

enum ink_status http_download(const struct http_request *request, struct ink_error *err)
{
    enum ink_status status = INK_FAILED;
    struct transfer t = { .request = request };
    struct stat info;
    t.file = fopen(request->path, "ab");
    if (t.file == NULL || fstat(fileno(t.file), &info) != 0) {
        cli_fail(err, INK_FAILED, "%s: cannot open: %s", request->path, strerror(errno));
        goto out;
    }
    setvbuf(t.file, NULL, _IONBF, 0); /* curl's pieces are large, and a write that fails shall fail at once */
    t.size = (uint64_t)info.st_size;
    if (!set_up(&t)) {
        cli_fail(err, INK_FAILED, "curl could not be set up");
        goto out;
    }

    CURLcode result = attempt(&t);
    long code = 0;
    curl_easy_getinfo(t.curl, CURLINFO_RESPONSE_CODE, &code);
    if (result == CURLE_HTTP_RETURNED_ERROR && code == 416 && empty_file(&t))
        result = attempt(&t); /* nothing lies behind what we had, so that was no beginning of the server's file */
    if (result != CURLE_OK) {
        const char *why = t.problem[0] != 0 ? t.problem : t.text[0] != 0 ? t.text : curl_easy_strerror(result);
        cli_fail(err, INK_FAILED, "%s: %s", request->url, why);
        goto out;
    }
    if (fsync(fileno(t.file)) != 0) {
        cli_fail(err, INK_FAILED, "%s: cannot write: %s", request->path, strerror(errno));
        goto out;
    }
    status = INK_OK;
out:
    if (t.file != NULL)
        fclose(t.file);
    curl_easy_cleanup(t.curl);
    return status;
}

#endif
