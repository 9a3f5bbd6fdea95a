/* What the program takes from the environment: where data sets are, and which kernels to use. */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

/* The variable's value; NULL if it is unset or empty. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != 0 ? value : NULL;
}

const char **cli_data_folders(struct ink_error *err)
{
    const char *const given = variable("XDG_DATA_HOME"), *const home = variable("HOME");
    const struct {
        const char *base, *below;
    } folders[] = { { variable("INKLING_DATA"), "" },
                    { "./data", "" },
                    { given != NULL ? given : home, given != NULL ? "/inkling" : "/.local/share/inkling" },
                    { "/usr/share/datasets", "" } };
    const size_t count = sizeof folders / sizeof folders[0];

    size_t size = (count + 1) * sizeof(const char *);
    for (size_t i = 0; i < count; i++)
        if (folders[i].base != NULL)
            size += strlen(folders[i].base) + strlen(folders[i].below) + 1;
    const char **list = malloc(size);
    if (list == NULL) {
        cli_fail(err, INK_FAILED, "out of memory");
        return NULL;
    }
    char *text = (char *)(list + count + 1);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (folders[i].base == NULL)
            continue;
        list[used++] = text;
        text = stpcpy(stpcpy(text, folders[i].base), folders[i].below) + 1;
    }
    list[used] = NULL;
    return list;
}

static const char *kernels_name(const void *context, size_t i)
{
    (void)context;
    return ink_kernels_name(i);
}

enum ink_status cli_compute(struct ink_compute *compute, size_t threads, struct ink_error *err)
{
    /* More threads than processors wait for each other at every layer; some are allowed, to try it out. */
    const size_t most_threads = 4 * ink_usable_cpus();
    *compute = (struct ink_compute){ .threads = threads < most_threads ? threads : most_threads };
    const char *const wanted = variable("INKLING_KERNELS");
    if (wanted == NULL)
        return INK_OK;
    for (size_t i = 0; (compute->kernels = ink_kernels_name(i)) != NULL; i++)
        if (strcmp(compute->kernels, wanted) == 0)
            return INK_OK;
    const char *const nearest = cli_nearest(wanted, kernels_name, NULL);
    return cli_fail(err, INK_BAD_ARGUMENT, "INKLING_KERNELS: this machine does not run '%s'; try '%s'", wanted,
                    nearest != NULL ? nearest : ink_kernels_best());
}
