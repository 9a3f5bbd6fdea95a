/* The options of training: defaults, ranges, and what a model file says of them. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "train/trainer.h"

static const struct ink_preset *find_preset(const char *name_or_spec)
{
    for (const struct ink_preset *p = ink_presets(); p->name != NULL; p++)
        if (strcmp(name_or_spec, p->name) == 0 || strcmp(name_or_spec, p->spec) == 0)
            return p;
    return NULL;
}

void ink_train_options_default(struct ink_train_options *options, const char *preset_or_spec)
{
    const struct ink_preset *preset = find_preset(preset_or_spec);
    *options = (struct ink_train_options){ .epochs = 10,
                                           .batch = 100,
                                           .optimizer = "adam",
                                           .schedule = "cosine",
                                           .class_weights = ink_class_weights_name(0),
                                           .momentum = 0.9,
                                           .beta2 = 0.999,
                                           .step_epochs = 10.0,
                                           .bias_rate = 1.0 };
    if (preset != NULL) {
        options->optimizer = preset->optimizer;
        options->schedule = preset->schedule;
        options->learning_rate = preset->learning_rate;
        options->weight_decay = preset->weight_decay;
        options->batch = preset->batch;
    }
}

void ink__options_complete(struct ink_train_options *options)
{
    struct ink_train_options defaults;
    ink_train_options_default(&defaults, "");
    if (options->epochs == 0)
        options->epochs = defaults.epochs;
    if (options->batch == 0)
        options->batch = defaults.batch;
    if (options->optimizer == NULL)
        options->optimizer = defaults.optimizer;
    if (options->schedule == NULL)
        options->schedule = "constant";
    if (options->class_weights == NULL)
        options->class_weights = defaults.class_weights;
    if (options->momentum == 0.0)
        options->momentum = defaults.momentum;
    if (options->beta2 == 0.0)
        options->beta2 = defaults.beta2;
    if (options->step_epochs == 0.0)
        options->step_epochs = defaults.step_epochs;
    if (options->bias_rate == 0.0)
        options->bias_rate = defaults.bias_rate;
}

enum ink_status ink__options_check(const struct ink_train_options *o, struct ink_error *err)
{
    const struct {
        const char *name;
        double value, least, below;
    } ranges[] = {
        { "learning rate", o->learning_rate, 0.0, 1e6 },
        { "momentum", o->momentum, 0.0, 1.0 },
        { "beta2", o->beta2, 0.0, 1.0 },
        { "weight decay", o->weight_decay, 0.0, 1e6 },
        { "clip", o->clip, 0.0, 1e30 },
        { "warm-up", o->warmup, 0.0, (double)o->epochs },
        { "step epochs", o->step_epochs, 1e-3, 1e9 },
        { "label smoothing", o->label_smoothing, 0.0, 1.0 },
        { "bias rate", o->bias_rate, 0.0, 1e6 },
        { "ema", o->ema, 0.0, 1e9 },
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        if (!(ranges[i].value >= ranges[i].least && ranges[i].value < ranges[i].below))
            return ink__fail(err, INK_BAD_ARGUMENT, "%s %g, expected at least %g and below %g", ranges[i].name,
                             ranges[i].value, ranges[i].least, ranges[i].below);
    return INK_OK;
}

/* Adds to the text that describes the options. */
__attribute__((format(printf, 2, 3))) static void add_text(struct ink_trainer *t, const char *format, ...)
{
    const size_t used = strlen(t->described);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(t->described + used, sizeof t->described - used, format, arguments);
    va_end(arguments);
}

void ink__options_describe(struct ink_trainer *t)
{
    const struct ink_train_options *o = &t->options;
    char augment[256];
    add_text(t, "epochs=%zu batch=%zu validation=%zu keep=%s patience=%zu optimizer=%s schedule=%s", o->epochs,
             o->batch, t->validation_count, o->keep_last || t->validation_count == 0 ? "last" : "best", o->patience,
             t->optimizer->name, o->schedule);
    add_text(t, " learning_rate=%.9g momentum=%.9g beta2=%.9g weight_decay=%.9g clip=%.9g", o->learning_rate,
             o->momentum, o->beta2, o->weight_decay, o->clip);
    add_text(t, " warmup=%.9g step_epochs=%.9g label_smoothing=%.9g", o->warmup, o->step_epochs, o->label_smoothing);
    if (t->class_weights != NULL)
        add_text(t, " class_weights=%s", o->class_weights);
    if (o->bias_rate != 1.0)
        add_text(t, " bias_rate=%.9g", o->bias_rate);
    if (o->ema > 0.0)
        add_text(t, " ema=%.9g", o->ema);
    if (o->normalise)
        add_text(t, " normalise");
    ink__augment_print(&t->augment, augment);
    if (augment[0] != '\0')
        add_text(t, " augment=\"%s\"", augment);
}
