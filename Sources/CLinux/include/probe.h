// Vector compares and prefetch.
#pragma once
#include <stdint.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

static inline void apus_prefetch(const void *address) { __builtin_prefetch(address); }

/// Bit i is set where byte i of the first twelve bytes at `tags` equals `tag`. Sixteen are read.
static inline uint32_t apus_tags_equal(const void *tags, uint8_t tag) {
#if defined(__SSE2__)
    __m128i bytes = _mm_loadu_si128((const __m128i *)tags);
    return (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8((char)tag))) & 0xfffu;
#elif defined(__ARM_NEON)
    static const uint8_t weights[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 0, 0, 0, 0};
    uint8x16_t equal = vceqq_u8(vld1q_u8((const uint8_t *)tags), vdupq_n_u8(tag));
    uint8x16_t bits = vandq_u8(equal, vld1q_u8(weights));
    return (uint32_t)vaddv_u8(vget_low_u8(bits)) | (uint32_t)vaddv_u8(vget_high_u8(bits)) << 8;
#else
    const uint8_t *bytes = (const uint8_t *)tags;
    uint32_t mask = 0;
    for (int i = 0; i < 12; i++) mask |= (uint32_t)(bytes[i] == tag) << i;
    return mask;
#endif
}

/// Sixty-four zero bytes in read-only memory: the one group of every hash table without entries.
static inline void *apus_empty_group(void) {
    static const _Alignas(64) uint8_t zeroes[64];
    return (void *)zeroes;
}
