/* Landlock's rights on paths: their words and their rules. */
#include <sys/stat.h>
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "lock.h"
#include "path.h"
#include "say.h"
#include "sys.h"
#include "uapi/landlock.h"
#include "value.h"

static void
add_path(struct lock *lock, const char *key, const char *value,
    const char *path, uint64_t access)
{
	struct landlock *ll = &lock->ll;
	char *copy = strdup(path);

	if (ll->npaths == ll->size) {
		ll->size = ll->size == 0 ? 64 : 2 * ll->size;
		ll->paths = realloc(ll->paths, ll->size * sizeof(*ll->paths));
	}
	if (ll->paths == NULL || copy == NULL)
		err(EXIT_LINK, "%s=%s", key, value);
	ll->paths[ll->npaths++] = (struct path_rule){ .key = key,
		.path = copy, .prefix = lock->prefix, .except = lock->except,
		.access = access, .optional = lock->optional };
}

/* Does a rule grant any of these rights? */
bool
paths_granted(const struct landlock *ll, uint64_t access)
{
	size_t i;

	for (i = 0; i < ll->npaths; i++)
		if ((ll->paths[i].access & access) != 0)
			return true;
	return false;
}

/* All rights of access's kind: those on files, or the one on UNIX sockets. */
static uint64_t
kind_of(uint64_t access)
{
	const uint64_t sockets = LANDLOCK_ACCESS_FS_RESOLVE_UNIX;

	return (access & sockets) != 0 ? sockets :
	    rights_known(RIGHT_FS, ABI_KNOWN) & ~sockets;
}

/*
 * fs=any and unix=any: do not restrict these rights. Within try=, any counts only
 * if there is no other word about them, before it or after it.
 */
static void
leave_alone(struct lock *lock, const char *key, uint64_t access)
{
	struct landlock *ll = &lock->ll;

	if ((ll->fs_none & access) == 0 && !paths_granted(ll, access)) {
		ll->fs_any |= access;
		ll->fs_weak = lock->optional ? ll->fs_weak | access :
		    ll->fs_weak & ~access;
	} else if (lock->optional) {
		say("passed over: %s=any: other words grant less", key);
	} else {
		word_bad(key, "any", WORD_UNDOES);
	}
}

/* none: revoke these rights from all paths so far, and undo any. */
static void
take_back(struct landlock *ll, uint64_t access)
{
	size_t i, n = 0;

	ll->fs_any &= ~access;
	ll->fs_weak &= ~kind_of(access);
	ll->fs_none |= access;
	for (i = 0; i < ll->npaths; i++) {
		ll->paths[i].access &= ~access;
		if (ll->paths[i].access != 0)
			ll->paths[n++] = ll->paths[i];
		else
			free(ll->paths[i].path);
	}
	ll->npaths = n;
}

/* fs= and unix= with any or none. Returns false if value is neither. */
bool
paths_all(struct lock *lock, const char *key, const char *value,
    uint64_t access)
{
	if (strcmp(value, "any") == 0)
		leave_alone(lock, key, kind_of(access));
	else if (strcmp(value, "none") == 0)
		take_back(&lock->ll, kind_of(access));
	else
		return false;
	return true;
}

/* Parse PATH,... or none, for the rights of one word. */
void
paths_word(struct lock *lock, const char *key, const char *value,
    uint64_t access)
{
	const uint64_t reading = rights_of_group("fs.ro");
	struct landlock *ll = &lock->ll;
	const char *cursor = value;
	char path[PATH_MAX];

	if (strcmp(value, "none") == 0) {
		/* To revoke writing or executing does not revoke reading. */
		take_back(ll, (access & ~reading) != 0 ? access & ~reading :
		    access);
		return;
	}
	if ((access & ~(ll->fs_any & ~ll->fs_weak)) == 0)
		word_bad(key, value, WORD_ADDS_NOTHING);
	ll->fs_any &= ~(ll->fs_weak & kind_of(access));
	ll->fs_none &= ~access;
	while (value_field(&cursor, ',', path, sizeof(path)) == 1) {
		if (path[0] == '\0')
			word_bad(key, value, "an empty path");
		if (lock->prefix != NULL && path[0] != '/')
			word_bad(key, value, "below prefix= a path begins "
			    "with /");
		add_path(lock, key, value, path, access);
	}
	if (errno != 0)
		word_bad(key, value, "path too long");
}

/* Open a path, below prefix if that is not NULL. Returns -1 and errno. */
int
paths_open(const char *prefix, const char *path, int flags)
{
	static const char *last;	/* prefix that is open at dir */
	static int dir = -1;
	const struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
	};

	if (prefix == NULL)
		return sys_openat2(AT_FDCWD, path, &how);
	if (last != prefix) {
		if (dir != -1)
			close(dir);
		last = prefix;
		dir = open(last, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (dir == -1)
			err(EXIT_LINK, "prefix=%s", last);
	}
	return path_open(dir, path, flags);
}

/* Grant the rights of access that are handled. Returns -1 and errno. */
int
paths_add(const struct landlock *ll, int fd, uint64_t access)
{
	const struct landlock_path_beneath_attr attr = {
		.allowed_access = access & ll->handled_fs,
		.parent_fd = fd,
	};

	return attr.allowed_access == 0 ? 0 :
	    (int)syscall(SYS_landlock_add_rule, ll->ruleset,
		LANDLOCK_RULE_PATH_BENEATH, &attr, 0);
}

/* Note for -l what is granted on the file that is open at fd. */
static void
remember(struct landlock *ll, int fd, uint64_t access)
{
	struct stat st;

	if (ll->ngrants == ll->grants_size) {
		ll->grants_size = ll->grants_size == 0 ? 64 :
		    2 * ll->grants_size;
		ll->grants = realloc(ll->grants,
		    ll->grants_size * sizeof(*ll->grants));
	}
	if (ll->grants == NULL || fstat(fd, &st) == -1)
		err(EXIT_LINK, "learn");
	ll->grants[ll->ngrants++] = (struct grant){ st.st_dev, st.st_ino,
		access };
}

/*
 * Grant the rights of p for the file that is open at fd. among says that p does not
 * name this file itself. Then it is no error if p has no right for such a file.
 */
void
paths_grant(struct landlock *ll, const struct path_rule *p, int fd,
    bool among)
{
	uint64_t of_files = p->access & rights_of_files();
	struct stat st;
	int rc;

	rc = paths_add(ll, fd, p->access);
	/* Not a directory: grant only the rights that apply to files. */
	if (rc == -1 && errno == EINVAL && fstat(fd, &st) == 0 &&
	    !S_ISDIR(st.st_mode)) {
		if (of_files == 0 && !among)
			errx(EXIT_LINK, "%s=%s: not a directory", p->key,
			    p->path);
		rc = paths_add(ll, fd, of_files);
	}
	if (rc == -1)
		err(EXIT_LINK, "%s=%s", p->key, p->path);
	if (ll->remember)
		remember(ll, fd, p->access);
}

/* Open the rule's path and grant its rights. Skip it if it may be missing and is. */
static void
fill(struct landlock *ll, const struct path_rule *p, bool dry)
{
	int fd = paths_open(p->prefix, p->path, O_PATH);

	if (fd == -1 && dry && chain_is_to(CHAIN_ROOT))
		return; /* the word means another root than ours */
	if (fd == -1 && p->optional && (errno == ENOENT || errno == ENOTDIR)) {
		say("passed over: %s=%s: not there", p->key, p->path);
		return;
	}
	if (fd == -1)
		err(EXIT_LINK, "%s=%s%s", p->key, p->prefix != NULL ?
		    p->prefix : "", p->path);
	if (p->except != NULL) {
		except_fill(ll, p, fd);
		return;
	}
	paths_grant(ll, p, fd, false);
	close(fd);
}

void
paths_fill(struct landlock *ll, bool dry)
{
	size_t i;

	for (i = 0; i < ll->npaths; i++)
		fill(ll, &ll->paths[i], dry);
}
