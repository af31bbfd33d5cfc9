/* A profile, as parse.c reads it, and the filter that gen.c makes of it. */
#ifndef VOLT_SECCOMP_H
#define VOLT_SECCOMP_H

#include <linux/filter.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must.h"

#define CALLS 1024	/* a profile decides on numbers below this */
#define CONDS 8	/* conditions in one line */
#define GROUPS 256
#define CODE_MAX 4096	/* the kernel's BPF_MAXINSNS */

enum op { OP_EQ, OP_NE, OP_GT, OP_LE, OP_GE, OP_LT };

/* argument & mask OP value, as unsigned numbers of 64 bits. */
struct cond {
	unsigned int arg;
	enum op op;
	uint64_t mask, value;
};

/* One line of the profile, for one call. Lines are tried from first to last. */
struct rule {
	struct cond cond[CONDS];
	size_t nconds;
	uint32_t action;	/* what the filter returns */
	unsigned int line;	/* its number */
	struct rule *next;
};

struct group {
	char *name;
	char *calls;	/* names, separated by blanks */
	unsigned int line;	/* of the profile, applied last */
};

struct profile {
	struct rule *calls[CALLS];
	uint32_t other;	/* for calls that no line names */
	unsigned int other_line;	/* the line with "*"; or 0 */
	struct group groups[GROUPS];
	size_t ngroups;
};

struct code {
	struct sock_filter insn[CODE_MAX];
	size_t n;
};

void parse_groups(struct profile *p, const char *name, int fd);
void parse_profile(struct profile *p, const char *name, int fd);

MUST_CHECK int name_resolve(const char *name, int *nr);
char *name_of(int nr);

MUST_CHECK int gen_filter(struct code *c, const struct profile *p);
MUST_CHECK int gen_reference(struct code *c, const struct profile *p);

#endif
