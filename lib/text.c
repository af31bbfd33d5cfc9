#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

/*
 * Characters that a terminal or a log acts on: the control characters of ISO 6429,
 * separators of lines and paragraphs, and those that change the direction of text.
 */
static int
is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) ||
	    c == 0x061c || c == 0x200e || c == 0x200f ||
	    (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
	    c == 0xfeff;
}

/*
 * The number of bytes, of len, of the first character of s: 0 if it is a control
 * character or not UTF-8 (RFC 3629).
 */
size_t
text_char(const char *s, size_t len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *u = (const unsigned char *)s;
	uint32_t c;
	size_t i, n;

	if (len == 0)
		return 0;
	n = u[0] < 0x80 ? 1 : u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
	if (n == 1)
		return is_control(u[0]) ? 0 : 1;
	if (u[0] < 0xc2 || u[0] > 0xf4 || n > len)
		return 0;
	c = u[0] & (0xffu >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((u[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (u[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ||
	    is_control(c))
		return 0;
	return n;
}

/*
 * Write s to buf as one line. Each byte of what cannot be shown becomes \ooo. If the
 * text does not fit into size bytes it ends in "..."; size is at least 4. Returns the
 * length; there is no NUL.
 */
size_t
text_show(const char *s, size_t len, char *buf, size_t size)
{
	char octal[5];
	size_t used = 0, fits = 0, n;

	while (len > 0) {
		n = text_char(s, len);
		if (used + (n != 0 ? n : 4) > size) {
			memset(buf + fits, '.', 3);
			return fits + 3;
		}
		if (n != 0) {
			memcpy(buf + used, s, n);
			used += n;
		} else {
			n = 1;
			snprintf(octal, sizeof(octal), "\\%03o",
			    (unsigned int)(unsigned char)*s);
			memcpy(buf + used, octal, 4);
			used += 4;
		}
		if (used + 3 <= size)
			fits = used; /* "..." fits after this */
		s += n;
		len -= n;
	}
	return used;
}
