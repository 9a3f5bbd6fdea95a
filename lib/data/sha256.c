/* The fingerprint of a data set, through OpenSSL's libcrypto. */
#include "data/dataset.h"

#ifdef INK_SHA256

#include <openssl/evp.h>
#include <stdio.h>

#include "base/bytes.h"

/* The labels, a byte each, or two where one does not hold them. */
static bool add_labels(EVP_MD_CTX *context, const struct ink_dataset *data)
{
    enum { LABELS = 4096 };
    unsigned char bytes[2 * LABELS];
    const size_t width = data->classes > 256 ? 2 : 1;
    for (size_t i = 0; i < data->count; i += LABELS) {
        const size_t left = data->count - i, count = left < LABELS ? left : LABELS;
        for (size_t k = 0; k < count; k++)
            ink__put_little(bytes + k * width, data->labels[i + k], width);
        if (EVP_DigestUpdate(context, bytes, count * width) != 1)
            return false;
    }
    return true;
}

void ink_dataset_sha256(const struct ink_dataset *data, char hex[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    hex[0] = '\0';
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(context, data->pixels, data->count * data->image_size) == 1 && add_labels(context, data) &&
        EVP_DigestFinal_ex(context, digest, &length) == 1) {
        for (size_t i = 0; i < 32; i++)
            snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
    EVP_MD_CTX_free(context);
}

#else

void ink_dataset_sha256(const struct ink_dataset *data, char hex[65])
{
    (void)data;
    hex[0] = '\0';
}

#endif
