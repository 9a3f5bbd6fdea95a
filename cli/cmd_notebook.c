/* inkling notebook: the four lines that the NumPy notebook ends with, byte for byte. */
#include "cli.h"

struct notebook_arguments {
    uint64_t seed;
    const char *data;
};

#define AT(member, kind) CLI_AT(struct notebook_arguments, member, kind)

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct notebook_arguments *arguments = call->arguments;
    struct ink_dataset *data = NULL;
    struct ink_notebook result;
    char text[1024];
    enum ink_status status = cli_open_dataset(&data, arguments->data, INK_TRAIN, err);
    if (status == INK_OK)
        status = ink_notebook_run(&result, data, (uint32_t)arguments->seed, err);
    if (status == INK_OK) {
        ink_notebook_print(&result, text);
        fputs(text, stdout);
    }
    ink_dataset_free(data);
    return (int)status;
}

const struct command cmd_notebook = {
    .name = "notebook",
    .summary = "run the NumPy notebook's network once, number for number",
    .about = "Does what the notebook does after np.random.seed(N): draws a training image, then the weights of a "
             "784-50-100-10 sigmoid network with randn, runs the image through it in double precision, and prints the "
             "target, the output, the mean square error and the cross-entropy as NumPy prints them.",
    .options =
        (const struct cli_option[]){
            { "seed", AT(seed, CLI_U64), .value = "N", .most = UINT32_MAX, .help = "seed of NumPy's generator" },
            { "data", AT(data, CLI_STRING), .value = "DATA", .help = "data set, by name or path" },
            { .name = NULL },
        },
    .examples =
        (const char *const[]){ "inkling notebook --seed 0", "inkling notebook --seed 1 --data synthetic", NULL },
    .defaults = &(const struct notebook_arguments){ .data = "mnist" },
    .size = sizeof(struct notebook_arguments),
    .run = run,
};
