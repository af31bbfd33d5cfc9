/*
 * -l: find the words that would allow what Landlock refused. Theory of operation:
 *
 * The kernel returns EACCES for Landlock as it does for file modes. It writes the reason
 * only to its audit log, which few users may read. So volt-lock judges each call that
 * failed with EACCES a second time: which rights the call needs on which file or port;
 * whether a rule grants them on the file or on a directory above it; and whether file
 * modes would have allowed the call. If file modes would have allowed it and a right is
 * missing, the command lacked that right.
 *
 * Many programs end when a call is refused, so the next run may find more.
 */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "interp.h"
#include "lock.h"
#include "mountid.h"
#include "uapi/landlock.h"

#define WORDS_MOST 4096
#define INTERPRETERS 4	/* nested: as many as the kernel follows */
#define FS(name) LANDLOCK_ACCESS_FS_##name
#define OF_DIR (O_PATH | O_DIRECTORY | O_CLOEXEC)

enum deed { DEED_OPEN, DEED_OPENAT2, DEED_CREAT, DEED_EXEC, DEED_TRUNCATE,
	DEED_FTRUNCATE, DEED_IOCTL, DEED_IN_DIR, DEED_MKNOD, DEED_UNLINKAT,
	DEED_LINK, DEED_RENAME, DEED_CONNECT, DEED_BIND, DEED_SENDTO,
	DEED_SENDMSG };

/*
 * The calls that Landlock checks. dir and path are the numbers of arguments; dir is -1
 * if a path begins at the working directory. Link and rename have two such pairs.
 */
static const struct call {
	uint64_t nr;
	enum deed deed;
	int dir, path;
	uint64_t right;	/* on the directory that the path is in */
} calls[] = {
#ifdef SYS_open
	{ SYS_open, DEED_OPEN, -1, 0, 0 },
	{ SYS_creat, DEED_CREAT, -1, 0, 0 },
	{ SYS_mkdir, DEED_IN_DIR, -1, 0, FS(MAKE_DIR) },
	{ SYS_rmdir, DEED_IN_DIR, -1, 0, FS(REMOVE_DIR) },
	{ SYS_unlink, DEED_IN_DIR, -1, 0, FS(REMOVE_FILE) },
	{ SYS_symlink, DEED_IN_DIR, -1, 1, FS(MAKE_SYM) },
	{ SYS_mknod, DEED_MKNOD, -1, 0, 0 },
	{ SYS_link, DEED_LINK, -1, 0, 0 },
	{ SYS_rename, DEED_RENAME, -1, 0, 0 },
#endif
#ifdef SYS_renameat
	{ SYS_renameat, DEED_RENAME, 0, 1, 0 },
#endif
	{ SYS_openat, DEED_OPEN, 0, 1, 0 },
	{ SYS_openat2, DEED_OPENAT2, 0, 1, 0 },
	{ SYS_execve, DEED_EXEC, -1, 0, 0 },
	{ SYS_execveat, DEED_EXEC, 0, 1, 0 },
	{ SYS_truncate, DEED_TRUNCATE, -1, 0, 0 },
	{ SYS_ftruncate, DEED_FTRUNCATE, 0, -1, 0 },
	{ SYS_ioctl, DEED_IOCTL, 0, -1, 0 },
	{ SYS_mkdirat, DEED_IN_DIR, 0, 1, FS(MAKE_DIR) },
	{ SYS_unlinkat, DEED_UNLINKAT, 0, 1, 0 },
	{ SYS_symlinkat, DEED_IN_DIR, 1, 2, FS(MAKE_SYM) },
	{ SYS_mknodat, DEED_MKNOD, 0, 1, 0 },
	{ SYS_linkat, DEED_LINK, 0, 1, 0 },
	{ SYS_renameat2, DEED_RENAME, 0, 1, 0 },
	{ SYS_connect, DEED_CONNECT, 0, -1, 0 },
	{ SYS_bind, DEED_BIND, 0, -1, 0 },
	{ SYS_sendto, DEED_SENDTO, 0, -1, 0 },
	{ SYS_sendmsg, DEED_SENDMSG, 0, -1, 0 },
};

/* One call that failed. */
struct refusal {
	const struct landlock *ll;
	const struct call *call;
	const uint64_t *args;
	struct tracee who;
};

static struct {
	char *words[WORDS_MOST];
	size_t n;
	bool more;	/* there are more words than words[] has room for */
	unsigned int unseen;	/* calls that could not be examined */
	unsigned int unsayable;	/* paths that a file of words cannot hold */
} found;

/* Keep the word KEY=VALUE, once. */
static void
add_word(const char *key, const char *value)
{
	char *word;
	size_t i;

	if (asprintf(&word, "%s=%s", key, value) == -1)
		err(EXIT_LINK, "learn");
	for (i = 0; i < found.n && strcmp(found.words[i], word) != 0; i++)
		;
	if (i < found.n || found.n == WORDS_MOST) {
		found.more = found.more || i == found.n;
		free(word);
		return;
	}
	found.words[found.n++] = word;
}

/* Keep a word for path, in which a backslash must precede a comma or a backslash. */
static void
add_path(const char *key, const char *path)
{
	char value[2 * PATH_MAX], *to = value;
	const char *s;

	/* In the next run, the process has another directory below /proc. */
	if (strncmp(path, "/proc/", 6) == 0 && path[6] >= '0' && path[6] <= '9')
		path = "/proc";
	for (s = path; *s != '\0'; s++) {
		if (*s == ',' || *s == '\\')
			*to++ = '\\';
		*to++ = *s;
	}
	*to = '\0';
	if (to == value || strpbrk(path, "\r\n") != NULL ||
	    to[-1] == ' ' || to[-1] == '\t')
		found.unsayable++;
	else
		add_word(key, value);
}

static void
add_rights(uint64_t missing, const char *path)
{
	const char *key = rights_least(missing);
	const struct right *r;

	if (key != NULL) {
		add_path(key, path);
		return;
	}
	for (r = rights; r->key != NULL; r++)
		if (r->kind == RIGHT_FS && (missing & r->bit) != 0)
			add_path(r->key, path);
}

static uint64_t
granted(const struct landlock *ll, const struct stat *st)
{
	uint64_t access = 0;
	size_t i;

	for (i = 0; i < ll->ngrants; i++)
		if (ll->grants[i].dev == st->st_dev &&
		    ll->grants[i].ino == st->st_ino)
			access |= ll->grants[i].access;
	return access;
}

/* The bits of a file's mode that these rights need (4 read, 2 write, 1 execute). */
static unsigned int
mode_bits(uint64_t access)
{
	unsigned int bits = 0;

	if ((access & (FS(READ_FILE) | FS(READ_DIR))) != 0)
		bits |= 4;
	if ((access & (FS(WRITE_FILE) | FS(TRUNCATE) | FS(RESOLVE_UNIX))) != 0)
		bits |= 2;
	if ((access & FS(EXECUTE)) != 0)
		bits |= 1;
	if ((access & ~(rights_of_files() | FS(READ_DIR))) != 0)
		bits |= 3;	/* to change a directory */
	return bits;
}

/*
 * Remove from missing what is granted on dir and on the directories above it, up to the
 * root. Closes dir. Returns false if file modes do not let the process get to dir.
 */
static bool
climb(const struct refusal *r, int dir, uint64_t *missing)
{
	struct stat st, above;
	bool open_to_it = true;
	int up;

	if (fstat(dir, &st) == -1)
		open_to_it = false;
	while (open_to_it) {
		open_to_it = tracee_may(&r->who, &st, 1);
		*missing &= ~granted(r->ll, &st);
		up = openat(dir, "..", OF_DIR);
		close(dir);
		dir = up;
		if (up == -1 || fstat(up, &above) == -1 ||
		    (above.st_dev == st.st_dev && above.st_ino == st.st_ino))
			break;
		st = above;
	}
	if (dir != -1)
		close(dir);
	return open_to_it;
}

/*
 * The call needs these rights on the file that is open at fd. If one of them is missing
 * and file modes would have allowed the call, keep a word for it. Closes fd.
 */
static void
judge(const struct refusal *r, int fd, uint64_t access)
{
	uint64_t missing = access & r->ll->handled_fs;
	char path[PATH_MAX], link[64], *slash;
	struct statvfs fs;
	struct stat st;
	ssize_t len;
	int dir;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, path, sizeof(path) - 1);
	if (missing == 0 || len < 1 || fstat(fd, &st) == -1 ||
	    st.st_nlink == 0 || path[0] != '/' ||
	    !tracee_may(&r->who, &st, mode_bits(missing)) ||
	    ((missing & FS(EXECUTE)) != 0 && (fstatvfs(fd, &fs) == -1 ||
		(fs.f_flag & ST_NOEXEC) != 0))) {
		close(fd);
		return;
	}
	path[len] = '\0';
	missing &= ~granted(r->ll, &st);
	dir = fd;
	if (!S_ISDIR(st.st_mode)) {
		close(fd);
		slash = strrchr(path, '/');
		*slash = '\0';
		dir = open(slash == path ? "/" : path, OF_DIR);
		*slash = '/';
	}
	if (dir != -1 && climb(r, dir, &missing) && missing != 0)
		add_rights(missing, path);
}

static int
dir_of(const struct refusal *r, int arg)
{
	return arg == -1 ? AT_FDCWD : (int)r->args[arg];
}

/*
 * Open the directory that path is in. Cuts slashes off at the end of path. Returns an
 * O_PATH descriptor or -1, and the last name of path in name.
 */
static int
open_parent(const struct refusal *r, int dir, char *path, const char **name)
{
	size_t len = strlen(path);
	char *slash;

	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	if ((slash = strrchr(path, '/')) == NULL) {
		*name = path;
		return tracee_open(&r->who, dir, ".", O_DIRECTORY);
	}
	*name = slash + 1;
	if (slash == path)
		return tracee_open(&r->who, dir, "/", O_DIRECTORY);
	*slash = '\0';
	return tracee_open(&r->who, dir, path, O_DIRECTORY);
}

static void
judge_open(const struct refusal *r, uint64_t flags)
{
	uint64_t mode = flags & O_ACCMODE, access = 0;
	char path[PATH_MAX];
	const char *name;
	struct stat st;
	int dir = dir_of(r, r->call->dir), fd;

	if ((flags & O_PATH) != 0)
		return;
	if (!tracee_string(&r->who, r->args[r->call->path], path)) {
		found.unseen++;
		return;
	}
	if (mode != O_RDONLY)
		access |= FS(WRITE_FILE);
	if ((flags & O_TRUNC) != 0)
		access |= FS(TRUNCATE);
	fd = tracee_open(&r->who, dir, path, 0);
	if (fd != -1) {
		if (mode != O_WRONLY)
			access |= fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) &&
			    mode == O_RDONLY ? FS(READ_DIR) : FS(READ_FILE);
		judge(r, fd, access);
	} else if (errno == ENOENT && (flags & O_CREAT) != 0 &&
	    (fd = open_parent(r, dir, path, &name)) != -1) {
		if (mode == O_RDWR)
			access |= FS(READ_FILE);
		judge(r, fd, (access & ~FS(TRUNCATE)) | FS(MAKE_REG));
	} else if (errno != ENOENT && errno != EACCES) {
		found.unseen++;
	}
}

/* A program, and the interpreters that it needs. */
static void
judge_exec(const struct refusal *r)
{
	char path[PATH_MAX], link[64];
	int dir = dir_of(r, r->call->dir), fd, file, i;
	struct stat st;

	if (!tracee_string(&r->who, r->args[r->call->path], path)) {
		found.unseen++;
		return;
	}
	fd = *path == '\0' ? tracee_fd(&r->who, dir) :
	    tracee_open(&r->who, dir, path, 0);
	for (i = 0; i <= INTERPRETERS && fd != -1; i++) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		file = fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ? -1 :
		    open(link, O_RDONLY | O_CLOEXEC);
		judge(r, fd, FS(EXECUTE) | FS(READ_FILE));
		fd = -1;
		if (file == -1)
			break;
		if (interp_find(file, path))
			fd = tracee_open(&r->who, AT_FDCWD, path, 0);
		close(file);
	}
	if (fd != -1)
		close(fd);
}

static uint64_t
right_to_make(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return FS(MAKE_DIR);
	case S_IFLNK:
		return FS(MAKE_SYM);
	case S_IFSOCK:
		return FS(MAKE_SOCK);
	case S_IFIFO:
		return FS(MAKE_FIFO);
	case S_IFCHR:
		return FS(MAKE_CHAR);
	case S_IFBLK:
		return FS(MAKE_BLOCK);
	default:
		return FS(MAKE_REG);
	}
}

static uint64_t
right_to_remove(mode_t mode)
{
	return S_ISDIR(mode) ? FS(REMOVE_DIR) : FS(REMOVE_FILE);
}

/* The call makes or removes a file in a directory. */
static void
judge_in_dir(const struct refusal *r, uint64_t access)
{
	char path[PATH_MAX];
	const char *name;
	int fd = -1;

	if (tracee_string(&r->who, r->args[r->call->path], path))
		fd = open_parent(r, dir_of(r, r->call->dir), path, &name);
	if (fd != -1)
		judge(r, fd, access);
	else
		found.unseen++;
}

/* The call renames a file or adds a name to it, in one directory or between two. */
static void
judge_move(const struct refusal *r, bool is_rename)
{
	int step = r->call->dir == -1 ? 1 : 2, from = -1, to = -1;
	int todir = r->call->dir == -1 ? -1 : r->call->dir + 2;
	char old[PATH_MAX], new[PATH_MAX];
	const char *oldname = "", *newname = "";
	uint64_t leave = 0, arrive, m, n;
	struct stat a, b, st, there;

	if (tracee_string(&r->who, r->args[r->call->path], old) &&
	    tracee_string(&r->who, r->args[r->call->path + step], new)) {
		from = open_parent(r, dir_of(r, r->call->dir), old, &oldname);
		to = open_parent(r, dir_of(r, todir), new, &newname);
	}
	if (from == -1 || to == -1 || fstat(from, &a) == -1 ||
	    fstat(to, &b) == -1 || mountid_get(from, &m) == -1 ||
	    mountid_get(to, &n) == -1 ||
	    fstatat(from, oldname, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		found.unseen++;
	} else if (m == n) {
		arrive = right_to_make(st.st_mode);
		if (is_rename) {
			leave = right_to_remove(st.st_mode);
			if (fstatat(to, newname, &there,
				AT_SYMLINK_NOFOLLOW) == 0)
				arrive |= right_to_remove(there.st_mode);
		}
		if (a.st_ino != b.st_ino || a.st_dev != b.st_dev) {
			leave |= FS(REFER);
			arrive |= FS(REFER);
		}
		judge(r, from, leave);
		judge(r, to, arrive);
		return;
	}
	if (from != -1)
		close(from);
	if (to != -1)
		close(to);
}

static void
judge_port(const struct refusal *r, uint64_t right, uint16_t port)
{
	const struct right *word;
	char number[8];

	if ((r->ll->handled_net & right) == 0 || ports_allow(r->ll, right, port))
		return;
	snprintf(number, sizeof(number), "%u", port);
	for (word = rights; word->key != NULL; word++)
		if (word->kind == RIGHT_NET && word->bit == right)
			add_word(word->key, number);
}

/* The address is of IPv4 or IPv6, which have the port in the same place. */
static void
judge_inet(const struct refusal *r, const struct sockaddr_in *sin, bool is_bind)
{
	uint16_t port = ntohs(sin->sin_port);
	int type = 0, protocol = 0, fd = tracee_socket(&r->who,
	    (int)r->args[0]);
	socklen_t len = sizeof(int);

	if (fd == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == -1)
		found.unseen++;
	if (fd != -1)
		close(fd);
	if (type == SOCK_STREAM && protocol == IPPROTO_TCP) {
		judge_port(r, is_bind ? LANDLOCK_ACCESS_NET_BIND_TCP :
		    LANDLOCK_ACCESS_NET_CONNECT_TCP, port);
	} else if (type == SOCK_DGRAM && protocol == IPPROTO_UDP) {
		judge_port(r, is_bind ? LANDLOCK_ACCESS_NET_BIND_UDP :
		    LANDLOCK_ACCESS_NET_CONNECT_SEND_UDP, port);
		/* Sending binds a socket that is not bound yet. */
		if (!is_bind)
			judge_port(r, LANDLOCK_ACCESS_NET_BIND_UDP, 0);
	}
}

/* The address of a socket call. There is no word for a single abstract socket. */
static void
judge_address(const struct refusal *r, uint64_t at, uint64_t len, bool is_bind)
{
	union {
		struct sockaddr_storage any;
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_un un;
		char text[sizeof(struct sockaddr_storage) + 1];
	} a;
	const char *name;
	int fd;

	memset(&a, 0, sizeof(a));
	if (at == 0 || len < sizeof(sa_family_t) || len > sizeof(a.any))
		return;
	if (!tracee_read(&r->who, at, &a, len)) {
		found.unseen++;
	} else if (a.sa.sa_family == AF_INET || a.sa.sa_family == AF_INET6) {
		judge_inet(r, &a.in, is_bind);
	} else if (a.sa.sa_family == AF_UNIX && a.un.sun_path[0] != '\0' &&
	    r->ll->handled_fs != 0) {
		fd = is_bind ? open_parent(r, AT_FDCWD, a.un.sun_path, &name) :
		    tracee_open(&r->who, AT_FDCWD, a.un.sun_path, 0);
		if (fd != -1)
			judge(r, fd, is_bind ? FS(MAKE_SOCK) :
			    FS(RESOLVE_UNIX));
	}
}

static void
judge_fd(const struct refusal *r, uint64_t access)
{
	int fd = tracee_fd(&r->who, (int)r->args[0]);

	if (fd != -1)
		judge(r, fd, access);
	else
		found.unseen++;
}

static void
judge_truncate(const struct refusal *r)
{
	char path[PATH_MAX];
	int fd = -1;

	if (tracee_string(&r->who, r->args[r->call->path], path))
		fd = tracee_open(&r->who, AT_FDCWD, path, 0);
	if (fd != -1)
		judge(r, fd, FS(TRUNCATE));
}

static void
judge_call(const struct refusal *r)
{
	const uint64_t *args = r->args, *last = args + r->call->path + 1;
	struct open_how how;
	struct msghdr msg;

	switch (r->call->deed) {
	case DEED_OPEN:
		judge_open(r, *last);
		break;
	case DEED_OPENAT2:
		if (tracee_read(&r->who, *last, &how, sizeof(how)))
			judge_open(r, how.flags);
		break;
	case DEED_CREAT:
		judge_open(r, O_CREAT | O_WRONLY | O_TRUNC);
		break;
	case DEED_EXEC:
		judge_exec(r);
		break;
	case DEED_TRUNCATE:
		judge_truncate(r);
		break;
	case DEED_FTRUNCATE:
		judge_fd(r, FS(TRUNCATE));
		break;
	case DEED_IOCTL:
		judge_fd(r, FS(IOCTL_DEV));
		break;
	case DEED_IN_DIR:
		judge_in_dir(r, r->call->right);
		break;
	case DEED_MKNOD:
		judge_in_dir(r, right_to_make((mode_t)*last));
		break;
	case DEED_UNLINKAT:
		judge_in_dir(r, (*last & AT_REMOVEDIR) != 0 ? FS(REMOVE_DIR) :
		    FS(REMOVE_FILE));
		break;
	case DEED_LINK:
	case DEED_RENAME:
		judge_move(r, r->call->deed == DEED_RENAME);
		break;
	case DEED_CONNECT:
	case DEED_BIND:
		judge_address(r, args[1], args[2], r->call->deed == DEED_BIND);
		break;
	case DEED_SENDTO:
		judge_address(r, args[4], args[5], false);
		break;
	case DEED_SENDMSG:
		if (tracee_read(&r->who, args[1], &msg, sizeof(msg)))
			judge_address(r, (uintptr_t)msg.msg_name,
			    msg.msg_namelen, false);
	}
}

/* Is that the call by which a process becomes the command? */
bool
refused_exec(uint64_t nr)
{
	return nr == SYS_execve || nr == SYS_execveat;
}

/*
 * A call of the traced process pid, which has stopped after it, failed with that errno.
 * Find out whether Landlock refused it, and keep the words that are missing.
 */
void
refused_call(const struct landlock *ll, pid_t pid, uint64_t nr,
    const uint64_t args[REFUSED_ARGS], int64_t error)
{
	struct refusal r = { .ll = ll, .args = args };
	size_t i;

	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (calls[i].nr == nr)
			break;
	if (i == sizeof(calls) / sizeof(calls[0]))
		return;
	r.call = &calls[i];
	/*
	 * If files are not restricted, the command may mount file systems, and one that
	 * never answers would stop us.
	 */
	if (ll->handled_fs == 0 && r.call->deed < DEED_CONNECT)
		return;
	/* For a move between directories, Landlock returns EXDEV. */
	if (error != EACCES && (error != EXDEV ||
		(r.call->deed != DEED_LINK && r.call->deed != DEED_RENAME)))
		return;
	if (tracee_begin(&r.who, pid))
		judge_call(&r);
	else
		found.unseen++;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/*
 * Print the words to f, one per line, each after the text "before". Report on standard
 * error what could not be found out.
 */
void
refused_print(FILE *f, const char *before)
{
	size_t i;

	qsort(found.words, found.n, sizeof(found.words[0]), by_text);
	for (i = 0; i < found.n; i++)
		fprintf(f, "%s%s\n", before, found.words[i]);
	if (found.more)
		warnx("learn: there are more than %d words", WORDS_MOST);
	if (found.unsayable > 0)
		warnx("learn: %u paths have a newline, or a blank at the end, "
		    "and cannot be in a file of words", found.unsayable);
	if (found.unseen > 0)
		warnx("learn: %u refused calls could not be examined",
		    found.unseen);
}
