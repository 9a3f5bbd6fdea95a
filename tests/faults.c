#include "faults.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libdeflate.h>
#include <png.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

/* The linker's names: __wrap_X is what a call of X reaches, __real_X is X. */
#define WRAP(result, name, ...)                                                                                        \
    result __real_##name(__VA_ARGS__);                                                                                 \
    result __wrap_##name(__VA_ARGS__);                                                                                 \
    result __wrap_##name(__VA_ARGS__)

enum { SLICE = 7 };

static const struct fault *fault;
static bool armed;
static atomic_size_t calls[FAULT_KINDS];
static atomic_size_t left;

void faults_arm(const struct fault *chosen)
{
    for (size_t i = 0; i < FAULT_KINDS; i++)
        calls[i] = 0;
    left = 0;
    fault = chosen;
    armed = true;
}

size_t faults_disarm(enum fault_kind kind)
{
    armed = false;
    fault = NULL;
    return calls[kind];
}

size_t faults_left(void)
{
    return left;
}

static bool fails(enum fault_kind kind)
{
    if (!armed)
        return false;
    const size_t call = ++calls[kind];
    const bool hit =
        fault != NULL && fault->kind == kind && (call == fault->first || (fault->lasts && call > fault->first));
    if (hit)
        errno = fault->error;
    return hit;
}

static size_t slice(size_t size)
{
    return armed && fault != NULL && fault->slices && size > SLICE ? SLICE : size;
}

static void *took(void *block)
{
    left += armed && block != NULL;
    return block;
}

/* ---- Memory ------------------------------------------------------------------------------------------------------ */

WRAP(void *, malloc, size_t size)
{
    return fails(FAULT_ALLOCATE) ? NULL : took(__real_malloc(size));
}

WRAP(void *, calloc, size_t count, size_t size)
{
    return fails(FAULT_ALLOCATE) ? NULL : took(__real_calloc(count, size));
}

WRAP(void *, realloc, void *block, size_t size)
{
    if (fails(FAULT_ALLOCATE))
        return NULL;
    void *const moved = __real_realloc(block, size);
    return block == NULL ? took(moved) : moved;
}

WRAP(void *, aligned_alloc, size_t alignment, size_t size)
{
    return fails(FAULT_ALLOCATE) ? NULL : took(__real_aligned_alloc(alignment, size));
}

WRAP(void, free, void *block)
{
    left -= armed && block != NULL;
    __real_free(block);
}

static void *png_take(png_structp png, png_alloc_size_t size)
{
    (void)png;
    return __wrap_malloc(size);
}

static void png_give(png_structp png, void *block)
{
    (void)png;
    __wrap_free(block);
}

WRAP(png_structp, png_create_read_struct, png_const_charp version, png_voidp context, png_error_ptr error,
     png_error_ptr warning)
{
    return png_create_read_struct_2(version, context, error, warning, NULL, png_take, png_give);
}

static void *zlib_take(void *context, unsigned count, unsigned size)
{
    (void)context;
    return __wrap_calloc(count, size);
}

static void zlib_give(void *context, void *block)
{
    (void)context;
    __wrap_free(block);
}

WRAP(int, inflateInit2_, z_stream *stream, int window, const char *version, int size)
{
    stream->zalloc = zlib_take;
    stream->zfree = zlib_give;
    return __real_inflateInit2_(stream, window, version, size);
}

void faults_hook(void)
{
    json_set_alloc_funcs(__wrap_malloc, __wrap_free);
    libdeflate_set_memory_allocator(__wrap_malloc, __wrap_free);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list more;
    va_start(more, flags);
    if (flags & O_CREAT)
        mode = va_arg(more, mode_t);
    va_end(more);
    if (fails(FAULT_OPEN))
        return -1;
    const int descriptor = __real_open(path, flags, mode);
    left += armed && descriptor >= 0;
    return descriptor;
}

WRAP(int, close, int descriptor)
{
    left -= armed;
    return __real_close(descriptor);
}

WRAP(int, fstat, int descriptor, struct stat *info)
{
    return fails(FAULT_EXAMINE) ? -1 : __real_fstat(descriptor, info);
}

WRAP(int, stat, const char *path, struct stat *info)
{
    return fails(FAULT_EXAMINE) ? -1 : __real_stat(path, info);
}

WRAP(void *, mmap, void *address, size_t size, int protection, int flags, int descriptor, off_t offset)
{
    if (fails(FAULT_MAP) || (armed && fault != NULL && fault->unmap))
        return MAP_FAILED;
    void *const map = __real_mmap(address, size, protection, flags, descriptor, offset);
    left += armed && map != MAP_FAILED;
    return map;
}

WRAP(int, munmap, void *address, size_t size)
{
    left -= armed;
    return __real_munmap(address, size);
}

/* A read that fails without an error is one past the end: the file became shorter. */
WRAP(ssize_t, read, int descriptor, void *bytes, size_t size)
{
    if (fails(FAULT_READ))
        return errno == 0 ? 0 : -1;
    return __real_read(descriptor, bytes, slice(size));
}

WRAP(ssize_t, write, int descriptor, const void *bytes, size_t size)
{
    return fails(FAULT_WRITE) ? -1 : __real_write(descriptor, bytes, slice(size));
}

WRAP(int, ftruncate, int descriptor, off_t size)
{
    return fails(FAULT_TRUNCATE) ? -1 : __real_ftruncate(descriptor, size);
}

WRAP(int, flock, int descriptor, int operation)
{
    return fails(FAULT_LOCK) ? -1 : __real_flock(descriptor, operation);
}

/* The disk itself is not what is tested, and waiting for it would take minutes. */
WRAP(int, fsync, int descriptor)
{
    (void)descriptor;
    return fails(FAULT_SYNC) ? -1 : 0;
}

WRAP(int, rename, const char *from, const char *to)
{
    return fails(FAULT_RENAME) ? -1 : __real_rename(from, to);
}

WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attributes, void *(*fn)(void *), void *argument)
{
    return fails(FAULT_THREAD) ? errno : __real_pthread_create(thread, attributes, fn, argument);
}
