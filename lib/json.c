#include <stdbool.h>
#include <string.h>

#include "json.h"

/* Write s as a JSON string. Bytes that are not UTF-8 are written unchanged. */
void
json_string(FILE *f, const char *s)
{
	putc('"', f);
	for (; *s != '\0'; s++) {
		if (*s == '"' || *s == '\\')
			fprintf(f, "\\%c", *s);
		else if ((unsigned char)*s < 0x20 || *s == 0x7f)
			fprintf(f, "\\u%04x", (unsigned int)*s);
		else
			putc(*s, f);
	}
	putc('"', f);
}

/* Is s a JSON number without an exponent? */
static bool
is_number(const char *s)
{
	size_t n;

	s += *s == '-';
	if ((n = strspn(s, "0123456789")) == 0 || (n > 1 && *s == '0'))
		return false;
	s += n;
	if (*s != '.')
		return *s == '\0';
	n = strspn(++s, "0123456789");
	return n > 0 && s[n] == '\0';
}

/* Write s as a number if it is one, else as a string. */
void
json_value(FILE *f, const char *s)
{
	if (is_number(s))
		fputs(s, f);
	else
		json_string(f, s);
}
