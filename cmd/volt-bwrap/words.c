/* Words of the chain: lists of words, their fields, and quoting for a shell. */
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bwrap.h"

/* Add a string, formatted like by printf(3). An error ends the program. */
void
words_add(struct words *w, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	/* There is always room for a NULL at the end. The room doubles: 1, 2, 4, 8 ... */
	if (n != -1 && (w->n & (w->n + 1)) == 0)
		w->word = realloc(w->word, 2 * (w->n + 1) * sizeof(*w->word));
	if (n == -1 || w->word == NULL)
		err(EXIT_WRONG, "words");
	w->word[w->n++] = text;
	w->word[w->n] = NULL;
}

/* Returns prefix and s, with the separators of fields escaped (volt(7), GRAMMAR). */
static char *
field(const char *prefix, const char *s)
{
	size_t len = strlen(prefix);
	char *text, *out;

	if ((text = malloc(len + 2 * strlen(s) + 1)) == NULL)
		err(EXIT_WRONG, "words");
	memcpy(text, prefix, len);
	for (out = text + len; *s != '\0'; *out++ = *s++)
		if (*s == ':' || *s == '\\')
			*out++ = '\\';
	*out = '\0';
	return text;
}

/* Returns s as a field of a word. */
char *
words_field(const char *s)
{
	return field("", s);
}

/* Returns a place as a field. If it is relative, it is relative to the new root. */
char *
words_place(const char *s)
{
	return field(*s == '/' ? "" : "/", s);
}

/* Returns a path of the caller as a field. A relative one gets "./" in front. */
char *
words_source(const char *s)
{
	return field(*s == '/' ? "" : "./", s);
}

/* Print the list as one command for a shell. */
void
words_print(const struct words *w)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:,@%";
	const char *s;
	size_t i;

	for (i = 0; i < w->n; i++) {
		s = w->word[i];
		if (i > 0)
			putchar(' ');
		if (*s != '\0' && s[strspn(s, plain)] == '\0') {
			fputs(s, stdout);
			continue;
		}
		putchar('\'');
		for (; *s != '\0'; s++)
			if (*s == '\'')
				fputs("'\\''", stdout);
			else
				putchar(*s);
		putchar('\'');
	}
	putchar('\n');
	if (fflush(stdout) == EOF)
		err(EXIT_WRONG, "standard output");
}
