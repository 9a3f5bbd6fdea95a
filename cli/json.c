#include "json.h"

#include <math.h>

json_t *cli_json_real(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
}

static json_t *classes_json(const struct ink_net *net, const struct ink_metrics *metrics)
{
    json_t *list = json_array();
    for (size_t c = 0; c < metrics->classes; c++) {
        const struct ink_class_metrics m = ink_metrics_class(metrics, c);
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:f, s:f, s:f}", "name", ink_net_class_name(net, c), "count",
                                        (json_int_t)m.count, "precision", m.precision, "recall", m.recall, "f1", m.f1));
    }
    return list;
}

static json_t *confusion_json(const struct ink_metrics *metrics)
{
    json_t *rows = json_array();
    for (size_t row = 0; row < metrics->classes; row++) {
        json_t *columns = json_array();
        for (size_t column = 0; column < metrics->classes; column++)
            json_array_append_new(columns,
                                  json_integer((json_int_t)metrics->confusion[row * metrics->classes + column]));
        json_array_append_new(rows, columns);
    }
    return rows;
}

json_t *cli_metrics_json(const struct ink_net *net, const struct ink_metrics *metrics)
{
    return json_pack("{s:I, s:I, s:f, s:f, s:f, s:o, s:o, s:o}", "count", (json_int_t)metrics->count, "correct",
                     (json_int_t)metrics->correct, "accuracy", metrics->accuracy, "accuracy_low", metrics->accuracy_low,
                     "accuracy_high", metrics->accuracy_high, "loss", cli_json_real(metrics->loss), "classes",
                     classes_json(net, metrics), "confusion", confusion_json(metrics));
}

enum ink_status cli_print_json(json_t *value, FILE *file, struct ink_error *err)
{
    if (value == NULL)
        return cli_fail(err, INK_FAILED, "JSON: out of memory, or text that is not UTF-8");
    json_dumpf(value, file, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
    fputc('\n', file);
    json_decref(value);
    return INK_OK;
}
