/* The words env= and unset=: the environment of the command. */
#ifndef VOLT_ENV_H
#define VOLT_ENV_H

#include <stdbool.h>
#include <stddef.h>

#include "must.h"

struct env_word {
	const char *text;	/* "none", "NAME" or "NAME=VALUE" */
	bool unset;
};

struct env {
	struct env_word *word;	/* in the order of the command line */
	size_t n;
};

MUST_CHECK int env_add(struct env *e, const char *text, bool unset);
MUST_CHECK int env_apply(const struct env *e);
void env_set(void *env, const char *key, const char *value);
void env_unset(void *env, const char *key, const char *value);

/* The rows of a table of words (words.h). */
#define ENV_WORDS(s, m) \
	CALL_WORD("env", env_set, s, m, "NAME[=VALUE]|none", \
	    "a variable of the environment, or none"), \
	CALL_WORD("unset", env_unset, s, m, "NAME", \
	    "no such variable in the environment")

#endif
