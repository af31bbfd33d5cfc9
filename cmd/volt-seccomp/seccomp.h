/* volt-seccomp: what parse.c reads and gen.c makes of it. */
#ifndef VOLT_SECCOMP_H
#define VOLT_SECCOMP_H

#include <linux/filter.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "must.h"

#define CALLS 1024	/* system call numbers that a profile may decide on */
#define CONDS 8	/* conditions of one line */
#define GROUPS 256
#define CODE_MAX 4096	/* the kernel's BPF_MAXINSNS */

enum op { OP_EQ, OP_NE, OP_GT, OP_LE, OP_GE, OP_LT };

/* argument & mask OP value, unsigned, 64 bits wide */
struct cond {
	unsigned int arg;
	enum op op;
	uint64_t mask, value;
};

/* One line, as it stands for one call. Lines are tried from first to last. */
struct rule {
	struct cond cond[CONDS];
	size_t nconds;
	uint32_t action;	/* what the filter returns */
	unsigned int line;	/* its number */
	struct rule *next;
};

struct group {
	char *name;
	char *calls;	/* as they stood, separated by blanks */
	unsigned int line;	/* of the profile, that was applied to it */
};

struct profile {
	struct rule *calls[CALLS];
	uint32_t other;	/* for calls that no line names */
	unsigned int other_line;	/* that said so, or 0 */
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
