/* JSON, as headers of model files and lines of logs are read: what is taken says the same when it is written and read
 * again. */
#include "input.h"

#include "format/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_error_t error;
    json_t *value, *again;
    if (ink__json_parse(&value, (const char *)data, size, &error) != INK_OK)
        return 0;
    char *const text = ink__json_text(value, JSON_COMPACT | JSON_ENCODE_ANY);
    if (text == NULL || ink__json_parse(&again, text, strlen(text), &error) != INK_OK || !json_equal(value, again))
        abort();
    free(text);
    json_decref(value);
    json_decref(again);
    return 0;
}
