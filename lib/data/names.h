/* Lists of texts - files, classes, remarks - and what a class may be called. */
#ifndef INK_DATA_NAMES_H
#define INK_DATA_NAMES_H

#include "inkling.h"

/* Zero-initialised is empty. */
struct ink__names {
    char **list; /* owned, as the texts are */
    size_t count, room;
};

/* Adds a copy of `text`; false if memory runs out. */
bool ink__names_add(struct ink__names *names, const char *text);
/* Where `text` is; names->count if it is not there. */
size_t ink__names_find(const struct ink__names *names, const char *text);
/* Sorts by number if all are decimal numbers, else byte by byte. */
void ink__names_sort(struct ink__names *names);
void ink__names_free(struct ink__names *names);

/* The names in `folder` that do not begin with a dot, all of them or the folders' alone. Sorted as above. */
enum ink_status ink__names_of_folder(struct ink__names *names, const char *folder, bool folders_only,
                                     struct ink_error *err);

/* The classes' names and their order, where a folder has them in the file "classes.txt", one a line; none where it has
 * no such file. INK_BAD_INPUT names the line of a name that ink__check_class_name refuses, or that is there twice. */
extern const char ink__class_file[];
enum ink_status ink__names_of_classes(struct ink__names *names, const char *folder, struct ink_error *err);

/* Adds the name of a class. INK_BAD_INPUT for one that is empty, no UTF-8 (a model file could not hold it), has control
 * characters, or is there already, and for one too many. `where` is the place, for messages. */
enum ink_status ink__names_add_class(struct ink__names *names, const char *name, const char *where,
                                     struct ink_error *err);

/* What the folder of a class is called: its name, with '_' for each '/' and for a dot at the beginning. For free();
 * NULL if memory runs out. */
char *ink__class_folder(const char *class_name);

#endif
