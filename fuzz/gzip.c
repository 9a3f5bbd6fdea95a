/* Gzip, beside zlib: what ours takes, zlib takes too, and both make the same bytes of it. The first two bytes say how
 * many bytes to expect, the rest is the file. */
#include "input.h"

#include "data/gzip.h"
#define ZLIB_CONST
#include <zlib.h>

enum { MOST = 65536 };

/* All members by zlib; the size, or SIZE_MAX if it refuses. */
static size_t reference(const uint8_t *data, size_t size, unsigned char *out)
{
    z_stream stream = { .next_in = data, .avail_in = (uInt)size, .next_out = out, .avail_out = MOST };
    int result = inflateInit2(&stream, 15 + 16);
    while (result == Z_OK) {
        result = inflate(&stream, Z_FINISH);
        if (result == Z_STREAM_END && stream.avail_in > 0)
            result = inflateReset(&stream);
    }
    inflateEnd(&stream);
    return result == Z_STREAM_END ? MOST - stream.avail_out : SIZE_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char ours[MOST], theirs[MOST];
    unsigned char head[20];
    size_t got;
    if (size < 2)
        return 0;
    const size_t expected = data[0] * (size_t)256 + data[1];
    const struct ink__file file = { .bytes = data + 2, .size = size - 2 };
    if (!ink__gzip_is(&file))
        return 0;
    ink__gzip_peek(&file, "input", head, sizeof head, &got, NULL);
    if (ink__gzip_expand(&file, "input", ours, expected, NULL) == INK_OK)
        if (reference(file.bytes, file.size, theirs) != expected || memcmp(ours, theirs, expected) != 0)
            abort();
    return 0;
}
