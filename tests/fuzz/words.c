/*
 * Fuzz the grammar. The input is a command line, an argument a line; behind a
 * line "%" stands the text of the file that the argument "@f" includes, and
 * behind another that of "@g". A second harness in the same program, value_*,
 * checks what must hold of any text.
 *
 * words_parse() ends the program on a mistake, and comes back here (fuzz.h).
 * Its files are these two texts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "toolbox.h"
#include "value.h"
#include "words.h"

#define ARGS 64
#define FILES 1024

int __wrap_toolbox_open_words(const char *name);
void __wrap_chain_begin(void);

static int fds[FILES];
static size_t nfds;
static const char *files[2];
static size_t seen;

int
__wrap_toolbox_open_words(const char *name)
{
	const char *text = strcmp(name, "f") == 0 ? files[0] :
	    strcmp(name, "g") == 0 ? files[1] : NULL;
	int fd;

	if (text == NULL || nfds == FILES || (fd = memfd_create("words", MFD_CLOEXEC)) == -1)
		return -1;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text) ||
	    lseek(fd, 0, SEEK_SET) != 0)
		abort();
	fds[nfds++] = fd;
	return fd;
}

void
__wrap_chain_begin(void)
{
}

/* --- the program under test ----------------------------------------------- */

/* A key is of the letters allowed, whatever came in. */
static void
set_any(void *ctx, const char *key, const char *value)
{
	(void)ctx;
	if (*key == '\0' || strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789"
	    "._-") != strlen(key) || strchr(key, '.') == NULL)
		abort();
	seen += strlen(value);
}

static void
set_number(void *ctx, const char *key, const char *value)
{
	(void)ctx;
	switch (*key) {
	case 'n':
		if (word_uint(key, value, 1000) > 1000)
			abort();
		break;
	case 's':
		word_size(key, value);
		break;
	case 't':
		word_time(key, value);
		break;
	case 'i':
		if (word_id(key, value) == (id_t)-1)
			abort();
		break;
	default:
		if (word_signal(key, value) < 1 || word_signal(key, value) > 64)
			abort();
	}
}

static struct ctx {
	bool a, choice;
	const char *line;
} said;

static const struct flag flags[] = {
	FLAG('a', struct ctx, a, "a flag"),
	FLAG_END,
};

static const struct word words[] = {
	CTX_WORD("number", set_number, "N", "to 1000"),
	CTX_WORD("size", set_number, "SIZE", "a size"),
	CTX_WORD("time", set_number, "TIME", "a time"),
	CTX_WORD("id", set_number, "ID", "an ID"),
	CTX_WORD("kill", set_number, "SIGNAL", "a signal"),
	LINE_WORD("line", struct ctx, line, "TEXT", "a line"),
	BOOL_WORD("choice", struct ctx, choice, "yes|no", "a choice"),
	CTX_WORD("*.*", set_any, "TEXT", "anything"),
	WORD_END,
};

static const struct grammar grammar = { "Fuzz.", flags, words };

/* --- what must hold of any text ------------------------------------------- */

static void
check_values(const char *s)
{
	const char *cursor = s;
	char buf[64], again[32];
	uint64_t n, size, ms;
	size_t fields = 0;

	if (value_uint(s, UINT64_MAX, &n) == 0) {
		/* Exact: it prints as it was. */
		snprintf(again, sizeof(again), "%llu", (unsigned long long)n);
		if (strcmp(again, s) != 0)
			abort();
		if (value_size(s, &size) == -1 || size != n)
			abort();
		if (n > 0 && value_uint(s, n - 1, &size) == 0)
			abort();
	}
	(void)value_size(s, &size);
	(void)value_time(s, &ms);
	while (value_field(&cursor, ':', buf, sizeof(buf)) == 1) {
		if (strlen(buf) >= sizeof(buf) || ++fields > strlen(s) + 1)
			abort();
		if (cursor != NULL && (cursor <= s || cursor[-1] != ':'))
			abort();
	}
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static FILE *null;
	char *argv[ARGS + 2], *text, *line, *next, name[] = "volt-x";
	int argc = 1, part = 0;

	if (null == NULL && (null = freopen("/dev/null", "w", stdout)) == NULL)
		abort();
	if ((text = malloc(size + 1)) == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	files[0] = files[1] = "";
	argv[0] = name;
	for (line = text; line != NULL; line = next) {
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = '\0';
		if (strcmp(line, "%") == 0 && part < 2)
			break;
		if (argc <= ARGS)
			argv[argc++] = line;
		check_values(line);
	}
	argv[argc] = NULL;
	if (line != NULL && next != NULL) {
		files[0] = next;
		if ((line = strstr(next, "\n%\n")) != NULL) {
			line[1] = '\0';
			files[1] = line + 3;
		}
	}

	FUZZ(words_parse(argc, argv, &grammar, &said));
	fuzz_free();
	free(text);
	while (nfds > 0)
		close(fds[--nfds]); /* some are closed: nobody else opens any */
	return 0;
}
