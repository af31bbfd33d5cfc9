/*
 * The grammar that all programs share (volt(7)):
 *
 *     volt-X [-flags] [key=value ...] [@file ...] [--] [command [arg ...]]
 *
 * A program declares its flags and words as const tables; words_parse() walks
 * argv and applies them from left to right. A row of a table is made by one of the
 * macros here. It names the member of the program's context that gets the value, or a
 * function. If these or the word_ functions refuse a value the program ends with one
 * line and status 125.
 */
#ifndef VOLT_WORDS_H
#define VOLT_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The offset of the member. A member of another type is a compile-time error. */
#define WORDS_MEMBER(s, m, type) \
	(offsetof(s, m) + 0 * sizeof((type *)NULL == &((s *)NULL)->m))

/*
 * One flag: it sets a bool, or bits of an int. All programs have -h and -V, and these
 * are not in the table.
 */
struct flag {
	char letter;
	const char *help;
	size_t offset;
	int bits;	/* 0: a bool */
	bool say;	/* also set say_on (say.h) */
};

#define FLAG(letter, s, m, help) \
	{ letter, help, WORDS_MEMBER(s, m, bool), 0, false }
#define FLAG_BITS(letter, s, m, bits, help) \
	{ letter, help, WORDS_MEMBER(s, m, int), bits, false }
#define FLAG_DRY(s) \
	{ 'N', "dry run: say what would be done, and do nothing", \
		WORDS_MEMBER(s, dry, bool), 0, true }
#define FLAG_SAY { 'v', "say on standard error what is done", SIZE_MAX, 0, true }
#define FLAG_END { '\0', NULL, 0, 0, false }

enum word_type { WORD_CALL, WORD_STRING, WORD_LINE, WORD_UINT,
	WORD_TIME, WORD_ID, WORD_FD, WORD_SIGNAL, WORD_BOOL, WORD_CHOICE };

/*
 * One word. The key "*.*" stands for each key with a dot that no other row names; then
 * the function must not keep a pointer to the key. It may keep one to the value.
 */
struct word {
	const char *key;
	const char *arg;	/* the usage text right of the "=" */
	const char *help;
	enum word_type type;
	size_t offset;
	uint64_t least, most;	/* the bounds of a number */
	/* A WORD_CALL: at is the member. */
	void (*set)(void *at, const char *key, const char *value);
};

#define WORDS_ROW(type, key, s, m, of, arg, help) \
	{ key, arg, help, type, WORDS_MEMBER(s, m, of), 0, UINT64_MAX, NULL }

/* Text that is not empty; LINE_WORD: and is one line. */
#define STRING_WORD(key, s, m, arg, help) \
	WORDS_ROW(WORD_STRING, key, s, m, const char *, arg, help)
#define LINE_WORD(key, s, m, arg, help) \
	WORDS_ROW(WORD_LINE, key, s, m, const char *, arg, help)
/* A number from least to most. */
#define UINT_WORD(key, s, m, least, most, arg, help) \
	{ key, arg, help, WORD_UINT, WORDS_MEMBER(s, m, unsigned int), \
		least, most, NULL }
/* Milliseconds, more than 0. */
#define TIME_WORD(key, s, m, most, arg, help) \
	{ key, arg, help, WORD_TIME, WORDS_MEMBER(s, m, uint64_t), 1, most, \
		NULL }
/* A user or group ID. */
#define ID_WORD(key, s, m, arg, help) \
	WORDS_ROW(WORD_ID, key, s, m, uid_t, arg, help)
/* One of the two values in arg, such as "yes|no": is it the first? */
#define BOOL_WORD(key, s, m, arg, help) \
	WORDS_ROW(WORD_BOOL, key, s, m, bool, arg, help)
/* One of the values in arg: its index, from 0. */
#define CHOICE_WORD(key, s, m, of, arg, help) \
	WORDS_ROW(WORD_CHOICE, key, s, m, of, arg, help)
/* A function sets the member, or anything in the context. */
#define CALL_WORD(key, set, s, m, arg, help) \
	{ key, arg, help, WORD_CALL, offsetof(s, m), 0, 0, set }
#define CTX_WORD(key, set, arg, help) \
	{ key, arg, help, WORD_CALL, 0, 0, 0, set }
#define WORD_END { NULL, NULL, NULL, WORD_CALL, 0, 0, 0, NULL }

/* Words of several programs. */
#define STATUS_WORD(s) \
	WORDS_ROW(WORD_FD, "status", s, status_fd, int, "FD", \
	    "write to FD how the command ended")
#define STOP_WORD(s) \
	WORDS_ROW(WORD_SIGNAL, "stop", s, stop_signal, int, "SIGNAL", \
	    "the signal that takes the place of SIGTERM")

struct grammar {
	const char *purpose;	/* one line for -h */
	const struct flag *flags;	/* ends with FLAG_END */
	const struct word *words;	/* ends with WORD_END */
};

char **words_parse(int argc, char *argv[], const struct grammar *g, void *ctx);
unsigned int words_distance(const char *a, const char *b);

#define WORD_NO_SIZE "not a size (4096, 512K, 16M, 2G, 1T)"

uint64_t word_uint(const char *key, const char *value, uint64_t max);
uint64_t word_size(const char *key, const char *value);
uint64_t word_time(const char *key, const char *value);
id_t word_id(const char *key, const char *value);
int word_fd(const char *key, const char *value);
int word_signal(const char *key, const char *value);
size_t word_choice(const char *key, const char *value, const char *values);
_Noreturn void word_bad(const char *key, const char *value, const char *why);

#endif
