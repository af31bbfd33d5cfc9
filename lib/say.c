#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "say.h"
#include "text.h"

bool say_on, say_levels;

/*
 * Put the syslog level in front of a message, if the caller asked for that
 * (sd-daemon(3)). Returns the length.
 */
static size_t
prefix(int level, char *out)
{
	if (!say_levels)
		return 0;
	out[0] = '<';
	out[1] = (char)('0' + level);
	out[2] = '>';
	return 3;
}

/*
 * Write the program's name and text to standard error as one line, by one write(2),
 * so that the lines of several links do not mix.
 */
void
say_line(int level, const char *text)
{
	const char *name = program_invocation_short_name;
	char out[4 * PATH_MAX];
	size_t len = prefix(level, out);

	len += text_show(name, strlen(name), out + len, 256);
	out[len++] = ':';
	out[len++] = ' ';
	len += text_show(text, strlen(text), out + len, sizeof(out) - len - 1);
	out[len++] = '\n';
	while (write(STDERR_FILENO, out, len) == -1 && errno == EINTR)
		;
}

void
say(const char *fmt, ...)
{
	char line[PATH_MAX + 256];
	va_list ap;

	if (!say_on)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	say_line(LOG_INFO, line);
}

/*
 * Copy as much of s as fits into buf: words, paths and commands may be long.
 */
const char *
say_name(const char *s, char buf[static SAY_NAME])
{
	size_t i;

	for (i = 0; i < SAY_NAME - 1 && s[i] != '\0'; i++)
		buf[i] = s[i];
	buf[i] = '\0';
	if (s[i] != '\0')
		memcpy(buf + i - 3, "...", 3);
	return buf;
}
