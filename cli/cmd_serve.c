/* inkling serve: a model behind a port, with a page to draw on. The server itself is in serve/. */
#include "cli.h"

struct serve_arguments {
    const char *host, *token, *token_file;
    size_t port, threads, body, memory, pixels, batch, queue, connections;
    double timeout;
};

#define AT(member, kind) CLI_AT(struct serve_arguments, member, kind)

#ifdef INK_SERVE

#include "serve/serve.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_TOKEN 1024

/* Reads the first line of a file, which other users need not be able to read, as they can a command line. */
static enum ink_status read_token(char token[LONGEST_TOKEN], const char *path, struct ink_error *err)
{
    FILE *const file = fopen(path, "r");
    if (file == NULL)
        return cli_fail(err, INK_FAILED, "%s: cannot open: %s", path, strerror(errno));
    const bool good = fgets(token, LONGEST_TOKEN, file) != NULL;
    fclose(file);
    if (good)
        token[strcspn(token, "\r\n")] = 0;
    return good ? INK_OK : cli_fail(err, INK_BAD_INPUT, "%s: empty, expected a token", path);
}

/* A token goes into a header: visible ASCII (RFC 6750), and long enough not to be guessed. */
static enum ink_status check_token(const char *token, struct ink_error *err)
{
    const size_t length = token != NULL ? strlen(token) : 0;
    bool good = token == NULL || (length >= 16 && length < LONGEST_TOKEN - 1);
    for (size_t i = 0; i < length; i++)
        good = good && token[i] > ' ' && token[i] <= '~';
    return good ? INK_OK
                : cli_fail(err, INK_BAD_ARGUMENT, "--token: expected 16 to %d visible ASCII characters",
                           LONGEST_TOKEN - 2);
}

static void on_listening(void *context, const char *url)
{
    printf("serving %s on %s (Ctrl-C ends it)\n", (const char *)context, url);
    fflush(stdout);
}

static int run(const struct cli_call *call, struct ink_error *err)
{
    const struct serve_arguments *const arguments = call->arguments;
    char token[LONGEST_TOKEN];
    struct serve_options options = {
        .model = call->operands[0],
        .host = arguments->host,
        .port = arguments->port,
        .token = arguments->token,
        .body = arguments->body,
        .memory = arguments->memory,
        .pixels = arguments->pixels,
        .batch = arguments->batch,
        .queue = arguments->queue,
        .connections = arguments->connections,
        .timeout = arguments->timeout,
        .on_listening = on_listening,
        .context = call->operands[0],
    };
    enum ink_status status = cli_compute(&options.compute, arguments->threads, err);
    if (status == INK_OK && arguments->token_file != NULL) {
        status = read_token(token, arguments->token_file, err);
        options.token = token;
    }
    if (status == INK_OK)
        status = check_token(options.token, err);
    if (status == INK_OK && arguments->queue < arguments->batch)
        status = cli_fail(err, INK_BAD_ARGUMENT, "--max-queue %zu: expected at least --max-batch, %zu",
                          arguments->queue, arguments->batch);
    return (int)(status == INK_OK ? serve_run(&options, err) : status);
}

#else

static int run(const struct cli_call *call, struct ink_error *err)
{
    (void)call;
    return (int)cli_fail(err, INK_FAILED, "this inkling was built without serve");
}

#endif

const struct command cmd_serve = {
    .name = "serve",
    .operands = "MODEL",
    .least_operands = 1,
    .most_operands = 1,
    .summary = "a page to draw on, and predictions over HTTP",
    .about = "Serves MODEL: at / a page to draw on that shows what the network sees and thinks, at /v1/predict "
             "predictions for programs; /openapi.json tells the whole interface. Listens on this machine alone unless "
             "--host says otherwise, which takes a token. SIGINT and SIGTERM end it, once what was asked is answered.",
    .options =
        (const struct cli_option[]){
            { "port", AT(port, CLI_SIZE), .value = "N", .most = 65535, .letter = 'p',
              .help = "port to listen on, 0 for a free one, which is printed" },
            { "host", AT(host, CLI_STRING), .value = "NAME", .help = "address to listen on, or a name that has one" },
            { "token", AT(token, CLI_STRING), .value = "TEXT",
              .help = "what clients must send as Authorization: Bearer TEXT", .unset = "none" },
            { "token-file", AT(token_file, CLI_STRING), .value = "FILE",
              .help = "the same from the first line of a file, where the list of processes does not show it" },
            CLI_OPTION_THREADS(struct serve_arguments, threads),
            { "max-body", AT(body, CLI_SIZE), .value = "N", .least = 1, .most = 1 << 30,
              .help = "bytes of the body of a request; more: 413" },
            { "max-pixels", AT(pixels, CLI_SIZE), .value = "N", .least = 1, .most = 64000000,
              .help = "pixels of one picture; more: 413" },
            { "max-batch", AT(batch, CLI_SIZE), .value = "N", .least = 1, .most = 65536,
              .help = "images in one request; more: 413" },
            { "max-queue", AT(queue, CLI_SIZE), .value = "N", .least = 1, .most = 1 << 20,
              .help = "images that wait for the network; more: 503" },
            { "max-memory", AT(memory, CLI_SIZE), .value = "N", .least = 1, .most = 1e15,
              .help = "bytes of the bodies of all requests together; more: 503" },
            { "max-connections", AT(connections, CLI_SIZE), .value = "N", .least = 1, .most = 65536,
              .help = "connections at a time; more: 503" },
            { "timeout", AT(timeout, CLI_DOUBLE), .value = "S", .least = 0.1, .most = 86400,
              .help = "seconds in which a request must have come whole, else 408, and its answer must have been "
                      "taken; idle connections are closed after it" },
            { .name = NULL },
        },
    .examples = (const char *const[]){ "inkling serve digits.safetensors",
                                       "curl -H 'Content-Type: image/png' --data-binary @photo.png \\",
                                       "     http://127.0.0.1:8080/v1/predict", NULL },
    .defaults = &(const struct serve_arguments){ .host = "127.0.0.1",
                                                 .port = 8080,
                                                 .body = 8 << 20,
                                                 .memory = 256 << 20,
                                                 .pixels = 16000000,
                                                 .batch = 256,
                                                 .queue = 4096,
                                                 .connections = 512,
                                                 .timeout = 30 },
    .size = sizeof(struct serve_arguments),
    .run = run,
};
