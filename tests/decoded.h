/* Pictures from bytes that must be good. After cmocka.h. */
#ifndef INK_TESTS_DECODED_H
#define INK_TESTS_DECODED_H

#include "inkling.h"

/* The arguments of a call that takes bytes and their number. */
#define LITERAL(text) (text), sizeof(text) - 1

static inline struct ink_picture *decode_good(const void *bytes, size_t size, const char *name)
{
    struct ink_error err = { 0 };
    struct ink_picture *picture = NULL;
    if (ink_picture_decode(&picture, bytes, size, name, &err) != INK_OK)
        fail_msg("%s", err.message);
    assert_non_null(picture);
    return picture;
}

#endif
