#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "kfile.h"
#include "say.h"
#include "toolbox.h"
#include "value.h"
#include "words.h"

#define INCLUDE_DEPTH 8
#define INCLUDE_MAX ((size_t)1 << 20)	/* bytes of one file */
#define KEY_MAX_LEN 64

/*
 * RTMIN on the command line, and in systemd, is the first real-time signal that glibc
 * leaves to programs. musl's SIGRTMIN is one higher.
 */
#define RTMIN 34
#define RTMAX 64

static void include(const struct grammar *g, void *ctx, const char *name,
    int depth);

/* The length of the key of s; 0 if s is not of the form key=value. */
static size_t
key_length(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789._-");

	return s[n] == '=' && s[0] != '-' ? n : 0;
}

static unsigned int
least_of(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/*
 * The edit distance of a and b, for keys that are not too long: how many letters are
 * missing, are too many, or differ. Two that changed places count once.
 */
unsigned int
words_distance(const char *a, const char *b)
{
	unsigned int rows[3][KEY_MAX_LEN + 1], *row, *up, *up2;
	size_t i, j, blen = strlen(b);

	if (blen > KEY_MAX_LEN)
		return UINT_MAX;
	for (j = 0; j <= blen; j++)
		rows[0][j] = (unsigned int)j;
	for (i = 1; a[i - 1] != '\0'; i++) {
		row = rows[i % 3];
		up = rows[(i - 1) % 3];
		row[0] = (unsigned int)i;
		for (j = 1; j <= blen; j++) {
			row[j] = least_of(up[j - 1] + (a[i - 1] != b[j - 1]),
			    least_of(up[j], row[j - 1]) + 1);
			if (i < 2 || j < 2 || a[i - 1] != b[j - 2] ||
			    a[i - 2] != b[j - 1])
				continue;
			up2 = rows[(i - 2) % 3];
			row[j] = least_of(row[j], up2[j - 2] + 1);
		}
	}
	return rows[(i - 1) % 3][blen];
}

/*
 * End with an error for an unknown word. Suggest the nearest word if one letter
 * differs, or up to three, but a third of all at the most and not the first.
 */
static _Noreturn void
unknown_key(const struct grammar *g, const char *key)
{
	const struct word *w, *best = NULL;
	size_t most = strlen(key) / 3;
	unsigned int d, least = 1 + (most < 1 ? 1 : most > 3 ? 3 :
	    (unsigned int)most);

	for (w = g->words; w->key != NULL; w++) {
		d = words_distance(key, w->key);
		if (d < least && w->key[0] != '*' &&
		    (d == 1 || w->key[0] == key[0])) {
			least = d;
			best = w;
		}
	}
	if (best == NULL)
		errx(EXIT_LINK, "%s=: unknown word; -h lists them", key);
	errx(EXIT_LINK, "%s=: unknown word; the nearest is %s=", key,
	    best->key);
}

static const char *
text(const char *key, const char *value, bool line)
{
	if (*value == '\0')
		word_bad(key, value, "empty");
	if (line && strpbrk(value, "\r\n") != NULL)
		word_bad(key, value, "more than one line");
	return value;
}

/* Set the member at, whose type is that of the word (words.h). */
static void
set(const struct word *w, void *at, const char *key, const char *value)
{
	char why[32];
	uint64_t n;

	switch (w->type) {
	case WORD_CALL:
		w->set(at, key, value);
		return;
	case WORD_STRING:
	case WORD_LINE:
		*(const char **)at = text(key, value, w->type == WORD_LINE);
		return;
	case WORD_UINT:
		n = word_uint(key, value, w->most);
		if (n < w->least) {
			snprintf(why, sizeof(why), "at least %ju",
			    (uintmax_t)w->least);
			word_bad(key, value, why);
		}
		*(unsigned int *)at = (unsigned int)n;
		return;
	case WORD_TIME:
		n = word_time(key, value);
		if (n < w->least)
			word_bad(key, value, "the time must not be 0");
		if (n > w->most)
			word_bad(key, value, "time too long");
		*(uint64_t *)at = n;
		return;
	case WORD_ID:
		*(uid_t *)at = word_id(key, value);
		return;
	case WORD_FD:
		*(int *)at = word_fd(key, value);
		return;
	case WORD_SIGNAL:
		*(int *)at = word_signal(key, value);
		return;
	case WORD_BOOL:
		*(bool *)at = word_choice(key, value, w->arg) == 0;
		return;
	case WORD_CHOICE:
		*(unsigned int *)at = (unsigned int)word_choice(key, value,
		    w->arg);
	}
}

static void
apply_word(const struct grammar *g, void *ctx, const char *s, size_t klen)
{
	const struct word *w, *any = NULL;
	char key[KEY_MAX_LEN + 1];

	if (klen > KEY_MAX_LEN)
		errx(EXIT_LINK, "%.*s...=: unknown word", KEY_MAX_LEN, s);
	memcpy(key, s, klen);
	key[klen] = '\0';
	for (w = g->words; w->key != NULL; w++) {
		if (strcmp(w->key, key) == 0)
			break;
		if (strcmp(w->key, "*.*") == 0 && strchr(key, '.') != NULL)
			any = w;
	}
	if (w->key == NULL && (w = any) == NULL)
		unknown_key(g, key);
	set(w, (char *)ctx + w->offset, w == any ? key : w->key, s + klen + 1);
}

/* One line of an included file: empty, a comment, a word or an include. */
static void
apply_line(const struct grammar *g, void *ctx, const char *name,
    unsigned int lineno, char *line, int depth)
{
	char buf[SAY_NAME];
	size_t len, klen;

	line += strspn(line, " \t\r");
	for (len = strlen(line); len > 0; len--)
		if (strchr(" \t\r", line[len - 1]) == NULL)
			break;
	line[len] = '\0';
	if (line[0] == '\0' || line[0] == '#')
		return;
	if (line[0] == '@')
		include(g, ctx, line + 1, depth + 1);
	else if ((klen = key_length(line)) > 0)
		apply_word(g, ctx, line, klen);
	else
		errx(EXIT_LINK, "@%s:%u: not a word: %s", name, lineno,
		    say_name(line, buf));
}

/* Apply the words of the file of @name (toolbox_open_words()). */
static void
include(const struct grammar *g, void *ctx, const char *name, int depth)
{
	unsigned int lineno = 0;
	char *buf, *line, *next;
	ssize_t n;
	int fd;

	if (depth > INCLUDE_DEPTH)
		errx(EXIT_LINK, "@%s: includes are more than %d deep", name,
		    INCLUDE_DEPTH);
	if (*name == '\0')
		errx(EXIT_LINK, "@: no file name");
	if ((fd = toolbox_open_words(name)) == -1) {
		if (errno == ENOENT && strchr(name, '/') == NULL &&
		    access(name, F_OK) == 0)
			errx(EXIT_LINK, "@%s: not in ~/.config/volt, /etc/volt "
			    "or share/volt; the file here is @./%s", name, name);
		err(EXIT_LINK, "@%s", name);
	}
	/* Never freed: setters keep pointers into the text. */
	if ((buf = malloc(INCLUDE_MAX)) == NULL)
		err(EXIT_LINK, "@%s", name);
	if ((n = kfile_slurp(fd, buf, INCLUDE_MAX)) == -1)
		err(EXIT_LINK, "@%s", name);
	if (strlen(buf) != (size_t)n)
		errx(EXIT_LINK, "@%s: not a text file", name);
	close(fd);

	for (line = buf; line != NULL; line = next) {
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = '\0';
		apply_line(g, ctx, name, ++lineno, line, depth);
	}
}

static const struct flag *
find_flag(const struct grammar *g, char letter)
{
	const struct flag *f;

	for (f = g->flags; f->letter != '\0'; f++)
		if (f->letter == letter)
			return f;
	return NULL;
}

static _Noreturn void
usage(const struct grammar *g, const char *name)
{
	const struct flag *f;
	const struct word *w;
	char label[128];

	printf("usage: %s [-", name);
	for (f = g->flags; f->letter != '\0'; f++)
		putchar(f->letter);
	printf("hV] [key=value ...] [@file ...] [--] [command [arg ...]]\n");
	printf("%s\n\n", g->purpose);
	for (f = g->flags; f->letter != '\0'; f++)
		printf("  -%c  %s\n", f->letter, f->help);
	printf("  -h  this help\n  -V  the version\n\n");
	for (w = g->words; w->key != NULL; w++) {
		snprintf(label, sizeof(label), "%s=%s", w->key, w->arg);
		printf("  %-30s %s\n", label, w->help);
	}
	if (fflush(stdout) == EOF)
		err(EXIT_LINK, "standard output");
	exit(0);
}

static void
apply_flags(const struct grammar *g, void *ctx, const char *name,
    const char *letters)
{
	const struct flag *f;

	for (; *letters != '\0'; letters++) {
		if (*letters == 'h')
			usage(g, name);
		if (*letters == 'V') {
			printf("%s %s\n", name, VOLT_VERSION);
			if (fflush(stdout) == EOF)
				err(EXIT_LINK, "standard output");
			exit(0);
		}
		if ((f = find_flag(g, *letters)) == NULL)
			errx(EXIT_LINK, "-%c: unknown flag; -h lists them",
			    *letters);
		if (f->say)
			say_on = true;
		if (f->offset == SIZE_MAX)
			continue;
		if (f->bits != 0)
			*(int *)(void *)((char *)ctx + f->offset) |= f->bits;
		else
			*(bool *)((char *)ctx + f->offset) = true;
	}
}

/*
 * Apply the flags, words and includes at the start of argv to ctx. Returns the rest of
 * argv: the command, or a single NULL. A program that was made set-user-ID or
 * set-group-ID is refused.
 */
char **
words_parse(int argc, char *argv[], const struct grammar *g, void *ctx)
{
	const char *name;
	char **arg = argv;
	size_t klen;

	if (argc < 1)
		exit(EXIT_LINK);
	chain_begin();
	if (getuid() != geteuid() || getgid() != getegid())
		errx(EXIT_LINK, "refusing to run set-user-ID or set-group-ID");
	name = strrchr(argv[0], '/') != NULL ? strrchr(argv[0], '/') + 1 :
	    argv[0];

	while (*++arg != NULL) {
		if (strcmp(*arg, "--") == 0) {
			arg++;
			break;
		}
		if ((*arg)[0] == '-' && (*arg)[1] != '\0')
			apply_flags(g, ctx, name, *arg + 1);
		else if ((*arg)[0] == '@')
			include(g, ctx, *arg + 1, 1);
		else if ((klen = key_length(*arg)) > 0)
			apply_word(g, ctx, *arg, klen);
		else
			break;
	}
	return arg;
}

_Noreturn void
word_bad(const char *key, const char *value, const char *why)
{
	char buf[SAY_NAME];

	errx(EXIT_LINK, "%s=%s: %s", key, say_name(value, buf), why);
}

/*
 * The index, from 0, of value in a list such as "this|that". Another value ends the
 * program.
 */
size_t
word_choice(const char *key, const char *value, const char *values)
{
	char list[128], *p;
	const char *s = values;
	size_t i, len;

	for (i = 0; *s != '\0'; i++, s += len + (s[len] == '|')) {
		len = strcspn(s, "|");
		if (strlen(value) == len && memcmp(s, value, len) == 0)
			return i;
	}
	/* "not this, that or those" */
	p = stpcpy(list, "not ");
	for (s = values; *s != '\0'; s += len + (s[len] == '|')) {
		len = strcspn(s, "|");
		if (s != values)
			p = stpcpy(p, strchr(s, '|') != NULL ? ", " : " or ");
		if (len + 4 >= (size_t)(list + sizeof(list) - p))
			break;
		p = mempcpy(p, s, len);
		*p = '\0';
	}
	word_bad(key, value, list);
}

/* A whole number up to max. These functions end the program for another value. */
uint64_t
word_uint(const char *key, const char *value, uint64_t max)
{
	uint64_t n;

	if (value_uint(value, max, &n) == -1)
		word_bad(key, value, errno == ERANGE ? "number too large" :
		    "not a number");
	return n;
}

/* A size, in bytes. */
uint64_t
word_size(const char *key, const char *value)
{
	uint64_t n;

	if (value_size(value, &n) == -1)
		word_bad(key, value, errno == ERANGE ? "size too large" :
		    WORD_NO_SIZE);
	return n;
}

/* A time, in milliseconds. */
uint64_t
word_time(const char *key, const char *value)
{
	uint64_t ms;

	if (value_time(value, &ms) == -1)
		word_bad(key, value, errno == ERANGE ? "time too long" :
		    "not a time (500ms, 10s, 2m)");
	return ms;
}

/* A user or group ID. (uid_t)-1 is refused: to the kernel it means no change. */
id_t
word_id(const char *key, const char *value)
{
	return (id_t)word_uint(key, value, UINT32_MAX - 1);
}

/*
 * A descriptor that the caller opened for this program. From now on it closes on exec.
 */
int
word_fd(const char *key, const char *value)
{
	int fd = (int)word_uint(key, value, INT_MAX);

	if (fcntl(fd, F_SETFD, FD_CLOEXEC) == -1)
		err(EXIT_LINK, "%s=%s", key, value);
	return fd;
}

/*
 * A signal by name, with or without SIG (TERM, SIGINT, RTMIN+3), or by number.
 */
int
word_signal(const char *key, const char *value)
{
	static const struct {
		const char *name;
		int number;
	} signals[] = {
		{ "HUP", SIGHUP }, { "INT", SIGINT }, { "QUIT", SIGQUIT },
		{ "KILL", SIGKILL }, { "USR1", SIGUSR1 }, { "USR2", SIGUSR2 },
		{ "PIPE", SIGPIPE }, { "ALRM", SIGALRM }, { "TERM", SIGTERM },
		{ "CONT", SIGCONT }, { "STOP", SIGSTOP }, { "WINCH", SIGWINCH },
		{ "PWR", SIGPWR },
	};
	const char *name = value;
	uint64_t n;
	size_t i;

	if (strncmp(name, "SIG", 3) == 0)
		name += 3;
	for (i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (strcmp(signals[i].name, name) == 0)
			return signals[i].number;
	if (strncmp(name, "RTMIN+", 6) == 0 &&
	    value_uint(name + 6, RTMAX - RTMIN, &n) == 0)
		return RTMIN + (int)n;
	if (value_uint(value, RTMAX, &n) == 0 && n > 0)
		return (int)n;
	word_bad(key, value, "not a signal");
}
