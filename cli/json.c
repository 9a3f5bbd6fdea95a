#include "json.h"

#include <math.h>

json_t *cli_json_real(double number)
{
    return isfinite(number) ? json_real(number) : json_null();
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
