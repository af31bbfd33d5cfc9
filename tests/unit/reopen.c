/* reopen.c: pipes that those who hold them may open again. */
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "reopen.h"
#include "unit.h"

static int
mode_of(int fd)
{
	struct stat st;

	CHECK_INT(fstat(fd, &st), 0);
	return (int)(st.st_mode & 07777);
}

static int
opened_again(int fd, int flags)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

static void
each_end_as_it_is_open(void)
{
	int p[2], q[2], both;

	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	CHECK_INT(pipe2(q, O_CLOEXEC), 0);
	CHECK_INT(reopen_allow(p[1]), 0);
	CHECK_INT(mode_of(p[1]), 0622);
	CHECK_INT(reopen_allow(p[0]), 0);
	CHECK_INT(mode_of(p[1]), 0666);
	CHECK_INT(reopen_allow(p[0]), 0);
	CHECK_INT(mode_of(p[1]), 0666);

	CHECK((both = opened_again(q[0], O_RDWR)) != -1);
	CHECK_INT(reopen_allow(q[0]), 0);
	CHECK_INT(mode_of(q[0]), 0644);
	CHECK_INT(reopen_allow(both), 0);
	CHECK_INT(mode_of(q[0]), 0666);
	close(p[0]), close(p[1]), close(q[0]), close(q[1]), close(both);
}

static void
nothing_else(void)
{
	int s[2], fd, p[2];

	CHECK_INT(chdir(unit_tmpdir()), 0);
	CHECK_INT(mkfifo("fifo", 0600), 0);
	CHECK((fd = open("fifo", O_RDWR | O_CLOEXEC)) != -1);
	CHECK_INT(reopen_allow(fd), 0);
	CHECK_INT(mode_of(fd), 0600);
	close(fd);
	CHECK((fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600)) != -1);
	CHECK_INT(reopen_allow(fd), 0);
	CHECK_INT(mode_of(fd), 0600);
	close(fd);
	CHECK((fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) != -1);
	CHECK_INT(fchmod(fd, 0600), 0);
	CHECK_INT(reopen_allow(fd), 0);
	CHECK_INT(mode_of(fd), 0600);
	close(fd);
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	fd = mode_of(s[0]);
	CHECK_INT(reopen_allow(s[0]), 0);
	CHECK_INT(mode_of(s[0]), fd);
	close(s[0]), close(s[1]);

	/* Held by its name only, and not at all. */
	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	CHECK((fd = opened_again(p[0], O_PATH)) != -1);
	CHECK_INT(reopen_allow(fd), 0);
	CHECK_INT(mode_of(p[0]), 0600);
	close(fd), close(p[0]), close(p[1]);
	CHECK_INT(reopen_allow(p[0]), 0);
}

/* Whose owner we are not, and without a right over files. */
static void
says_what_it_may_not_do(void)
{
	int p[2];

	if (geteuid() != 0)
		unit_skip("not root");
	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	CHECK_INT(setresuid(1000, 1000, 1000), 0);
	CHECK_ERRNO(reopen_allow(p[0]), EPERM);
	CHECK_INT(mode_of(p[0]), 0600);
	close(p[0]), close(p[1]);
}

#define ROUNDS 3000

/* In step with a child that does the other end. */
static void
both_ends_at_once(void)
{
	int p[2], go[2], done[2], i, wstatus;
	char byte = 0;
	pid_t pid;

	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	CHECK_INT(pipe2(go, O_CLOEXEC), 0);
	CHECK_INT(pipe2(done, O_CLOEXEC), 0);
	CHECK((pid = fork()) != -1);
	if (pid == 0) {
		close(go[1]);
		while (read(go[0], &byte, 1) == 1)
			if (reopen_allow(p[1]) == -1 ||
			    write(done[1], &byte, 1) != 1)
				_exit(1);
		_exit(0);
	}
	for (i = 0; i < ROUNDS; i++) {
		CHECK_INT(fchmod(p[0], 0600), 0);
		CHECK_INT(write(go[1], &byte, 1), 1);
		CHECK_INT(reopen_allow(p[0]), 0);
		CHECK_INT(read(done[0], &byte, 1), 1);
		CHECK_INT(mode_of(p[0]), 0666);
	}
	close(go[1]);
	CHECK_INT(waitpid(pid, &wstatus, 0), pid);
	CHECK_INT(wstatus, 0);
	close(go[0]), close(done[0]), close(done[1]), close(p[0]), close(p[1]);
}

/* A lock of somebody's that stays does not keep us. */
static void
a_lock_that_stays(void)
{
	int p[2], held;

	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	CHECK((held = opened_again(p[1], O_WRONLY)) != -1);
	CHECK_INT(flock(held, LOCK_EX), 0);
	CHECK_INT(reopen_allow(p[1]), 0);
	CHECK_INT(mode_of(p[1]), 0622);
	close(held), close(p[0]), close(p[1]);
}

static const struct unit tests[] = {
	UNIT(each_end_as_it_is_open),
	UNIT(nothing_else),
	UNIT(says_what_it_may_not_do),
	UNIT(both_ends_at_once),
	UNIT(a_lock_that_stays),
};

UNIT_MAIN(tests)
