#include "include/heap.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_size_t bytes_in_use;
static int only_gives_back;

static void *counted(void *block) {
    if (block) atomic_fetch_add_explicit(&bytes_in_use, malloc_usable_size(block), memory_order_relaxed);
    return block;
}

static void out_of_memory(void) {
    static const char text[] = "Out of memory: the system refused an allocation\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    abort();
}

size_t apus_heap_bytes(void) { return atomic_load_explicit(&bytes_in_use, memory_order_relaxed); }

void *apus_heap_try_allocate(size_t bytes) { return counted(malloc(bytes)); }

void *apus_heap_allocate(size_t bytes) {
    void *block = apus_heap_try_allocate(bytes);
    if (!block) out_of_memory();
    return block;
}

void *apus_heap_try_reallocate(void *block, size_t bytes) {
    size_t before = apus_heap_size(block);
    void *moved = realloc(block, bytes);
    if (!moved) return NULL;
    atomic_fetch_sub_explicit(&bytes_in_use, before, memory_order_relaxed);
    return counted(moved);
}

void *apus_heap_reallocate(void *block, size_t bytes) {
    void *moved = apus_heap_try_reallocate(block, bytes);
    if (!moved) out_of_memory();
    return moved;
}

void apus_heap_only_give_back(int only) { only_gives_back = only; }

static void give_back_pages(void *block) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = ((uintptr_t)block + page - 1) & ~(page - 1);
    uintptr_t end = ((uintptr_t)block + malloc_usable_size(block)) & ~(page - 1);
    if (start < end) madvise((void *)start, end - start, MADV_DONTNEED);
}

void apus_heap_free(void *block) {
    if (!block) return;
    if (only_gives_back) return give_back_pages(block);
    atomic_fetch_sub_explicit(&bytes_in_use, malloc_usable_size(block), memory_order_relaxed);
    free(block);
}
