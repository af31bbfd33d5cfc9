#include <errno.h>
#include <string.h>

#include "value.h"

/*
 * Parse the decimal digits at s into out. Returns what follows them, or NULL and
 * errno: EINVAL if there is no digit or a leading zero, ERANGE above max.
 */
static const char *
digits(const char *s, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;
	unsigned int d;

	if (*s < '0' || *s > '9' || (s[0] == '0' && s[1] >= '0' && s[1] <= '9')) {
		errno = EINVAL;
		return NULL;
	}
	for (; *s >= '0' && *s <= '9'; s++) {
		d = (unsigned int)(*s - '0');
		if (n > (max - d) / 10 || d > max) {
			errno = ERANGE;
			return NULL;
		}
		n = n * 10 + d;
	}
	*out = n;
	return s;
}

/*
 * A whole number from 0 to max: only digits, without a sign or a leading zero. Returns
 * 0, or -1 and errno (EINVAL, ERANGE).
 */
int
value_uint(const char *s, uint64_t max, uint64_t *out)
{
	const char *end = digits(s, max, out);

	if (end == NULL)
		return -1;
	if (*end == '\0')
		return 0;
	errno = EINVAL;
	return -1;
}

/*
 * A size in bytes, or with one of the suffixes K M G T (powers of 1024), in small
 * letters as well: a size has no thousandths, and a time has a word of its own.
 */
int
value_size(const char *s, uint64_t *out)
{
	static const char suffixes[] = "KkMmGgTt";
	const char *end = digits(s, UINT64_MAX, out);
	const char *suffix;
	unsigned int shift;

	if (end == NULL)
		return -1;
	if (*end == '\0')
		return 0;
	if ((suffix = strchr(suffixes, *end)) == NULL || end[1] != '\0') {
		errno = EINVAL;
		return -1;
	}
	shift = 10 * (unsigned int)((suffix - suffixes) / 2 + 1);
	if (*out > UINT64_MAX >> shift) {
		errno = ERANGE;
		return -1;
	}
	*out <<= shift;
	return 0;
}

/* A time with a unit, ms, s or m, in milliseconds. 0 needs no unit. */
int
value_time(const char *s, uint64_t *ms)
{
	const char *end = digits(s, UINT64_MAX, ms);
	uint64_t unit;

	if (end == NULL)
		return -1;
	if (strcmp(end, "ms") == 0) {
		unit = 1;
	} else if (strcmp(end, "s") == 0) {
		unit = 1000;
	} else if (strcmp(end, "m") == 0) {
		unit = 60000;
	} else if (*end == '\0' && *ms == 0) {
		return 0;
	} else {
		errno = EINVAL;
		return -1;
	}
	if (*ms > UINT64_MAX / unit) {
		errno = ERANGE;
		return -1;
	}
	*ms *= unit;
	return 0;
}

/*
 * Copy the next field of a list into buf and move the cursor behind its separator; at
 * the end of the list the cursor becomes NULL. A backslash escapes the separator or
 * itself. Returns 1; 0 if the list has ended; or -1 and ENAMETOOLONG if the field does
 * not fit. Otherwise errno is 0.
 */
int
value_field(const char **cursor, char sep, char *buf, size_t size)
{
	const char *s = *cursor;
	size_t len = 0;

	errno = 0;
	if (s == NULL)
		return 0;
	for (; *s != '\0' && *s != sep; s++) {
		if (*s == '\\' && (s[1] == sep || s[1] == '\\'))
			s++;
		if (len + 1 >= size) {
			errno = ENAMETOOLONG;
			return -1;
		}
		buf[len++] = *s;
	}
	buf[len] = '\0';
	*cursor = *s == '\0' ? NULL : s + 1;
	return 1;
}
