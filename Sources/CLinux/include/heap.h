// The system allocator with exact accounting: every byte handed out is counted, so that
// `used_memory` is a load and not a guess. The counter is atomic because the background thread
// frees large values; the calls are few (large blocks only), so that costs nothing measurable.
#pragma once
#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

/// Bytes handed out by `apus_heap_allocate` and not yet freed.
size_t apus_heap_bytes(void);
/// At least `bytes` bytes, aligned to 16. Never returns NULL: when memory is exhausted the process
/// says so on stderr and aborts.
void *apus_heap_allocate(size_t bytes);
/// As realloc(3); large blocks move by page tables and are not copied.
void *apus_heap_reallocate(void *block, size_t bytes);
/// As `apus_heap_allocate`, but answers NULL where there is no memory (for sizes a client chose).
void *apus_heap_try_allocate(size_t bytes);
void *apus_heap_try_reallocate(void *block, size_t bytes);
void apus_heap_free(void *block);
/// From now on `apus_heap_free` gives the whole pages inside a block back to the system and frees
/// nothing, until told otherwise; for a forked child, whose memory is a copy. Not for threads.
void apus_heap_only_give_back(int only);
/// The bytes really taken by `block`, at least what was asked for.
static inline size_t apus_heap_size(void *block) { return block ? malloc_usable_size(block) : 0; }
