/* Folders written as files are: whole, or not at all. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

enum ink_status ink__file_create(const char *path, const void *bytes, size_t size, struct ink_error *err)
{
    const int descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    size_t done = 0;
    bool good = descriptor >= 0;
    while (good && done < size) {
        const ssize_t put = write(descriptor, (const char *)bytes + done, size - done);
        good = put >= 0 || errno == EINTR;
        done += put > 0 ? (size_t)put : 0;
    }
    if (descriptor >= 0 && close(descriptor) != 0)
        good = false;
    return good ? INK_OK : ink__fail_errno(err, path, "write");
}

/* Removes what is at `path`, a folder with all that is in it. What cannot be removed stays. */
static void remove_all(const char *path)
{
    if (unlink(path) == 0 || (errno != EISDIR && errno != EPERM))
        return;
    DIR *const stream = opendir(path);
    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        const size_t size = strlen(path) + strlen(entry->d_name) + 2;
        char *const inside = ink__array(size, 1);
        if (inside == NULL)
            break;
        snprintf(inside, size, "%s/%s", path, entry->d_name);
        remove_all(inside);
        free(inside);
    }
    if (stream != NULL)
        closedir(stream);
    rmdir(path);
}

static void release(struct ink__folder *folder)
{
    free(folder->path);
    free(folder->temporary);
    *folder = (struct ink__folder){ 0 };
}

/* Whether nothing is at `path`, or an empty folder, which a rename replaces. */
static enum ink_status check_free(const char *path, struct ink_error *err)
{
    struct stat info;
    size_t entries = 0;
    if (stat(path, &info) != 0)
        return errno == ENOENT ? INK_OK : ink__fail_errno(err, path, "write");
    if (!S_ISDIR(info.st_mode))
        return ink__fail(err, INK_FAILED, "%s: cannot write: is there already, expected the name of a new folder",
                         path);
    DIR *const stream = opendir(path);
    if (stream == NULL)
        return ink__fail_errno(err, path, "open");
    while (readdir(stream) != NULL)
        entries++;
    closedir(stream);
    if (entries > 2) /* . and .. */
        return ink__fail(err, INK_FAILED, "%s: cannot write: the folder is there already and not empty", path);
    return INK_OK;
}

enum ink_status ink__folder_open(struct ink__folder *folder, const char *path, struct ink_error *err)
{
    static const char suffix[] = ".part.XXXXXX";
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    *folder = (struct ink__folder){ ink__array(length + 1, 1), ink__array(length + sizeof suffix, 1) };
    enum ink_status status = folder->path == NULL || folder->temporary == NULL ? ink__fail_memory(err) : INK_OK;
    if (status == INK_OK) {
        memcpy(folder->path, path, length);
        memcpy(folder->temporary, path, length);
        memcpy(folder->temporary + length, suffix, sizeof suffix);
        status = check_free(folder->path, err);
    }
    if (status == INK_OK && mkdtemp(folder->temporary) == NULL)
        status = ink__fail_errno(err, folder->path, "write");
    if (status != INK_OK)
        release(folder);
    return status;
}

enum ink_status ink__folder_commit(struct ink__folder *folder, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    /* mkdtemp makes private folders; the umask decides for ours, as for any new folder. */
    const mode_t mask = umask(0);
    umask(mask);
    if (chmod(folder->temporary, 0777 & ~mask) != 0 || rename(folder->temporary, folder->path) != 0) {
        status = ink__fail_errno(err, folder->path, "write");
        remove_all(folder->temporary);
    }
    release(folder);
    return status;
}

void ink__folder_abandon(struct ink__folder *folder)
{
    if (folder->temporary != NULL)
        remove_all(folder->temporary);
    release(folder);
}
