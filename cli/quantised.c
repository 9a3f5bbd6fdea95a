#include "quantised.h"

#include "terminal.h"

#include <string.h>

/* The data that were named, or else those the model was trained on. */
static const char *name_of(const char *data, const struct ink_net *net)
{
    const char *key = NULL, *value = NULL;
    for (size_t i = 0; data == NULL && ink_net_metadata(net, i, &key, &value); i++)
        if (strcmp(key, "dataset") == 0)
            data = value;
    return data;
}

/* The images to compare on, and what they are. Of data without test images, those that training held out. */
static enum ink_status open_test(struct ink_dataset **test, const char **words, const char *data,
                                 const struct ink_net *net, struct ink_error *err)
{
    const struct cli_opening opening = { .net = net };
    struct ink_dataset *held_out = NULL;
    *words = "test images";
    const enum ink_status status = cli_open_dataset_as(test, data, INK_TEST, &opening, err);
    if (status != INK_OK || !ink_dataset_is_whole(*test))
        return status;
    *words = "images, all of them";
    if (ink_net_trained_on(net, *test) && ink_dataset_held_out(&held_out, *test, net, NULL) == INK_OK) {
        *words = "images held out in training";
        ink_dataset_free(*test);
        *test = held_out;
    }
    return INK_OK;
}

static void print_comparison(const char *data, const char *words, const struct ink_net *floats,
                             const struct ink_net *integers, const struct ink_metrics *before,
                             const struct ink_metrics *after)
{
    char count[32], bytes[32], old_bytes[32];
    printf("calibrated on training images of %s, compared on %s %s\n", data, terminal_number(count, before->count),
           words);
    printf("accuracy  %.2f%% as integers, %.2f%% as floats\n", 100 * after->accuracy, 100 * before->accuracy);
    printf("weights   %s bytes as integers, %s as floats\n", terminal_number(bytes, ink_net_bytes(integers)),
           terminal_number(old_bytes, ink_net_bytes(floats)));
}

int quantised_make(struct ink_net **out, const struct ink_net *net, const char *data, double most,
                   struct ink_error *err)
{
    const struct cli_opening opening = { .net = net };
    const char *words = NULL;
    struct ink_dataset *train = NULL, *test = NULL;
    struct ink_metrics before = { .count = 0 }, after = { .count = 0 };
    struct ink_compute compute;
    *out = NULL;
    data = name_of(data, net);
    if (data == NULL)
        return (int)cli_fail_usage(err, "export",
                                   "the model does not say which data it was trained on: name some as --data");
    int status = (int)cli_compute(&compute, 0, err);
    if (status != INK_OK || (status = (int)cli_open_dataset_as(&train, data, INK_TRAIN, &opening, err)) != INK_OK ||
        (status = (int)open_test(&test, &words, data, net, err)) != INK_OK ||
        (status = (int)ink_net_quantise(out, net, train, &compute, err)) != INK_OK ||
        (status = (int)ink_evaluate(net, test, &compute, &before, err)) != INK_OK ||
        (status = (int)ink_evaluate(*out, test, &compute, &after, err)) != INK_OK)
        goto out;
    print_comparison(data, words, net, *out, &before, &after);
    const double lost = 100.0 * ((double)before.correct - (double)after.correct);
    if (lost > most * (double)before.count) {
        cli_fail(err, INK_FAILED, "the integers lose %.2f points of accuracy, expected at most %g (--max-drop)",
                 lost / (double)before.count, most);
        status = CLI_BELOW_THRESHOLD;
    }
out:
    ink_metrics_free(&after);
    ink_metrics_free(&before);
    ink_dataset_free(test);
    ink_dataset_free(train);
    if (status != INK_OK) {
        ink_net_free(*out);
        *out = NULL;
    }
    return status;
}
