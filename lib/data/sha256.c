/* The fingerprint of a data set, through OpenSSL's libcrypto. */
#include "data/dataset.h"

#ifdef INK_SHA256

#include <openssl/evp.h>
#include <stdio.h>

void ink_dataset_sha256(const struct ink_dataset *data, char hex[65])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    hex[0] = '\0';
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
        EVP_DigestUpdate(context, data->pixels, data->count * data->image_size) == 1 &&
        EVP_DigestUpdate(context, data->labels, data->count) == 1 &&
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
