#include "data/find.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"

/* ---- Known data sets --------------------------------------------------------------------------------------------- */

static const struct ink_dataset_source sources[] = {
    { .name = "mnist",
      .title = "MNIST handwritten digits",
      .files = { { "train-images-idx3-ubyte", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db" },
                 { "train-labels-idx1-ubyte", "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5" },
                 { "t10k-images-idx3-ubyte", "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7" },
                 { "t10k-labels-idx1-ubyte", "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2" } },
      .mirrors = { "https://storage.googleapis.com/cvdf-datasets/mnist/",
                   "https://ossci-datasets.s3.amazonaws.com/mnist/" } },
    { .name = "fashion-mnist",
      .title = "Fashion-MNIST articles of clothing",
      .files = { { "train-images-idx3-ubyte", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888" },
                 { "train-labels-idx1-ubyte", "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9" },
                 { "t10k-images-idx3-ubyte", "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b" },
                 { "t10k-labels-idx1-ubyte", "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34" } },
      .mirrors = { "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
                   "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/" } },
    { .name = "kmnist",
      .title = "Kuzushiji-MNIST cursive hiragana",
      .files = { { "train-images-idx3-ubyte", NULL },
                 { "train-labels-idx1-ubyte", NULL },
                 { "t10k-images-idx3-ubyte", NULL },
                 { "t10k-labels-idx1-ubyte", NULL } },
      .mirrors = { "http://codh.rois.ac.jp/kmnist/dataset/kmnist/" } },
    { .name = NULL },
};

#define KNOWN_CLASSES 10

/* A row for each of `sources`. */
static const char *const class_names[][KNOWN_CLASSES] = {
    { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" },
    { "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot" },
    { "o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo" },
};

const struct ink_dataset_source *ink_dataset_sources(void)
{
    return sources;
}

bool ink__find_known(struct ink__known *known, const char *name)
{
    for (size_t i = 0; sources[i].name != NULL; i++) {
        if (strcmp(sources[i].name, name) == 0) {
            *known = (struct ink__known){ &sources[i], class_names[i], KNOWN_CLASSES };
            return true;
        }
    }
    return false;
}

/* ---- File names -------------------------------------------------------------------------------------------------- */

char *ink__join_path(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = ink__array(size, 1);
    if (path != NULL)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* Both kinds of part, in the names of files. */
static const char *const images_part[] = { "images-idx3-ubyte", "images.idx3-ubyte" };
static const char *const labels_part[] = { "labels-idx1-ubyte", "labels.idx1-ubyte" };

/* The first of the names for `part` of a split that exists in `folder`: *path is NULL if none does. */
static enum ink_status find_part(char **path, const char *folder, enum ink_split split, const char *const part[2],
                                 struct ink_error *err)
{
    static const char *const prefixes[][3] = { [INK_TRAIN] = { "train-", NULL }, [INK_TEST] = { "t10k-", "test-" } };
    static const char *const endings[] = { "", ".gz" };
    *path = NULL;
    for (size_t p = 0; prefixes[split][p] != NULL; p++) {
        for (size_t form = 0; form < 2 * 2; form++) {
            char name[64];
            snprintf(name, sizeof name, "%s%s%s", prefixes[split][p], part[form / 2], endings[form % 2]);
            *path = ink__join_path(folder, name);
            if (*path == NULL)
                return ink__fail_memory(err);
            if (access(*path, F_OK) == 0)
                return INK_OK;
            free(*path);
            *path = NULL;
        }
    }
    return INK_OK;
}

enum ink_status ink__find_in_folder(struct ink__files *files, const char *folder, enum ink_split split,
                                    struct ink_error *err)
{
    *files = (struct ink__files){ 0 };
    enum ink_status status = find_part(&files->images, folder, split, images_part, err);
    if (status == INK_OK)
        status = find_part(&files->labels, folder, split, labels_part, err);
    if (status == INK_OK && split == INK_TEST)
        status = find_part(&files->train_labels, folder, INK_TRAIN, labels_part, err);
    if (status != INK_OK)
        ink__files_free(files);
    return status;
}

/* What stands for the labels where the name of an image file has ... */
static const struct {
    const char *from, *to;
    bool begins; /* only at its beginning */
} kinds[] = { { "images", "labels", false }, { "imgs", "labels", false }, { "x_", "y_", true },
              { "X_", "y_", true },          { "x.", "y.", true },        { "X.", "y.", true } };

/* The name of a label file in the place of the image file's, with room for an ending; for free(). */
static char *label_name(const char *images, const char *part, const char *from, const char *to, size_t ending)
{
    const size_t before = (size_t)(part - images);
    char *const labels = ink__array(strlen(images) + strlen(to) + ending + 1, 1);
    if (labels == NULL)
        return NULL;
    memcpy(labels, images, before);
    strcpy(stpcpy(labels + before, to), part + strlen(from));
    char *const rank = strstr(labels + before, "idx");
    if (rank != NULL && rank[3] >= '3' && rank[3] <= '4')
        rank[3] = '1';
    return labels;
}

enum ink_status ink__find_beside(struct ink__files *files, const char *images, struct ink_error *err)
{
    static const char ending[] = ".gz";
    const char *const slash = strrchr(images, '/'), *const name = slash == NULL ? images : slash + 1;
    *files = (struct ink__files){ .images = ink__string(images) };
    if (files->images == NULL)
        return ink__fail_memory(err);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const char *const part = strstr(name, kinds[i].from);
        if (part == NULL || (kinds[i].begins && part != name))
            continue;
        char *const labels = label_name(images, part, kinds[i].from, kinds[i].to, strlen(ending));
        if (labels == NULL) {
            ink__files_free(files);
            return ink__fail_memory(err);
        }
        files->labels = labels;
        if (access(labels, F_OK) == 0)
            return INK_OK;
        /* The other one of plain and gzipped. */
        const size_t length = strlen(labels), bare = length - strlen(ending);
        const bool gzipped = length > strlen(ending) && strcmp(labels + bare, ending) == 0;
        strcpy(labels + (gzipped ? bare : length), gzipped ? "" : ending);
        if (access(labels, F_OK) == 0)
            return INK_OK;
        free(labels);
        files->labels = NULL;
    }
    return INK_OK;
}

void ink__files_free(struct ink__files *files)
{
    free(files->images);
    free(files->labels);
    free(files->train_labels);
    *files = (struct ink__files){ 0 };
}
