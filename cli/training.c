/* The options of training, which several commands share. */
#include "training.h"

#include "options.h"
#include "recipes.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_VALIDATION 5000 /* images, but never more than one in six */
#define LARGEST_COUNT      1e9
#define LARGEST_SEED       9007199254740992.0 /* 2^53: what every reader of JSON keeps whole */

#define AT(member, kind) CLI_AT(struct training_arguments, member, kind)

/* ---- What was given ---------------------------------------------------------------------------------------------- */

static const struct ink_preset *find_preset(const char *name)
{
    for (const struct ink_preset *preset = ink_presets(); preset->name != NULL; preset++)
        if (strcmp(preset->name, name) == 0)
            return preset;
    return NULL;
}

/* The network's own options, and over them what was given. */
enum ink_status training_choose(const struct training_arguments *a, struct ink_train_options *o,
                                const char **initialisation, struct ink_error *err)
{
    const struct ink_preset *preset = find_preset(a->net);
    ink_train_options_default(o, a->net);
    if (a->optimizer != NULL && strcmp(a->optimizer, o->optimizer) != 0) {
        o->optimizer = a->optimizer;
        o->learning_rate = o->weight_decay = 0; /* the preset's were for the preset's optimizer */
    }
    if (a->schedule != NULL)
        o->schedule = a->schedule;
    if (!isnan(a->learning_rate))
        o->learning_rate = a->learning_rate;
    if (a->batch != SIZE_MAX)
        o->batch = a->batch;
    o->epochs = a->epochs;
    o->momentum = a->momentum;
    o->beta2 = a->beta2;
    if (!isnan(a->weight_decay))
        o->weight_decay = a->weight_decay;
    o->clip = a->clip;
    o->warmup = a->warmup;
    o->step_epochs = a->step_epochs;
    o->label_smoothing = a->label_smoothing;
    o->class_weights = a->class_weights;
    o->bias_rate = a->bias_rate;
    o->ema = a->ema;
    o->normalise = a->normalise;
    o->augment = a->augment;
    o->patience = a->patience;
    o->keep_last = a->keep_last;
    o->seed = a->seed;
    *initialisation = a->init != NULL ? a->init : preset != NULL ? preset->initialisation : "xavier";
    return cli_compute(&o->compute, a->threads, err);
}

/* ---- Images and network ------------------------------------------------------------------------------------------ */

struct cli_opening training_opening(const struct training_arguments *a, bool quiet)
{
    return (struct cli_opening){ .size = a->size, .threads = a->threads, .quiet = quiet };
}

enum ink_status training_open(const struct training_arguments *a, const char *name, bool quiet,
                              struct ink_dataset **data, struct ink_train_options *o, struct ink_error *err)
{
    const struct cli_opening opening = training_opening(a, quiet);
    const enum ink_status status = cli_open_dataset_as(data, name, INK_TRAIN, &opening, err);
    if (status != INK_OK)
        return status;
    ink_dataset_limit(*data, a->limit);
    const size_t sixth = ink_dataset_count(*data) / 6;
    o->validation = a->validation != SIZE_MAX ? a->validation : sixth < DEFAULT_VALIDATION ? sixth : DEFAULT_VALIDATION;
    if (!quiet && strcmp(a->class_weights, "balanced") != 0)
        cli_report_balance(*data, "; --class-weights balanced makes all classes weigh the same");
    return INK_OK;
}

enum ink_status training_net(const struct training_arguments *a, const char *initialisation,
                             const struct ink_dataset *data, struct ink_net **net, struct ink_error *err)
{
    static const char last_layer[] = "dense 10";
    const struct ink_preset *const preset = find_preset(a->net);
    const char *last = NULL;
    for (const char *at = preset != NULL ? preset->spec : ""; (at = strstr(at, last_layer)) != NULL; at++)
        last = at;
    if (last == NULL || ink_dataset_classes(data) < 2)
        return ink_net_new(net, ink_dataset_shape(data), a->net, initialisation, a->seed, err);
    const size_t before = (size_t)(last - preset->spec), size = strlen(preset->spec) + 32;
    char *const spec = malloc(size);
    *net = NULL;
    if (spec == NULL)
        return cli_fail(err, INK_FAILED, "out of memory");
    snprintf(spec, size, "%.*sdense %zu%s", (int)before, preset->spec, ink_dataset_classes(data),
             last + strlen(last_layer));
    const enum ink_status status = ink_net_new(net, ink_dataset_shape(data), spec, initialisation, a->seed, err);
    free(spec);
    return status;
}

/* ---- Its table --------------------------------------------------------------------------------------------------- */

void training_print_help(FILE *file)
{
    fprintf(file, "\nNetworks by name, with the options they come with:\n");
    for (const struct ink_preset *preset = ink_presets(); preset->name != NULL; preset++) {
        struct ink_train_options options;
        char text[512];
        ink_train_options_default(&options, preset->name);
        fprintf(file, "  %-12s", preset->name);
        cli_print_wrapped(file, preset->about, 14);
        fprintf(file, "%14s", "");
        cli_print_wrapped(file, preset->spec, 14);
        snprintf(text, sizeof text, "--optimizer %s --lr %g --weight-decay %g --schedule %s --batch %zu --init %s",
                 options.optimizer, options.learning_rate, options.weight_decay, options.schedule, options.batch,
                 preset->initialisation);
        fprintf(file, "%14s", "");
        cli_print_wrapped(file, text, 14);
    }
    fprintf(file, "\nA network of your own is a line of layers, separated by commas:\n"
                  "  dense N, conv N KxK [stride S] [pad P], pool K, avgpool K, globalpool,\n"
                  "  globalavg, norm, dropout P, res [ ... ]; after dense, conv or norm may follow\n"
                  "  sigmoid, tanh, relu, leaky or gelu, without a comma; the last word may be the\n"
                  "  loss, cross-entropy or mse.\n"
                  "\nAugmentation is a list of, with N pixels, D degrees and S a share such as 12%%:\n"
                  "  shift N, rotate D, scale S, shear D, elastic N, flip, brightness S,\n"
                  "  contrast S, erase S (the chance that a rectangle becomes noise)\n"
                  "for example --augment \"shift 2, rotate 12, scale 12%%\". Each draws anew for every\n"
                  "image and epoch, up to its number either way.\n");
}

const struct cli_option training_options[] = {
    { "recipe", AT(recipe, CLI_CHOICE), .value = "NAME", .choice = recipe_name, .stands_for = recipe_options,
      .help = "the options of a recipe, which those behind it override; 'inkling recipes' prints them" },
    { "net", AT(net, CLI_STRING), .value = "NET", .help = "the network: a name or a line of layers, below" },
    { "epochs", AT(epochs, CLI_SIZE), .letter = 'e', .value = "N", .least = 1, .most = 1e6,
      .help = "passes over the training images" },
    { "batch", AT(batch, CLI_SIZE), .letter = 'b', .value = "N", .least = 1, .most = LARGEST_COUNT,
      .unset = "the network's", .help = "images to a step" },
    { "optimizer", AT(optimizer, CLI_CHOICE), .value = "NAME", .choice = ink_optimizer_name, .unset = "the network's",
      .help = "how gradients become steps" },
    { "learning-rate", AT(learning_rate, CLI_DOUBLE), .alias = "lr", .value = "R", .least = 1e-12, .most = 1e5,
      .unset = "the network's", .help = "the peak of the schedule" },
    { "schedule", AT(schedule, CLI_CHOICE), .value = "NAME", .choice = ink_schedule_name, .unset = "the network's",
      .help = "how the learning rate changes" },
    { "warmup", AT(warmup, CLI_DOUBLE), .value = "E", .most = 1e6,
      .help = "epochs over which the rate rises from zero" },
    { "step-epochs", AT(step_epochs, CLI_DOUBLE), .value = "E", .least = 1e-6, .most = 1e6,
      .help = "with --schedule step: a tenth of the rate every E epochs" },
    { "momentum", AT(momentum, CLI_DOUBLE), .value = "M", .least = 1e-6, .most = 0.999999,
      .help = "of momentum and nesterov; beta1 of adam and adamw" },
    { "beta2", AT(beta2, CLI_DOUBLE), .value = "B", .least = 1e-6, .most = 0.999999, .help = "of adam and adamw" },
    { "weight-decay", AT(weight_decay, CLI_DOUBLE), .value = "W", .most = 1e6, .unset = "the network's",
      .help = "pull of weights, not of biases, to zero" },
    { "clip", AT(clip, CLI_DOUBLE), .value = "G", .most = 1e9,
      .help = "the largest norm of the gradient, 0 for no limit" },
    { "label-smoothing", AT(label_smoothing, CLI_DOUBLE), .value = "S", .most = 0.999,
      .help = "share of the target spread over all classes" },
    { "class-weights", AT(class_weights, CLI_CHOICE), .value = "HOW", .choice = ink_class_weights_name,
      .help = "balanced: a class counts the same in the loss however few images it has" },
    { "bias-rate", AT(bias_rate, CLI_DOUBLE), .value = "F", .least = 1e-6, .most = 1e5,
      .help = "biases and shifts of norms learn F times as fast" },
    { "ema", AT(ema, CLI_DOUBLE), .value = "E", .most = 1e6,
      .help = "keep the weights' running mean, of which the last E epochs are half, 0 for the weights alone" },
    { "normalise", AT(normalise, CLI_FLAG),
      .help = "take the training images' mean out of the input and divide by their deviation" },
    { "augment", AT(augment, CLI_STRING), .value = "TEXT", .unset = "none",
      .help = "how images are changed each time they are trained on, below" },
    { "init", AT(init, CLI_CHOICE), .value = "NAME", .choice = ink_initialisation_name, .unset = "the network's",
      .help = "how the first weights are drawn" },
    { "seed", AT(seed, CLI_U64), .letter = 's', .value = "N", .most = LARGEST_SEED,
      .help = "seed of weights, shuffling, validation, dropout" },
    { "val", AT(validation, CLI_SIZE), .value = "N", .most = LARGEST_COUNT,
      .unset = "5000, at most a sixth of the images",
      .help = "training images held out for validation, 0 to train on all" },
    { "patience", AT(patience, CLI_SIZE), .value = "N", .most = 1e6,
      .help = "stop after N epochs without a better validation accuracy, 0 for never" },
    { "keep-last", AT(keep_last, CLI_FLAG), .help = "keep the last epoch's weights, not the best by validation" },
    { "limit", AT(limit, CLI_SIZE), .value = "N", .most = LARGEST_COUNT,
      .help = "take only the first N training images, 0 for all" },
    CLI_OPTION_SIZE(struct training_arguments, size),
    CLI_OPTION_THREADS(struct training_arguments, threads),
    { .name = NULL },
};
