#include "include/number.h"

#include <charconv>
#include <cstring>

// The digits are the C++ library's (Ryu: Adams, PLDI 2018); where the point goes and when there is an
// exponent is what Redis since 7.2 writes.

namespace {

// `1.234e+56` as digits `1234` and the power of ten of the last of them.
struct Decimal {
    char digits[32];
    int count;
    int power;

    explicit Decimal(double magnitude) {
        char text[40];
        auto end = std::to_chars(text, text + sizeof(text), magnitude, std::chars_format::scientific).ptr;
        const char *mark = text;
        count = 0;
        for (; *mark != 'e'; mark++)
            if (*mark != '.') digits[count++] = *mark;
        int exponent = 0;
        for (const char *digit = mark + 2; digit < end; digit++) exponent = exponent * 10 + (*digit - '0');
        if (mark[1] == '-') exponent = -exponent;
        power = exponent - (count - 1);
    }

    // The exponent of the first digit.
    int leading() const { return power + count - 1; }
};

char *copy(char *out, const char *digits, int count) {
    std::memcpy(out, digits, count);
    return out + count;
}

char *zeros(char *out, int count) {
    std::memset(out, '0', count);
    return out + count;
}

char *write_integer(char *out, const Decimal &number) {
    return zeros(copy(out, number.digits, number.count), number.power);
}

char *write_point(char *out, const Decimal &number) {
    int whole = number.count + number.power;
    if (whole <= 0) {
        *out++ = '0';
        *out++ = '.';
        return copy(zeros(out, -whole), number.digits, number.count);
    }
    out = copy(out, number.digits, whole);
    *out++ = '.';
    return copy(out, number.digits + whole, number.count - whole);
}

char *write_exponent(char *out, const Decimal &number) {
    *out++ = number.digits[0];
    if (number.count > 1) {
        *out++ = '.';
        out = copy(out, number.digits + 1, number.count - 1);
    }
    *out++ = 'e';
    int exponent = number.leading();
    *out++ = exponent < 0 ? '-' : '+';
    return std::to_chars(out, out + 4, exponent < 0 ? -exponent : exponent).ptr;
}

}  // namespace

int apus_format_shortest(double value, char *out) {
    char *start = out;
    if (value < 0) *out++ = '-';
    Decimal number(value < 0 ? -value : value);
    int leading = number.leading() < 0 ? -number.leading() : number.leading();
    if (number.power >= 0 && leading < number.count + 7) return write_integer(out, number) - start;
    if (number.power < 0 && (number.power > -7 || leading < 4)) return write_point(out, number) - start;
    return write_exponent(out, number) - start;
}
