/*
 * Landlock (landlock(7)). Theory of operation:
 *
 * Landlock is in force as soon as one of its words is given. Then every right
 * that this kernel knows is handled, which means denied, but for what a word
 * grants: by a rule for a path or port, or, for all ports, by not handling the
 * right. Scopes have no rules: they are on but for those that scope= leaves
 * out.
 *
 * The ruleset is made and filled in landlock_plan(), with the rights of the
 * caller, and enforced when those are gone. Its rules are bound to what the
 * paths were then.
 */
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "lock.h"
#include "path.h"
#include "say.h"
#include "sys.h"
#include "toolbox.h"
#include "uapi/landlock.h"
#include "value.h"

#define LAYERS 16	/* LANDLOCK_MAX_NUM_LAYERS */

static char *
copy(const char *s)
{
	char *t = strdup(s);

	if (t == NULL)
		err(EXIT_LINK, "%s", s);
	return t;
}

static void
add_path(struct lock *lock, const char *key, const char *path, uint64_t access)
{
	struct landlock *ll = &lock->ll;

	if (ll->npaths == ll->size) {
		ll->size = ll->size == 0 ? 64 : 2 * ll->size;
		ll->paths = realloc(ll->paths, ll->size * sizeof(*ll->paths));
		if (ll->paths == NULL)
			err(EXIT_LINK, "%s=%s", key, path);
	}
	ll->paths[ll->npaths++] = (struct path_rule){ .key = key,
		.path = path, .prefix = lock->prefix, .access = access,
		.optional = lock->optional };
}

static void
add_paths(struct lock *lock, const char *key, const char *value,
    uint64_t access)
{
	const char *cursor = value;
	char path[PATH_MAX];

	while (value_field(&cursor, ',', path, sizeof(path))) {
		if (path[0] == '\0')
			word_bad(key, value, "an empty path");
		if (lock->prefix != NULL && path[0] != '/')
			word_bad(key, value, "below prefix= a path begins "
			    "with /");
		add_path(lock, key, copy(path), access);
	}
	if (errno != 0)
		word_bad(key, value, "path too long");
}

/*
 * fs= and unix=, any or none: leave these rights alone; or take back what words
 * before granted of them.
 */
static void
set_any(struct landlock *ll, uint64_t access, bool any)
{
	size_t i, n = 0;

	if (any) {
		ll->fs_any |= access;
		return;
	}
	ll->fs_any &= ~access;
	for (i = 0; i < ll->npaths; i++)
		if ((ll->paths[i].access & access) != 0)
			free((char *)(uintptr_t)ll->paths[i].path);
		else
			ll->paths[n++] = ll->paths[i];
	ll->npaths = n;
}

/* PORT[-PORT], any or none. */
static void
add_port(struct lock *lock, const struct right *r, const char *value,
    const char *field)
{
	struct landlock *ll = &lock->ll;
	const char *cursor = field;
	char number[8];
	uint64_t first, last;

	if (strcmp(field, "any") == 0) {
		ll->net_any |= r->bit;
		return;
	}
	if (!value_field(&cursor, '-', number, sizeof(number)) ||
	    value_uint(number, UINT16_MAX, &first) == -1)
		word_bad(r->key, value, "not a port, a range, any or none");
	last = first;
	if (cursor != NULL && (value_uint(cursor, UINT16_MAX, &last) == -1 ||
	    last < first))
		word_bad(r->key, value, "not a range of ports");
	if (ll->nports == ll->ports_size) {
		ll->ports_size = ll->ports_size == 0 ? 16 : 2 * ll->ports_size;
		ll->ports = realloc(ll->ports,
		    ll->ports_size * sizeof(*ll->ports));
		if (ll->ports == NULL)
			err(EXIT_LINK, "%s=%s", r->key, value);
	}
	ll->ports[ll->nports++] = (struct port_rule){ r->key, (uint16_t)first,
		(uint16_t)last, r->bit };
}

/*
 * Does this kernel know the right? If it does not, that is the end, or with -b
 * or within try= the word has no effect.
 */
static bool
has(const struct lock *lock, const struct right *r, const char *key,
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

/* none takes back what words before it granted. */
static void
revoke_ports(struct landlock *ll, const struct right *r)
{
	size_t i, n = 0;

	ll->net_any &= ~r->bit;
	for (i = 0; i < ll->nports; i++)
		if (ll->ports[i].access != r->bit)
			ll->ports[n++] = ll->ports[i];
	ll->nports = n;
	if (r->bit == LANDLOCK_ACCESS_NET_BIND_TCP)
		ll->bind_none = true;
}

/* Is this right to ports granted for any? */
bool
landlock_grants(const struct landlock *ll, uint64_t right)
{
	size_t i;

	if ((ll->handled_net & right) == 0)
		return true;
	for (i = 0; i < ll->nports; i++)
		if (ll->ports[i].access == right)
			return true;
	return false;
}

static void
add_ports(struct lock *lock, const struct right *r, const char *value)
{
	const char *cursor = value;
	char field[16];

	/* Where nothing is enforced, any is what there is. */
	if (strcmp(value, "any") != 0 && !has(lock, r, r->key, value))
		return;
	if (strcmp(value, "none") == 0) {
		revoke_ports(&lock->ll, r);
		return;
	}
	if (r->bit == LANDLOCK_ACCESS_NET_BIND_TCP)
		lock->ll.bind_none = false;
	while (value_field(&cursor, ',', field, sizeof(field)))
		add_port(lock, r, value, field);
	if (errno != 0)
		word_bad(r->key, value, "not a port, a range, any or none");
}

/* scope= and log=: names of the kind, or none. */
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
	while (value_field(&cursor, ',', name, sizeof(name))) {
		r = right_find(name);
		if (r != NULL && r->kind == kind)
			set |= has(lock, r, key, value) ? r->bit : 0;
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

	/* Not built in, or not enabled at boot. */
	if (abi == -1 && (errno == ENOSYS || errno == EOPNOTSUPP))
		return 0;
	if (abi == -1)
		err(EXIT_LINK, "landlock");
	return (int)abi;
}

/* Take a word, if it is one of Landlock's. */
bool
landlock_word(struct lock *lock, const char *key, const char *value)
{
	struct landlock *ll = &lock->ll;
	const struct right *r = right_find(key);
	uint64_t access = rights_of_group(key);
	bool any = strcmp(value, "any") == 0, none = strcmp(value, "none") == 0;

	if (ll->abi == -1)
		ll->abi = kernel_abi();
	if (access != 0) {
		add_paths(lock, key, value, access);
	} else if (strcmp(key, "fs") == 0) {
		if (!any && !none)
			word_bad(key, value, "not any or none");
		set_any(ll, rights_known(RIGHT_FS, ABI_KNOWN) &
		    ~LANDLOCK_ACCESS_FS_RESOLVE_UNIX, any);
	} else if (strcmp(key, "unix") == 0 && (any || none)) {
		/* Where nothing is enforced, any is what there is. */
		if (any || has(lock, r, key, value))
			set_any(ll, r->bit, any);
	} else if (strcmp(key, "abi") == 0) {
		ll->min_abi = (int)word_uint(key, value, INT_MAX);
		if (ll->abi < ll->min_abi)
			lost(lock, "abi=%s: this kernel has Landlock ABI %d",
			    value, ll->abi);
	} else if (strcmp(key, "scope") == 0) {
		ll->scope_given = true;
		ll->scoped = add_names(lock, key, value, RIGHT_SCOPE);
	} else if (strcmp(key, "log") == 0) {
		ll->flags = none ? 0 : ll->flags |
		    (uint32_t)add_names(lock, key, value, RIGHT_LOG);
	} else if (r == NULL) {
		return false;
	} else if (r->kind == RIGHT_NET) {
		add_ports(lock, r, value);
	} else if (r->kind == RIGHT_FS) {
		if (has(lock, r, key, value))
			add_paths(lock, key, value, r->bit);
	} else {
		return false;
	}
	ll->wanted = true;
	return true;
}

/* Open what a rule is about, or return -1 if that may be missing and is. */
static int
open_path(const struct path_rule *p)
{
	static const char *last;	/* prefix that is open at dir */
	static int dir = -1;
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC };
	int fd;

	if (p->prefix == NULL) {
		fd = sys_openat2(AT_FDCWD, p->path, &how);
	} else {
		if (last != p->prefix) {
			if (dir != -1)
				close(dir);
			last = p->prefix;
			dir = open(last, O_PATH | O_DIRECTORY | O_CLOEXEC);
			if (dir == -1)
				err(EXIT_LINK, "prefix=%s", last);
		}
		fd = path_open(dir, p->path, O_PATH);
	}
	if (fd != -1)
		return fd;
	if (p->optional && (errno == ENOENT || errno == ENOTDIR)) {
		say("passed over: %s=%s: not there", p->key, p->path);
		return -1;
	}
	err(EXIT_LINK, "%s=%s%s", p->key, p->prefix != NULL ? p->prefix : "",
	    p->path);
}

/* Grant what this kernel knows of access. Returns -1 and errno. */
static int
add_beneath(const struct landlock *ll, int fd, uint64_t access)
{
	const struct landlock_path_beneath_attr attr = {
		.allowed_access = access & ll->handled_fs,
		.parent_fd = fd,
	};

	return attr.allowed_access == 0 ? 0 :
	    (int)syscall(SYS_landlock_add_rule, ll->ruleset,
		LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
}

static void
fill_path(const struct lock *lock, const struct path_rule *p)
{
	uint64_t of_files = p->access & rights_of_files();
	struct stat st;
	int fd, rc;

	if ((fd = open_path(p)) == -1)
		return;
	rc = add_beneath(&lock->ll, fd, p->access);
	/* Not a directory: with the rights that mean something there. */
	if (rc == -1 && errno == EINVAL && fstat(fd, &st) == 0 &&
	    !S_ISDIR(st.st_mode)) {
		if (of_files == 0)
			errx(EXIT_LINK, "%s=%s: not a directory", p->key,
			    p->path);
		rc = add_beneath(&lock->ll, fd, of_files);
	}
	if (rc == -1)
		err(EXIT_LINK, "%s=%s", p->key, p->path);
	close(fd);
}

static void
fill_ports(const struct landlock *ll, const struct port_rule *p)
{
	struct landlock_net_port_attr attr = { .allowed_access = p->access };
	unsigned int port;

	if ((p->access & ll->handled_net) == 0)
		return;
	for (port = p->first; port <= p->last; port++) {
		attr.port = port;
		if (syscall(SYS_landlock_add_rule, ll->ruleset,
			LANDLOCK_RULE_NET_PORT, &attr, 0) == -1)
			err(EXIT_LINK, "%s=%u", p->key, port);
	}
}

/*
 * The next link comes from the toolbox: it and the files of words there may be
 * read and run. Rules are of inodes, which the root may show as well; so the
 * command gets none: by now there is no toolbox for it (chain_prepare()).
 */
static void
fill_toolbox(const struct landlock *ll)
{
	int part[TOOLBOX_PARTS];
	int i;

	if (!toolbox_parts(part))
		return;
	for (i = 0; i < TOOLBOX_PARTS; i++)
		if (part[i] != -1 && add_beneath(ll, part[i],
		    rights_of_group("fs.rx")) == -1)
			err(EXIT_LINK, "VOLT_TOOLBOX");
}

/* Say which rights will not be enforced though nobody granted them. */
static void
tell_unknown(const struct lock *lock)
{
	const struct landlock *ll = &lock->ll;
	const struct right *r;

	for (r = rights; r->key != NULL; r++)
		if (r->kind != RIGHT_LOG && r->abi > ll->abi &&
		    !(r->kind == RIGHT_FS && (ll->fs_any & r->bit) != 0) &&
		    !(r->kind == RIGHT_NET && (ll->net_any & r->bit) != 0) &&
		    !(r->kind == RIGHT_SCOPE && ll->scope_given))
			say("not enforced: %s%s needs Landlock ABI %d "
			    "(Linux %s); this kernel has ABI %d",
			    r->kind == RIGHT_SCOPE ? "scope=" : "", r->key,
			    r->abi, abi_linux(r->abi), ll->abi);
	if (ll->abi > ABI_KNOWN)
		say("not enforced: what Landlock ABI %d brought after "
		    "ABI %d, the newest known here", ll->abi, ABI_KNOWN);
}

/* Is the next command one that fill_toolbox() lets run? */
static bool
from_toolbox(const char *next)
{
	struct toolbox_program program;

	return strncmp(next, "volt-", 5) == 0 && strchr(next, '/') == NULL &&
	    toolbox_here() && toolbox_find(next, &program);
}

/* Make the ruleset, for the command next, or NULL. */
void
landlock_plan(struct lock *lock, const char *next)
{
	struct landlock *ll = &lock->ll;
	struct landlock_ruleset_attr attr = { 0 };
	uint64_t granted = 0;
	size_t i;

	if (!ll->wanted)
		return;
	ll->handled_fs = rights_known(RIGHT_FS, ll->abi) & ~ll->fs_any;
	ll->handled_net = rights_known(RIGHT_NET, ll->abi) & ~ll->net_any;
	ll->handled_scope = ll->scope_given ? ll->scoped :
	    rights_known(RIGHT_SCOPE, ll->abi);
	tell_unknown(lock);
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
	for (i = 0; i < ll->npaths; i++) {
		fill_path(lock, &ll->paths[i]);
		granted |= ll->paths[i].access;
	}
	for (i = 0; i < ll->nports; i++)
		fill_ports(ll, &ll->ports[i]);
	if ((ll->handled_fs & LANDLOCK_ACCESS_FS_EXECUTE) == 0)
		return;
	if ((granted & LANDLOCK_ACCESS_FS_EXECUTE) != 0)
		chain_advise("the command, its interpreter and its libraries "
		    "need fs.rx=; fs=any leaves files alone");
	else if (next == NULL || !from_toolbox(next))
		warnx("no word grants the right to execute anything; fs.rx= "
		    "does, and fs=any leaves files alone");
}

/* no_new_privs, always, and the ruleset. From here on it is for good. */
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
