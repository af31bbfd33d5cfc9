/*
 * Parse a profile (volt-lock(1), PROFILES). A line is
 *
 *     CALL|@GROUP|* ... [if ARG[:32][&MASK]OP VALUE ...] [= ACTION]
 *     @GROUP: CALL|@GROUP ...
 *
 * and the first line that fits a call decides.
 */
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/vhost.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "kfile.h"
#include "seccomp.h"

#define TEXT_MAX ((size_t)1 << 20)
#define GROUP_DEPTH 8

#ifndef AF_VSOCK
#define AF_VSOCK 40
#endif
#ifndef AF_SMC
#define AF_SMC 43
#endif
#ifndef IPPROTO_SMC
#define IPPROTO_SMC 256
#endif
#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif
#ifndef SOCK_PACKET
#define SOCK_PACKET 10
#endif

/* The place in a file, for messages. */
struct place {
	const char *file;
	unsigned int line;
	bool groups;	/* the file may have only groups */
};

static const struct {
	const char *name;
	uint64_t value;
} constants[] = {
	{ "AF_UNSPEC", AF_UNSPEC }, { "AF_UNIX", AF_UNIX },
	{ "AF_INET", AF_INET }, { "AF_INET6", AF_INET6 },
	{ "AF_NETLINK", AF_NETLINK }, { "AF_PACKET", AF_PACKET },
	{ "AF_ALG", AF_ALG }, { "AF_VSOCK", AF_VSOCK },
	{ "AF_RDS", AF_RDS }, { "AF_RXRPC", AF_RXRPC }, { "AF_SMC", AF_SMC },
	{ "SOCK_STREAM", SOCK_STREAM }, { "SOCK_DGRAM", SOCK_DGRAM },
	{ "SOCK_RAW", SOCK_RAW }, { "SOCK_SEQPACKET", SOCK_SEQPACKET },
	{ "SOCK_PACKET", SOCK_PACKET },
	{ "IPPROTO_TCP", IPPROTO_TCP }, { "IPPROTO_UDP", IPPROTO_UDP },
	{ "IPPROTO_ICMP", IPPROTO_ICMP }, { "IPPROTO_ICMPV6", IPPROTO_ICMPV6 },
	{ "IPPROTO_SCTP", IPPROTO_SCTP }, { "IPPROTO_SMC", IPPROTO_SMC },
	{ "IPPROTO_MPTCP", IPPROTO_MPTCP }, { "NETLINK_ROUTE", NETLINK_ROUTE },
	{ "NETLINK_SOCK_DIAG", NETLINK_SOCK_DIAG },
	{ "NETLINK_KOBJECT_UEVENT", NETLINK_KOBJECT_UEVENT },
	{ "NETLINK_GENERIC", NETLINK_GENERIC },
	{ "MSG_FASTOPEN", MSG_FASTOPEN }, { "TCP_ULP", TCP_ULP },
	{ "CLONE_VM", CLONE_VM }, { "CLONE_FS", CLONE_FS },
	{ "CLONE_FILES", CLONE_FILES }, { "CLONE_SIGHAND", CLONE_SIGHAND },
	{ "CLONE_THREAD", CLONE_THREAD }, { "CLONE_SYSVSEM", CLONE_SYSVSEM },
	{ "CLONE_NEWNS", CLONE_NEWNS }, { "CLONE_NEWCGROUP", CLONE_NEWCGROUP },
	{ "CLONE_NEWUTS", CLONE_NEWUTS }, { "CLONE_NEWIPC", CLONE_NEWIPC },
	{ "CLONE_NEWUSER", CLONE_NEWUSER }, { "CLONE_NEWPID", CLONE_NEWPID },
	{ "CLONE_NEWNET", CLONE_NEWNET }, { "CLONE_NEWTIME", CLONE_NEWTIME },
	{ "TIOCSTI", TIOCSTI }, { "TIOCLINUX", TIOCLINUX },
	{ "TIOCCONS", TIOCCONS },
#define NAME(c) { #c, c }
	NAME(KVM_RUN), NAME(KVM_SIGNAL_MSI), NAME(KVM_IRQ_LINE),
	NAME(KVM_IOEVENTFD), NAME(KVM_IRQFD), NAME(KVM_SET_GSI_ROUTING),
	NAME(KVM_KVMCLOCK_CTRL), NAME(TUNSETOFFLOAD), NAME(TUNSETQUEUE),
	NAME(VHOST_SET_FEATURES), NAME(VHOST_SET_MEM_TABLE),
	NAME(VHOST_SET_VRING_NUM), NAME(VHOST_SET_VRING_ADDR),
	NAME(VHOST_SET_VRING_BASE), NAME(VHOST_SET_VRING_KICK),
	NAME(VHOST_SET_VRING_CALL), NAME(VHOST_SET_VRING_ERR),
	NAME(VHOST_NET_SET_BACKEND), NAME(BLKDISCARD), NAME(BLKZEROOUT),
	NAME(TCGETS), NAME(TCSETS), NAME(TIOCGWINSZ), NAME(MADV_DONTNEED),
	NAME(SIGKILL), NAME(AT_EMPTY_PATH), NAME(F_SETFD),
#undef NAME
};

static const struct {
	const char *name;
	uint32_t ret;
} actions[] = {
	{ "allow", SECCOMP_RET_ALLOW },
	{ "deny", SECCOMP_RET_ERRNO | EPERM },
	{ "kill", SECCOMP_RET_KILL_PROCESS },
	{ "log", SECCOMP_RET_LOG },
	{ "EPERM", SECCOMP_RET_ERRNO | EPERM },
	{ "ENOSYS", SECCOMP_RET_ERRNO | ENOSYS },
	{ "EACCES", SECCOMP_RET_ERRNO | EACCES },
	{ "EINVAL", SECCOMP_RET_ERRNO | EINVAL },
	{ "ENOENT", SECCOMP_RET_ERRNO | ENOENT },
	{ "ENODEV", SECCOMP_RET_ERRNO | ENODEV },
	{ "ENOTTY", SECCOMP_RET_ERRNO | ENOTTY },
	{ "EOPNOTSUPP", SECCOMP_RET_ERRNO | EOPNOTSUPP },
	{ "EPROTONOSUPPORT", SECCOMP_RET_ERRNO | EPROTONOSUPPORT },
	{ "EAFNOSUPPORT", SECCOMP_RET_ERRNO | EAFNOSUPPORT },
};

static _Noreturn void
bad(const struct place *at, const char *what, const char *token)
{
	errx(EXIT_LINK, "%s:%u: %s: %s", at->file, at->line, what, token);
}

static uint32_t
parse_action(const struct place *at, const char *token)
{
	size_t i;

	for (i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (strcmp(actions[i].name, token) == 0)
			return actions[i].ret;
	bad(at, "unknown action", token);
}

/* Parse numbers and names of constants, joined by "|". */
static uint64_t
parse_value(const struct place *at, const char *s, const char *token)
{
	uint64_t value = 0;
	size_t i, len;
	char *end;

	for (;;) {
		len = strcspn(s, "|");
		for (i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
			if (strlen(constants[i].name) == len &&
			    memcmp(constants[i].name, s, len) == 0)
				break;
		if (i < sizeof(constants) / sizeof(constants[0])) {
			value |= constants[i].value;
		} else {
			errno = 0;
			if (len == 0 || !isdigit((unsigned char)*s))
				bad(at, "not a number or constant", token);
			value |= strtoull(s, &end, 0);
			if (end != s + len || errno != 0)
				bad(at, "not a number or constant", token);
		}
		if (s[len] == '\0')
			return value;
		s += len + 1;
	}
}

/* Parse one condition: aN[:32][&MASK]OP VALUE, without blanks. */
static struct cond
parse_cond(const struct place *at, const char *token)
{
	static const struct {
		const char *text;
		enum op op;
	} ops[] = { /* the longer ones first */
		{ "==", OP_EQ }, { "!=", OP_NE }, { ">=", OP_GE },
		{ "<=", OP_LE }, { ">", OP_GT }, { "<", OP_LT },
	};
	struct cond c = { .mask = UINT64_MAX };
	const char *s = token;
	char mask[256];
	size_t i, len;

	if (s[0] != 'a' || s[1] < '0' || s[1] > '5')
		bad(at, "a condition begins with a0 to a5", token);
	c.arg = (unsigned int)(s[1] - '0');
	s += 2;
	if (strncmp(s, ":32", 3) == 0) {
		c.mask = UINT32_MAX;
		s += 3;
	}
	if (*s == '&') {
		len = strcspn(++s, "=!<>");
		if (len >= sizeof(mask))
			bad(at, "mask too long", token);
		memcpy(mask, s, len);
		mask[len] = '\0';
		c.mask &= parse_value(at, mask, token);
		s += len;
	}
	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (strncmp(s, ops[i].text, strlen(ops[i].text)) == 0)
			break;
	if (i == sizeof(ops) / sizeof(ops[0]))
		bad(at, "no comparison", token);
	c.op = ops[i].op;
	c.value = parse_value(at, s + strlen(ops[i].text), token);
	if ((c.value & ~c.mask) != 0)
		bad(at, "the mask hides a part of the value", token);
	return c;
}

static void
add_rule(struct profile *p, int nr, const struct rule *model)
{
	struct rule **end, *r;

	for (end = &p->calls[nr]; *end != NULL; end = &(*end)->next)
		if ((*end)->nconds == 0 || (*end)->line == model->line)
			return;	/* decided already, or a name that occurs twice */
	if ((r = malloc(sizeof(*r))) == NULL)
		err(EXIT_LINK, "profile");
	*r = *model;
	*end = r;
}

static struct group *
find_group(struct profile *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->ngroups; i++)
		if (strcmp(p->groups[i].name, name) == 0)
			return &p->groups[i];
	return NULL;
}

/*
 * Apply the line to all names in list, and to each group once, though groups may
 * name it several times. list is changed.
 */
static void
add_names(struct profile *p, const struct place *at, char *list,
    const struct rule *model, int depth)
{
	char *name, *save, *copy;
	struct group *g;
	int nr;

	for (name = strtok_r(list, " \t", &save); name != NULL;
	     name = strtok_r(NULL, " \t", &save)) {
		if (strcmp(name, "*") == 0) {
			if (model->nconds > 0)
				bad(at, "takes no condition", name);
			if (p->other_line != 0 && p->other_line != at->line)
				bad(at, "was decided before", name);
			p->other_line = at->line;
			p->other = model->action;
			continue;
		}
		if (*name != '@') {
			switch (name_resolve(name, &nr)) {
			case -1:
				bad(at, "unknown system call", name);
			case 1:
				add_rule(p, nr, model);
			}
			continue;
		}
		if ((g = find_group(p, name)) == NULL)
			bad(at, "unknown group", name);
		if (depth == GROUP_DEPTH)
			bad(at, "groups are too deep", name);
		if (g->line == at->line)
			continue;
		if ((copy = strdup(g->calls)) == NULL)
			err(EXIT_LINK, "profile");
		add_names(p, at, copy, model, depth + 1);
		free(copy);
		g->line = at->line;
	}
}

/* "@name: calls". A second line with that name adds to the group. */
static void
add_group(struct profile *p, const struct place *at, char *name, char *calls)
{
	struct group *g;
	char *both;

	if ((g = find_group(p, name)) != NULL) {
		if (asprintf(&both, "%s %s", g->calls, calls) == -1)
			err(EXIT_LINK, "profile");
		free(g->calls);
		g->calls = both;
		return;
	}
	if (p->ngroups == GROUPS)
		bad(at, "too many groups", name);
	g = &p->groups[p->ngroups++];
	if ((g->name = strdup(name)) == NULL ||
	    (g->calls = strdup(calls)) == NULL)
		err(EXIT_LINK, "profile");
}

/* Cut line at the word "if" or "=". Returns what follows the word, or NULL. */
static char *
cut_at(char *line, const char *word)
{
	size_t len = strlen(word);
	char *s;

	for (s = strstr(line, word); s != NULL; s = strstr(s + 1, word))
		if ((s == line || isblank((unsigned char)s[-1])) &&
		    (isblank((unsigned char)s[len]) || s[len] == '\0')) {
			*s = '\0';
			return s + len;
		}
	return NULL;
}

static void
parse_line(struct profile *p, const struct place *at, char *line)
{
	struct rule model = { .action = SECCOMP_RET_ALLOW, .line = at->line };
	char *action, *conds, *token, *save, *colon;

	if (*line == '@' && (colon = strchr(line, ':')) != NULL &&
	    colon == line + strcspn(line, ": \t")) {
		*colon = '\0';
		add_group(p, at, line, colon + 1);
		return;
	}
	if (at->groups)
		bad(at, "only groups may be here", line);
	if ((action = cut_at(line, "=")) != NULL) {
		token = strtok_r(action, " \t", &save);
		if (token == NULL || strtok_r(NULL, " \t", &save) != NULL)
			bad(at, "one action must follow", "=");
		model.action = parse_action(at, token);
	}
	if ((conds = cut_at(line, "if")) != NULL) {
		for (token = strtok_r(conds, " \t", &save); token != NULL;
		     token = strtok_r(NULL, " \t", &save)) {
			if (model.nconds == CONDS)
				bad(at, "too many conditions", token);
			model.cond[model.nconds++] = parse_cond(at, token);
		}
		if (model.nconds == 0)
			bad(at, "no condition follows", "if");
	}
	if (line[strspn(line, " \t")] == '\0')
		bad(at, "no system call", "=");
	add_names(p, at, line, &model, 0);
}

static void
parse_text(struct profile *p, struct place at, int fd)
{
	char *buf, *line, *next;
	size_t len;
	ssize_t n;

	if ((buf = malloc(TEXT_MAX)) == NULL ||
	    (n = kfile_slurp(fd, buf, TEXT_MAX)) == -1)
		err(EXIT_LINK, "%s", at.file);
	if (strlen(buf) != (size_t)n)
		errx(EXIT_LINK, "%s: not a text file", at.file);
	for (line = buf; line != NULL; line = next) {
		at.line++;
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = '\0';
		len = strcspn(line, "#");
		if (len > 0 && line[len] == '\0' && line[len - 1] == '\r')
			len--;
		line[len] = '\0';
		line += strspn(line, " \t");
		if (*line != '\0')
			parse_line(p, &at, line);
	}
	free(buf);
}

/* Parse a file of groups, before the profile. */
void
parse_groups(struct profile *p, const char *name, int fd)
{
	parse_text(p, (struct place){ .file = name, .groups = true }, fd);
}

void
parse_profile(struct profile *p, const char *name, int fd)
{
	p->other = SECCOMP_RET_ERRNO | ENOSYS;
	parse_text(p, (struct place){ .file = name }, fd);
}
