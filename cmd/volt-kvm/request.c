#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "config.h"
#include "guest.h"
#include "request.h"
#include "terminal.h"

/*
 * The n strings one after the other, each with its NUL. *len is their length. The caller
 * frees the text. A failure ends the program; so it does in the next functions.
 */
char *
request_strings(char *const *list, size_t n, size_t *len)
{
	char *buf, *s;
	size_t i;

	for (i = 0, *len = 0; i < n; i++)
		*len += strlen(list[i]) + 1;
	if ((buf = s = malloc(*len + 1)) == NULL)
		err(EXIT_LINK, "the command");
	for (i = 0; i < n; i++)
		s = stpcpy(s, list[i]) + 1;
	return buf;
}

/* The variables of env=. env=NAME has our own value, if there is one. */
char *
request_environment(const struct config *cfg, size_t *len)
{
	char *list[CONFIG_LIST] = { NULL }, *s, *text;
	const char *value;
	unsigned int i;
	size_t n = 0;

	for (i = 0; i < cfg->nenv; i++) {
		if (strchr(cfg->env[i], '=') != NULL) {
			s = strdup(cfg->env[i]);
		} else if ((value = getenv(cfg->env[i])) != NULL) {
			s = malloc(strlen(cfg->env[i]) + strlen(value) + 2);
			if (s != NULL)
				sprintf(s, "%s=%s", cfg->env[i], value);
		} else {
			continue;
		}
		if (s == NULL)
			err(EXIT_LINK, "env=%s", cfg->env[i]);
		list[n++] = s;
	}
	text = request_strings(list, n, len);
	while (n > 0)
		free(list[--n]);
	return text;
}

/* The request of join=, of *len bytes. */
char *
request_make(const struct config *cfg, size_t *len)
{
	char words[8192], size[16], *argv, *env, *text;
	const struct guest_words w = { .chdir = cfg->chdir,
		.console = cfg->pty ? "pty" : NULL,
		.size = cfg->pty ? size : NULL };
	struct guest_request r;
	size_t n, nargv, nenv;
	int nwords;

	for (n = 0; cfg->argv[n] != NULL; n++)
		;
	argv = request_strings(cfg->argv, n, &nargv);
	env = request_environment(cfg, &nenv);
	terminal_size(size, sizeof(size));
	if ((nwords = guest_words_print(&w, words, sizeof(words))) == -1)
		err(EXIT_LINK, "the words for the guest");
	if (nargv > GUEST_REQUEST_MOST || nenv > GUEST_REQUEST_MOST)
		errx(EXIT_LINK, "the command: too long");
	r = (struct guest_request){ (uint32_t)nwords, (uint32_t)nargv,
		(uint32_t)nenv };
	if (guest_request_size(&r) == -1)
		errx(EXIT_LINK, "the command: too long");
	*len = sizeof(r) + (size_t)nwords + nargv + nenv;
	if ((text = malloc(*len)) == NULL)
		err(EXIT_LINK, "the command");
	memcpy(text, &r, sizeof(r));
	memcpy(text + sizeof(r), words, (size_t)nwords);
	memcpy(text + sizeof(r) + nwords, argv, nargv);
	memcpy(text + sizeof(r) + (size_t)nwords + nargv, env, nenv);
	free(argv);
	free(env);
	return text;
}
