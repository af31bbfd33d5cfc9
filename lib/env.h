/* The words env= and unset=: the environment of the command. */
#ifndef VOLT_ENV_H
#define VOLT_ENV_H

#include <stdbool.h>
#include <stddef.h>

struct env_word {
	const char *text;	/* "none", "NAME" or "NAME=VALUE" */
	bool unset;
};

struct env {
	struct env_word *word;	/* as the words come */
	size_t n;
};

int env_add(struct env *e, const char *text, bool unset);
int env_apply(const struct env *e);
void env_word(struct env *e, const char *key, const char *value);

#endif
