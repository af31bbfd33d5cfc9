/*
 * Landlock (landlock(7)). Theory of operation:
 *
 * Landlock is in force if one of its words is given. Then every right that this
 * kernel knows is handled. That means denied, except for what a word grants by
 * a rule for a path or port. "any" grants a right by not handling it. Scopes
 * have no rules: all are on, except those that scope= leaves out.
 *
 * landlock_plan() makes and fills the ruleset, with the caller's rights. It is
 * enforced after these are given up. A rule stays bound to the file that its
 * path named when the rule was made.
 */
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "lock.h"
#include "say.h"
#include "toolbox.h"
#include "uapi/landlock.h"
#include "value.h"

#define LAYERS 16	/* LANDLOCK_MAX_NUM_LAYERS */

/*
 * Does this kernel know the right? If not, the program ends; with -b or within
 * try=, false is returned and the word has no effect.
 */
bool
landlock_has(const struct lock *lock, const struct right *r, const char *key,
    const char *value)
{
	if (lock->ll.abi >= r->abi)
		return true;
	if (lock->optional)
		say("passed over: %s=%s: needs Landlock ABI %d", key,
		    value, r->abi);
	else if (lock->ll.abi == 0)
		lost(lock, "%s=%s: needs Landlock ABI %d (Linux %s); this "
		    "kernel has no Landlock", key, value, r->abi,
		    abi_linux(r->abi));
	else
		lost(lock, "%s=%s: needs Landlock ABI %d (Linux %s); this "
		    "kernel has ABI %d", key, value, r->abi, abi_linux(r->abi),
		    lock->ll.abi);
	return false;
}

/* scope= and log=: the bits of the names in value, or 0 for none. */
static uint64_t
add_names(struct lock *lock, const char *key, const char *value,
    enum right_kind kind)
{
	const char *cursor = value;
	const struct right *r;
	uint64_t set = 0;
	char name[32];

	if (strcmp(value, "none") == 0)
		return 0;
	while (value_field(&cursor, ',', name, sizeof(name)) == 1) {
		r = right_find(name);
		if (r != NULL && r->kind == kind)
			set |= landlock_has(lock, r, key, value) ? r->bit : 0;
		else
			word_bad(key, value, kind == RIGHT_SCOPE ?
			    "not abstract-unix, signal or none" :
			    "not same-exec-off, new-exec-on, subdomains-off "
			    "or none");
	}
	if (errno != 0)
		word_bad(key, value, "name too long");
	return set;
}

static int
kernel_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	/* Landlock is not built in, or was not enabled at boot. */
	if (abi == -1 && (errno == ENOSYS || errno == EOPNOTSUPP))
		return 0;
	if (abi == -1)
		err(EXIT_LINK, "landlock");
	return (int)abi;
}

/* Parse one of Landlock's words. */
void
landlock_word(void *ctx, const char *key, const char *value)
{
	struct lock *lock = ctx;
	struct landlock *ll = &lock->ll;
	const struct right *r = right_find(key);
	uint64_t access = rights_of_group(key);

	if (ll->abi == -1)
		ll->abi = kernel_abi();
	if (access != 0) {
		paths_word(lock, key, value, access);
	} else if (strcmp(key, "fs") == 0) {
		if (!paths_all(lock, key, value, LANDLOCK_ACCESS_FS_EXECUTE))
			word_bad(key, value, "not any or none");
	} else if (strcmp(key, "abi") == 0) {
		ll->min_abi = (int)word_uint(key, value, INT_MAX);
		if (ll->abi < ll->min_abi)
			lost(lock, "abi=%s: this kernel has Landlock ABI %d",
			    value, ll->abi);
	} else if (strcmp(key, "scope") == 0) {
		ll->scope_given = true;
		ll->scoped = add_names(lock, key, value, RIGHT_SCOPE);
	} else if (strcmp(key, "log") == 0) {
		ll->flags = strcmp(value, "none") == 0 ? 0 : ll->flags |
		    (uint32_t)add_names(lock, key, value, RIGHT_LOG);
	} else if (r == NULL) {
		word_bad(key, value, "unknown right");
	} else if (r->kind == RIGHT_NET) {
		ports_word(lock, r, value);
	} else if (r->kind == RIGHT_FS) {
		/* unix=none needs no Landlock: a filter can enforce it. */
		if (!(r->bit == LANDLOCK_ACCESS_FS_RESOLVE_UNIX &&
			paths_all(lock, key, value, r->bit)) &&
		    landlock_has(lock, r, key, value))
			paths_word(lock, key, value, r->bit);
	}
	ll->wanted = true;
}

/*
 * If the next link comes from the toolbox, let it read and run the files there.
 * A rule is for an inode, and the root may show the same inode. So there is no
 * rule if the command comes next: then chain_prepare() has removed the toolbox.
 */
static void
fill_toolbox(const struct landlock *ll)
{
	int part[TOOLBOX_PARTS];
	int i, came;

	if ((came = toolbox_parts(part)) == -1)
		err(EXIT_LINK, TOOLBOX_VARIABLE);
	if (came == 0)
		return;
	for (i = 0; i < TOOLBOX_PARTS; i++)
		if (part[i] != -1 && paths_add(ll, part[i],
		    rights_of_group("fs.rx")) == -1)
			err(EXIT_LINK, TOOLBOX_VARIABLE);
}

/* Say which rights will not be enforced although no word grants them. */
static void
tell_unknown(const struct lock *lock)
{
	const struct landlock *ll = &lock->ll;
	const struct right *r;

	for (r = rights; r->key != NULL; r++)
		if (r->kind != RIGHT_LOG && r->abi > ll->abi &&
		    !(r->kind == RIGHT_FS &&
			((ll->fs_any | ll->fs_none) & r->bit) != 0) &&
		    !(r->kind == RIGHT_NET &&
			((ll->net_any | ll->net_none) & r->bit) != 0) &&
		    !(r->kind == RIGHT_SCOPE && ll->scope_given))
			say("not enforced: %s%s needs Landlock ABI %d "
			    "(Linux %s); this kernel has ABI %d",
			    r->kind == RIGHT_SCOPE ? "scope=" : "", r->key,
			    r->abi, abi_linux(r->abi), ll->abi);
	if (ll->abi > ABI_KNOWN)
		say("not enforced: what Landlock ABI %d brought after "
		    "ABI %d, the newest known here", ll->abi, ABI_KNOWN);
}

/* Does fill_toolbox() permit to execute the next command? */
static bool
from_toolbox(const char *next)
{
	struct toolbox_program program;
	int here, found = 0;

	if (!chain_is_name(next))
		return false;
	if ((here = toolbox_here()) == -1 ||
	    (here == 1 && (found = toolbox_find(next, &program)) == -1))
		err(EXIT_LINK, "look for %s", next);
	return found == 1;
}

/* Make the ruleset. next is the name of the command, or NULL without one. */
void
landlock_plan(struct lock *lock, const char *next)
{
	struct landlock *ll = &lock->ll;
	struct landlock_ruleset_attr attr = { 0 };

	if (!ll->wanted)
		return;
	ll->handled_fs = rights_known(RIGHT_FS, ll->abi) & ~ll->fs_any;
	ll->handled_net = rights_known(RIGHT_NET, ll->abi) & ~ll->net_any;
	ll->handled_scope = ll->scope_given ? ll->scoped :
	    rights_known(RIGHT_SCOPE, ll->abi);
	tell_unknown(lock);
	ports_plan(lock);
	if ((ll->fs_none & ~ll->handled_fs & LANDLOCK_ACCESS_FS_RESOLVE_UNIX) != 0)
		ll->filters |= FILTER(NO_UNIX);
	if (ll->abi == 0) {
		lost(lock, "landlock: this kernel has none, or it was not "
		    "enabled at boot (lsm=landlock,...)");
		return;
	}
	if ((ll->handled_fs | ll->handled_net | ll->handled_scope) == 0) {
		say("landlock: the words leave nothing to restrict");
		return;
	}
	attr.handled_access_fs = ll->handled_fs;
	attr.handled_access_net = ll->handled_net;
	attr.scoped = ll->handled_scope;
	ll->ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
	    sizeof(attr), 0);
	if (ll->ruleset == -1)
		err(EXIT_LINK, "landlock");
	paths_fill(ll, lock->dry);
	ports_fill(ll);
	if ((ll->handled_fs & LANDLOCK_ACCESS_FS_EXECUTE) == 0)
		return;
	if (paths_granted(ll, LANDLOCK_ACCESS_FS_EXECUTE))
		chain_advise("the command, its interpreter and its libraries "
		    "need fs.rx=; fs=any leaves files alone");
	else if (next == NULL || !from_toolbox(next))
		warnx("no word grants the right to execute anything; fs.rx= "
		    "does, and fs=any leaves files alone");
}

/* Set no_new_privs, always, and enforce the ruleset. Neither can be undone. */
void
landlock_enforce(const struct lock *lock)
{
	const struct landlock *ll = &lock->ll;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		err(EXIT_LINK, "no_new_privs");
	if (ll->ruleset == -1)
		return;
	fill_toolbox(ll);
	if (syscall(SYS_landlock_restrict_self, ll->ruleset, ll->flags) == -1) {
		if (errno == E2BIG)
			errx(EXIT_LINK, "landlock: %d policies are in force "
			    "already, and the kernel stacks no more", LAYERS);
		err(EXIT_LINK, "landlock");
	}
	close(ll->ruleset);
}
