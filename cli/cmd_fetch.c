/*
 * inkling fetch: brings a known data set from its mirrors.
 *
 * A file is NAME.gz.part while it comes, and is renamed only when the SHA-256 of what it decompresses to is the
 * published one: so every mirror and every recompression is as good, and a file that is there is whole.
 */
#include "cli.h"
#include "http.h"
#include "progress.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef INK_FETCH
#include <openssl/evp.h>
#include <zlib.h>
#endif

#define FILES           (sizeof((struct ink_dataset_source *)NULL)->files / sizeof(struct ink_dataset_file))
#define MOST_MIRRORS    8
#define MOST_URL        1024
#define MOST_ATTEMPTS   5                    /* at one mirror for one file, as long as each brings more of it */
#define MOST_COMPRESSED ((uint64_t)64 << 20) /* bytes; the largest known file has 27 million */
#define MOST_CONTENT    ((uint64_t)256 << 20)

struct fetch_arguments {
    const char *to, *mirror;
    double timeout;
};

#define AT(member, kind) CLI_AT(struct fetch_arguments, member, kind)

static const struct ink_dataset_source *find_source(const char *name)
{
    for (const struct ink_dataset_source *source = ink_dataset_sources(); source->name != NULL; source++)
        if (strcmp(source->name, name) == 0)
            return source;
    return NULL;
}

static const char *source_name(const void *context, size_t i)
{
    (void)context;
    return ink_dataset_sources()[i].name;
}

static enum ink_status fail_unknown(const char *name, struct ink_error *err)
{
    char names[256] = "", hint[64] = "";
    size_t used = 0;
    for (size_t i = 0; source_name(NULL, i) != NULL && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "", source_name(NULL, i));
    const char *nearest = cli_nearest(name, source_name, NULL);
    if (nearest != NULL)
        snprintf(hint, sizeof hint, "; did you mean '%s'?", nearest);
    return cli_fail(err, INK_BAD_ARGUMENT, "fetch: found '%s', expected one of %s%s", name, names, hint);
}

static enum ink_status fail_path(const char *folder, struct ink_error *err)
{
    return cli_fail(err, INK_BAD_ARGUMENT, "%.100s...: the name is longer than %d bytes", folder, PATH_MAX);
}

/* Where to put a data set: --to, or the first place where its name will be looked for outside the working folder. */
static enum ink_status choose_folder(char folder[PATH_MAX], const char *const *folders, const char *name,
                                     const char *to, struct ink_error *err)
{
    const size_t first = strcmp(folders[0], "./data") == 0 ? 1 : 0;
    const int length =
        to != NULL ? snprintf(folder, PATH_MAX, "%s", to) : snprintf(folder, PATH_MAX, "%s/%s", folders[first], name);
    return length > 0 && length < PATH_MAX ? INK_OK : fail_path(folder, err);
}

/* "train-images-idx3-ubyte, ..." */
static void list_files(char *list, size_t size, const struct ink_dataset_source *source)
{
    size_t used = 0;
    for (size_t i = 0; i < FILES && used < size; i++)
        used += (size_t)snprintf(list + used, size - used, "%s%s", i > 0 ? ", " : "", source->files[i].name);
}

#ifdef INK_FETCH

struct fetch {
    const struct ink_dataset_source *source;
    char folder[PATH_MAX];
    char mirrors[MOST_MIRRORS][MOST_URL]; /* each ends with a slash */
    size_t mirror_count;
    size_t mirror; /* the one that answered last, and is asked first */
    double timeout;
    struct progress progress;
    const char *coming; /* the file that the progress bar is about */
    size_t fetched;     /* files that were not there already */
};

static bool join(char path[PATH_MAX], const char *folder, const char *name, const char *ending)
{
    const int length = snprintf(path, PATH_MAX, "%s/%s%s", folder, name, ending);
    return length > 0 && length < PATH_MAX;
}

/* ---- What a file holds ------------------------------------------------------------------------------------------- */

/* Feeds the decompressed content of `path`, plain or gzipped, to `digest`. False if it cannot be read to its end or
 * does not begin as an IDX file of bytes does. */
static bool digest_content(EVP_MD_CTX *digest, const char *path)
{
    static const unsigned char idx_of_bytes[] = { 0, 0, 8 };
    static unsigned char buffer[1 << 16];
    uint64_t size = 0;
    int got = 0;
    gzFile file = gzopen(path, "rb");
    if (file == NULL)
        return false;
    bool good = true;
    while (good && (got = gzread(file, buffer, sizeof buffer)) > 0) {
        if (size == 0)
            good = got > 3 && memcmp(buffer, idx_of_bytes, sizeof idx_of_bytes) == 0;
        size += (uint64_t)got;
        good = good && size <= MOST_CONTENT && EVP_DigestUpdate(digest, buffer, (size_t)got) == 1;
    }
    /* A stream that ends too early shows only when it is closed. */
    return gzclose(file) == Z_OK && good && got == 0 && size > 0;
}

/* Whether `path` holds what is published as `file`. Where no fingerprint is known, an IDX file in whole compressed form
 * has to do. */
static bool is_right(const char *path, const struct ink_dataset_file *file)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    bool right = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 && digest_content(digest, path) &&
                 EVP_DigestFinal_ex(digest, bytes, &length) == 1;
    EVP_MD_CTX_free(digest);
    for (unsigned i = 0; i < length; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    return right && (file->sha256 == NULL || strcmp(hex, file->sha256) == 0);
}

/* Whether `folder` has the file, plain or gzipped. */
static bool has_file(const char *folder, const struct ink_dataset_file *file)
{
    char path[PATH_MAX];
    return (join(path, folder, file->name, ".gz") && is_right(path, file)) ||
           (join(path, folder, file->name, "") && is_right(path, file));
}

/* ---- One file ---------------------------------------------------------------------------------------------------- */

static void on_progress(void *context, uint64_t done, uint64_t total)
{
    struct fetch *fetch = context;
    if (!progress_due(&fetch->progress))
        return;
    char tail[64];
    snprintf(tail, sizeof tail, "%.1f of %.1f MB", 1e-6 * (double)done, 1e-6 * (double)total);
    progress_draw(&fetch->progress, fetch->coming, total > 0 ? (double)done / (double)total : 0, tail);
}

static uint64_t file_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
}

/* Brings `part` from one mirror, checked. */
static enum ink_status fetch_from(struct fetch *fetch, size_t mirror, const struct ink_dataset_file *file,
                                  const char *part, struct ink_error *err)
{
    char url[MOST_URL + 64];
    snprintf(url, sizeof url, "%s%s.gz", fetch->mirrors[mirror], file->name);
    const struct http_request request = { .url = url,
                                          .path = part,
                                          .largest = MOST_COMPRESSED,
                                          .timeout = fetch->timeout,
                                          .on_progress = on_progress,
                                          .context = fetch };
    enum ink_status status = INK_FAILED;
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
        const uint64_t before = file_size(part);
        status = http_download(&request, err);
        if (status == INK_OK && is_right(part, file))
            return INK_OK;
        if (status != INK_OK && file_size(part) <= before)
            return status; /* this mirror brings no more */
        if (status == INK_OK) {
            status = cli_fail(err, INK_BAD_INPUT, "%s: refused, the content is not that of %s", url, file->name);
            unlink(part);
            if (before == 0)
                return status;
            /* Its beginning came earlier, perhaps from a mirror that compresses otherwise: once more, whole. */
        }
    }
    return status;
}

static enum ink_status fetch_file(struct fetch *fetch, const struct ink_dataset_file *file, struct ink_error *err)
{
    char whole[PATH_MAX], part[PATH_MAX], list[256];
    if (has_file(fetch->folder, file))
        return INK_OK;
    if (!join(whole, fetch->folder, file->name, ".gz") || !join(part, fetch->folder, file->name, ".gz.part"))
        return fail_path(fetch->folder, err);
    fetch->coming = file->name;
    for (size_t tried = 0; tried < fetch->mirror_count; tried++) {
        const size_t mirror = (fetch->mirror + tried) % fetch->mirror_count;
        const enum ink_status status = fetch_from(fetch, mirror, file, part, err);
        progress_clear(&fetch->progress);
        if (status == INK_OK) {
            if (rename(part, whole) != 0)
                return cli_fail(err, INK_FAILED, "%s: cannot rename: %s", part, strerror(errno));
            fprintf(stderr, "%s.gz  %.1f kB\n", file->name, 1e-3 * (double)file_size(whole));
            fetch->mirror = mirror;
            fetch->fetched++;
            return INK_OK;
        }
        cli_print_error(err);
    }
    if (file_size(part) == 0)
        unlink(part);
    list_files(list, sizeof list, fetch->source);
    return cli_fail(err, INK_FAILED, "%s: no mirror gave %s; put %s, plain or gzipped, into %s", fetch->source->name,
                    file->name, list, fetch->folder);
}

/* ---- The data set ------------------------------------------------------------------------------------------------ */

static enum ink_status make_folders(const char *folder, struct ink_error *err)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", folder);
    for (char *slash = path; slash != NULL;) {
        slash = strchr(slash + 1, '/');
        if (slash != NULL)
            *slash = 0;
        if (mkdir(path, 0777) != 0 && errno != EEXIST)
            return cli_fail(err, INK_FAILED, "%s: cannot make the folder: %s", path, strerror(errno));
        if (slash != NULL)
            *slash = '/';
    }
    return INK_OK;
}

static enum ink_status add_mirror(struct fetch *fetch, const char *url, size_t length, struct ink_error *err)
{
    if (length == 0 || length + 2 > MOST_URL || fetch->mirror_count == MOST_MIRRORS)
        return cli_fail(err, INK_BAD_ARGUMENT,
                        "--mirror: expected 1 to %d URLs of at most %d bytes, separated by commas", MOST_MIRRORS,
                        MOST_URL - 2);
    snprintf(fetch->mirrors[fetch->mirror_count++], MOST_URL, "%.*s%s", (int)length, url,
             url[length - 1] == '/' ? "" : "/");
    return INK_OK;
}

static enum ink_status add_mirrors(struct fetch *fetch, const char *given, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    if (given == NULL) {
        for (const char *const *mirror = fetch->source->mirrors; *mirror != NULL && status == INK_OK; mirror++)
            status = add_mirror(fetch, *mirror, strlen(*mirror), err);
        return status;
    }
    for (bool more = true; more && status == INK_OK;) {
        const size_t length = strcspn(given, ",");
        status = add_mirror(fetch, given, length, err);
        more = given[length] == ',';
        given += length + more;
    }
    return status;
}

/* Whether one of the folders where data sets are looked for has it already, which *fetch then names. */
static bool find_present(struct fetch *fetch, const char *const *folders)
{
    char folder[PATH_MAX];
    for (; *folders != NULL; folders++) {
        bool all = join(folder, *folders, fetch->source->name, "");
        for (size_t i = 0; i < FILES && all; i++)
            all = has_file(folder, &fetch->source->files[i]);
        if (all) {
            memcpy(fetch->folder, folder, sizeof folder);
            return true;
        }
    }
    return false;
}

/* Says what is there, read as any other command will read it. */
static enum ink_status report(const struct fetch *fetch, struct ink_error *err)
{
    size_t counts[2] = { 0 };
    for (int split = INK_TRAIN; split <= INK_TEST; split++) {
        struct ink_dataset *data = NULL;
        const enum ink_status status = ink_dataset_open(&data, fetch->folder, (enum ink_split)split, NULL, err);
        if (status != INK_OK)
            return status;
        counts[split] = ink_dataset_count(data);
        ink_dataset_free(data);
    }
    printf("%s: %s%s, %zu training and %zu test images\n", fetch->source->name,
           fetch->fetched == 0 ? "already in " : "", fetch->folder, counts[INK_TRAIN], counts[INK_TEST]);
    return INK_OK;
}

static enum ink_status fetch_data_set(const struct ink_dataset_source *source, const char *const *folders,
                                      const struct fetch_arguments *arguments, struct ink_error *err)
{
    struct fetch fetch = { .source = source, .timeout = arguments->timeout };
    enum ink_status status = add_mirrors(&fetch, arguments->mirror, err);
    if (status != INK_OK)
        return status;
    if (arguments->to == NULL && find_present(&fetch, folders))
        return report(&fetch, err);
    status = choose_folder(fetch.folder, folders, source->name, arguments->to, err);
    if (status == INK_OK)
        status = make_folders(fetch.folder, err);
    progress_begin(&fetch.progress, false);
    for (size_t i = 0; i < FILES && status == INK_OK; i++)
        status = fetch_file(&fetch, &source->files[i], err);
    return status == INK_OK ? report(&fetch, err) : status;
}

#else

static enum ink_status fetch_data_set(const struct ink_dataset_source *source, const char *const *folders,
                                      const struct fetch_arguments *arguments, struct ink_error *err)
{
    char folder[PATH_MAX], list[256];
    const enum ink_status status = choose_folder(folder, folders, source->name, arguments->to, err);
    if (status != INK_OK)
        return status;
    list_files(list, sizeof list, source);
    return cli_fail(err, INK_FAILED, "this inkling was built without fetch; put %s, plain or gzipped, into %.500s",
                    list, folder);
}

#endif

/* ---- The command ------------------------------------------------------------------------------------------------- */

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct ink_dataset_source *source = find_source(call->operands[0]);
    if (source == NULL)
        return (int)fail_unknown(call->operands[0], err);
    const char **folders = cli_data_folders(err);
    if (folders == NULL)
        return INK_FAILED;
    const enum ink_status status = fetch_data_set(source, folders, call->arguments, err);
    free(folders);
    return (int)status;
}

const struct command cmd_fetch = {
    .name = "fetch",
    .operands = "NAME",
    .least_operands = 1,
    .most_operands = 1,
    .summary = "download a data set: mnist, fashion-mnist or kmnist",
    .about =
        "Downloads a data set from its mirrors and checks it against the published SHA-256. An interrupted download "
        "goes on where it ended. Proxies are taken from http_proxy, https_proxy and no_proxy.",
    .options =
        (const struct cli_option[]){
            { "to", AT(to, CLI_STRING), .value = "FOLDER",
              .help = "folder to put the files into; else NAME in the first of $INKLING_DATA, $XDG_DATA_HOME/inkling "
                      "and ~/.local/share/inkling" },
            { "mirror", AT(mirror, CLI_STRING), .value = "URL,...",
              .help = "where to fetch from, tried in order; the file's name and .gz are appended",
              .unset = "the published mirrors" },
            { "timeout", AT(timeout, CLI_DOUBLE), .value = "SECONDS", .least = 0.1, .most = 3600,
              .help = "how long to wait for a connection, and for the next byte, before the next mirror is tried" },
            { .name = NULL },
        },
    .examples =
        (const char *const[]){ "inkling fetch mnist", "inkling fetch fashion-mnist --to data/fashion-mnist", NULL },
    .defaults = &(const struct fetch_arguments){ .timeout = 20 },
    .size = sizeof(struct fetch_arguments),
    .run = run,
};
