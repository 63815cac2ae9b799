// Vector compares, prefetch and the time-stamp counter.
#pragma once
#include <stdint.h>

static inline void apus_prefetch(const void *address) { __builtin_prefetch(address); }
