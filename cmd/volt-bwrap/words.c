/* Words of the chain: lists of them, their fields, and how a shell reads them. */
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bwrap.h"

/* Add a string, made as by printf(3). */
void
words_add(struct words *w, const char *fmt, ...)
{
	char *text;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	/* One is left for a NULL at the end; the room doubles: 1, 2, 4, 8 ... */
	if (n != -1 && (w->n & (w->n + 1)) == 0)
		w->word = realloc(w->word, 2 * (w->n + 1) * sizeof(*w->word));
	if (n == -1 || w->word == NULL)
		err(EXIT_WRONG, "words");
	w->word[w->n++] = text;
	w->word[w->n] = NULL;
}

/* With prefix in front, and what separates fields escaped (volt(7), GRAMMAR). */
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

/* A field as it stands. */
char *
words_field(const char *s)
{
	return field("", s);
}

/* A place in the new root: bubblewrap takes a relative one from there. */
char *
words_place(const char *s)
{
	return field(*s == '/' ? "" : "/", s);
}

/* A path of the caller's. A relative one is no word that means something else. */
char *
words_source(const char *s)
{
	return field(*s == '/' ? "" : "./", s);
}

/* The list as one command of a shell. */
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
