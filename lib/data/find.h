/*
 * Which files make up a data set: the table of known sets, and the names that MNIST's files go by.
 */
#ifndef INK_DATA_FIND_H
#define INK_DATA_FIND_H

#include "inkling.h"

/* A known data set: its row of ink_dataset_sources() and its class names. */
struct ink__known {
    const struct ink_dataset_source *source;
    const char *const *class_names;
    size_t classes;
};

/* The known set of that name; false if there is none. */
bool ink__find_known(struct ink__known *known, const char *name);

/* The files of a split; paths are owned, NULL where there is none. */
struct ink__files {
    char *images, *labels;
    char *train_labels; /* of the test split: what its training split is labelled with, if that is there */
};

/* Looks in `folder` for train-images-idx3-ubyte, t10k-labels.idx1-ubyte.gz and the like: `-` or `.` before idx, `.gz`
 * or not, test- for t10k-. What is not there stays NULL; the only failure is memory. */
enum ink_status ink__find_in_folder(struct ink__files *files, const char *folder, enum ink_split split,
                                    struct ink_error *err);
/* The label file that lies beside an image file and is named as it is; files->labels stays NULL if there is none. */
enum ink_status ink__find_beside(struct ink__files *files, const char *images, struct ink_error *err);
void ink__files_free(struct ink__files *files);

/* "FOLDER/NAME", or NULL if memory runs out. Free with free(). */
char *ink__join_path(const char *folder, const char *name);

#endif
