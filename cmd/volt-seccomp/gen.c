/*
 * Compile a profile to classic BPF (seccomp(2)).
 *
 * System calls with the same action mostly have numbers in a row. So the filter is
 * a binary search among ranges of numbers and not among calls. It has half as many
 * instructions as libseccomp's tree. When a filter is installed the kernel runs it
 * once for each system call, so it is also installed in half the time. A call with
 * conditions is a range of its own: its lines follow each other at that leaf.
 *
 * A foreign architecture (also by int 0x80) and the x32 numbers, which begin at
 * 2^30, kill the process. The number -1 means that a tracer has skipped the call:
 * its action is that of an unknown call, but ENOSYS where that would kill.
 */
#include <linux/audit.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "seccomp.h"

#define X32_BIT 0x40000000U
#define RANGES (CALLS + 4)
#define PENDING (4 * CONDS)

/* A range ends before the first number of the next range. */
struct range {
	uint32_t first;
	uint32_t action;
	const struct rule *rule;	/* lines with conditions; or NULL */
};

/* Jumps whose target is not known yet. */
struct pending {
	size_t at[PENDING];
	bool on_true[PENDING];
	size_t n;
};

static void
put(struct code *c, unsigned int op, uint32_t k, size_t jt, size_t jf)
{
	if (c->n < CODE_MAX)
		c->insn[c->n] = (struct sock_filter){ (uint16_t)op,
			(uint8_t)jt, (uint8_t)jf, k };
	c->n++;
}

static void
later(struct pending *p, size_t at, bool on_true)
{
	p->at[p->n] = at;
	p->on_true[p->n++] = on_true;
}

/* Let all jumps of p go to the next instruction. */
static void
land(struct code *c, struct pending *p)
{
	size_t i, off;

	for (i = 0; i < p->n; i++) {
		off = c->n - p->at[i] - 1;
		if (p->at[i] >= CODE_MAX)
			continue;
		if (p->on_true[i])
			c->insn[p->at[i]].jt = (uint8_t)off;
		else
			c->insn[p->at[i]].jf = (uint8_t)off;
	}
	p->n = 0;
}

/* Load half of an argument and mask it. */
static void
put_load(struct code *c, unsigned int arg, bool high, uint32_t mask)
{
	put(c, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data,
	    args[0]) + 8 * arg + (high ? 4 : 0), 0, 0);
	if (mask != UINT32_MAX)
		put(c, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
}

/* Fall through if the condition holds, else jump with fail. */
static void
put_cond(struct code *c, const struct cond *cond, struct pending *fail)
{
	struct pending pass = { .n = 0 };
	bool negate = cond->op == OP_NE || cond->op == OP_LE ||
	    cond->op == OP_LT;
	struct pending *yes = negate ? fail : &pass;
	struct pending *no = negate ? &pass : fail;
	bool equal = cond->op == OP_EQ || cond->op == OP_NE;
	uint32_t high = (uint32_t)(cond->value >> 32);
	unsigned int low_op = equal ? BPF_JEQ :
	    cond->op == OP_GT || cond->op == OP_LE ? BPF_JGT : BPF_JGE;

	if (cond->mask >> 32 != 0 || high != 0) {
		put_load(c, cond->arg, true, (uint32_t)(cond->mask >> 32));
		if (!equal) {
			later(yes, c->n, true);
			put(c, BPF_JMP | BPF_JGT | BPF_K, high, 0, 0);
		}
		later(no, c->n, false);
		put(c, BPF_JMP | BPF_JEQ | BPF_K, high, 0, 0);
	}
	put_load(c, cond->arg, false, (uint32_t)cond->mask);
	later(yes, c->n, true);
	later(no, c->n, false);
	put(c, BPF_JMP | low_op | BPF_K, (uint32_t)cond->value, 0, 0);
	land(c, &pass);
}

/* The lines of one call. If none decides the action is other. */
static void
put_rules(struct code *c, const struct rule *r, uint32_t other)
{
	struct pending fail = { .n = 0 };
	size_t i;

	for (; r != NULL; r = r->next) {
		for (i = 0; i < r->nconds; i++)
			put_cond(c, &r->cond[i], &fail);
		put(c, BPF_RET | BPF_K, r->action, 0, 0);
		if (r->nconds == 0)
			return;
		land(c, &fail);
	}
	put(c, BPF_RET | BPF_K, other, 0, 0);
}

/* The search among n ranges. The smaller numbers come first. */
static void
put_search(struct code *c, const struct range *r, size_t n, uint32_t other)
{
	size_t half = n / 2, at, off, i;

	if (n == 1) {
		if (r->rule != NULL)
			put_rules(c, r->rule, other);
		else
			put(c, BPF_RET | BPF_K, r->action, 0, 0);
		return;
	}
	/* A far jump needs one more instruction. Remove it if the jump is near. */
	at = c->n;
	put(c, BPF_JMP | BPF_JGE | BPF_K, r[half].first, 0, 1);
	put(c, BPF_JMP | BPF_JA, 0, 0, 0);
	put_search(c, r, half, other);
	off = c->n - at - 2;
	if (c->n <= CODE_MAX && off <= UINT8_MAX) {
		for (i = at + 1; i + 1 < c->n; i++)
			c->insn[i] = c->insn[i + 1];
		c->n--;
		c->insn[at].jt = (uint8_t)off;
		c->insn[at].jf = 0;
	} else if (at + 1 < CODE_MAX) {
		c->insn[at + 1].k = (uint32_t)off;
	}
	put_search(c, r + half, n - half, other);
}

static void
add_range(struct range *r, size_t *n, uint32_t first, uint32_t action,
    const struct rule *rule)
{
	if (*n > 0 && rule == NULL && r[*n - 1].rule == NULL &&
	    r[*n - 1].action == action)
		return;
	r[(*n)++] = (struct range){ first, action, rule };
}

/* Make the filter of p. Returns 0, or -1 and E2BIG. */
int
gen_filter(struct code *c, const struct profile *p)
{
	static struct range r[RANGES];
	const struct rule *rule;
	size_t n = 0;
	uint32_t i;

	for (i = 0; i < CALLS; i++) {
		rule = p->calls[i];
		if (rule == NULL)
			add_range(r, &n, i, p->other, NULL);
		else if (rule->nconds == 0)
			add_range(r, &n, i, rule->action, NULL);
		else
			add_range(r, &n, i, 0, rule);
	}
	add_range(r, &n, CALLS, p->other, NULL);
	if (seccomp_arch_native() == SCMP_ARCH_X86_64)
		add_range(r, &n, X32_BIT, SECCOMP_RET_KILL_PROCESS, NULL);
	add_range(r, &n, UINT32_MAX, p->other == SECCOMP_RET_KILL_PROCESS ?
	    SECCOMP_RET_ERRNO | ENOSYS : p->other, NULL);

	c->n = 0;
	put(c, BPF_LD | BPF_W | BPF_ABS,
	    (uint32_t)offsetof(struct seccomp_data, arch), 0, 0);
	put(c, BPF_JMP | BPF_JEQ | BPF_K, seccomp_arch_native(), 1, 0);
	put(c, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	put(c, BPF_LD | BPF_W | BPF_ABS,
	    (uint32_t)offsetof(struct seccomp_data, nr), 0, 0);
	put_search(c, r, n, p->other);
	if (c->n <= CODE_MAX)
		return 0;
	errno = E2BIG;
	return -1;
}

static uint32_t
scmp_action(uint32_t ret)
{
	switch (ret & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ERRNO:
		return SCMP_ACT_ERRNO(ret & SECCOMP_RET_DATA);
	default:
		return ret;	/* libseccomp's values are the kernel's */
	}
}

/*
 * The filter of libseccomp's own generator, for comparison. It has no order of
 * lines: the action of a call with conditions is SECCOMP_RET_TRACE.
 */
int
gen_reference(struct code *c, const struct profile *p)
{
	scmp_filter_ctx ctx;
	const struct rule *r;
	uint32_t action;
	ssize_t len;
	int fd, i, rc;

	if ((ctx = seccomp_init(scmp_action(p->other))) == NULL ||
	    (fd = memfd_create("filter", MFD_CLOEXEC)) == -1)
		return -1;
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (i = 0; i < CALLS; i++) {
		if ((r = p->calls[i]) == NULL)
			continue;
		action = r->nconds > 0 ? SCMP_ACT_TRACE(1) :
		    scmp_action(r->action);
		if (action == scmp_action(p->other))
			continue;
		rc = seccomp_rule_add(ctx, action, i, 0);
		if (rc < 0) {
			errno = -rc;
			return -1;
		}
	}
	rc = seccomp_export_bpf(ctx, fd);
	seccomp_release(ctx);
	if (rc < 0 || lseek(fd, 0, SEEK_SET) == -1 ||
	    (len = read(fd, c->insn, sizeof(c->insn))) == -1) {
		errno = rc < 0 ? -rc : errno;
		return -1;
	}
	close(fd);
	c->n = (size_t)len / sizeof(c->insn[0]);
	return 0;
}
