/*
 * Make the chain: volt-ns, volt-init if a process must wait inside, and volt-lock.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bwrap.h"

static const char letters[NAMESPACES + 1] = "UpniuC";

/* Does the kernel have namespaces of that kind? */
static bool
is_there(const char *path)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return true;
	if (errno != ENOENT)
		err(EXIT_WRONG, "%s", path);
	return false;
}

/* Can this namespace be made? bubblewrap leaves out some that cannot. */
static bool
can_have(int namespace)
{
	static const char limit[] = "/proc/sys/user/max_user_namespaces";
	char first = '\0';
	FILE *f;

	if (namespace == NS_CGROUP)
		return is_there("/proc/self/ns/cgroup");
	if (!is_there("/proc/self/ns/user"))
		return false;
	if ((f = fopen(limit, "re")) != NULL) {
		first = (char)getc(f);
		fclose(f);
	}
	return first != '0';
}

/* Returns the namespaces to make, as UNSHARE() bits. */
static unsigned int
namespaces(const struct bwrap *b)
{
	unsigned int set = b->unshare;
	int i;

	/* Without a user namespace only root can mount. */
	if (getuid() != 0 && b->fd[FD_USERNS] == -1)
		set |= UNSHARE(USER);
	for (i = 0; i < NAMESPACES; i++)
		if ((b->unshare_try & 1U << i) != 0 && (set & 1U << i) == 0 &&
		    can_have(i))
			set |= 1U << i;
	return set;
}

static void
add_flags(const struct bwrap *b, unsigned int set, struct words *chain)
{
	char flags[16] = "-m", *end = flags + strlen(flags);
	int i;

	for (i = 0; i < NAMESPACES; i++)
		if ((set & 1U << i) != 0)
			*end++ = letters[i];
	if (b->fd[FD_INFO] != -1 || b->fd[FD_JSON_STATUS] != -1)
		*end++ = 'j';
	if (b->die_with_parent)
		*end++ = 'k';
	if (b->new_session)
		*end++ = 's';
	*end = '\0';
	words_add(chain, "%s", flags);
}

/* Add a word with the descriptor of an option, if the option was given. */
static void
add_fd(const struct bwrap *b, int which, const char *word, struct words *chain)
{
	if (b->fd[which] != -1)
		words_add(chain, "%s%d", word, b->fd[which]);
}

/* Add the words for the IDs of the command in its user namespace. */
static void
add_ids(const struct bwrap *b, unsigned int set, struct words *chain)
{
	const char *uid = b->text[TEXT_UID], *gid = b->text[TEXT_GID];
	char own_uid[16], own_gid[16];

	snprintf(own_uid, sizeof(own_uid), "%u", getuid());
	snprintf(own_gid, sizeof(own_gid), "%u", getgid());
	if (b->fd[FD_USERNS_BLOCK] != -1) {
		add_fd(b, FD_USERNS_BLOCK, "uidmap=wait:", chain);
	} else if ((set & UNSHARE(USER)) != 0) {
		uid = uid != NULL ? uid : own_uid;
		gid = gid != NULL ? gid : own_gid;
		words_add(chain, "uidmap=%s:%s:1", uid, own_uid);
		words_add(chain, "gidmap=%s:%s:1", gid, own_gid);
	} else if (b->fd[FD_USERNS] == -1) {
		return; /* check_ids() has made sure that they are our own */
	}
	if (gid != NULL)
		words_add(chain, "gid=%s", gid);
	if (uid != NULL)
		words_add(chain, "uid=%s", uid);
}

/*
 * Add a /proc: of the new PID namespace, or without one the caller's. Like bubblewrap,
 * make read-only what root could do harm with there.
 */
static void
add_proc(const char *place, bool new, struct words *chain)
{
	static const char *const risky[] = { "sys", "sysrq-trigger", "irq", "bus" };
	char path[32];
	size_t i;

	if (new)
		words_add(chain, "proc=%s", place);
	else
		words_add(chain, "bind=/proc:%s:rec", place);
	for (i = 0; i < sizeof(risky) / sizeof(risky[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%s", risky[i]);
		if (access(path, W_OK) == 0)
			words_add(chain, "ro=%s/%s:try", place, risky[i]);
		else if (errno != EACCES && errno != EROFS && errno != ENOENT)
			err(EXIT_WRONG, "%s", path);
	}
}

/* Add a /dev. If standard output is a terminal, it is the console there. */
static void
add_dev(const char *place, struct words *chain)
{
	char tty[64] = "";

	words_add(chain, "dev=%s:shm=50%%", place);
	if (isatty(STDOUT_FILENO) &&
	    ttyname_r(STDOUT_FILENO, tty, sizeof(tty)) == 0 &&
	    access(tty, F_OK) == 0)
		words_add(chain, "bind=%s:%s/console:samedev", words_field(tty),
		    place);
}

/* Add the root, and the steps that build it. */
static void
add_root(const struct bwrap *b, unsigned int set, struct words *chain)
{
	bool new_proc = (set & UNSHARE(PID)) != 0 || b->fd[FD_PIDNS] != -1;
	const struct step *s;
	size_t i;

	if (b->root.n == 0)
		words_add(chain, "root=tmpfs:size=50%%");
	for (i = 0; i < b->root.n; i++)
		words_add(chain, "%s", b->root.word[i]);
	words_add(chain, "proc=none");
	words_add(chain, "dev=none");
	words_add(chain, "sys=none");
	words_add(chain, "cgroup=none");
	words_add(chain, "mask=none");
	for (i = 0; i < b->nsteps; i++) {
		s = &b->steps[i];
		if (s->kind == STEP_PROC)
			add_proc(s->text, new_proc, chain);
		else if (s->kind == STEP_DEV)
			add_dev(s->text, chain);
		else
			words_add(chain, "%s", s->text);
	}
}

static void
add_environment(const struct bwrap *b, struct words *chain)
{
	size_t i;

	for (i = 0; i < b->env.n; i++)
		words_add(chain, "%s", b->env.word[i]);
	if (b->text[TEXT_CHDIR] == NULL) {
		words_add(chain, "chdir=keep");
		return;
	}
	/* "./": a relative path must not be taken for another value, such as keep. */
	words_add(chain, "chdir=%s%s", *b->text[TEXT_CHDIR] == '/' ? "" : "./",
	    b->text[TEXT_CHDIR]);
	words_add(chain, "env=PWD=%s", b->text[TEXT_CHDIR]);
}

static void
add_ns(const struct bwrap *b, unsigned int set, bool keeps, struct words *chain)
{
	const char *uid = b->text[TEXT_UID];

	words_add(chain, "volt-ns");
	add_flags(b, set, chain);
	words_add(chain, "stdio=keep");
	add_fd(b, FD_USERNS, "join=fd:", chain);
	add_fd(b, FD_PIDNS, "join=fd:", chain);
	add_ids(b, set, chain);
	if (keeps && (uid != NULL ? strcmp(uid, "0") != 0 : getuid() != 0))
		words_add(chain, "caps=keep");
	if (b->disable_userns || b->assert_userns)
		words_add(chain, "userns=%s", b->disable_userns ? "none" : "check");
	add_fd(b, FD_USERNS2, "userns=fd:", chain);
	if (b->text[TEXT_HOSTNAME] != NULL)
		words_add(chain, "hostname=%s", b->text[TEXT_HOSTNAME]);
	add_root(b, set, chain);
	add_environment(b, chain);
	add_fd(b, FD_INFO, "info=", chain);
	add_fd(b, FD_JSON_STATUS, "status=", chain);
	add_fd(b, FD_BLOCK, "wait=", chain);
	words_add(chain, "--");
}

/* Add volt-init, as PID 1, or to hold locks and descriptors while the command runs. */
static void
add_init(const struct bwrap *b, struct words *chain)
{
	size_t i;

	words_add(chain, "volt-init");
	if (b->die_with_parent)
		words_add(chain, "-k");
	for (i = 0; i < b->locks.n; i++)
		words_add(chain, "lock=%s", b->locks.word[i]);
	add_fd(b, FD_SYNC, "hold=", chain);
	words_add(chain, "--");
}

static void
add_lock(const struct bwrap *b, const struct words *caps, struct words *chain)
{
	size_t i;

	words_add(chain, "volt-lock");
	words_add(chain, "keyring=keep");
	words_add(chain, "stdio=keep");
	for (i = 0; i < caps->n; i++)
		words_add(chain, "%s", caps->word[i]);
	add_fd(b, FD_SECCOMP, "filter=", chain);
	for (i = 0; i < b->filters.n; i++)
		words_add(chain, "filter=%s", b->filters.word[i]);
	if (b->text[TEXT_ARGV0] != NULL)
		words_add(chain, "argv0=%s", b->text[TEXT_ARGV0]);
	words_add(chain, "--");
}

/* Make the whole chain, with the command at its end. */
void
chain_make(const struct bwrap *b, char *command[], struct words *chain)
{
	unsigned int set = namespaces(b);
	struct words caps = { 0 };
	bool keeps = caps_word(b, &caps);
	bool waits = (set & UNSHARE(PID)) != 0 || b->locks.n > 0 ||
	    b->fd[FD_SYNC] != -1;

	add_ns(b, set, keeps, chain);
	if (waits && !b->as_pid_1)
		add_init(b, chain);
	add_lock(b, &caps, chain);
	/* To bubblewrap this path is bubblewrap itself. */
	words_add(chain, "%s", strcmp(command[0], "/proc/self/exe") == 0 ?
	    "volt-bwrap" : command[0]);
	while (*++command != NULL)
		words_add(chain, "%s", *command);
}
