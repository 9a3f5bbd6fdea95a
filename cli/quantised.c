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

static void print_comparison(const char *data, const struct ink_net *floats, const struct ink_net *integers,
                             const struct ink_metrics *before, const struct ink_metrics *after)
{
    char count[32], bytes[32], old_bytes[32];
    printf("calibrated on training images of %s, compared on %s test images\n", data,
           terminal_number(count, before->count));
    printf("accuracy  %.2f%% as integers, %.2f%% as floats\n", 100 * after->accuracy, 100 * before->accuracy);
    printf("weights   %s bytes as integers, %s as floats\n", terminal_number(bytes, ink_net_bytes(integers)),
           terminal_number(old_bytes, ink_net_bytes(floats)));
}

int quantised_make(struct ink_net **out, const struct ink_net *net, const char *data, double most,
                   struct ink_error *err)
{
    struct ink_dataset *train = NULL, *test = NULL;
    struct ink_metrics before = { .count = 0 }, after = { .count = 0 };
    struct ink_compute compute;
    *out = NULL;
    data = name_of(data, net);
    if (data == NULL || !cli_has_splits(data))
        return (int)cli_fail_usage(err, "export", "--data: found %s, expected data with training and test images",
                                   data != NULL ? data : "nothing, and the model does not say what it was trained on");
    int status = (int)cli_compute(&compute, 0, err);
    if (status != INK_OK || (status = (int)cli_open_dataset(&train, data, INK_TRAIN, err)) != INK_OK ||
        (status = (int)cli_open_dataset(&test, data, INK_TEST, err)) != INK_OK ||
        (status = (int)ink_net_quantise(out, net, train, &compute, err)) != INK_OK ||
        (status = (int)ink_evaluate(net, test, &compute, &before, err)) != INK_OK ||
        (status = (int)ink_evaluate(*out, test, &compute, &after, err)) != INK_OK)
        goto out;
    print_comparison(data, net, *out, &before, &after);
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
