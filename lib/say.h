/* What a link does, in one line each on standard error: -v, and -N without doing. */
#ifndef VOLT_SAY_H
#define VOLT_SAY_H

#include <stdbool.h>

#define SAY_NAME 512	/* most of a name in a message, with its NUL */

extern bool say_on;	/* nothing is said until this is set */

void say_line(const char *text);
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *say_name(const char *s, char buf[static SAY_NAME]);

#endif
