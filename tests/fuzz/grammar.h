/*
 * What the harnesses of the programs' own words share: the input is a command
 * line, an argument a line. No file of words is there.
 */
#ifndef VOLT_FUZZ_GRAMMAR_H
#define VOLT_FUZZ_GRAMMAR_H

#include <errno.h>

#include "fuzz.h"
#include "say.h"
#include "words.h"
#include "wrap_say.h"

#define ARGS 64

int __wrap_toolbox_open_words(const char *name);
void __wrap_chain_begin(void);

int
__wrap_toolbox_open_words(const char *name)
{
	(void)name;
	errno = ENOENT;
	return -1;
}

void
__wrap_chain_begin(void)
{
}

/* Cut the input into arguments, and let the program parse and check them. */
static void
grammar_run(const unsigned char *data, size_t size,
    void (*parse)(int argc, char *argv[]))
{
	static char name[] = "volt-x";
	static FILE *null;
	char *argv[ARGS + 2] = { name }, *text, *line, *next;
	int argc = 1;

	if (null == NULL && (null = freopen("/dev/null", "w", stdout)) == NULL)
		abort();
	if ((text = malloc(size + 1)) == NULL)
		return;
	memcpy(text, data, size);
	text[size] = '\0';
	for (line = text; line != NULL && argc <= ARGS; line = next) {
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = '\0';
		argv[argc++] = line;
	}
	FUZZ(parse(argc, argv));
	say_on = false;
	fuzz_free();
	free(text);
}

#endif
