/*
 * What a program has on its heap, exactly: preloaded (LD_PRELOAD), it counts the blocks that are allocated and their
 * bytes as the allocator lays them out, header and rounding included (malloc_usable_size(3) and a header of 8 bytes).
 * Whoever measures maps the file that FASTSOCK_HEAP names, of 16 bytes, and reads the two counts whenever it likes: bytes,
 * then blocks. What the program maps by mmap(2) itself is not in it.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HEADER = sizeof(size_t) };

struct counts {
    int64_t bytes, blocks;
};

/* Until the file is mapped: counted here, and carried over. */
static struct counts early;
static struct counts *counts = &early;

/* The allocator's own functions, which glibc exports for those who replace malloc. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static void count(int64_t bytes, int64_t blocks) {
    __atomic_fetch_add(&counts->bytes, bytes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&counts->blocks, blocks, __ATOMIC_RELAXED);
}

static void *came(void *block) {
    if (block) count((int64_t)malloc_usable_size(block) + HEADER, 1);
    return block;
}

static void goes(void *block) {
    if (block) count(-(int64_t)malloc_usable_size(block) - HEADER, -1);
}

void *malloc(size_t size) { return came(__libc_malloc(size)); }

void *calloc(size_t count, size_t size) { return came(__libc_calloc(count, size)); }

void *memalign(size_t alignment, size_t size) { return came(__libc_memalign(alignment, size)); }

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **block, size_t alignment, size_t size) {
    void *got = alignment % sizeof(void *) ? NULL : memalign(alignment, size);
    if (!got) return alignment % sizeof(void *) ? EINVAL : ENOMEM;
    *block = got;
    return 0;
}

void free(void *block) {
    goes(block);
    __libc_free(block);
}

void *realloc(void *block, size_t size) {
    int64_t before = block ? (int64_t)malloc_usable_size(block) + HEADER : 0;
    void *moved = __libc_realloc(block, size);
    if (moved)
        count((int64_t)malloc_usable_size(moved) + HEADER - before, !block);
    else if (block && size == 0) /* that was free */
        count(-before, -1);
    return moved;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FASTSOCK_HEAP");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    struct counts *shared = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof early, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (shared == MAP_FAILED) {
        fprintf(stderr, "FASTSOCK_HEAP must name a file of 16 bytes: %s\n", path ? strerror(errno) : "it is not set");
        exit(1);
    }
    close(fd);
    *shared = early;
    counts = shared;
}
