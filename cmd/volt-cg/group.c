/* Make, lock, mark, leave and remove groups. cg.h has the theory. */
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

#define SWEEP_PATIENCE 2000	/* ms; with -k the command waits for this */
#define TRIES 100	/* of some 10 ms */
#define UNFINISHED 01700	/* a mode that no other group has */

const char *
group_name(const struct cg *cg)
{
	return cg->name != NULL ? cg->name : cg->made_up;
}

/*
 * Open the file that is locked: cgroup.kill. Kernels before 5.14 have none:
 * there it is the directory, which everybody may lock, and so keep a leftover.
 */
static int
lock_open(int dir)
{
	int fd = openat(dir, "cgroup.kill", O_WRONLY | O_CLOEXEC);

	if (fd == -1 && errno == ENOENT)
		fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd;
}

/* Does a volt-cg wait for the command in this group? */
bool
group_living(int dir)
{
	bool living;
	int fd;

	if ((fd = lock_open(dir)) == -1)
		return true; /* we may not know */
	living = flock(fd, LOCK_EX | LOCK_NB) == -1;
	close(fd);
	return living;
}

/* Is the directory that we have open still the one of this name? */
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
 * Is this a group that has no mark yet? It has a mode of its own until then.
 * Its maker may have been killed.
 */
static bool
unfinished_group(int dir)
{
	struct stat st;

	return fstat(dir, &st) == 0 && (st.st_mode & 07777) == UNFINISHED &&
	    st.st_uid == geteuid();
}

/*
 * A group of this name exists, and we have it locked exclusively. Remove it if
 * it is a leftover, or was kept and is empty; else end.
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
 * A group of this name exists. Remove it, or end. The caller tries again.
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
		nap(); /* another volt-cg removes it */
	}
	if (lock != -1)
		close(lock);
	close(dir);
}

/*
 * End with errno for the group that we just made, and leave no empty one behind. A
 * run that takes it for its own meanwhile finds it gone, and makes another.
 */
static _Noreturn void
not_made(const struct cg *cg, const char *name, const char *what)
{
	int error = errno;

	(void)unlinkat(cg->place_fd, name, AT_REMOVEDIR);
	errno = error;
	err(EXIT_LINK, "%s/%s%s", cg->place, name, what);
}

/*
 * Under an exclusive lock, claim the group: mark it, and permit all to look at
 * it. Returns false if it is not the group that we made: another volt-cg may
 * have removed that one as unfinished, and made its own.
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
		not_made(cg, name, ": mark");
	return true;
}

/*
 * Open, lock and claim the group that we just made. Returns its directory, or
 * -1 if it is not ours. To change the exclusive lock to a shared one is not
 * atomic: another volt-cg may lock the group in between, and remove it as a
 * leftover because it is still empty.
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
		not_made(cg, name, "");
	if ((*lock = lock_open(dir)) == -1) {
		if (errno != ENODEV && errno != ENOENT)
			not_made(cg, name, ": lock");
	} else if (flock(*lock, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK)
			not_made(cg, name, ": lock");
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
 * Make the group name in place, and mark it. If the name is not fixed, it gets
 * a suffix where need be. Fills in *lock, which we keep. Returns the directory.
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
	errx(EXIT_LINK, "%s/%s: this name stays in use", cg->place, name);
}

/* Move this process into the group. That takes some milliseconds. */
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
		warnx("this needs the right to write cgroup.procs there, and "
		    "in the group above both it and ours");
	exit(EXIT_LINK);
}

/*
 * Groups below a group have limits only while it has no processes itself. We
 * are the only process in it: move to a group beside the one that we are to
 * make.
 */
static void
retreat(struct cg *cg)
{
	snprintf(cg->retreat, sizeof(cg->retreat), "wait-%d", (int)getpid());
	cg->retreat_dir = create(cg, cg->retreat, false, LOOK_WAIT,
	    &cg->retreat_lock);
	group_enter(cg->retreat_dir, cg->retreat);
}

/* Is the group of this name, which we are in, the only one in place? */
static bool
alone(const struct cg *cg, const char *name)
{
	struct dirent *e = NULL;
	bool found = false;
	DIR *dir;
	int fd;

	if ((fd = openat(cg->place_fd, ".", O_RDONLY | O_CLOEXEC)) == -1 ||
	    (dir = fdopendir(fd)) == NULL)
		return false;
	while (!found && (errno = 0, e = readdir(dir)) != NULL)
		found = e->d_type == DT_DIR && *e->d_name != '.' &&
		    strcmp(e->d_name, name) != 0;
	if (e == NULL && errno != 0)
		found = true; /* for all we know */
	closedir(dir);
	return !found;
}

/* Move back from the group of this name, and leave place as we found it. */
static bool
go_back(const struct cg *cg, const char *name)
{
	return alone(cg, name) && (cg->enabled[0] == '\0' ||
		kfile_write(cg->place_fd, "cgroup.subtree_control",
		cg->enabled) == 0) &&
	    kfile_write(cg->place_fd, "cgroup.procs", "0") == 0;
}

/*
 * Move back from where we retreated to. If it fails, a later run removes that.
 */
static void
come_back(struct cg *cg)
{
	if (go_back(cg, cg->retreat))
		(void)unlinkat(cg->place_fd, cg->retreat, AT_REMOVEDIR);
	close(cg->retreat_lock);
	close(cg->retreat_dir);
	cg->retreat_dir = -1;
}

/* With -k after an error: leave the group, or its removal would kill us. */
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

/* Kill what is in our group, and remove it. If we cannot leave it, it stays. */
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

/*
 * An error ends us by exit(3): then this group is finished, but not by a child.
 */
static struct cg *unfinished;
static pid_t maker;

static void
finish_at_exit(void)
{
	if (getpid() == maker)
		group_finish(unfinished);
}

/* Say whose a delegated group is. done: it was delegated, or it would be. */
void
group_say_owner(const struct cg *cg, bool done)
{
	const char *verb = done ? "delegated" : "delegate it";

	if (cg->owner.uid_given)
		say("%s to user %u", verb, (unsigned int)cg->owner.uid);
	if (cg->owner.gid_given)
		say("%s to group %u", verb, (unsigned int)cg->owner.gid);
}

/* -d: give the group to a user, or let the command make groups in it. */
void
group_delegate(const struct cg *cg)
{
	const struct identity *owner = &cg->owner;
	uid_t uid = owner->uid_given ? owner->uid : (uid_t)-1;
	gid_t gid = owner->gid_given ? owner->gid : (gid_t)-1;

	if (cgroup_delegate(cg->dir, uid, gid) == -1)
		err(EXIT_LINK, "delegate %s", group_name(cg));
	group_say_owner(cg, true);
}

/*
 * Make the group and set its limits. With -k also enter it: after the limits
 * are set, unless they can only be set when we have left place.
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

/* Is this a leftover, if nobody has it locked? */
static bool
is_leftover(int dir, bool *half_made)
{
	char buf[8];
	const char *mark = look_mark(dir, buf, sizeof(buf));

	*half_made = mark == NULL;
	return mark == NULL ? unfinished_group(dir) :
	    strcmp(mark, "run") == 0 || strcmp(mark, LOOK_WAIT) == 0;
}

/* Remove the group if it is a leftover, also after we have locked it. */
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

/* Remove the leftovers in place: groups of volt-cgs that were killed. */
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
