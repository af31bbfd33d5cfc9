/*
 * Fuzz the options of volt-bwrap, up to the chain that they become.
 * Link: volt-bwrap
 */
#include "../../cmd/volt-bwrap/bwrap.h"
#define FUZZ_FAILS EXIT_WRONG
#include "grammar.h"

int __wrap_close(int fd);
int __wrap_fcntl(int fd, int what, ...);
int __wrap_vasprintf(char **text, const char *fmt, va_list ap) PRINTF(2, 0);

/* --args closes the descriptor that it read. It must not be one of the fuzzer's own. */
int
__wrap_close(int fd)
{
	(void)fd;
	return 0;
}

int
__wrap_fcntl(int fd, int what, ...)
{
	(void)fd;
	(void)what;
	return 0;
}

/* Allocate memory that is freed after each input. */
int
__wrap_vasprintf(char **text, const char *fmt, va_list ap)
{
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n == -1 || (*text = malloc((size_t)n + 1)) == NULL)
		return -1;
	return vsnprintf(*text, (size_t)n + 1, fmt, ap);
}

static void
parse(int argc, char *argv[])
{
	struct bwrap b = { .perms = -1 };
	struct words chain = { 0 };
	char **command;
	int i;

	(void)argc;
	for (i = 0; i < FDS; i++)
		b.fd[i] = -1;
	caps_begin(&b);
	command = options_parse(&b, argv);
	chain_make(&b, command, &chain);
	if (chain.n < 8 || chain.word[chain.n] != NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	grammar_run(data, size, parse);
	return 0;
}
