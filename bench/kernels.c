/*
 * bench-kernels: how much of the peak of one core the layers' products reach, forward and back, under every kernel set,
 * beside OpenBLAS and oneDNN on the same shapes.
 *
 *     bench-kernels [--quick] [--json]
 *
 * A layer is measured as training runs it: bias, activation, borders and all, a chunk of samples at a time. The others
 * do the forward pass alone, in the layout they like best, in one call. One thread each.
 */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "kernel/kernel.h"
#include "nn/plan.h"

#define BATCH         ((size_t)96) /* whole chunks; convolutions are measured on one chunk of it */
#define MOST_SETS     4
#define MOST_ROUNDS   7
#define ROUND_SECONDS 4e-3
#define SLOW          0.05 /* seconds: a call that takes longer is made once */

/* Networks, of which layers `first` to `last` are measured. */
static const struct subject {
    const char *name, *spec;
    struct ink_shape input;
    size_t first, last;
} subjects[] = {
    { "notebook", "dense 50 relu, dense 100 relu, dense 10", { 28, 28, 1 }, 0, 2 },
    { "lenet", "lenet", { 28, 28, 1 }, 0, 5 },
    { "convnet", "convnet", { 28, 28, 1 }, 0, 9 },
    { "32 -> 32", "conv 32 3x3 pad 1 relu, conv 32 3x3 pad 1 relu, globalavg, dense 10", { 28, 28, 1 }, 1, 1 },
    { "64 -> 64", "conv 64 3x3 pad 1 relu, conv 64 3x3 pad 1 relu, globalavg, dense 10", { 14, 14, 1 }, 1, 1 },
    { "wide", "dense 512 relu, dense 512 relu, dense 10", { 28, 28, 1 }, 0, 1 },
};

enum pass { FORWARD, BACKWARD, GRADIENT, PASSES };
static const char *const pass_names[PASSES] = { "forward", "backward", "gradient" };

/* One pass of one layer under one kernel set: what bench_time runs. */
struct job {
    struct ink__plan *plan;
    size_t layer;
    enum pass pass;
};

static bool is_conv(const struct job *job)
{
    return job->plan->layers[job->layer].kind == INK__CONV;
}

/* How many samples one call of run_job takes. */
static size_t samples_of(const struct job *job)
{
    return is_conv(job) ? INK__CHUNK : BATCH;
}

static void run_job(void *context)
{
    const struct job *job = context;
    struct ink__plan *plan = job->plan;
    const size_t i = job->layer;
    const struct ink__work *work = &plan->work[i];
    const struct ink__layer_type *type = ink__layer_types[plan->layers[i].kind];
    const struct ink__worker worker = { .plan = plan, .kernels = plan->kernels, .group_starts = true };
    if (job->pass == GRADIENT) {
        type->gradient(work, plan, (struct ink__range){ 0, ink__elements(plan->layers[i].in) }, true);
        return;
    }
    for (size_t first = 0; first < samples_of(job); first += INK__CHUNK) {
        const struct ink__io io = { .first = first,
                                    .n = INK__CHUNK,
                                    .x = ink__at(&plan->value[i], 0, first),
                                    .y = ink__at(&plan->value[i + 1], 0, first),
                                    .dy = ink__at(&plan->slope[i + 1], 0, first),
                                    .dx = work->need_dx ? ink__at(&plan->slope[i], 0, first) : NULL };
        (job->pass == FORWARD ? type->forward : type->backward)(work, &worker, &io);
    }
}

/* Multiply-adds of one call; 0 where there is no such pass. A convolution forms the gradient of its weights in
 * `backward`, a dense layer in `gradient`. */
static double multiply_adds(const struct job *job, double of_image)
{
    const double dx = job->plan->work[job->layer].need_dx ? 1.0 : 0.0;
    const double times[2][PASSES] = { { 1, dx, 1 }, { 1, 1 + dx, 0 } };
    return times[is_conv(job)][job->pass] * of_image * (double)samples_of(job);
}

/* ---- Preparing --------------------------------------------------------------------------------------------------- */

static void fill(const struct ink__tensor *tensor)
{
    for (size_t i = 0; i < (tensor->kept ? BATCH : INK__CHUNK) * tensor->size; i++)
        tensor->data[i] = (float)(i % 23) / 23.0f - 0.4f;
}

static struct ink__plan *make_plan(const struct ink_net *net, const char *set)
{
    struct ink__plan *plan = NULL;
    struct ink_error err;
    const struct ink_compute compute = { .threads = 1, .kernels = set };
    bench_check(ink__plan_new(&plan, net, BATCH, true, 1.0, &compute, &err), &err);
    plan->count = BATCH;
    for (size_t i = 0; i <= plan->layer_count; i++) {
        fill(&plan->value[i]);
        if (i > 0)
            fill(&plan->slope[i]);
    }
    ink__plan_turn(plan, 0);
    return plan;
}

static struct bench_shape shape_of(const struct job *job)
{
    const struct ink__layer *l = &job->plan->layers[job->layer];
    if (is_conv(job))
        return (struct bench_shape){ samples_of(job), l->in,     l->out, l->kernel_height,
                                     l->kernel_width, l->stride, l->pad };
    return (struct bench_shape){ samples_of(job), { 1, 1, ink__elements(l->in) }, l->out, 1, 1, 1, 0 };
}

/* ---- Measuring --------------------------------------------------------------------------------------------------- */

/* Who does a piece of work: a kernel set of ours, or a rival. */
struct contender {
    const char *name;
    void (*run)(void *context);
    void *context;
    double rates[MOST_ROUNDS]; /* GFLOP/s */
    double rate;               /* their median */
};

struct settings {
    bool quick;
    double peak; /* GFLOP/s of one core */
    const char *sets[MOST_SETS + 1];
    size_t set_count;
};

/* Round by round, in turns, so that a busy moment of the machine meets all alike. `work` is a call's multiply-adds. */
static void contest(const struct settings *settings, struct contender *contenders, size_t count, double work)
{
    const size_t most = settings->quick ? 1 : MOST_ROUNDS;
    for (size_t c = 0; c < count; c++) {
        struct contender *one = &contenders[c];
        const double seconds = bench_time(one->run, one->context, 0);
        one->rates[0] = 2e-9 * work / seconds;
        one->rate = seconds > SLOW || settings->quick ? one->rates[0] : 0;
    }
    for (size_t round = 0; round < most; round++)
        for (size_t c = 0; c < count; c++)
            if (contenders[c].rate == 0)
                contenders[c].rates[round] =
                    2e-9 * work / bench_time(contenders[c].run, contenders[c].context, ROUND_SECONDS);
    for (size_t c = 0; c < count; c++)
        if (contenders[c].rate == 0)
            contenders[c].rate = bench_median(contenders[c].rates, most);
}

static const struct bench_rival *const rivals[] = { &bench_openblas, &bench_onednn };
#define RIVALS          (sizeof rivals / sizeof rivals[0])
#define MOST_CONTENDERS (MOST_SETS + RIVALS)

/* Measures one pass of one layer and appends a row to `rows`. */
static void measure(const struct settings *settings, const struct subject *subject, struct job *jobs,
                    const struct ink_layer_info *info, json_t *rows)
{
    struct contender contenders[MOST_CONTENDERS] = { 0 };
    size_t count = 0;
    const double work = multiply_adds(&jobs[0], info->multiply_adds);
    if (work == 0)
        return;
    for (size_t s = 0; s < settings->set_count; s++)
        contenders[count++] = (struct contender){ .name = settings->sets[s], .run = run_job, .context = &jobs[s] };
    for (size_t r = 0; r < RIVALS && jobs[0].pass == FORWARD; r++) {
        /* A dense layer as a convolution would be unfair to oneDNN. */
        if (rivals[r]->make == NULL || (rivals[r] == &bench_onednn && !is_conv(&jobs[0])))
            continue;
        const struct bench_shape shape = shape_of(&jobs[0]);
        void *context = rivals[r]->make(&shape);
        if (context != NULL)
            contenders[count++] =
                (struct contender){ .name = rivals[r]->name, .run = rivals[r]->run, .context = context };
    }
    contest(settings, contenders, count, work);

    double fastest = 0;
    json_t *rates = json_object();
    for (size_t c = 0; c < count; c++) {
        json_object_set_new(rates, contenders[c].name, json_real(contenders[c].rate));
        if (c < settings->set_count)
            fastest = fmax(fastest, contenders[c].rate);
    }
    char input[80];
    const struct ink_shape in = jobs[0].plan->layers[jobs[0].layer].in;
    snprintf(input, sizeof input, "%zux%zux%zu", in.height, in.width, in.channels);
    json_array_append_new(rows, json_pack("{s:s, s:s, s:s, s:s, s:o, s:f}", "net", subject->name, "layer", info->text,
                                          "input", input, "pass", pass_names[jobs[0].pass], "gflops", rates, "of_peak",
                                          fastest / settings->peak));
    for (size_t r = 0; r < RIVALS; r++)
        for (size_t c = settings->set_count; c < count; c++)
            if (contenders[c].run == rivals[r]->run)
                rivals[r]->free(contenders[c].context);
}

static void measure_subject(const struct settings *settings, const struct subject *subject, json_t *rows)
{
    struct ink_net *net = NULL;
    struct ink_error err;
    struct ink_layer_info info;
    struct job jobs[MOST_SETS];
    bench_check(ink_net_new(&net, subject->input, subject->spec, "he", 0, &err), &err);
    for (size_t s = 0; s < settings->set_count; s++)
        jobs[s].plan = make_plan(net, settings->sets[s]);
    for (size_t i = subject->first; i <= subject->last && ink_net_layer(net, i, &info); i++) {
        for (enum pass pass = FORWARD; pass < PASSES && info.multiply_adds > 0; pass++) {
            for (size_t s = 0; s < settings->set_count; s++) {
                jobs[s].layer = i;
                jobs[s].pass = pass;
            }
            measure(settings, subject, jobs, &info, rows);
        }
    }
    for (size_t s = 0; s < settings->set_count; s++)
        ink__plan_free(jobs[s].plan);
    ink_net_free(net);
}

/* ---- Output ------------------------------------------------------------------------------------------------------ */

static void print_text(const struct settings *settings, json_t *rows)
{
    size_t i = 0;
    json_t *row = NULL;
    printf("peak of one core: %.1f GFLOP/s\n\n%-8s  %-26s  %-9s  %-8s", settings->peak, "network", "layer", "input",
           "pass");
    for (size_t s = 0; s < settings->set_count; s++)
        printf("  %8s", settings->sets[s]);
    printf("  %7s", "of peak");
    for (size_t r = 0; r < RIVALS; r++)
        printf("  %8s", rivals[r]->name);
    printf("\n");
    json_array_foreach(rows, i, row)
    {
        const json_t *rates = json_object_get(row, "gflops");
        printf("%-8s  %-26s  %-9s  %-8s", json_string_value(json_object_get(row, "net")),
               json_string_value(json_object_get(row, "layer")), json_string_value(json_object_get(row, "input")),
               json_string_value(json_object_get(row, "pass")));
        for (size_t s = 0; s < settings->set_count; s++)
            printf("  %8.1f", json_real_value(json_object_get(rates, settings->sets[s])));
        printf("  %6.0f%%", 100 * json_real_value(json_object_get(row, "of_peak")));
        for (size_t r = 0; r < RIVALS; r++) {
            const json_t *rate = json_object_get(rates, rivals[r]->name);
            if (rate != NULL)
                printf("  %8.1f", json_real_value(rate));
            else
                printf("  %8s", "-");
        }
        printf("\n");
    }
}

/* The others read their number of threads when they are loaded, before main. */
static void run_with_one_thread(char **argv)
{
    if (getenv("OMP_NUM_THREADS") != NULL && getenv("OPENBLAS_NUM_THREADS") != NULL)
        return;
    setenv("OMP_NUM_THREADS", "1", 1);
    setenv("OPENBLAS_NUM_THREADS", "1", 1);
    execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    struct settings settings = { .quick = false };
    bool json = false;
    run_with_one_thread(argv);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0)
            settings.quick = true;
        else if (strcmp(argv[i], "--json") == 0)
            json = true;
        else {
            fprintf(stderr, "usage: bench-kernels [--quick] [--json]\n");
            return INK_BAD_ARGUMENT;
        }
    }
    while (settings.set_count < MOST_SETS && ink_kernels_name(settings.set_count) != NULL) {
        settings.sets[settings.set_count] = ink_kernels_name(settings.set_count);
        settings.set_count++;
    }
    settings.peak = bench_peak(settings.quick ? 0.05 : 0.5);
    json_t *rows = json_array();
    for (size_t i = 0; i < sizeof subjects / sizeof subjects[0]; i++)
        measure_subject(&settings, &subjects[i], rows);
    if (json) {
        json_t *versions = json_object();
        for (size_t r = 0; r < RIVALS; r++)
            if (rivals[r]->version != NULL)
                json_object_set_new(versions, rivals[r]->name, json_string(rivals[r]->version()));
        json_t *result = json_pack("{s:f, s:o, s:O}", "peak", settings.peak, "versions", versions, "products", rows);
        json_dumpf(result, stdout, JSON_INDENT(1) | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(6));
        putchar('\n');
        json_decref(result);
    } else {
        print_text(&settings, rows);
    }
    json_decref(rows);
    return 0;
}
