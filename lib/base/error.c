#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum ink_status ink__fail(struct ink_error *err, enum ink_status code, const char *format, ...)
{
    if (err != NULL) {
        va_list arguments;
        va_start(arguments, format);
        err->code = code;
        vsnprintf(err->message, sizeof err->message, format, arguments);
        va_end(arguments);
        /* A file's words may hold line breaks and terminal controls; a message is one line of text. */
        for (char *at = err->message; *at != '\0'; at++)
            if ((unsigned char)*at < ' ' || *at == '\x7f')
                *at = '?';
    }
    return code;
}

enum ink_status ink__fail_errno(struct ink_error *err, const char *path, const char *verb)
{
    return ink__fail(err, INK_FAILED, "%s: cannot %s: %s", path, verb, strerror(errno));
}

enum ink_status ink__fail_memory(struct ink_error *err)
{
    return ink__fail(err, INK_FAILED, "out of memory");
}
