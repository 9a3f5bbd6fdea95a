/* The options of training, which several commands share: their table, their defaults, what they come to. */
#ifndef CLI_TRAINING_H
#define CLI_TRAINING_H

#include "cli.h"

/* The first member of the arguments of a command whose shared_options are these. */
struct training_arguments {
    const char *recipe, *net, *optimizer, *schedule, *init, *augment, *size, *class_weights;
    size_t epochs, batch, validation, limit, patience, threads;
    double learning_rate, momentum, beta2, weight_decay, clip, warmup, step_epochs, label_smoothing, bias_rate, ema;
    uint64_t seed;
    bool normalise, keep_last;
};
extern const struct cli_option training_options[];

#define TRAINING_DEFAULTS                                                                                              \
    {                                                                                                                  \
        .net = "notebook", .class_weights = "none", .epochs = 10, .batch = SIZE_MAX, .validation = SIZE_MAX,           \
        .learning_rate = CLI_NO_NUMBER, .weight_decay = CLI_NO_NUMBER, .momentum = 0.9, .beta2 = 0.999,                \
        .step_epochs = 10, .bias_rate = 1                                                                              \
    }

/* The network's own options, and over them what was given; all but the images held out. */
enum ink_status training_choose(const struct training_arguments *arguments, struct ink_train_options *options,
                                const char **initialisation, struct ink_error *err);
/* How to open the data. */
struct cli_opening training_opening(const struct training_arguments *arguments, bool quiet);
/* Opens the training images, and says in `options` how many are held out. Unless `quiet`, says on stderr what there is
 * to say of them. */
enum ink_status training_open(const struct training_arguments *arguments, const char *name, bool quiet,
                              struct ink_dataset **data, struct ink_train_options *options, struct ink_error *err);
/* Makes the network for these images: where it is a preset, its last layer gives as many outputs as there are classes.
 */
enum ink_status training_net(const struct training_arguments *arguments, const char *initialisation,
                             const struct ink_dataset *data, struct ink_net **net, struct ink_error *err);

/* For help: the networks that have names, how others are written, and how augmentation is. */
void training_print_help(FILE *file);

#endif
