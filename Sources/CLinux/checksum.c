// The method of Gopal, Ozturk and others ("Fast CRC Computation for Generic Polynomials Using
// PCLMULQDQ", Intel 2009): four runs of sixteen bytes are carried on side by side, each by two
// multiplications, so that a step of 64 bytes takes the time of one.
#include "include/checksum.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define FOLDING __attribute__((target("pclmul,sse4.1")))

int apus_can_fold(void) {
    __builtin_cpu_init();
    return __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
}

FOLDING static inline __m128i load(const uint8_t *bytes) {
    return _mm_loadu_si128((const __m128i *)bytes);
}

FOLDING static inline __m128i keys(apus_fold_keys keys) {
    return _mm_set_epi64x((long long)keys.second, (long long)keys.first);
}

FOLDING static inline __m128i carry(__m128i run, __m128i keys, __m128i next) {
    __m128i first = _mm_clmulepi64_si128(run, keys, 0x00);
    __m128i second = _mm_clmulepi64_si128(run, keys, 0x11);
    return _mm_xor_si128(next, _mm_xor_si128(first, second));
}

FOLDING apus_folded apus_fold(const void *bytes, size_t count, uint64_t checksum,
                              apus_fold_keys four, apus_fold_keys one) {
    const uint8_t *place = bytes, *end = place + count;
    __m128i far = keys(four), near = keys(one);
    __m128i a = _mm_xor_si128(load(place), _mm_cvtsi64_si128((long long)checksum));
    __m128i b = load(place + 16), c = load(place + 32), d = load(place + 48);
    for (place += 64; place < end; place += 64) {
        a = carry(a, far, load(place));
        b = carry(b, far, load(place + 16));
        c = carry(c, far, load(place + 32));
        d = carry(d, far, load(place + 48));
    }
    a = carry(carry(carry(a, near, b), near, c), near, d);
    return (apus_folded){(uint64_t)_mm_cvtsi128_si64(a), (uint64_t)_mm_extract_epi64(a, 1)};
}

#else

int apus_can_fold(void) { return 0; }

apus_folded apus_fold(const void *bytes, size_t count, uint64_t checksum, apus_fold_keys four,
                      apus_fold_keys one) {
    (void)bytes, (void)count, (void)checksum, (void)four, (void)one;
    return (apus_folded){0, 0};
}

#endif
