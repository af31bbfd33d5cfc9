/*
 * What harnesses share: a program under test that ends comes back
 * behind FUZZ(), and what it allocated is freed.
 *
 * err, errx and exit, and the allocators that lib and programs use, are
 * wrapped by the linker (run). A harness has one file, so that these stand in
 * the program once.
 */
#ifndef VOLT_FUZZ_H
#define VOLT_FUZZ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#ifndef FUZZ_FAILS
#define FUZZ_FAILS 125	/* what a link ends with */
#endif
#define BLOCKS 16384	/* then there is no memory */

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);
_Noreturn void __wrap_err(int code, const char *fmt, ...) PRINTF(2, 3);
_Noreturn void __wrap_errx(int code, const char *fmt, ...) PRINTF(2, 3);
_Noreturn void __wrap_exit(int code);
_Noreturn void __real_exit(int code);
void *__wrap_malloc(size_t size);
void *__real_malloc(size_t size);
void __wrap_free(void *p);
void __real_free(void *p);
void *__wrap_calloc(size_t n, size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__real_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);
char *__real_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
char *__real_strndup(const char *s, size_t n);
int __wrap_asprintf(char **text, const char *fmt, ...) PRINTF(2, 3);

/* Stands before what the program was given. */
struct block {
	struct block *next, **link;
	size_t size;
	max_align_t behind[];
};

static jmp_buf fuzz_end;
static bool fuzz_inside;	/* it is not libFuzzer or the harness that runs */
static bool fuzz_ended;
static struct block *fuzz_blocks;
static size_t fuzz_nblocks;

/* Run a call of the program's. What it allocated stays until fuzz_free(). */
#define FUZZ(call) do {			\
	fuzz_ended = false;		\
	fuzz_inside = true;		\
	if (setjmp(fuzz_end) == 0)	\
		call;			\
	fuzz_inside = false;		\
} while (0)

static __attribute__((unused)) void
fuzz_free(void)
{
	struct block *b;

	while ((b = fuzz_blocks) != NULL) {
		fuzz_blocks = b->next;
		__real_free(b);
	}
	fuzz_nblocks = 0;
}

/*
 * The message is formatted, so that its arguments are looked at; with FUZZ_SAY
 * in the environment it is seen, too.
 */
static PRINTF(1, 0) void
fuzz_format(const char *fmt, va_list ap)
{
	char buf[512];

	if (vsnprintf(buf, sizeof(buf), fmt, ap) < 0)
		abort();
	if (getenv("FUZZ_SAY") != NULL)
		fprintf(stderr, "%s\n", buf);
}

_Noreturn void
__wrap_err(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fuzz_format(fmt, ap);
	va_end(ap);
	__wrap_exit(code);
}

_Noreturn void
__wrap_errx(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fuzz_format(fmt, ap);
	va_end(ap);
	__wrap_exit(code);
}

_Noreturn void
__wrap_exit(int code)
{
	if (!fuzz_inside)
		__real_exit(code);	/* libFuzzer's own */
	if (code != FUZZ_FAILS && code != 0)
		abort();
	fuzz_ended = true;
	longjmp(fuzz_end, 1);
}

void *
__wrap_malloc(size_t size)
{
	struct block *b;

	if (!fuzz_inside)
		return __real_malloc(size);
	if (fuzz_nblocks == BLOCKS || (b = __real_malloc(sizeof(*b) + size)) == NULL)
		return NULL;
	fuzz_nblocks++;
	b->size = size;
	b->link = &fuzz_blocks;
	if ((b->next = fuzz_blocks) != NULL)
		fuzz_blocks->link = &b->next;
	fuzz_blocks = b;
	return b + 1;
}

void
__wrap_free(void *p)
{
	struct block *b = p;

	if (fuzz_inside && p != NULL) {
		b--;
		if ((*b->link = b->next) != NULL)
			b->next->link = b->link;
		fuzz_nblocks--;
	}
	__real_free(b);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	void *p;

	if (!fuzz_inside)
		return __real_calloc(n, size);
	if (size != 0 && n > SIZE_MAX / size)
		return NULL;
	if ((p = __wrap_malloc(n * size)) != NULL)
		memset(p, 0, n * size);
	return p;
}

void *
__wrap_realloc(void *p, size_t size)
{
	size_t old;
	void *to;

	if (!fuzz_inside)
		return __real_realloc(p, size);
	if ((to = __wrap_malloc(size)) == NULL)
		return NULL;
	if (p != NULL) {
		old = ((struct block *)p - 1)->size;
		memcpy(to, p, old < size ? old : size);
	}
	__wrap_free(p);
	return to;
}

char *
__wrap_strdup(const char *s)
{
	char *copy;

	if (!fuzz_inside)
		return __real_strdup(s);
	if ((copy = __wrap_malloc(strlen(s) + 1)) != NULL)
		strcpy(copy, s);
	return copy;
}

char *
__wrap_strndup(const char *s, size_t n)
{
	char *copy;

	if (!fuzz_inside)
		return __real_strndup(s, n);
	n = strnlen(s, n);
	if ((copy = __wrap_malloc(n + 1)) != NULL) {
		memcpy(copy, s, n);
		copy[n] = '\0';
	}
	return copy;
}

int
__wrap_asprintf(char **text, const char *fmt, ...)
{
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (len == -1 || (*text = __wrap_malloc((size_t)len + 1)) == NULL)
		return -1;
	va_start(ap, fmt);
	vsnprintf(*text, (size_t)len + 1, fmt, ap);
	va_end(ap);
	return len;
}

/*
 * Cut the input at its lines "%" into parts, of which missing ones are "". Returns the
 * text that they are in, for free(3), or NULL.
 */
static inline char *
fuzz_parts(const unsigned char *data, size_t size, const char *part[], size_t n)
{
	char *text = malloc(size + 1), *s = text;
	size_t i;

	if (text == NULL)
		return NULL;
	memcpy(text, data, size);
	text[size] = '\0';
	for (i = 0; i < n; i++) {
		part[i] = s != NULL ? s : "";
		if (s != NULL && (s = strstr(s, "%\n")) != NULL) {
			*s = '\0';
			s += 2;
		}
	}
	return text;
}

#endif
