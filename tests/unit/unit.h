/*
 * The harness of the unit tests. A program is a table of functions and
 * UNIT_MAIN(table); each function runs in a process of its own, prints TAP, and
 * fails by a CHECK that does not hold, by a crash, by leaving a descriptor open
 * or by taking longer than 20 seconds.
 */
#ifndef VOLT_UNIT_H
#define VOLT_UNIT_H

#include <sys/types.h>

#include <errno.h>
#include <stdbool.h>

struct unit {
	const char *name;
	void (*run)(void);
};

/* A status as of waitpid(2). */
#define UNIT_WAIT(code, signo) ((code) << 8 | (signo))
#define UNIT(f) { #f, f }
#define UNIT_COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define UNIT_MAIN(table) \
	int \
	main(void) \
	{ \
		return unit_main(table, UNIT_COUNT(table)); \
	}

#define CHECK(cond) unit_check((cond), __FILE__, __LINE__, #cond)
#define CHECK_STR(a, b) unit_check_str((a), (b), __FILE__, __LINE__)
#define CHECK_INT(a, b) \
	unit_check_int((long long)(a), (long long)(b), __FILE__, __LINE__, \
	    #a)
/* The call fails with this errno. */
#define CHECK_ERRNO(call, e) \
	do { \
		errno = 0; \
		CHECK_INT((call), -1); \
		CHECK_INT(errno, (e)); \
	} while (0)

int unit_main(const struct unit *tests, size_t n);
void unit_check(bool ok, const char *file, int line, const char *what);
void unit_check_str(const char *a, const char *b, const char *file, int line);
void unit_check_int(long long a, long long b, const char *file, int line,
    const char *what);
_Noreturn void unit_skip(const char *why);

/* What a child wrote, and how it ended; see unit_run(). */
struct unit_result {
	int wstatus;
	char out[16384];
	char err[4096];
};

void unit_run(struct unit_result *r, void (*child)(void *ctx), void *ctx);
const char *unit_tmpdir(void);
void unit_write(const char *path, const char *text);
void unit_sleep_ms(int ms);

#endif
