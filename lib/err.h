/*
 * err(3) and its family, which replace those of the C library: a message is one line
 * and one write(2), whatever words, paths and names it contains. A byte that cannot
 * be shown is written as \ooo (text.h).
 *
 * warn_last() is warn() for an error that ends the program, if more is printed or done
 * before the end.
 */
#ifndef VOLT_ERR_H
#define VOLT_ERR_H

#include <stdarg.h>

#define ERR_FORMAT(n, first) __attribute__((format(printf, n, first)))

void vwarn(const char *fmt, va_list ap) ERR_FORMAT(1, 0);
void vwarnx(const char *fmt, va_list ap) ERR_FORMAT(1, 0);
void warn(const char *fmt, ...) ERR_FORMAT(1, 2);
void warnx(const char *fmt, ...) ERR_FORMAT(1, 2);
void warn_last(const char *fmt, ...) ERR_FORMAT(1, 2);
_Noreturn void err(int status, const char *fmt, ...) ERR_FORMAT(2, 3);
_Noreturn void errx(int status, const char *fmt, ...) ERR_FORMAT(2, 3);

#endif
