#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

#define WRITE_BUFFER ((size_t)64 * 1024)

/* Reads `size` bytes into a new block: for file systems that cannot map. */
static unsigned char *read_all(int descriptor, size_t size)
{
    unsigned char *bytes = ink__array(size, 1);
    size_t done = 0;
    while (bytes != NULL && done < size) {
        const ssize_t got = read(descriptor, bytes + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            if (got == 0)
                errno = EIO; /* shorter than fstat said */
            free(bytes);
            return NULL;
        }
        done += (size_t)got;
    }
    return bytes;
}

enum ink_status ink__file_open(struct ink__file *file, const char *path, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    struct stat info;
    *file = (struct ink__file){ 0 };

    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return ink__fail_errno(err, path, "open");
    if (fstat(descriptor, &info) != 0) {
        status = ink__fail_errno(err, path, "examine");
        goto out;
    }
    if (!S_ISREG(info.st_mode)) {
        status = ink__fail(err, INK_BAD_INPUT, "%s: is %s, expected a file", path,
                           S_ISDIR(info.st_mode) ? "a folder" : "not a regular file");
        goto out;
    }
    file->size = (size_t)info.st_size;
    void *map = file->size > 0 ? mmap(NULL, file->size, PROT_READ, MAP_PRIVATE, descriptor, 0) : MAP_FAILED;
    file->mapped = map != MAP_FAILED;
    file->bytes = file->mapped ? map : read_all(descriptor, file->size);
    if (file->bytes == NULL)
        status = ink__fail_errno(err, path, "read");
out:
    close(descriptor);
    return status;
}

void ink__file_close(struct ink__file *file)
{
    if (file->mapped)
        munmap((void *)(uintptr_t)file->bytes, file->size);
    else
        free((void *)(uintptr_t)file->bytes);
    *file = (struct ink__file){ 0 };
}

static void release(struct ink__writer *writer)
{
    free(writer->path);
    free(writer->temporary);
    free(writer->buffer);
    *writer = (struct ink__writer){ .descriptor = -1 };
}

/*
 * Opens PATH.part, which is locked while it is written: what a killed program left behind, nobody holds, and it is
 * written over. A writer that gets the lock may find that its file has just been renamed by the one that had it: then
 * what it holds is PATH itself, and not to be touched.
 */
static int open_temporary(const char *temporary)
{
    for (;;) {
        struct stat held, named;
        const int descriptor = open(temporary, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (descriptor < 0)
            return -1;
        /* A file system without locks has no better to offer. */
        const bool locked = flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
        const bool known = locked && fstat(descriptor, &held) == 0;
        const bool renamed =
            known && (stat(temporary, &named) != 0 || held.st_dev != named.st_dev || held.st_ino != named.st_ino);
        if (known && !renamed && ftruncate(descriptor, 0) == 0)
            return descriptor;
        const int why = errno;
        if (locked && !renamed)
            unlink(temporary);
        close(descriptor);
        errno = why;
        if (!renamed)
            return -1;
    }
}

enum ink_status ink__writer_open(struct ink__writer *writer, const char *path, struct ink_error *err)
{
    static const char suffix[] = ".part";
    const size_t length = strlen(path);
    struct stat info;
    *writer = (struct ink__writer){ .descriptor = -1 };
    /* The rename would put a file in the place of /dev/null. */
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode))
        return ink__fail(err, INK_FAILED, "%s: cannot write: is %s, expected a file", path,
                         S_ISDIR(info.st_mode) ? "a folder" : "not a regular file");
    writer->path = ink__string(path);
    writer->temporary = ink__array(length + sizeof suffix, 1);
    writer->buffer = ink__array(WRITE_BUFFER, 1);
    if (writer->path == NULL || writer->temporary == NULL || writer->buffer == NULL) {
        release(writer);
        return ink__fail_memory(err);
    }
    memcpy(writer->temporary, path, length);
    memcpy(writer->temporary + length, suffix, sizeof suffix);
    writer->descriptor = open_temporary(writer->temporary);
    if (writer->descriptor < 0) {
        const enum ink_status status =
            errno == EWOULDBLOCK ? ink__fail(err, INK_FAILED, "%s: cannot write: another program is just writing %s",
                                             path, writer->temporary)
                                 : ink__fail_errno(err, path, "write");
        release(writer);
        return status;
    }
    return INK_OK;
}

static void flush(struct ink__writer *writer)
{
    size_t done = 0;
    while (writer->error == 0 && done < writer->buffered) {
        const ssize_t put = write(writer->descriptor, writer->buffer + done, writer->buffered - done);
        if (put >= 0)
            done += (size_t)put;
        else if (errno != EINTR)
            writer->error = errno;
    }
    writer->buffered = 0;
}

void ink__writer_write(struct ink__writer *writer, const void *bytes, size_t size)
{
    const unsigned char *from = bytes;
    writer->synced = false;
    while (size > 0) {
        const size_t room = WRITE_BUFFER - writer->buffered;
        const size_t part = size < room ? size : room;
        memcpy(writer->buffer + writer->buffered, from, part);
        writer->buffered += part;
        from += part;
        size -= part;
        if (writer->buffered == WRITE_BUFFER)
            flush(writer);
    }
}

/* The new name lasts only once its folder is on disk; a folder that cannot be synced (some network file systems) is no
 * failure of ours. */
static void sync_folder(const char *path)
{
    char *copy = ink__string(path);
    const int folder = copy == NULL ? -1 : open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder >= 0) {
        fsync(folder);
        close(folder);
    }
    free(copy);
}

enum ink_status ink__writer_sync(struct ink__writer *writer, struct ink_error *err)
{
    if (writer->synced)
        return INK_OK;
    flush(writer);
    if (writer->error == 0 && fsync(writer->descriptor) != 0)
        writer->error = errno;
    writer->synced = writer->error == 0;
    if (writer->synced)
        return INK_OK;
    errno = writer->error;
    const enum ink_status status = ink__fail_errno(err, writer->path, "write");
    ink__writer_abandon(writer);
    return status;
}

enum ink_status ink__writer_commit(struct ink__writer *writer, struct ink_error *err)
{
    enum ink_status status = ink__writer_sync(writer, err);
    if (status != INK_OK)
        return status;
    if (rename(writer->temporary, writer->path) != 0) {
        status = ink__fail_errno(err, writer->path, "write");
        ink__writer_abandon(writer);
        return status;
    }
    sync_folder(writer->path);
    close(writer->descriptor); /* only now, for the lock; fsync has told what could go wrong */
    release(writer);
    return INK_OK;
}

void ink__writer_abandon(struct ink__writer *writer)
{
    if (writer->descriptor >= 0) {
        unlink(writer->temporary); /* while the lock holds: the next writer's is another file */
        close(writer->descriptor);
    }
    release(writer);
}
