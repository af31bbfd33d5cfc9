/*
 * Fuzz what is somebody else's text: the notifications that pass (notify.c), and
 * what is shown of a name (text.c).
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "notify.h"
#include "text.h"

/* No systemd finds more lines in it than we do, nor any that we do not pass. */
static void
check_line(const char *s, size_t len)
{
	static const char *const keys[] = { "READY=", "RELOADING=",
		"STOPPING=", "WATCHDOG=", "STATUS=", "ERRNO=", "BUSERROR=",
		"VARLINKERROR=", "WATCHDOG_USEC=", "EXTEND_TIMEOUT_USEC=",
		"MONOTONIC_USEC=" };
	size_t i;

	if (memchr(s, '\0', len) != NULL || memchr(s, '\r', len) != NULL)
		abort();
	for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (len >= strlen(keys[i]) &&
		    memcmp(s, keys[i], strlen(keys[i])) == 0)
			return;
	abort();
}

static void
check_notify(const char *s, size_t size)
{
	char out[NOTIFY_MOST], again[NOTIFY_MOST];
	size_t n = notify_filter(s, size, out), at, end;

	if (n > size || n > NOTIFY_MOST)
		abort();
	for (at = 0; at < n; at = end + 1) {
		for (end = at; end < n && out[end] != '\n'; end++)
			;
		check_line(out + at, end - at);
	}
	if (notify_filter(out, n, again) != n || memcmp(out, again, n) != 0)
		abort();
}

static void
check_text(const char *s, size_t size, size_t room)
{
	char *buf = malloc(room);
	size_t n, at, len;

	if (buf == NULL)
		return;
	n = text_show(s, size, buf, room);
	if (n > room)
		abort();
	for (at = 0; at < n; at += len)
		if ((len = text_char(buf + at, n - at)) == 0)
			abort();
	free(buf);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *copy = malloc(size); /* with nothing behind it */

	if (copy == NULL)
		return 0;
	memcpy(copy, data, size);
	check_notify(copy, size);
	check_text(copy, size, 4 + size);
	check_text(copy, size, 4 + size / 3);
	check_text(copy, size, 5 * size + 4);
	free(copy);
	return 0;
}
