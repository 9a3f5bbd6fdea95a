#include "data/names.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/find.h"

const char ink__class_file[] = "classes.txt";

/* ---- Lists ------------------------------------------------------------------------------------------------------- */

bool ink__names_add(struct ink__names *names, const char *text)
{
    if (names->count == names->room) {
        const size_t room = 2 * names->room + 16;
        char **list = ink__array(room, sizeof *list);
        if (list == NULL)
            return false;
        if (names->count > 0)
            memcpy(list, names->list, names->count * sizeof *list);
        free(names->list);
        names->list = list;
        names->room = room;
    }
    names->list[names->count] = ink__string(text);
    return names->list[names->count] != NULL && ++names->count > 0;
}

size_t ink__names_find(const struct ink__names *names, const char *text)
{
    size_t i = 0;
    while (i < names->count && strcmp(names->list[i], text) != 0)
        i++;
    return i;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Both are digits alone; "07" is 7, and stands before "7". */
static int by_number(const void *a, const void *b)
{
    const char *x = *(char *const *)a, *y = *(char *const *)b;
    x += strspn(x, "0");
    y += strspn(y, "0");
    const size_t x_digits = strlen(x), y_digits = strlen(y);
    if (x_digits != y_digits)
        return x_digits < y_digits ? -1 : 1;
    const int order = strcmp(x, y);
    return order != 0 ? order : by_bytes(a, b);
}

void ink__names_sort(struct ink__names *names)
{
    bool numbers = true;
    for (size_t i = 0; i < names->count; i++)
        numbers = numbers && names->list[i][strspn(names->list[i], "0123456789")] == '\0';
    if (names->count > 0)
        qsort(names->list, names->count, sizeof *names->list, numbers ? by_number : by_bytes);
}

void ink__names_free(struct ink__names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct ink__names){ 0 };
}

/* ---- Folders ----------------------------------------------------------------------------------------------------- */

static bool is_folder(const char *parent, const struct dirent *entry)
{
    struct stat info;
    if (entry->d_type == DT_DIR || entry->d_type == DT_REG)
        return entry->d_type == DT_DIR;
    char *const path = ink__join_path(parent, entry->d_name);
    const bool folder = path != NULL && stat(path, &info) == 0 && S_ISDIR(info.st_mode);
    free(path);
    return folder;
}

enum ink_status ink__names_of_folder(struct ink__names *names, const char *folder, bool folders_only,
                                     struct ink_error *err)
{
    enum ink_status status = INK_OK;
    DIR *const stream = opendir(folder);
    *names = (struct ink__names){ 0 };
    if (stream == NULL)
        return ink__fail_errno(err, folder, "open");
    for (;;) {
        errno = 0;
        const struct dirent *const entry = readdir(stream);
        if (entry == NULL)
            break;
        if (entry->d_name[0] == '.' || (folders_only && !is_folder(folder, entry)))
            continue;
        if (!ink__names_add(names, entry->d_name)) {
            status = ink__fail_memory(err);
            goto out;
        }
    }
    if (errno != 0)
        status = ink__fail_errno(err, folder, "read");
    ink__names_sort(names);
out:
    closedir(stream);
    if (status != INK_OK)
        ink__names_free(names);
    return status;
}

/* ---- Classes ----------------------------------------------------------------------------------------------------- */

/* The bytes of the UTF-8 character that begins `text`; 0 if it begins with none. RFC 3629. */
static size_t utf8_length(const unsigned char *text)
{
    static const struct {
        unsigned char first, last, second_least, second_most;
        size_t length;
    } forms[] = {
        { 0x00, 0x7f, 0, 0, 1 },       { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
        { 0xe1, 0xec, 0x80, 0xbf, 3 }, { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
        { 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (text[0] < forms[i].first || text[0] > forms[i].last)
            continue;
        if (forms[i].length > 1 && (text[1] < forms[i].second_least || text[1] > forms[i].second_most))
            return 0;
        for (size_t k = 2; k < forms[i].length; k++)
            if (text[k] < 0x80 || text[k] > 0xbf)
                return 0;
        return forms[i].length;
    }
    return 0;
}

enum ink_status ink__names_add_class(struct ink__names *names, const char *name, const char *where,
                                     struct ink_error *err)
{
    const unsigned char *at = (const unsigned char *)name;
    size_t length = 1;
    while (*at != '\0' && *at >= ' ' && *at != 0x7f && (length = utf8_length(at)) > 0)
        at += length;
    if (name[0] == '\0' || *at != '\0')
        return ink__fail(err, INK_BAD_INPUT, "%s: a class named '%s', expected UTF-8 text without control characters",
                         where, name);
    if (names->count == INK__MOST_CLASSES)
        return ink__fail(err, INK_BAD_INPUT, "%s: another class, expected at most %d", where, INK__MOST_CLASSES);
    if (ink__names_find(names, name) < names->count)
        return ink__fail(err, INK_BAD_INPUT, "%s: class '%s' is there twice", where, name);
    return ink__names_add(names, name) ? INK_OK : ink__fail_memory(err);
}

/* The lines of a text of `size` bytes; a carriage return before a line's end belongs to it. */
static enum ink_status read_lines(struct ink__names *names, const char *text, size_t size, const char *path,
                                  struct ink_error *err)
{
    size_t number = 1;
    for (size_t at = 0; at < size; number++) {
        char name[256], where[256 + sizeof err->message / 2];
        const char *const newline = memchr(text + at, '\n', size - at);
        const size_t end = newline != NULL ? (size_t)(newline - text) : size;
        const size_t length = end - at - (end > at && text[end - 1] == '\r');
        snprintf(where, sizeof where, "%s: line %zu", path, number);
        if (length >= sizeof name || memchr(text + at, '\0', length) != NULL)
            return ink__fail(err, INK_BAD_INPUT, "%s: a class's name of %zu bytes, expected at most %zu and no zero",
                             where, length, sizeof name - 1);
        memcpy(name, text + at, length);
        name[length] = '\0';
        const enum ink_status status = ink__names_add_class(names, name, where, err);
        if (status != INK_OK)
            return status;
        at = end + 1;
    }
    return INK_OK;
}

enum ink_status ink__names_of_classes(struct ink__names *names, const char *folder, struct ink_error *err)
{
    struct ink__file file = { 0 };
    char *const path = ink__join_path(folder, ink__class_file);
    enum ink_status status = path == NULL ? ink__fail_memory(err) : INK_OK;
    *names = (struct ink__names){ 0 };
    if (status != INK_OK || access(path, F_OK) != 0)
        goto out;
    status = ink__file_open(&file, path, err);
    if (status == INK_OK)
        status = read_lines(names, (const char *)file.bytes, file.size, path, err);
    if (status != INK_OK)
        ink__names_free(names);
out:
    ink__file_close(&file);
    free(path);
    return status;
}

char *ink__class_folder(const char *class_name)
{
    char *const folder = ink__string(class_name);
    if (folder == NULL)
        return NULL;
    if (folder[0] == '.')
        folder[0] = '_';
    for (char *at = folder; *at != '\0'; at++)
        if (*at == '/')
            *at = '_';
    return folder;
}
