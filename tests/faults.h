/*
 * Makes the N-th call of a kind fail. The linker's --wrap (tests/CMakeLists.txt) sends the library's calls here, and
 * the hooks of jansson, libpng, libdeflate and zlib send theirs, so that every allocation of a run counts, whoever
 * makes it.
 */
#ifndef INK_TESTS_FAULTS_H
#define INK_TESTS_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

enum fault_kind {
    FAULT_ALLOCATE,
    FAULT_OPEN,
    FAULT_EXAMINE, /* fstat, and stat */
    FAULT_MAP,
    FAULT_READ,
    FAULT_WRITE,
    FAULT_TRUNCATE,
    FAULT_LOCK,
    FAULT_SYNC,
    FAULT_RENAME,
    FAULT_THREAD,
    FAULT_KINDS
};

/* What is to go wrong, from the `first` call of `kind` on (from 1): that call alone, or all from there. */
struct fault {
    enum fault_kind kind;
    int error;   /* errno */
    bool lasts;  /* the later calls fail too */
    bool unmap;  /* mmap never works, so that files are read */
    bool slices; /* read and write do 7 bytes at most */
    size_t first;
};

/* Starts counting; NULL lets every call pass. */
void faults_arm(const struct fault *fault);
/* Stops, and says how many calls of `kind` there were. */
size_t faults_disarm(enum fault_kind kind);
/* What was taken since faults_arm and is not given back: blocks, descriptors, mappings. */
size_t faults_left(void);
/* Sends the other libraries' allocations here too. */
void faults_hook(void);

#endif
