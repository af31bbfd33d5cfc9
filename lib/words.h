/*
 * The grammar that every program shares (volt(7)):
 *
 *     volt-X [-flags] [key=value ...] [@file ...] [--] [command [arg ...]]
 *
 * A program declares its flags and words as const tables; words_parse() walks
 * argv and calls their setters from left to right. It and the word_ functions
 * are for main programs: what they refuse ends the program with one line and
 * status 125.
 */
#ifndef VOLT_WORDS_H
#define VOLT_WORDS_H

#include <stdint.h>
#include <sys/types.h>

/* One flag; -h and -V are every program's and are not in the table. */
struct flag {
	char letter;
	void (*set)(void *ctx, char letter);
	const char *help;
};

/*
 * One word. The key "*.*" stands for every key with a dot that no other entry
 * names. value lives until the program ends.
 */
struct word {
	const char *key;
	void (*set)(void *ctx, const char *key, const char *value);
	const char *arg;	/* what usage shows right of the "=" */
	const char *help;
};

struct grammar {
	const char *purpose;	/* one line for -h */
	const struct flag *flags;	/* ends with a letter 0 */
	const struct word *words;	/* ends with a NULL key */
};

char **words_parse(int argc, char *argv[], const struct grammar *g, void *ctx);
unsigned int words_distance(const char *a, const char *b);

uint64_t word_uint(const char *key, const char *value, uint64_t max);
uint64_t word_size(const char *key, const char *value);
uint64_t word_time(const char *key, const char *value);
id_t word_id(const char *key, const char *value);
int word_fd(const char *key, const char *value);
int word_signal(const char *key, const char *value);
_Noreturn void word_bad(const char *key, const char *value, const char *why);

#endif
