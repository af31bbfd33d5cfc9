#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "carry.h"
#include "chain.h"
#include "env.h"
#include "words.h"

extern char **environ;

/*
 * Add a word. text must live as long as e. Returns 0, or -1 and errno: EINVAL if it
 * names no variable, EPERM if the variable is the chain's own.
 */
int
env_add(struct env *e, const char *text, bool unset)
{
	struct env_word *more = e->word;

	if (*text == '\0' || *text == '=' ||
	    (unset && strchr(text, '=') != NULL)) {
		errno = EINVAL;
		return -1;
	}
	if (carry_is_variable(text)) {
		errno = EPERM;
		return -1;
	}
	/* The room doubles: 1, 2, 4, 8 ... */
	if ((e->n & (e->n - 1)) == 0 && (more = realloc(e->word,
	    (e->n == 0 ? 1 : e->n * 2) * sizeof(*more))) == NULL)
		return -1;
	e->word = more;
	more[e->n++] = (struct env_word){ .text = text, .unset = unset };
	return 0;
}

/* Remove all variables but the chain's own, which the last link removes. */
static int
clear(void)
{
	char **in, **out, **none;
	size_t n;

	for (n = 0; environ != NULL && environ[n] != NULL; n++)
		;
	if ((none = malloc((n + 1) * sizeof(*none))) == NULL)
		return -1;
	out = none;
	for (in = environ; in != NULL && *in != NULL; in++)
		if (carry_is_variable(*in))
			*out++ = *in;
	*out = NULL;
	environ = none;
	return 0;
}

/* Give name the caller's value, or remove it. */
static int
restore(char *const *caller, const char *name)
{
	size_t len = strlen(name);

	for (; caller != NULL && *caller != NULL; caller++)
		if (strncmp(*caller, name, len) == 0 && (*caller)[len] == '=')
			return setenv(name, *caller + len + 1, 1);
	return unsetenv(name);
}

/* Change our environment as the words say. Returns 0, or -1 and errno. */
int
env_apply(const struct env *e)
{
	char **caller = environ, *name;
	const struct env_word *w;
	const char *equals;
	int rc;

	/* setenv(3) must not change the caller's strings. */
	if (e->n > 0) {
		char **copy;
		size_t n;

		for (n = 0; environ != NULL && environ[n] != NULL; n++)
			;
		if ((copy = calloc(n + 1, sizeof(*copy))) == NULL)
			return -1;
		if (n > 0)
			memcpy(copy, environ, n * sizeof(*copy));
		caller = copy;
	}
	for (w = e->word; w < e->word + e->n; w++) {
		equals = strchr(w->text, '=');
		if (w->unset) {
			rc = unsetenv(w->text);
		} else if (equals != NULL) {
			name = strndup(w->text, (size_t)(equals - w->text));
			rc = name == NULL ? -1 : setenv(name, equals + 1, 1);
			free(name);
		} else if (strcmp(w->text, "none") == 0) {
			rc = clear();
		} else {
			rc = restore(caller, w->text);
		}
		if (rc == -1)
			return -1;
	}
	/* The copy is not freed: the environment refers to its strings. */
	return 0; /* NOLINT(clang-analyzer-unix.Malloc) */
}

static void
add(struct env *e, const char *key, const char *value, bool unset)
{
	if (env_add(e, value, unset) == 0)
		return;
	if (errno == EINVAL)
		word_bad(key, value, "not the name of a variable");
	if (errno == EPERM)
		word_bad(key, value, "VOLT_ variables are the chain's own");
	err(EXIT_LINK, "%s=", key);
}

/* env= */
void
env_set(void *env, const char *key, const char *value)
{
	add(env, key, value, false);
}

/* unset= */
void
env_unset(void *env, const char *key, const char *value)
{
	add(env, key, value, true);
}
