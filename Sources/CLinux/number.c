#include "include/number.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// strtold wants a terminator and accepts leading blanks; Redis accepts neither.
static int terminated(const char *text, size_t length, char *copy, size_t capacity) {
    if (length == 0 || length >= capacity) return 0;
    if (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r')) return 0;
    memcpy(copy, text, length);
    copy[length] = 0;
    return strlen(copy) == length;
}

static int parse_long_double(const char *text, size_t length, long double *value) {
    // What an addition of the largest numbers has written must be readable again.
    char copy[5 * 1024], *end;
    if (!terminated(text, length, copy, sizeof(copy))) return 0;
    errno = 0;
    *value = strtold(copy, &end);
    if (*end != 0 || isnan(*value)) return 0;
    return !(errno == ERANGE && (*value == HUGE_VALL || *value == -HUGE_VALL || fpclassify(*value) == FP_ZERO));
}

// Numbers of more characters are rare (the largest double has 309 digits) and cost an allocation.
enum { short_number = 512 };

// The number at the beginning of `text`, which gets a terminator; 0 where more follows it.
static int to_double(const char *text, size_t length, double *value) {
    char buffer[short_number], *end;
    char *copy = length < sizeof(buffer) ? buffer : malloc(length + 1);
    if (!copy) return 0;
    memcpy(copy, text, length);
    copy[length] = 0;
    errno = 0;
    *value = strtod(copy, &end);
    int whole = end == copy + length;
    if (copy != buffer) free(copy);
    return whole && !isnan(*value);
}

int apus_parse_double(const char *text, size_t length, double *value) {
    if (length == 0 || isspace((unsigned char)text[0])) return 0;
    if (!to_double(text, length, value)) return 0;
    return !(errno == ERANGE && (isinf(*value) || fpclassify(*value) == FP_ZERO));
}

int apus_parse_bound(const char *text, size_t length, double *value) {
    return to_double(text, strnlen(text, length), value);
}

int apus_increment_text(const char *base, size_t base_length, const char *increment,
                        size_t increment_length, char *out, size_t capacity) {
    long double left, right;
    if (!parse_long_double(base, base_length, &left)) return 0;
    if (!parse_long_double(increment, increment_length, &right)) return 0;
    long double sum = left + right;
    if (isnan(sum) || isinf(sum)) return -1;
    int length = snprintf(out, capacity, "%.17Lf", sum);
    if (length < 0 || (size_t)length >= capacity) return -1;
    if (strchr(out, '.')) {
        while (length > 0 && out[length - 1] == '0') length--;
        if (length > 0 && out[length - 1] == '.') length--;
    }
    if (length == 2 && out[0] == '-' && out[1] == '0') {
        out[0] = '0';
        length = 1;
    }
    out[length] = 0;
    return length;
}

int apus_format_general(double value, int precision, char *out, size_t capacity) {
    return snprintf(out, capacity, "%.*g", precision, value);
}

int apus_format_fixed(double value, int precision, char *out, size_t capacity) {
    return snprintf(out, capacity, "%.*f", precision, value);
}
