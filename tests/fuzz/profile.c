/*
 * Fuzz the compiler of profiles. The input is a profile; behind a line "%"
 * stands the file of groups.
 * Link: volt-seccomp -lseccomp
 *
 * What parses must become a filter that the kernel would take, or be too long
 * for one. The filter, run here, must answer as the lines do when they are
 * tried one after the other: for every number of a call, and with arguments
 * on both sides of every condition.
 */
#include <linux/audit.h>
#include <linux/seccomp.h>

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../cmd/volt-seccomp/seccomp.h"
#include "fuzz.h"

#ifdef __x86_64__
#define ARCH AUDIT_ARCH_X86_64
#define X32_BIT 0x40000000U
#else
#define ARCH AUDIT_ARCH_AARCH64
#define X32_BIT UINT32_MAX
#endif
#define ARGS 6

static uint64_t state;

/* Arbitrary, but the same for the same input. */
static uint64_t
noise(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* --- the filter ----------------------------------------------------------- */

/* What the kernel asks of a filter, and of what we know. */
static void
check_code(const struct code *c)
{
	const struct sock_filter *f;
	size_t i, left;

	if (c->n == 0 || c->n > CODE_MAX ||
	    c->insn[c->n - 1].code != (BPF_RET | BPF_K))
		abort();
	for (i = 0; i < c->n; i++) {
		f = &c->insn[i];
		left = c->n - i - 1;
		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			if (f->k % 4 != 0 || f->k >= sizeof(struct seccomp_data) ||
			    (f->k >= offsetof(struct seccomp_data, instruction_pointer) &&
				f->k < offsetof(struct seccomp_data, args)))
				abort();
			break;
		case BPF_JMP | BPF_JA:
			if (f->k >= left)
				abort();
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
		case BPF_JMP | BPF_JGT | BPF_K:
		case BPF_JMP | BPF_JGE | BPF_K:
			if (f->jt >= left || f->jf >= left)
				abort();
			break;
		case BPF_ALU | BPF_AND | BPF_K:
		case BPF_RET | BPF_K:
			break;
		default:
			abort();
		}
	}
}

/* What the filter returns. It was checked. */
static uint32_t
run(const struct code *c, const struct seccomp_data *data)
{
	const struct sock_filter *f = c->insn;
	uint32_t a = 0;

	for (;; f++) {
		switch (f->code) {
		case BPF_LD | BPF_W | BPF_ABS:
			memcpy(&a, (const char *)data + f->k, sizeof(a));
			break;
		case BPF_ALU | BPF_AND | BPF_K:
			a &= f->k;
			break;
		case BPF_JMP | BPF_JA:
			f += f->k;
			break;
		case BPF_JMP | BPF_JEQ | BPF_K:
			f += a == f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGT | BPF_K:
			f += a > f->k ? f->jt : f->jf;
			break;
		case BPF_JMP | BPF_JGE | BPF_K:
			f += a >= f->k ? f->jt : f->jf;
			break;
		default:
			return f->k;
		}
	}
}

/* --- the profile ---------------------------------------------------------- */

static bool
holds(const struct cond *c, const struct seccomp_data *data)
{
	uint64_t a = data->args[c->arg] & c->mask;

	switch (c->op) {
	case OP_EQ:
		return a == c->value;
	case OP_NE:
		return a != c->value;
	case OP_GT:
		return a > c->value;
	case OP_LE:
		return a <= c->value;
	case OP_GE:
		return a >= c->value;
	case OP_LT:
		return a < c->value;
	}
	abort();
}

/* What the profile says. */
static uint32_t
meaning(const struct profile *p, const struct seccomp_data *data)
{
	uint32_t nr = (uint32_t)data->nr;
	const struct rule *r;
	size_t i;

	if (data->arch != ARCH || (nr >= X32_BIT && nr != UINT32_MAX))
		return SECCOMP_RET_KILL_PROCESS;
	for (r = nr < CALLS ? p->calls[nr] : NULL; r != NULL; r = r->next) {
		for (i = 0; i < r->nconds; i++)
			if (!holds(&r->cond[i], data))
				break;
		if (i == r->nconds)
			return r->action;
	}
	/* A call that a tracer has skipped is not killed. */
	if (nr == UINT32_MAX && p->other == SECCOMP_RET_KILL_PROCESS)
		return SECCOMP_RET_ERRNO | ENOSYS;
	return p->other;
}

/* --- both ----------------------------------------------------------------- */

static void
compare(const struct code *c, const struct profile *p,
    const struct seccomp_data *data)
{
	uint32_t got = run(c, data), want = meaning(p, data);
	size_t i;

	if (got == want)
		return;
	fprintf(stderr, "call %d arch %#x", data->nr, data->arch);
	for (i = 0; i < ARGS; i++)
		fprintf(stderr, " %#llx", (unsigned long long)data->args[i]);
	fprintf(stderr, ": %#x, not %#x\n", got, want);
	abort();
}

/* Let the condition see v, and noise where it does not look. */
static void
show(const struct cond *c, struct seccomp_data *data, uint64_t v)
{
	data->args[c->arg] = (v & c->mask) | (noise() & ~c->mask);
}

/* Compare around each condition, with the line's others held to their values. */
static void
compare_rule(const struct code *c, const struct profile *p,
    const struct rule *r, struct seccomp_data data)
{
	const struct seccomp_data before = data;
	size_t i, j, k;
	uint64_t v;

	for (i = 0; i < r->nconds; i++) {
		v = r->cond[i].value;
		const uint64_t around[] = { v, v - 1, v + 1, ~v, v >> 32,
			v ^ 1ULL << 32, v ^ 1ULL << noise() % 64,
			v & UINT32_MAX, v | UINT32_MAX, noise() };

		for (j = 0; j < sizeof(around) / sizeof(around[0]); j++) {
			data = before;
			for (k = 0; k < r->nconds; k++)
				show(&r->cond[k], &data, r->cond[k].value +
				    (r->cond[k].op == OP_GT) -
				    (r->cond[k].op == OP_LT) +
				    (r->cond[k].op == OP_NE));
			compare(c, p, &data);
			show(&r->cond[i], &data, around[j]);
			compare(c, p, &data);
		}
	}
}

static void
compare_all(const struct code *c, const struct profile *p)
{
	static const uint32_t numbers[] = { CALLS, 0x3fffffff, 0x40000000,
		0x40000000 + CALLS, 0x7fffffff, 0x80000000, 0xfffffffe,
		0xffffffff };
	struct seccomp_data data = { .arch = ARCH };
	const struct rule *r;
	size_t i;

	for (i = 0; i < ARGS; i++)
		data.args[i] = noise();
	for (i = 0; i < CALLS; i++) {
		data.nr = (int)i;
		compare(c, p, &data);
		for (r = p->calls[i]; r != NULL; r = r->next)
			compare_rule(c, p, r, data);
	}
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		data.nr = (int)numbers[i];
		compare(c, p, &data);
	}
	data.nr = (int)(noise() % CALLS);
	data.arch = (uint32_t)noise();
	compare(c, p, &data);
	data.arch = AUDIT_ARCH_I386;
	compare(c, p, &data);
}

/* --- an input ------------------------------------------------------------- */

/* Text as a file; the same descriptor each time. */
static int
file(int *fd, const unsigned char *text, size_t size)
{
	if (*fd == 0 && (*fd = memfd_create("text", MFD_CLOEXEC)) == -1)
		abort();
	if (ftruncate(*fd, 0) == -1 || lseek(*fd, 0, SEEK_SET) == -1 ||
	    write(*fd, text, size) != (ssize_t)size ||
	    lseek(*fd, 0, SEEK_SET) == -1)
		abort();
	return *fd;
}

static void
parse(struct profile *p, const unsigned char *data, size_t size)
{
	static int profile, groups;
	const unsigned char *end = memmem(data, size, "\n%\n", 3);

	if (end != NULL) {
		parse_groups(p, "groups", file(&groups, end + 3,
		    size - (size_t)(end - data) - 3));
		size = (size_t)(end - data);
	}
	parse_profile(p, "profile", file(&profile, data, size));
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct profile profile;
	static struct code code;
	size_t i;

	state = 1;
	for (i = 0; i < size; i++)
		state = (state ^ data[i]) * 0x100000001b3;
	if (state == 0)
		state = 1;
	memset(&profile, 0, sizeof(profile));
	FUZZ(parse(&profile, data, size));
	if (!fuzz_ended) {
		errno = 0;
		if (gen_filter(&code, &profile) == 0) {
			check_code(&code);
			compare_all(&code, &profile);
		} else if (errno != E2BIG || code.n <= CODE_MAX) {
			abort();
		}
	}
	fuzz_free();
	return 0;
}
