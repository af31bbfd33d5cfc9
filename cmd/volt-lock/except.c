/*
 * except=: paths that rules leave out. Theory of operation:
 *
 * Landlock has no exceptions: a rule for a directory is for everything below it. So
 * a directory with an excepted path below it gets no rule. Instead each of its
 * entries gets a rule of its own, and so on down to the excepted paths, which get
 * none. A file that is made in such a directory later has no rule, either. The
 * command cannot make one.
 *
 * Files are compared by inode. The patterns are expanded from the root, through
 * symlinks too, to all paths that match now. Each of these is excepted. Each
 * directory on the way, by the pattern or by "..", gets rules for its entries in
 * place of its own, even if the last name of the pattern does not exist yet.
 */
#include <sys/stat.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "lock.h"
#include "say.h"
#include "value.h"

#define LINKS 40	/* as many as the kernel follows */
#define WILD "*?["

enum part { PART_NONE, PART_WAY, PART_EXCEPTED };

struct inode {
	dev_t dev;
	ino_t ino;
	enum part part;
};

struct except_set {
	const char *patterns, *prefix;	/* the words that it was made from */
	struct inode *inodes;
	size_t n, size;
};

static enum part
part_of(const struct except_set *set, const struct stat *st)
{
	size_t i;

	for (i = 0; i < set->n; i++)
		if (set->inodes[i].dev == st->st_dev &&
		    set->inodes[i].ino == st->st_ino)
			return set->inodes[i].part;
	return PART_NONE;
}

/* Add an inode to the set. Returns false if the set has it already. */
static bool
add(struct except_set *set, const struct stat *st, enum part part)
{
	size_t i;

	for (i = 0; i < set->n; i++) {
		if (set->inodes[i].dev != st->st_dev ||
		    set->inodes[i].ino != st->st_ino)
			continue;
		if (set->inodes[i].part >= part)
			return false;
		set->inodes[i].part = part;
		return true;
	}
	if (set->n == set->size) {
		set->size = set->size == 0 ? 64 : 2 * set->size;
		set->inodes = realloc(set->inodes,
		    set->size * sizeof(*set->inodes));
		if (set->inodes == NULL)
			err(EXIT_LINK, "except=%s", set->patterns);
	}
	set->inodes[set->n++] = (struct inode){ st->st_dev, st->st_ino, part };
	return true;
}

/*
 * Mark the directory that is open at dir, and all those above it, as on the way.
 * Closes dir.
 */
static void
add_way(struct except_set *set, int dir)
{
	struct stat st;
	int up;

	for (;;) {
		if (fstat(dir, &st) == -1)
			err(EXIT_LINK, "except=%s", set->patterns);
		if (!add(set, &st, PART_WAY))
			break;
		up = openat(dir, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (up == -1 && errno == EACCES)
			break;	/* the command cannot go there, either */
		if (up == -1)
			err(EXIT_LINK, "except=%s", set->patterns);
		close(dir);
		dir = up;
	}
	close(dir);
}

/*
 * Open a path below the root or below prefix=. Returns -1 if it does not exist, or
 * if we cannot reach it. The command cannot reach it, either, so it needs no
 * exception.
 */
static int
look(const struct except_set *set, const char *path, int flags)
{
	int fd = paths_open(set->prefix, path, flags);

	if (fd == -1 && errno != ENOENT && errno != ENOTDIR &&
	    errno != ELOOP && errno != EACCES)
		err(EXIT_LINK, "except=%s: %s", set->patterns, path);
	return fd;
}

static void
join(const struct except_set *set, char path[static PATH_MAX],
    const char *dir, size_t len, const char *name)
{
	if (snprintf(path, PATH_MAX, "%.*s/%s", (int)len, dir, name) >=
	    PATH_MAX) {
		errno = ENAMETOOLONG;
		err(EXIT_LINK, "except=%s", set->patterns);
	}
}

/*
 * Except path, and if it is a symlink, also its target. The directory of path is
 * marked already.
 */
static void
except_path(struct except_set *set, const char *path)
{
	char here[PATH_MAX], target[PATH_MAX], dir[PATH_MAX];
	struct stat st;
	ssize_t len;
	int fd, n;

	join(set, here, "", 0, path + 1);
	for (n = 0; n < LINKS; n++) {
		if ((fd = look(set, here, O_PATH | O_NOFOLLOW)) == -1)
			return;
		if (fstat(fd, &st) == -1)
			err(EXIT_LINK, "except=%s", set->patterns);
		len = S_ISLNK(st.st_mode) ?
		    readlinkat(fd, "", target, sizeof(target) - 1) : -1;
		add(set, &st, PART_EXCEPTED);
		close(fd);
		if (len == -1)
			return;
		target[len] = '\0';
		join(set, dir, here, (size_t)(strrchr(here, '/') - here), "");
		if (target[0] == '/')
			join(set, here, "", 0, target + 1);
		else
			join(set, here, dir, strlen(dir) - 1, target);
		join(set, dir, here, (size_t)(strrchr(here, '/') - here), "");
		if ((fd = look(set, dir, O_PATH | O_DIRECTORY)) == -1)
			return;
		add_way(set, fd);
	}
}

/* The next name except "." and "..", or NULL at the end. An error ends volt-lock. */
static const char *
next_name(DIR *list, const char *word, const char *value)
{
	struct dirent *entry;

	do {
		errno = 0;
		entry = readdir(list);
	} while (entry != NULL && (strcmp(entry->d_name, ".") == 0 ||
	    strcmp(entry->d_name, "..") == 0));
	if (entry == NULL && errno != 0)
		err(EXIT_LINK, "%s=%s", word, value);
	return entry == NULL ? NULL : entry->d_name;
}

static void expand(struct except_set *set, const char *path,
    const char *pattern);

/* Expand name, which has wildcards, in the directory path that is open at dir. */
static void
expand_wild(struct except_set *set, const char *path, int dir,
    const char *name, const char *rest)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char next[PATH_MAX];
	const char *found;
	DIR *list;

	if (fd == -1 && errno == EACCES)
		return;	/* nothing in it will be granted */
	if (fd == -1 || (list = fdopendir(fd)) == NULL)
		err(EXIT_LINK, "except=%s: %s", set->patterns, path);
	while ((found = next_name(list, "except", set->patterns)) != NULL) {
		if (fnmatch(name, found, 0) != 0)
			continue;
		join(set, next, path, strlen(path), found);
		expand(set, next, rest);
	}
	closedir(list);
}

/* Except all that pattern matches below the directory path. */
static void
expand(struct except_set *set, const char *path, const char *pattern)
{
	char name[NAME_MAX + 1], next[PATH_MAX];
	size_t len;
	int dir;

	pattern += strspn(pattern, "/");
	len = strcspn(pattern, "/");
	if (len == 0) {
		except_path(set, path);
		return;
	}
	if (len > NAME_MAX)
		word_bad("except", set->patterns, "name too long");
	memcpy(name, pattern, len);
	name[len] = '\0';
	join(set, next, path, strlen(path), "");
	if ((dir = look(set, next, O_PATH | O_DIRECTORY)) == -1)
		return;
	if (strpbrk(name, WILD) != NULL) {
		expand_wild(set, path, dir, name, pattern + len);
	} else {
		join(set, next, path, strlen(path), name);
		expand(set, next, pattern + len);
	}
	add_way(set, dir);
}

/* The set for a rule's patterns. Often it is the set of the rule before. */
static const struct except_set *
set_of(const struct path_rule *p)
{
	static struct except_set set;
	const char *cursor = p->except;
	char pattern[PATH_MAX];

	if (set.patterns == p->except && set.prefix == p->prefix)
		return &set;
	set.patterns = p->except;
	set.prefix = p->prefix;
	set.n = 0;
	while (value_field(&cursor, ',', pattern, sizeof(pattern)) == 1)
		expand(&set, "", pattern);
	return &set;
}

/*
 * except=PATH,... Patterns are absolute paths, so that they mean the same in every
 * working directory. They add up and apply to all following words, until an empty
 * except= clears them.
 */
void
except_word(void *ctx, const char *key, const char *value)
{
	struct lock *lock = ctx;
	const char *cursor = value, *s;
	char pattern[PATH_MAX], *both;

	if (*value == '\0') {
		lock->except = NULL;
		return;
	}
	while (value_field(&cursor, ',', pattern, sizeof(pattern)) == 1) {
		if (pattern[0] != '/' || pattern[strspn(pattern, "/")] == '\0')
			word_bad(key, value, "not a path below /");
		for (s = pattern; s != NULL; s = strchr(s + 1, '/'))
			if (strncmp(s, "/..", 3) == 0 &&
			    (s[3] == '/' || s[3] == '\0'))
				word_bad(key, value, "a pattern must not contain ..");
	}
	if (errno != 0)
		word_bad(key, value, "path too long");
	if (lock->except != NULL) {
		if (asprintf(&both, "%s,%s", lock->except, value) == -1)
			err(EXIT_LINK, "except=%s", value);
		value = both;
	}
	lock->except = value;
}

/*
 * Grant p's rights for the file that is open at fd and for all below it, except
 * for what set excepts. Closes fd.
 */
static void
grant(struct landlock *ll, const struct path_rule *p,
    const struct except_set *set, int fd)
{
	const char *name;
	struct stat st;
	enum part part;
	DIR *list = NULL;
	int in, each;

	if (fstat(fd, &st) == -1)
		err(EXIT_LINK, "%s=%s", p->key, p->path);
	part = part_of(set, &st);
	if (part == PART_NONE)
		paths_grant(ll, p, fd, true);
	in = part != PART_WAY ? -1 :
	    openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (part == PART_WAY && in == -1 && errno != EACCES)
		err(EXIT_LINK, "%s=%s", p->key, p->path);
	if (in != -1 && (list = fdopendir(in)) == NULL)
		err(EXIT_LINK, "%s=%s", p->key, p->path);
	while (list != NULL && (name = next_name(list, p->key, p->path)) !=
	    NULL) {
		each = openat(fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (each == -1 && errno != ENOENT && errno != EACCES)
			err(EXIT_LINK, "%s=%s: %s", p->key, p->path, name);
		/* A symlink needs no rule. Its target has one at its own place. */
		if (each != -1 && fstat(each, &st) == 0 && S_ISLNK(st.st_mode))
			close(each);
		else if (each != -1)
			grant(ll, p, set, each);
	}
	if (list != NULL)
		closedir(list);
	close(fd);
}

/* Add the rules for p, whose path is open at fd, without what is excepted. */
void
except_fill(struct landlock *ll, const struct path_rule *p, int fd)
{
	grant(ll, p, set_of(p), fd);
}
