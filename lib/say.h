/* What a link does, in one line each on standard error: -v, and -N without doing. */
#ifndef VOLT_SAY_H
#define VOLT_SAY_H

#include <stdbool.h>

extern bool say_on;	/* nothing is said until this is set */

void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
