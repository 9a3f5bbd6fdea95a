#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

enum ink_status ink__writer_open(struct ink__writer *writer, const char *path, struct ink_error *err)
{
    static const char suffix[] = ".XXXXXX.part";
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
    writer->descriptor = mkstemps(writer->temporary, (int)strlen(".part"));
    if (writer->descriptor < 0) {
        const enum ink_status status = ink__fail_errno(err, path, "write");
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

enum ink_status ink__writer_commit(struct ink__writer *writer, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    flush(writer);
    /* mkstemps makes private files; the umask decides for ours, as for any new file. */
    const mode_t mask = umask(0);
    umask(mask);
    if (writer->error == 0 && fchmod(writer->descriptor, 0666 & ~mask) != 0)
        writer->error = errno;
    if (writer->error == 0 && fsync(writer->descriptor) != 0)
        writer->error = errno;
    if (close(writer->descriptor) != 0 && writer->error == 0)
        writer->error = errno;
    if (writer->error == 0 && rename(writer->temporary, writer->path) != 0)
        writer->error = errno;
    if (writer->error != 0) {
        unlink(writer->temporary);
        errno = writer->error;
        status = ink__fail_errno(err, writer->path, "write");
    } else {
        sync_folder(writer->path);
    }
    release(writer);
    return status;
}

void ink__writer_abandon(struct ink__writer *writer)
{
    if (writer->descriptor >= 0) {
        close(writer->descriptor);
        unlink(writer->temporary);
    }
    release(writer);
}
