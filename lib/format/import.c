/* Networks from the files of others, told apart by content. */
#include "format/import.h"

#include <math.h>

#include "base/error.h"
#include "base/npy.h"
#include "base/zip.h"

#ifndef INK_ONNX

static const char no_onnx[] = "%s: this build has no ONNX (libprotobuf-c and protoc-c were not found)";

enum ink_status ink_export_onnx(const struct ink_net *net, const char *path, struct ink_error *err)
{
    (void)net;
    return ink__fail(err, INK_FAILED, no_onnx, path);
}

enum ink_status ink__import_onnx(struct ink_net **out, const char *path, const struct ink_import_options *options,
                                 struct ink_error *err)
{
    (void)options;
    *out = NULL;
    return ink__fail(err, INK_FAILED, no_onnx, path);
}

#endif

static enum ink_status check_options(const struct ink_import_options *o, struct ink_error *err)
{
    const bool no_input = o->input.height == 0 && o->input.width == 0 && o->input.channels == 0;
    if (!no_input && (o->input.height == 0 || o->input.height > 4096 || o->input.width == 0 || o->input.width > 4096 ||
                      o->input.channels == 0 || o->input.channels > 4))
        return ink__fail(err, INK_BAD_ARGUMENT, "input %zux%zux%zu, expected 1 to 4096 by 1 to 4096 by 1 to 4",
                         o->input.height, o->input.width, o->input.channels);
    for (size_t c = 0; c < 4; c++)
        if (!isfinite(o->mean[c]) || !isfinite(o->deviation[c]) || o->deviation[c] < 0.0f)
            return ink__fail(err, INK_BAD_ARGUMENT,
                             "mean %g, deviation %g, expected finite numbers, no deviation below 0", (double)o->mean[c],
                             (double)o->deviation[c]);
    return INK_OK;
}

/* An archive is an npz, and a length with '{' behind it begins safetensors; protobuf has nothing of the kind. */
static enum ink_status find_kind(ink__import_fn **import, const char *path, struct ink_error *err)
{
    struct ink__file file;
    const enum ink_status status = ink__file_open(&file, path, err);
    if (status != INK_OK)
        return status;
    if (ink__zip_is(&file) || ink__npy_is(file.bytes, file.size))
        *import = ink__import_npz;
    else if (file.size > 8 && file.bytes[8] == '{' && file.bytes[5] == 0 && file.bytes[6] == 0 && file.bytes[7] == 0)
        *import = ink__import_safetensors;
    else
        *import = ink__import_onnx;
    ink__file_close(&file);
    return INK_OK;
}

enum ink_status ink_net_import(struct ink_net **out, const char *path, const struct ink_import_options *options,
                               struct ink_error *err)
{
    struct ink_import_options whole = { .spec = NULL };
    *out = NULL;
    if (options != NULL)
        whole = *options;
    ink__import_fn *import = NULL;
    enum ink_status status = check_options(&whole, err);
    if (status == INK_OK)
        status = find_kind(&import, path, err);
    if (status != INK_OK)
        return status;
    for (size_t c = 0; c < 4; c++)
        if (whole.deviation[c] == 0.0f)
            whole.deviation[c] = 1.0f;
    return import(out, path, &whole, err);
}
