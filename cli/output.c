#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether something is there that a file cannot take the place of. */
static bool is_device(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 && !S_ISREG(found.st_mode);
}

enum ink_status cli_output_open(struct cli_output *output, const char *path, struct ink_error *err)
{
    const size_t size = strlen(path) + sizeof ".part";
    *output = (struct cli_output){ .path = path };
    if (!is_device(path)) {
        output->part = malloc(size);
        if (output->part == NULL)
            return cli_fail(err, INK_FAILED, "out of memory");
        snprintf(output->part, size, "%s.part", path);
    }
    output->file = fopen(output->part != NULL ? output->part : path, "w");
    if (output->file != NULL)
        return INK_OK;
    free(output->part);
    return cli_fail(err, INK_FAILED, "%s: cannot write: %s", path, strerror(errno));
}

enum ink_status cli_output_close(struct cli_output *output, enum ink_status status, struct ink_error *err)
{
    errno = 0;
    bool written = fflush(output->file) == 0 && ferror(output->file) == 0;
    written = written && (output->part == NULL || fsync(fileno(output->file)) == 0);
    int why = errno;
    if (fclose(output->file) != 0 && written) {
        written = false;
        why = errno;
    }
    if (written && status == INK_OK && output->part != NULL && rename(output->part, output->path) != 0) {
        written = false;
        why = errno;
    }
    if (!written && status == INK_OK)
        status = cli_fail(err, INK_FAILED, "%s: cannot write: %s", output->path, strerror(why != 0 ? why : EIO));
    if (status != INK_OK && output->part != NULL)
        unlink(output->part);
    free(output->part);
    return status;
}
