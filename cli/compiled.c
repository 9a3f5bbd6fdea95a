#include "compiled.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_WORDS   64
#define LONGEST_NAME 64

extern char **environ;

/* What stands around the export: it says its sizes, then answers each image. PREDICT and what else is in capitals are
 * the compiler's arguments. */
static const char frame[] = "#include <stdio.h>\n"
                            "int main(void)\n"
                            "{\n"
                            "    static float image[INPUTS], probabilities[CLASSES];\n"
                            "    const unsigned long long sizes[2] = { INPUTS, CLASSES };\n"
                            "    fwrite(sizes, sizeof sizes, 1, stdout);\n"
                            "    while (fflush(stdout) == 0 && fread(image, sizeof image, 1, stdin) == 1) {\n"
                            "#if INTEGERS\n"
                            "        static unsigned char bytes[INPUTS], scratch[SCRATCH_BYTES];\n"
                            "        static int scores[CLASSES];\n"
                            "        for (int i = 0; i < INPUTS; i++)\n"
                            "            bytes[i] = (unsigned char)(image[i] * 255.0f + 0.5f);\n"
                            "        PREDICT(bytes, scores, scratch);\n"
                            "        PROBABILITIES(scores, probabilities);\n"
                            "#else\n"
                            "        static float scratch[SCRATCH_FLOATS];\n"
                            "        PREDICT(image, probabilities, scratch);\n"
                            "#endif\n"
                            "        fwrite(probabilities, sizeof probabilities, 1, stdout);\n"
                            "    }\n"
                            "    return 0;\n"
                            "}\n";

/* How an export begins NAME_predict. */
static const struct prototype {
    const char *type, *rest;
    bool integers;
} prototypes[] = {
    { "void ", "_predict(const float *image", false },
    { "int ", "_predict(const uint8_t *image", true },
};
#define PROTOTYPES (sizeof prototypes / sizeof prototypes[0])

/* ---- Processes --------------------------------------------------------------------------------------------------- */

/* A pipe whose ends no other program inherits. */
static enum ink_status open_pipe(int ends[2], struct ink_error *err)
{
    if (pipe(ends) != 0)
        return cli_fail(err, INK_FAILED, "cannot open a pipe: %s", strerror(errno));
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[1], F_SETFD, FD_CLOEXEC);
    return INK_OK;
}

/* Starts a program, its words ended by NULL, with the given standard input and output; -1 leaves it ours. Returns 0 or
 * an error number. */
static int spawn(pid_t *process, const char *const *words, int in, int out)
{
    char *copy[MOST_WORDS] = { NULL }; /* posix_spawn changes no word, but does not say so */
    for (size_t i = 0; words[i] != NULL; i++)
        memcpy(&copy[i], &words[i], sizeof copy[i]);
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return error;
    if (in >= 0)
        error = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    if (error == 0 && out >= 0)
        error = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (error == 0)
        error = posix_spawnp(process, copy[0], &actions, NULL, copy, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

/* Moves `size` bytes; false at the end of the file or on an error. */
static bool write_whole(int file, const void *bytes, size_t size)
{
    const char *at = bytes;
    for (ssize_t done; size > 0; at += done, size -= (size_t)done) {
        done = write(file, at, size);
        if (done < 0 && errno == EINTR)
            done = 0;
        else if (done <= 0)
            return false;
    }
    return true;
}

static bool read_whole(int file, void *bytes, size_t size)
{
    char *at = bytes;
    for (ssize_t done; size > 0; at += done, size -= (size_t)done) {
        done = read(file, at, size);
        if (done < 0 && errno == EINTR)
            done = 0;
        else if (done <= 0)
            return false;
    }
    return true;
}

static int wait_for(pid_t process)
{
    int status = 0;
    while (waitpid(process, &status, 0) < 0 && errno == EINTR)
        ;
    return status;
}

/* ---- Compiling --------------------------------------------------------------------------------------------------- */

/* NAME, if the line begins with this prototype. */
static bool read_name(char name[LONGEST_NAME + 1], const char *line, const struct prototype *prototype)
{
    const size_t type = strlen(prototype->type);
    const char *const end = strstr(line, prototype->rest);
    const size_t length = end != NULL && strncmp(line, prototype->type, type) == 0 ? (size_t)(end - line) - type : 0;
    bool fits = length > 0 && length <= LONGEST_NAME;
    for (size_t i = 0; fits && i < length; i++)
        fits = isalnum((unsigned char)line[type + i]) || line[type + i] == '_';
    if (fits)
        snprintf(name, LONGEST_NAME + 1, "%.*s", (int)length, line + type);
    return fits;
}

/* Finds NAME and the prototype of an export. */
static enum ink_status find_name(const char *path, char name[LONGEST_NAME + 1], const struct prototype **prototype,
                                 struct ink_error *err)
{
    FILE *const file = fopen(path, "r");
    char *line = NULL;
    size_t room = 0;
    if (file == NULL)
        return cli_fail(err, INK_FAILED, "%s: cannot open: %s", path, strerror(errno));
    *prototype = NULL;
    while (*prototype == NULL && getline(&line, &room, file) >= 0)
        for (size_t i = 0; i < PROTOTYPES && *prototype == NULL; i++)
            if (read_name(name, line, &prototypes[i]))
                *prototype = &prototypes[i];
    const bool broken = ferror(file);
    free(line);
    fclose(file);
    if (broken)
        return cli_fail(err, INK_FAILED, "%s: cannot read: %s", path, strerror(errno));
    if (*prototype == NULL)
        return cli_fail(err, INK_BAD_INPUT,
                        "%s: expected 'void NAME_predict(const float *image, ...' of an export, found none", path);
    return INK_OK;
}

/* Runs the compiler; its messages go to our standard error. */
static enum ink_status compile(const char *folder, const char *path, const char *name,
                               const struct prototype *prototype, struct ink_error *err)
{
    char predict[128], inputs[128], classes[128], scratch[128], upper[LONGEST_NAME + 1] = "", output[128];
    char integers[128], wanted[128], probabilities[128];
    for (size_t i = 0; name[i] != 0; i++)
        upper[i] = (char)toupper((unsigned char)name[i]);
    const char *const unit = prototype->integers ? "BYTES" : "FLOATS";
    snprintf(predict, sizeof predict, "-DPREDICT=%s_predict", name);
    snprintf(inputs, sizeof inputs, "-DINPUTS=%s_INPUTS", upper);
    snprintf(classes, sizeof classes, "-DCLASSES=%s_CLASSES", upper);
    snprintf(scratch, sizeof scratch, "-DSCRATCH_%s=%s_SCRATCH_%s", unit, upper, unit);
    snprintf(integers, sizeof integers, "-DINTEGERS=%d", prototype->integers);
    snprintf(wanted, sizeof wanted, "-D%s_PROBABILITIES", upper);
    snprintf(probabilities, sizeof probabilities, "-DPROBABILITIES=%s_probabilities", name);
    snprintf(output, sizeof output, "%s/run", folder);

    const char *const given = getenv("CC");
    char *const command = strdup(given != NULL && given[strspn(given, " ")] != 0 ? given : "cc");
    enum ink_status status = INK_OK;
    int ends[2] = { -1, -1 };
    pid_t process = 0;
    if (command == NULL) {
        status = cli_fail(err, INK_FAILED, "out of memory");
        goto out;
    }
    const char *words[MOST_WORDS];
    char *rest = NULL;
    size_t count = 0;
    for (char *word = strtok_r(command, " ", &rest); word != NULL && count < MOST_WORDS / 2;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    /* The processor's own instructions, so that fmaf is one: it changes no result. */
    const char *const arguments[] = { "-O2",  "-march=native", predict,    inputs, classes, scratch, integers,
                                      wanted, probabilities,   "-include", path,   "-x",    "c",     "-",
                                      "-o",   output,          "-lm",      NULL };
    memcpy(words + count, arguments, sizeof arguments);

    status = open_pipe(ends, err);
    if (status != INK_OK)
        goto out;
    const int error = spawn(&process, words, ends[0], -1);
    if (error != 0) {
        status =
            cli_fail(err, INK_FAILED,
                     "'%s' is needed to compile %s and cannot be run: %s (install a C compiler, or name one in CC)",
                     words[0], path, strerror(error));
        goto out;
    }
    const bool written = write_whole(ends[1], frame, sizeof frame - 1);
    close(ends[1]);
    ends[1] = -1;
    const int result = wait_for(process);
    if (!written || result != 0)
        status = cli_fail(err, INK_FAILED, "%s: '%s' could not compile it", path, words[0]);
out:
    for (size_t i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
    free(command);
    return status;
}

/* ---- Running ----------------------------------------------------------------------------------------------------- */

static enum ink_status launch(struct compiled *program, const char *path, struct ink_error *err)
{
    char binary[128];
    snprintf(binary, sizeof binary, "%s/run", program->folder);
    int down[2], up[2];
    if (open_pipe(down, err) != INK_OK)
        return INK_FAILED;
    program->to = down[1];
    if (open_pipe(up, err) != INK_OK) {
        close(down[0]);
        return INK_FAILED;
    }
    program->from = up[0];
    const int error = spawn(&program->process, (const char *const[]){ binary, NULL }, down[0], up[1]);
    close(down[0]);
    close(up[1]);
    if (error != 0) {
        program->process = 0;
        return cli_fail(err, INK_FAILED, "%s: cannot run it compiled: %s", path, strerror(error));
    }
    unsigned long long sizes[2];
    if (!read_whole(program->from, sizes, sizeof sizes))
        return cli_fail(err, INK_FAILED, "%s: compiled, it ends without a word", path);
    program->inputs = (size_t)sizes[0];
    program->classes = (size_t)sizes[1];
    return INK_OK;
}

enum ink_status compiled_start(struct compiled *program, const char *path, struct ink_error *err)
{
    char name[LONGEST_NAME + 1];
    const struct prototype *prototype = NULL;
    *program = (struct compiled){ .to = -1, .from = -1 };
    signal(SIGPIPE, SIG_IGN); /* a program that ends early is an error to be told, not our end */
    enum ink_status status = find_name(path, name, &prototype, err);
    if (status != INK_OK)
        return status;
    program->integers = prototype->integers;
    const char *const parent = getenv("TMPDIR");
    const int length = snprintf(program->folder, sizeof program->folder, "%s/inkling-XXXXXX",
                                parent != NULL && parent[0] != 0 ? parent : "/tmp");
    if ((size_t)length >= sizeof program->folder)
        snprintf(program->folder, sizeof program->folder, "/tmp/inkling-XXXXXX");
    if (mkdtemp(program->folder) == NULL) {
        status = cli_fail(err, INK_FAILED, "%s: cannot make a folder: %s", program->folder, strerror(errno));
        program->folder[0] = 0;
        return status;
    }
    status = compile(program->folder, path, name, prototype, err);
    return status != INK_OK ? status : launch(program, path, err);
}

enum ink_status compiled_predict(const struct compiled *program, const float *image, float *probabilities,
                                 struct ink_error *err)
{
    if (!write_whole(program->to, image, program->inputs * sizeof *image) ||
        !read_whole(program->from, probabilities, program->classes * sizeof *probabilities))
        return cli_fail(err, INK_FAILED, "the compiled export ended before its last image");
    return INK_OK;
}

void compiled_stop(struct compiled *program)
{
    if (program->to >= 0)
        close(program->to);
    if (program->from >= 0)
        close(program->from);
    if (program->process > 0)
        wait_for(program->process);
    if (program->folder[0] != 0) {
        char binary[128];
        snprintf(binary, sizeof binary, "%s/run", program->folder);
        unlink(binary);
        rmdir(program->folder);
    }
}
