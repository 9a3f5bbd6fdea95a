/* A folder of throw-away files for one test program. */
#ifndef INK_TESTS_SCRATCH_H
#define INK_TESTS_SCRATCH_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCRATCH_PATH = 4096 };

static char scratch_folder[SCRATCH_PATH / 2];

/* Makes the folder; for cmocka's group set-up. */
static inline int scratch_make(void **state)
{
    (void)state;
    const char *parent = getenv("TMPDIR");
    snprintf(scratch_folder, sizeof scratch_folder, "%s/inkling-test-XXXXXX", parent != NULL ? parent : "/tmp");
    return mkdtemp(scratch_folder) == NULL ? -1 : 0;
}

/* Removes everything in a folder. */
static inline void scratch_empty(const char *path)
{
    DIR *folder = opendir(path);
    for (struct dirent *entry; folder != NULL && (entry = readdir(folder)) != NULL;) {
        const size_t size = strlen(path) + strlen(entry->d_name) + 2;
        char *inside = malloc(size);
        if (inside == NULL || strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            free(inside);
            continue;
        }
        snprintf(inside, size, "%s/%s", path, entry->d_name);
        if (unlink(inside) != 0) { /* a folder */
            scratch_empty(inside);
            rmdir(inside);
        }
        free(inside);
    }
    if (folder != NULL)
        closedir(folder);
}

/* Removes everything in the folder of this program. */
static inline void scratch_clear(void)
{
    scratch_empty(scratch_folder);
}

/* Removes the folder; for cmocka's group tear-down. */
static inline int scratch_remove(void **state)
{
    (void)state;
    scratch_clear();
    return rmdir(scratch_folder);
}

/* The path of a file in the folder, valid until the fourth call from now. */
static inline const char *scratch_path(const char *name)
{
    static char paths[4][SCRATCH_PATH];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, SCRATCH_PATH, "%s/%s", scratch_folder, name);
    return path;
}

/* Writes a file of the folder and returns its path. */
static inline const char *scratch_write(const char *name, const void *bytes, size_t size)
{
    const char *path = scratch_path(name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    return path;
}

#endif
