/* Limits, keyring, speculation, descriptors: steps of one or two calls each. */
#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "say.h"
#include "value.h"

#include "lock.h"

#ifndef PR_SPEC_L1D_FLUSH
#define PR_SPEC_L1D_FLUSH 2
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

static const struct {
	const char *key;
	int resource;
	bool bytes;	/* the suffixes K, M, G and T are allowed */
} resources[] = {
	{ "rlimit.as", RLIMIT_AS, true },
	{ "rlimit.core", RLIMIT_CORE, true },
	{ "rlimit.cpu", RLIMIT_CPU, false },
	{ "rlimit.data", RLIMIT_DATA, true },
	{ "rlimit.fsize", RLIMIT_FSIZE, true },
	{ "rlimit.locks", RLIMIT_LOCKS, false },
	{ "rlimit.memlock", RLIMIT_MEMLOCK, true },
	{ "rlimit.msgqueue", RLIMIT_MSGQUEUE, true },
	{ "rlimit.nice", RLIMIT_NICE, false },
	{ "rlimit.nofile", RLIMIT_NOFILE, false },
	{ "rlimit.nproc", RLIMIT_NPROC, false },
	{ "rlimit.rss", RLIMIT_RSS, true },
	{ "rlimit.rtprio", RLIMIT_RTPRIO, false },
	{ "rlimit.rttime", RLIMIT_RTTIME, false },
	{ "rlimit.sigpending", RLIMIT_SIGPENDING, false },
	{ "rlimit.stack", RLIMIT_STACK, true },
};
#define RESOURCES (sizeof(resources) / sizeof(resources[0]))

static const struct {
	const char *name;
	unsigned int which;
	unsigned long how;
} specs[] = {
	{ "store-bypass", PR_SPEC_STORE_BYPASS, PR_SPEC_FORCE_DISABLE },
	{ "indirect-branch", PR_SPEC_INDIRECT_BRANCH, PR_SPEC_FORCE_DISABLE },
	{ "l1d-flush", PR_SPEC_L1D_FLUSH, PR_SPEC_ENABLE },
};
#define SPECS (sizeof(specs) / sizeof(specs[0]))

static uint64_t
parse_limit(const char *key, const char *value, bool bytes)
{
	if (strcmp(value, "unlimited") == 0)
		return RLIM_INFINITY;
	return bytes ? word_size(key, value) :
	    word_uint(key, value, UINT64_MAX);
}

/* rlimit.NAME=SOFT[:HARD]. If a word is repeated, the last one counts. */
void
limit_word(void *ctx, const char *key, const char *value)
{
	struct lock *lock = ctx;
	struct limit *l;
	const char *cursor = value;
	char soft[32];
	size_t i, n;

	for (i = 0; strcmp(resources[i].key, key) != 0; i++)
		;
	for (n = 0; n < lock->nlimits; n++)
		if (lock->limits[n].resource == resources[i].resource)
			break;
	l = &lock->limits[n];
	if (n == lock->nlimits)
		lock->nlimits++;
	if (value_field(&cursor, ':', soft, sizeof(soft)) != 1)
		word_bad(key, value, "not a limit");
	l->key = resources[i].key;
	l->resource = resources[i].resource;
	l->soft = parse_limit(key, soft, resources[i].bytes);
	l->hard = cursor == NULL ? l->soft :
	    parse_limit(key, cursor, resources[i].bytes);
	if (l->soft > l->hard)
		word_bad(key, value, "the soft limit is above the hard one");
}

void
limits_apply(const struct lock *lock)
{
	/*
	 * 1 prevents a core file, and also a dump to a pipe: it is below the
	 * least that a file needs, and for a pipe it means "never" (core(5)).
	 */
	const struct rlimit no_core = { 1, 1 };
	struct rlimit r;
	size_t i;

	for (i = 0; i < lock->nlimits; i++) {
		r.rlim_cur = lock->limits[i].soft;
		r.rlim_max = lock->limits[i].hard;
		if (syscall(SYS_prlimit64, 0, lock->limits[i].resource, &r,
			NULL) == -1)
			err(EXIT_LINK, "%s", lock->limits[i].key);
	}
	if (lock->dumpable)
		return;
	if (setrlimit(RLIMIT_CORE, &no_core) == -1) {
		const struct rlimit zero = { 0, 0 };

		/* The limit was 0 already, and we may not raise it. */
		if (errno != EPERM || setrlimit(RLIMIT_CORE, &zero) == -1)
			err(EXIT_LINK, "dumpable=no");
	}
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		err(EXIT_LINK, "dumpable=no");
}

/* Replace the caller's session keyring by a new, empty one. */
void
keyring_drop(const struct lock *lock)
{
	int saved;

	if (!lock->new_keyring)
		return;
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) != -1)
		return;
	/*
	 * A kernel without keys has none to drop. If a filter denies keyctl(2),
	 * the command cannot use any key. But the filter may deny only this
	 * operation, so try another one.
	 */
	saved = errno;
	if ((saved == ENOSYS || saved == EPERM) && syscall(SYS_keyctl,
	    KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) == -1 &&
	    errno == saved) {
		say("no new session keyring: %s", saved == ENOSYS ?
		    "this kernel has no keys" : "a filter is in force");
		return;
	}
	errno = saved;
	err(EXIT_LINK, "session keyring (keyring=keep leaves it)");
}

const char *
spec_name(unsigned int i, unsigned int *bit)
{
	if (i >= SPECS)
		return NULL;
	*bit = 1U << specs[i].which;
	return specs[i].name;
}

void
spec_parse(void *ctx, const char *key, const char *value)
{
	struct lock *lock = ctx;
	const char *cursor = value;
	unsigned int bit;
	char name[32];
	size_t i;

	while (value_field(&cursor, ',', name, sizeof(name)) == 1) {
		bit = 0;
		for (i = 0; i < SPECS; i++)
			if (strcmp(specs[i].name, name) == 0)
				bit = 1U << specs[i].which;
		if (bit == 0)
			word_bad(key, value, "not store-bypass, "
			    "indirect-branch or l1d-flush");
		lock->spec |= bit;
	}
	if (errno != 0)
		word_bad(key, value, "name too long");
}

/*
 * Set the speculation controls. Nothing is needed if the processor is not
 * affected, or if the speculation is off for all processes.
 */
void
spec_apply(const struct lock *lock)
{
	const unsigned long off = PR_SPEC_DISABLE | PR_SPEC_FORCE_DISABLE;
	unsigned long state;
	size_t i;
	int now;

	for (i = 0; i < SPECS; i++) {
		if ((lock->spec & 1U << specs[i].which) == 0)
			continue;
		now = prctl(PR_GET_SPECULATION_CTRL, specs[i].which, 0, 0, 0);
		state = now == -1 ? PR_SPEC_PRCTL : (unsigned long)now;
		if (state == PR_SPEC_NOT_AFFECTED ||
		    ((state & PR_SPEC_PRCTL) == 0 && (state & off) != 0))
			continue;
		if (prctl(PR_SET_SPECULATION_CTRL, specs[i].which, specs[i].how,
			0, 0) == -1)
			lost(lock, "spec=%s: %s", specs[i].name,
			    errno == ENXIO || errno == ENODEV || errno == EPERM
			    ? "this machine has no such control" :
			    strerror(errno));
	}
}

/*
 * fds=close: no descriptor above standard error reaches the command. They are
 * marked close-on-exec instead of closed, because exec(2) may still fail. The
 * chain's own descriptors go on to the next link. If the command comes next,
 * chain_prepare() has marked those, too.
 */
void
fds_close(const struct lock *lock)
{
	if (!lock->close_fds)
		return;
	if (syscall(SYS_close_range, 3U, UINT_MAX, CLOSE_RANGE_CLOEXEC) == -1)
		err(EXIT_LINK, "fds=close");
	chain_keep();
}
