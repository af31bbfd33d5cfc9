/* Messages of -v and -N: what a link does or would do, one line each. */
#ifndef VOLT_SAY_H
#define VOLT_SAY_H

#include <stdbool.h>

#define SAY_LEVELS "VOLT_LEVELS"	/* if set, messages begin with their level */
#define SAY_NAME 512	/* bytes of a name in a message, with the NUL */

extern bool say_on;	/* false: print nothing */
extern bool say_levels;	/* SAY_LEVELS is set */

void say_line(int level, const char *text);
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
const char *say_name(const char *s, char buf[static SAY_NAME]);

#endif
