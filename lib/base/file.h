/* Files: whole-file reading and the only way of writing, which leaves the old file or the new one, never half of one.
 */
#ifndef INK_BASE_FILE_H
#define INK_BASE_FILE_H

#include "inkling.h"

/* A file's bytes, mapped (or, where mapping fails, read). */
struct ink__file {
    const unsigned char *bytes;
    size_t size;
    bool mapped;
};

/* Opens a regular file for reading. An empty file has size 0 and bytes not NULL. */
enum ink_status ink__file_open(struct ink__file *file, const char *path, struct ink_error *err);
void ink__file_close(struct ink__file *file);

/* Writes a new file at once: only into a folder that is itself being written, for it syncs nothing and, on failure, may
 * leave a part of it. */
enum ink_status ink__file_create(const char *path, const void *bytes, size_t size, struct ink_error *err);

/* A folder being written: PATH.part.XXXXXX beside PATH until it is committed. */
struct ink__folder {
    char *path, *temporary; /* owned */
};

/* INK_FAILED if there is something at `path` other than an empty folder. */
enum ink_status ink__folder_open(struct ink__folder *folder, const char *path, struct ink_error *err);
/* Puts it in its place; on failure removes it. Always releases *folder. */
enum ink_status ink__folder_commit(struct ink__folder *folder, struct ink_error *err);
/* Removes it with everything in it, and releases *folder. */
void ink__folder_abandon(struct ink__folder *folder);

/* A file being written: PATH.part until it is committed, locked: a second writer of PATH fails. One that a killed
 * program left is written over. Write through `write`; errors are remembered and told once, by sync or commit. */
struct ink__writer {
    int descriptor;
    int error;              /* errno of the first failure */
    bool synced;            /* all that was written */
    char *path, *temporary; /* owned */
    unsigned char *buffer;  /* owned */
    size_t buffered;
};

enum ink_status ink__writer_open(struct ink__writer *writer, const char *path, struct ink_error *err);
void ink__writer_write(struct ink__writer *writer, const void *bytes, size_t size);
/* Flushes and syncs, so that of several files none is renamed before all are on disk; on failure abandons the
 * writer. */
enum ink_status ink__writer_sync(struct ink__writer *writer, struct ink_error *err);
/* Flushes, syncs, renames over PATH and syncs the folder; on failure removes the temporary. Always releases *writer. */
enum ink_status ink__writer_commit(struct ink__writer *writer, struct ink_error *err);
/* Removes the temporary and releases *writer; accepts one that is released, or zeroed but for descriptor = -1. */
void ink__writer_abandon(struct ink__writer *writer);

#endif
