// Folding of long runs of bytes for a 64-bit checksum, by multiplication without carries.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// What sixteen bytes, or a run of them, amount to.
typedef struct {
    uint64_t first, second;
} apus_folded;

/// Two factors: what the first and the second half of sixteen bytes are multiplied by.
typedef struct {
    uint64_t first, second;
} apus_fold_keys;

/// Whether the processor multiplies without carries.
int apus_can_fold(void);

/// Sixteen bytes that have the checksum of all `count` bytes, a multiple of 64, the first of which
/// follow what `checksum` stands for. `four` carries sixteen bytes on by 64, `one` by 16.
/// Only where `apus_can_fold`.
apus_folded apus_fold(const void *bytes, size_t count, uint64_t checksum, apus_fold_keys four,
                      apus_fold_keys one);
