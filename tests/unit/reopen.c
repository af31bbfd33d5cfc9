/* reopen.c: pipes that those who hold them may open again. */
#include <sys/socket.h>
#include <sys/stat.h>

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
either_end_both_ways(void)
{
	int p[2], end, fd;

	for (end = 0; end < 2; end++) {
		CHECK_INT(pipe2(p, O_CLOEXEC), 0);
		CHECK_INT(mode_of(p[0]), 0600);
		CHECK_INT(reopen_allow(p[end]), 0);
		CHECK_INT(mode_of(p[0]), 0666);
		CHECK_INT(reopen_allow(p[!end]), 0);
		CHECK_INT(mode_of(p[0]), 0666);
		fd = opened_again(p[end], O_RDWR);
		CHECK(fd != -1);
		close(fd), close(p[0]), close(p[1]);
	}
}

static void
nothing_else(void)
{
	int s[2], fd, master, mode;

	CHECK_INT(chdir(unit_tmpdir()), 0);
	CHECK_INT(mkfifo("fifo", 0600), 0);
	fd = open("fifo", O_RDWR | O_CLOEXEC);
	CHECK(fd != -1);
	CHECK_INT(reopen_allow(fd), 0);
	CHECK_INT(mode_of(fd), 0600);
	close(fd);
	fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd != -1);
	CHECK_INT(reopen_allow(fd), 0);
	CHECK_INT(mode_of(fd), 0600);
	close(fd);
	if ((master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) != -1) {
		CHECK_INT(unlockpt(master), 0);
		fd = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
		CHECK(fd != -1);
		mode = mode_of(fd);
		CHECK_INT(reopen_allow(fd), 0);
		CHECK_INT(mode_of(fd), mode);
		close(fd), close(master);
	}
	CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	mode = mode_of(s[0]);
	CHECK_INT(reopen_allow(s[0]), 0);
	CHECK_INT(mode_of(s[0]), mode);
	close(s[0]), close(s[1]);

	CHECK_INT(reopen_allow(s[0]), 0); /* it is closed */
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

/* All three are tried, whatever becomes of the first. */
static void
standard_streams(void)
{
	int p[2], q[2], error;

	if (geteuid() != 0)
		unit_skip("not root");
	CHECK_INT(pipe2(p, O_CLOEXEC), 0);
	CHECK_INT(setresuid(1000, 1000, 1000), 0);
	CHECK_INT(pipe2(q, O_CLOEXEC), 0);
	CHECK_INT(dup2(p[0], 0), 0);
	CHECK_INT(dup2(q[1], 2), 2);
	error = reopen_allow_stdio() == -1 ? errno : 0;
	CHECK_INT(mode_of(p[0]), 0600);
	CHECK_INT(mode_of(q[0]), 0666);
	CHECK_INT(error, EPERM);
	close(p[0]), close(p[1]), close(q[0]), close(q[1]);
}

static const struct unit tests[] = {
	UNIT(either_end_both_ways),
	UNIT(nothing_else),
	UNIT(says_what_it_may_not_do),
	UNIT(standard_streams),
};

UNIT_MAIN(tests)
