/* What a program says (say.h) is formatted, and not shown. */
#ifndef VOLT_FUZZ_WRAP_SAY_H
#define VOLT_FUZZ_WRAP_SAY_H

#include "fuzz.h"

void __wrap_say(const char *fmt, ...) PRINTF(1, 2);

void
__wrap_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fuzz_format(fmt, ap);
	va_end(ap);
}

#endif
