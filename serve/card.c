/* The model's card: what it is, where it comes from, and the digest by which it is known. */
#include "server.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Writes the SHA-256 of a file, as sha256sum prints it. */
static enum ink_status digest_file(char hex[65], const char *path, struct ink_error *err)
{
    enum ink_status status = INK_OK;
    unsigned char bytes[EVP_MAX_MD_SIZE], buffer[1 << 14];
    unsigned length = 0;
    size_t got = 0;
    EVP_MD_CTX *const digest = EVP_MD_CTX_new();
    FILE *const file = fopen(path, "rb");
    hex[0] = 0;
    if (file == NULL)
        status = serve_fail(err, INK_FAILED, "%s: cannot open: %s", path, strerror(errno));
    else if (digest == NULL || EVP_DigestInit_ex(digest, EVP_sha256(), NULL) != 1)
        status = serve_fail(err, INK_FAILED, "%s: cannot compute its SHA-256", path);
    while (status == INK_OK && (got = fread(buffer, 1, sizeof buffer, file)) > 0)
        if (EVP_DigestUpdate(digest, buffer, got) != 1)
            status = serve_fail(err, INK_FAILED, "%s: cannot compute its SHA-256", path);
    if (status == INK_OK && (ferror(file) || EVP_DigestFinal_ex(digest, bytes, &length) != 1 || length != 32))
        status = serve_fail(err, INK_FAILED, "%s: cannot read", path);
    for (unsigned i = 0; status == INK_OK && i < 32; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    if (file != NULL)
        fclose(file);
    EVP_MD_CTX_free(digest);
    return status;
}

static void write_shape(struct text *text, struct ink_shape shape)
{
    text_print(text, "[%zu,%zu,%zu]", shape.height, shape.width, shape.channels);
}

static void write_classes(struct text *text, const struct ink_net *net)
{
    for (size_t c = 0; c < ink_net_classes(net); c++) {
        text_add(text, c > 0 ? "," : "[", 1);
        text_string(text, ink_net_class_name(net, c));
    }
    text_add(text, "]", 1);
}

static void write_card(struct text *text, const struct server *server)
{
    const struct ink_net *const net = server->net;
    const struct serve_options *const options = server->options;
    const char *key = NULL, *value = NULL;
    struct ink_layer_info layer;
    text_print(text, "{\"sha256\":\"%s\",\"network\":", server->sha256);
    text_string(text, ink_net_spec(net));
    text_print(text, ",\"parameters\":%zu,\"input\":", ink_net_parameters(net));
    write_shape(text, ink_net_input(net));
    text_print(text, ",\"classes\":");
    write_classes(text, net);
    text_print(text, ",\"layers\":");
    for (size_t i = 0; ink_net_layer(net, i, &layer); i++) {
        text_print(text, "%s{\"text\":", i > 0 ? "," : "[");
        text_string(text, layer.text);
        text_print(text, ",\"shape\":");
        write_shape(text, layer.out);
        text_print(text, ",\"parameters\":%zu,\"multiply_adds\":%.0f}", layer.parameters, layer.multiply_adds);
    }
    text_print(text, "],\"metadata\":{");
    for (size_t i = 0; ink_net_metadata(net, i, &key, &value); i++) {
        text_add(text, ",", i > 0);
        text_string(text, key);
        text_add(text, ":", 1);
        text_string(text, value);
    }
    text_print(text, "},\"limits\":{\"body\":%zu,\"pixels\":%zu,\"batch\":%zu},\"version\":\"%s\"}\n", options->body,
               options->pixels, options->batch, INK_VERSION);
}

enum ink_status card_make(struct server *server, struct ink_error *err)
{
    const enum ink_status status = digest_file(server->sha256, server->options->model, err);
    if (status != INK_OK)
        return status;
    write_card(&server->card, server);
    text_print(&server->head, "{\"model\":\"%s\",\"classes\":", server->sha256);
    write_classes(&server->head, server->net);
    if (server->card.failed || server->head.failed)
        return serve_fail(err, INK_FAILED, "out of memory");
    return INK_OK;
}
