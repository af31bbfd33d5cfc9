#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "chain.h"
#include "lock.h"
#include "uapi/landlock.h"

#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#endif

static int ruleset = -1;	/* of Landlock, with no rule; -1: there is no Landlock */

/*
 * All rights that this ABI of Landlock has, but the scope of signals: the kernel lets
 * Landlock check a death signal as one that the dying parent sends, and the daemons of
 * shares would outlive us. The filter allows no kill(2).
 */
static struct landlock_ruleset_attr
all_rights(int abi)
{
	static const struct {
		int abi;
		unsigned int fs, net, scopes;	/* how many bits */
	} known[] = { { 1, 13, 0, 0 }, { 2, 14, 0, 0 }, { 3, 15, 0, 0 },
		{ 4, 15, 2, 0 }, { 5, 16, 2, 0 }, { 6, 16, 2, 1 },
		{ 9, 17, 2, 1 }, { 10, 17, 4, 1 } };
	struct landlock_ruleset_attr a = { 0 };
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].abi <= abi) {
			a.handled_access_fs = (UINT64_C(1) << known[i].fs) - 1;
			a.handled_access_net = (UINT64_C(1) << known[i].net) - 1;
			a.scoped = (UINT64_C(1) << known[i].scopes) - 1;
		}
	return a;
}

/* Main thread, before it starts others. All files are still to be opened. */
void
lock_begin(void)
{
	struct landlock_ruleset_attr a;
	long abi;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		err(EXIT_LINK, "no new privileges");
	abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
	if (abi == -1) {
		if (errno != ENOSYS && errno != EOPNOTSUPP)
			err(EXIT_LINK, "Landlock");
		return;
	}
	a = all_rights((int)abi);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &a, sizeof(a), 0);
	if (ruleset == -1 || fcntl(ruleset, F_SETFD, FD_CLOEXEC) == -1)
		err(EXIT_LINK, "Landlock");
}

/*
 * Lock the calling thread for good. Ends the program if that fails. If our caller has
 * used up the layers of Landlock (E2BIG) there cannot be one more, and the filter alone
 * is ours.
 */
void
lock_thread(enum lock_kind kind)
{
#ifndef SANITIZED
	static const struct sock_filter vcpu[] = {
#include "kvm-vcpu.h"
	};
	static const struct sock_filter disk[] = {
#include "kvm-disk.h"
	};
	static const struct sock_filter io[] = {
#include "kvm-io.h"
	};
#define FILTER(f) { sizeof(f) / sizeof((f)[0]), (struct sock_filter *)(uintptr_t)(f) }
	static const struct sock_fprog filters[LOCK_KINDS] = {
		[LOCK_VCPU] = FILTER(vcpu), [LOCK_DISK] = FILTER(disk),
		[LOCK_IO] = FILTER(io) };
#endif

	if (ruleset != -1 && syscall(SYS_landlock_restrict_self, ruleset, 0) == -1 &&
	    errno != E2BIG)
		err(EXIT_LINK, "Landlock");
#ifndef SANITIZED
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filters[kind]) == -1)
		err(EXIT_LINK, "seccomp");
#else
	(void)kind;
#endif
}
