/* The group: made, locked, marked, left and swept (cg.h has the theory). */
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chain.h"
#include "kfile.h"
#include "say.h"

#include "cg.h"

#define SWEEP_PATIENCE 2000	/* ms; a command waits for us meanwhile */
#define TRIES 100	/* 10 ms each */
#define UNFINISHED 01700	/* nobody has the sticky bit by accident */

const char *
group_name(const struct cg *cg)
{
	return cg->name != NULL ? cg->name : cg->made_up;
}

/*
 * Open what the lock is on. On kernels without cgroup.kill (before 5.14) it is
 * the directory, which anybody may lock and so make a leftover stay.
 */
static int
lock_open(int dir)
{
	int fd = openat(dir, "cgroup.kill", O_WRONLY | O_CLOEXEC);

	if (fd == -1 && errno == ENOENT)
		fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd;
}

/* Is somebody waiting for the command in this group? */
bool
group_living(int dir)
{
	bool living;
	int fd;

	if ((fd = lock_open(dir)) == -1)
		return true; /* not ours to know */
	living = flock(fd, LOCK_EX | LOCK_NB) == -1;
	close(fd);
	return living;
}

/* Does the name still mean the directory that we have open? */
static bool
same(int parent, const char *name, int dir)
{
	struct stat a, b;

	return fstat(dir, &a) == 0 &&
	    fstatat(parent, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	    a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static void
nap(void)
{
	const struct timespec ts = { .tv_nsec = 10000000 };

	nanosleep(&ts, NULL);
}

/*
 * Is this a group whose maker was killed before it was marked? Until then none
 * but its owner may look into it.
 */
static bool
unfinished_group(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 && (st.st_mode & 07777) == UNFINISHED &&
	    st.st_uid == geteuid();
}

/*
 * A group of this name is there, and locked by us alone. Remove it if it is a
 * leftover, or kept and empty; else that is the end.
 */
static void
reclaim_locked(const struct cg *cg, const char *name, int dir)
{
	char buf[8];
	const char *mark = look_mark(dir, buf, sizeof(buf));
	long n;

	if (mark == NULL && unfinished_group(dir) &&
	    unlinkat(cg->place_fd, name, AT_REMOVEDIR) == 0)
		return;
	if (mark == NULL)
		errx(EXIT_LINK, "name=%s: there is such a group already", name);
	if (strcmp(mark, "keep") == 0 &&
	    (n = look_count_all(dir, CG_DEPTH)) != 0) {
		warnx("name=%s: this group was kept, and has processes (%ld)",
		    name, n);
		errx(EXIT_LINK, "join=%s goes into it; volt-cg name=%s "
		    "cgroup.kill=1 ends them", name, name);
	}
	if (kill_remove(cg->place_fd, name, CG_PATIENCE) == -1)
		err(EXIT_LINK, "name=%s: remove what is left of it", name);
	say("%s/%s: removed what was left of it", cg->place, name);
}

/*
 * A group of this name is there: make room, or end. Returns to try again.
 */
static void
reclaim(const struct cg *cg, const char *name)
{
	int dir, lock;

	if ((dir = openat(cg->place_fd, name,
		 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1) {
		if (errno == ENOENT)
			return;
		errx(EXIT_LINK, "name=%s: there is such a file already", name);
	}
	if ((lock = lock_open(dir)) == -1 && errno != ENODEV)
		err(EXIT_LINK, "name=%s: there is such a group already", name);
	if (lock != -1 && flock(lock, LOCK_EX | LOCK_NB) == 0) {
		if (same(cg->place_fd, name, dir))
			reclaim_locked(cg, name, dir);
	} else if (lock != -1 && flock(lock, LOCK_SH | LOCK_NB) == 0) {
		errx(EXIT_LINK, "name=%s: a command is running in this group",
		    name);
	} else {
		nap(); /* somebody sweeps it */
	}
	if (lock != -1)
		close(lock);
	close(dir);
}

/*
 * Under an exclusive lock, take the group for ours: mark it, and have all look
 * at it. Another maker may have found it first, when the one that we made was
 * removed as unfinished and the name used again. Returns whether it is ours.
 */
static bool
claim(const struct cg *cg, const char *name, int dir, const char *mark)
{
	char buf[8];

	if (!same(cg->place_fd, name, dir) || !unfinished_group(dir) ||
	    look_mark(dir, buf, sizeof(buf)) != NULL)
		return false;
	if ((fsetxattr(dir, LOOK_MARK, mark, strlen(mark), 0) == -1 &&
	    errno != EOPNOTSUPP) || fchmod(dir, 0755) == -1)
		err(EXIT_LINK, "%s/%s: mark", cg->place, name);
	return true;
}

/*
 * What was just made: opened, claimed, and locked as long as we live. To pass
 * from the exclusive lock to the shared one is not atomic: whoever took an
 * exclusive one in between may have removed the group as a leftover, since
 * nothing is in it yet. Returns its directory, or -1 if it is not ours.
 */
static int
finish_making(const struct cg *cg, const char *name, const char *mark,
    int *lock)
{
	int dir = openat(cg->place_fd, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir == -1 && errno == ENOENT)
		return -1;
	if (dir == -1)
		err(EXIT_LINK, "%s/%s", cg->place, name);
	if ((*lock = lock_open(dir)) == -1) {
		if (errno != ENODEV && errno != ENOENT)
			err(EXIT_LINK, "%s/%s: lock", cg->place, name);
	} else if (flock(*lock, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK)
			err(EXIT_LINK, "%s/%s: lock", cg->place, name);
	} else if (claim(cg, name, dir, mark) && flock(*lock, LOCK_SH) == 0 &&
	    same(cg->place_fd, name, dir)) {
		return dir;
	}
	if (*lock != -1)
		close(*lock);
	close(dir);
	return -1;
}

/*
 * Make the group name in place, or with a name that is not fixed one like it,
 * and mark it. Fills in *lock, ours while we live. Returns its directory.
 */
static int
create(struct cg *cg, char *name, bool fixed, const char *mark, int *lock)
{
	size_t len = strlen(name);
	int dir, tries;

	for (tries = 0; tries < TRIES; tries++) {
		if (cgroup_make(cg->place_fd, name, UNFINISHED) == 0) {
			dir = finish_making(cg, name, mark, lock);
			if (dir == -1)
				continue;
			say("made %s/%s", cg->place, name);
			return dir;
		}
		if (errno != EEXIST)
			err(EXIT_LINK, "%s/%s", cg->place, name);
		if (fixed)
			reclaim(cg, name);
		else
			snprintf(name + len, CG_NAME - len, "-%d", tries);
	}
	errx(EXIT_LINK, "%s/%s: no room was made for this group", cg->place,
	    name);
}

/* Move ourselves, which costs some milliseconds. */
void
group_enter(int dir, const char *name)
{
	if (kfile_write(dir, "cgroup.procs", "0") == 0) {
		say("entered %s", name);
		return;
	}
	warn("%s: enter", name);
	if (errno == EBUSY)
		warnx("its processes are in groups below it: name one of them");
	else if (errno == EACCES || errno == EPERM)
		warnx("that takes the right to write cgroup.procs there, and "
		    "in the group above both it and ours");
	exit(EXIT_LINK);
}

/*
 * Groups below a group have limits only while it has no processes itself. We
 * are the only one in it: go into one beside the group that we are to make.
 */
static void
retreat(struct cg *cg)
{
	snprintf(cg->retreat, sizeof(cg->retreat), "wait-%d", (int)getpid());
	cg->retreat_dir = create(cg, cg->retreat, false, LOOK_WAIT,
	    &cg->retreat_lock);
	group_enter(cg->retreat_dir, cg->retreat);
}

/* Is there any group in place but the one of that name, which we are in? */
static bool
alone(const struct cg *cg, const char *name)
{
	struct dirent *e;
	bool found = false;
	DIR *dir;
	int fd;

	if ((fd = openat(cg->place_fd, ".", O_RDONLY | O_CLOEXEC)) == -1 ||
	    (dir = fdopendir(fd)) == NULL)
		return false;
	while (!found && (e = readdir(dir)) != NULL)
		found = e->d_type == DT_DIR && *e->d_name != '.' &&
		    strcmp(e->d_name, name) != 0;
	closedir(dir);
	return !found;
}

/* Go back from the group of that name, and leave place as it was found. */
static bool
go_back(const struct cg *cg, const char *name)
{
	return alone(cg, name) && (cg->enabled[0] == '\0' ||
		kfile_write(cg->place_fd, "cgroup.subtree_control",
		cg->enabled) == 0) &&
	    kfile_write(cg->place_fd, "cgroup.procs", "0") == 0;
}

/* The same from where we retreated to. What fails is swept later. */
static void
come_back(struct cg *cg)
{
	if (go_back(cg, cg->retreat))
		(void)unlinkat(cg->place_fd, cg->retreat, AT_REMOVEDIR);
	close(cg->retreat_lock);
	close(cg->retreat_dir);
	cg->retreat_dir = -1;
}

/* -k, and then an error: out of the group again, or it would be the end of us. */
static bool
leave(const struct cg *cg)
{
	bool left;
	int own;

	if (cg->inside)
		return go_back(cg, group_name(cg));
	if (!cg->tree.visible ||
	    (own = cgroup_open(cg->tree.top, cg->tree.own)) == -1)
		return false;
	left = kfile_write(own, "cgroup.procs", "0") == 0;
	close(own);
	return left;
}

/* Kill and remove what we made. What we cannot leave is kept. */
void
group_finish(struct cg *cg)
{
	if (cg->dir != -1) {
		if (cg->entered && !leave(cg))
			say("%s/%s stays", cg->place, group_name(cg));
		else if (kill_remove(cg->place_fd, group_name(cg),
			CG_PATIENCE) == -1)
			warn("remove %s/%s", cg->place, group_name(cg));
		else
			say("removed %s/%s", cg->place, group_name(cg));
		close(cg->dir);
		cg->dir = -1;
	}
	if (cg->retreat_dir != -1)
		come_back(cg);
}

/* The one that is finished also where an error ends us; not by a child. */
static struct cg *unfinished;
static pid_t maker;

static void
finish_at_exit(void)
{
	if (getpid() == maker)
		group_finish(unfinished);
}

/* -d: leave the group to a user, or to a manager of groups inside. */
void
group_delegate(const struct cg *cg)
{
	if (cgroup_delegate(cg->dir, cg->uid, cg->gid) == -1)
		err(EXIT_LINK, "delegate %s", group_name(cg));
	if (cg->uid != (uid_t)-1)
		say("delegated to user %u", (unsigned int)cg->uid);
	if (cg->gid != (gid_t)-1)
		say("delegated to group %u", (unsigned int)cg->gid);
}

/*
 * Make the group, with its limits; with -k also enter it, before the limits
 * only if they cannot be set otherwise.
 */
void
group_make(struct cg *cg)
{
	char *name = cg->made_up;

	unfinished = cg;
	maker = getpid();
	if (atexit(finish_at_exit) != 0)
		err(EXIT_LINK, "atexit");
	if (cg->inside && !cg->keep)
		retreat(cg);
	if (!cg->inside || !cg->keep)
		control_enable(cg);
	if (cg->name != NULL)
		snprintf(name, sizeof(cg->made_up), "%s", cg->name);
	else
		snprintf(name, sizeof(cg->made_up), "run-%d", (int)getpid());
	cg->dir = create(cg, name, cg->name != NULL,
	    cg->keep ? "keep" : "run", &cg->lock);
	if (cg->inside && cg->keep) {
		group_enter(cg->dir, name);
		cg->entered = true;
		control_enable(cg);
	}
	limit_apply(cg);
	if (cg->delegate)
		group_delegate(cg);
	if (!cg->inside && cg->keep) {
		group_enter(cg->dir, name);
		cg->entered = true;
	}
}

/* Is this what a volt-cg leaves that was killed, if nobody holds its lock? */
static bool
is_leftover(int dir, bool *half_made)
{
	char buf[8];
	const char *mark = look_mark(dir, buf, sizeof(buf));

	*half_made = mark == NULL;
	return mark == NULL ? unfinished_group(dir) :
	    strcmp(mark, "run") == 0 || strcmp(mark, LOOK_WAIT) == 0;
}

/* Remove one leftover, if name is one: also once we hold the lock. */
static void
sweep_one(const struct cg *cg, const char *name)
{
	bool half_made;
	int dir, lock = -1;

	if ((dir = openat(cg->place_fd, name,
		 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1)
		return;
	if (is_leftover(dir, &half_made) && (lock = lock_open(dir)) != -1 &&
	    flock(lock, LOCK_EX | LOCK_NB) == 0 &&
	    same(cg->place_fd, name, dir) && is_leftover(dir, &half_made)) {
		if (half_made)
			(void)unlinkat(cg->place_fd, name, AT_REMOVEDIR);
		else if (kill_remove(cg->place_fd, name, SWEEP_PATIENCE) == 0)
			say("swept %s/%s", cg->place, name);
		else
			say("cannot sweep %s/%s", cg->place, name);
	}
	if (lock != -1)
		close(lock);
	close(dir);
}

/* Remove the leftovers of those who died before they could, beside ours. */
void
group_sweep(const struct cg *cg)
{
	struct dirent *e;
	DIR *dir;
	int fd;

	if ((fd = openat(cg->place_fd, ".", O_RDONLY | O_CLOEXEC)) == -1 ||
	    (dir = fdopendir(fd)) == NULL)
		return;
	while ((e = readdir(dir)) != NULL)
		if (e->d_type == DT_DIR && *e->d_name != '.' &&
		    strcmp(e->d_name, group_name(cg)) != 0 &&
		    strcmp(e->d_name, cg->retreat) != 0)
			sweep_one(cg, e->d_name);
	closedir(dir);
}
