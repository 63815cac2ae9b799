// Numbers that need C's `long double` (INCRBYFLOAT is defined by it) or the exact text of printf.
#pragma once
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Parses the whole text (no blanks around it, at most 255 bytes) as a double; infinities by name are
/// accepted, NaN is not. Returns 0 when it is not a number.
int apus_parse_double(const char *text, size_t length, double *value);
/// Parses as strtod does, blanks and overflow allowed, up to a NUL; 0 where something follows the
/// number, or where it is not one.
int apus_parse_bound(const char *text, size_t length, double *value);
/// base + increment by texts: 1 and the text in `out`, 0 base is no number, -1 NaN or infinity.
int apus_increment_text(const char *base, size_t base_length, const char *increment,
                        size_t increment_length, char *out, size_t capacity);
/// printf's "%.*g" and "%.*f".
int apus_format_general(double value, int precision, char *out, size_t capacity);
int apus_format_fixed(double value, int precision, char *out, size_t capacity);
/// The fewest digits that read back as `value`, which is finite and not 0: at most 25 characters.
int apus_format_shortest(double value, char *out);

#ifdef __cplusplus
}
#endif
