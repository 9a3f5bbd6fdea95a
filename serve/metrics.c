/* Counters, and their text in Prometheus's exposition format. */
#include "server.h"

static const unsigned statuses[METRICS_STATUSES] = { 200, 400, 401, 404, 405, 408, 413, 415, 422, 503 };
/* Upper bounds of the times in seconds; the last has none. */
static const double bounds[METRICS_TIMES - 1] = { 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1 };

/* One thread writes a counter, others read it: no locked addition is needed. */
void metrics_count(atomic_size_t *counter, size_t more)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + more, memory_order_relaxed);
}

void metrics_answer(struct counters *counters, unsigned status)
{
    size_t i = 0;
    while (i < METRICS_STATUSES - 1 && statuses[i] != status)
        i++;
    metrics_count(&counters->answers[i], 1);
}

void metrics_time(struct counters *counters, uint64_t nanoseconds)
{
    size_t i = 0;
    while (i < METRICS_TIMES - 1 && 1e-9 * (double)nanoseconds > bounds[i])
        i++;
    metrics_count(&counters->times[i], 1);
    metrics_count(&counters->nanoseconds, (size_t)nanoseconds);
}

/* The sum over all workers of the counter that lies `offset` bytes into their counters. */
static size_t sum(const struct server *server, size_t offset)
{
    size_t total = 0;
    for (size_t w = 0; w < server->worker_count; w++) {
        const char *const counters = (const char *)&server->workers[w].counters;
        total += atomic_load_explicit((const atomic_size_t *)(const void *)(counters + offset), memory_order_relaxed);
    }
    return total;
}

static void write_head(struct text *text, const char *name, const char *type, const char *help)
{
    text_print(text, "# HELP inkling_%s %s\n# TYPE inkling_%s %s\n", name, help, name, type);
}

static void write_times(const struct server *server, struct text *text)
{
    size_t count = 0;
    write_head(text, "prediction_seconds", "histogram", "From a whole request to its computed answer.");
    for (size_t i = 0; i < METRICS_TIMES; i++) {
        count += sum(server, offsetof(struct counters, times) + i * sizeof(atomic_size_t));
        if (i < METRICS_TIMES - 1)
            text_print(text, "inkling_prediction_seconds_bucket{le=\"%g\"} %zu\n", bounds[i], count);
    }
    text_print(text, "inkling_prediction_seconds_bucket{le=\"+Inf\"} %zu\n", count);
    text_print(text, "inkling_prediction_seconds_sum %.9g\n",
               1e-9 * (double)sum(server, offsetof(struct counters, nanoseconds)));
    text_print(text, "inkling_prediction_seconds_count %zu\n", count);
}

unsigned metrics_write(struct request *request, struct text *text)
{
    struct server *const server = request->connection->worker->server;
    const struct {
        const char *name, *type, *help;
        size_t value;
    } plain[] = {
        { "images_total", "counter", "Images that the network was run on.",
          sum(server, offsetof(struct counters, images)) },
        { "batches_total", "counter", "Runs of the network.", sum(server, offsetof(struct counters, batches)) },
        { "connections", "gauge", "Open connections.", atomic_load(&server->connections) },
        { "waiting_images", "gauge", "Images that wait for the network.", atomic_load(&server->waiting) },
        { "body_bytes", "gauge", "Memory of the bodies of requests.", atomic_load(&server->memory) },
        { "workers", "gauge", "Threads that serve.", server->worker_count },
    };
    write_head(text, "model_info", "gauge", "The model, by the SHA-256 of its file.");
    text_print(text, "inkling_model_info{sha256=\"%s\",version=\"%s\"} 1\n", server->sha256, INK_VERSION);
    write_head(text, "answers_total", "counter", "Answers by their status.");
    for (size_t i = 0; i < METRICS_STATUSES; i++)
        text_print(text, "inkling_answers_total{status=\"%u\"} %zu\n", statuses[i],
                   sum(server, offsetof(struct counters, answers) + i * sizeof(atomic_size_t)));
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        write_head(text, plain[i].name, plain[i].type, plain[i].help);
        text_print(text, "inkling_%s %zu\n", plain[i].name, plain[i].value);
    }
    write_times(server, text);
    return MHD_HTTP_OK;
}
