/* status.c: did the command start, and how did it end? */
#include <sys/socket.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "status.h"
#include "unit.h"

static struct status st;
static struct status_ends ends;

static const char *
report_of(const struct status *s, int wstatus)
{
	static char line[64];
	ssize_t n;
	int p[2];

	CHECK(pipe2(p, O_CLOEXEC) == 0);
	CHECK_INT(status_report(s, p[1], wstatus, false), 0);
	close(p[1]);
	CHECK((n = read(p[0], line, sizeof(line) - 1)) >= 0);
	line[n] = '\0';
	close(p[0]);
	return line;
}

/* A reporter, and what a link behind it holds. */
static void
begin(void)
{
	unsetenv("VOLT_STATUS");
	CHECK_INT(status_watch(&st), 0);
	CHECK_INT(status_find(&ends), 0);
	CHECK_INT(ends.n, 1);
	CHECK_INT(fcntl(st.start, F_GETFD), FD_CLOEXEC);
	CHECK_INT(fcntl(st.told, F_GETFD), FD_CLOEXEC);
	CHECK_INT(fcntl(ends.start[0], F_GETFD), 0); /* it is to survive exec */
	CHECK_INT(fcntl(ends.told, F_GETFD), 0);
}

static const char *
report(int wstatus)
{
	const char *line = report_of(&st, wstatus);

	close(st.start), close(st.told);
	CHECK_INT(status_let_go(), 0);
	close(ends.told);
	return line;
}

static void
nobody_reports(void)
{
	struct status_ends none;

	unsetenv("VOLT_STATUS");
	CHECK_INT(status_find(&none), 0);
	CHECK_INT(none.n, 0);
	CHECK_INT(none.told, -1);
	CHECK_INT(status_started(&none), 0);
	status_failed(&none);
	CHECK_INT(status_let_go(), 0);
	CHECK_INT(status_tell(UNIT_WAIT(0, 9)), 0);
}

static void
a_command_that_did_not_start(void)
{
	begin();
	CHECK_STR(report(UNIT_WAIT(125, 0)), "failed 125\n");
	begin();
	CHECK_STR(report(UNIT_WAIT(0, 9)), "failed 137\n");
	begin();
	/* a link that was killed, no command */
	CHECK_INT(status_tell(UNIT_WAIT(0, 9)), 0);
	CHECK_STR(report(UNIT_WAIT(137, 0)), "failed 137\n");
	begin();
	CHECK_INT(status_started(&ends), 0);
	status_failed(&ends);
	CHECK_STR(report(UNIT_WAIT(127, 0)), "failed 127\n");
}

static void
a_command_that_did(void)
{
	static const struct {
		int wstatus;
		const char *line;
	} all[] = {
		{ UNIT_WAIT(0, 0), "exit 0\n" },
		{ UNIT_WAIT(125, 0), "exit 125\n" },
		{ UNIT_WAIT(255, 0), "exit 255\n" },
		{ UNIT_WAIT(0, 15), "signal 15\n" },
		{ UNIT_WAIT(0, 64), "signal 64\n" },
		{ UNIT_WAIT(137, 0), "exit 137\n" },
	};

	for (size_t i = 0; i < UNIT_COUNT(all); i++) {
		begin();
		CHECK_INT(status_started(&ends), 0);
		CHECK_INT(fcntl(ends.start[0], F_GETFD), FD_CLOEXEC);
		CHECK_STR(report(all[i].wstatus), all[i].line);
	}
}

/* A link that waits says what ended the command. */
static void
a_signal_is_told(void)
{
	begin();
	CHECK_INT(status_started(&ends), 0);
	/* no signal: nothing to say */
	CHECK_INT(status_tell(UNIT_WAIT(9, 0)), 0);
	CHECK_STR(report(UNIT_WAIT(9, 0)), "exit 9\n");
	begin();
	CHECK_INT(status_started(&ends), 0);
	CHECK_INT(status_tell(UNIT_WAIT(0, 9)), 0);
	CHECK_STR(report(UNIT_WAIT(137, 0)), "signal 9\n");
	/* The links between ended in another way: that is what counts. */
	begin();
	CHECK_INT(status_started(&ends), 0);
	CHECK_INT(status_tell(UNIT_WAIT(0, 9)), 0);
	CHECK_STR(report(UNIT_WAIT(125, 0)), "exit 125\n");
	begin();
	CHECK_INT(status_started(&ends), 0);
	CHECK_INT(status_tell(UNIT_WAIT(0, 9)), 0);
	CHECK_INT(status_tell(UNIT_WAIT(0, 15)), 0);
	CHECK_STR(report(UNIT_WAIT(143, 0)), "signal 15\n");
}

/* And why it ended, which says more than the signal: beside that status only. */
static void
why_is_told(void)
{
	static const struct {
		int wstatus, why;
		const char *line;
	} all[] = {
		{ UNIT_WAIT(124, 0), STATUS_TIMEOUT, "timeout 124\n" },
		{ UNIT_WAIT(1, 0), STATUS_TIMEOUT, "exit 1\n" },
		{ UNIT_WAIT(137, 0), STATUS_OOM, "oom 137\n" },
		{ UNIT_WAIT(0, 9), STATUS_OOM, "oom 137\n" },
		{ UNIT_WAIT(0, 15), STATUS_OOM, "signal 15\n" },
		{ UNIT_WAIT(0, 0), STATUS_OOM, "exit 0\n" },
	};
	size_t i;

	for (i = 0; i < UNIT_COUNT(all); i++) {
		begin();
		CHECK_INT(status_started(&ends), 0);
		CHECK_INT(status_tell_why(all[i].why), 0);
		CHECK_INT(status_tell(UNIT_WAIT(0, 9)), 0);
		CHECK_STR(report(all[i].wstatus), all[i].line);
	}
}

/* Whatever a command sends that has got hold of TOLD: it had that choice. */
static void
what_is_told_is_no_more_than_a_hint(void)
{
	static const char junk[] = "SF\0\377\200\1\2\3";
	size_t i;

	begin();
	CHECK_INT(status_started(&ends), 0);
	for (i = 0; i < 1000; i++)
		(void)send(ends.told, junk + i % 8, i % (9 - i % 8),
		    MSG_DONTWAIT);
	(void)fcntl(ends.told, F_SETFL, 0);
	CHECK_STR(report(UNIT_WAIT(0, 0)), "exit 0\n");
	begin();
	for (i = 0; i < 1000; i++)
		(void)send(ends.told, "S", 1, MSG_DONTWAIT);
	CHECK_STR(report(UNIT_WAIT(0, 0)), "failed 0\n");
	begin();
	CHECK_INT(status_started(&ends), 0);
	CHECK_INT(shutdown(ends.told, SHUT_RDWR), 0);
	CHECK_STR(report(UNIT_WAIT(137, 0)), "exit 137\n");
}

/* Once a parent that waits has let go nobody has START but the last link. */
static void
is_let_go_of(void)
{
	struct pollfd p = { .events = POLLIN };

	begin();
	p.fd = st.start;
	CHECK_INT(status_started(&ends), 0);
	CHECK_INT(status_let_go(), 0);
	CHECK_INT(poll(&p, 1, 0), 1);
	CHECK((p.revents & POLLHUP) != 0);
	CHECK_STR(report_of(&st, UNIT_WAIT(3, 0)), "exit 3\n");
	close(st.start), close(st.told), close(ends.told);
}

static void
every_reporter_is_told(void)
{
	struct status outer, inner;

	unsetenv("VOLT_STATUS");
	CHECK_INT(status_watch(&outer), 0);
	CHECK_INT(outer.next, -1);
	CHECK_INT(status_find(&ends), 0);
	CHECK_INT(status_watch(&inner), 0);
	CHECK_INT(inner.next, ends.told);
	CHECK_INT(status_find(&ends), 0);
	CHECK_INT(ends.n, 2);
	CHECK_INT(status_started(&ends), 0);
	/* to the nearest, who passes it on */
	CHECK_INT(status_tell(UNIT_WAIT(0, 9)), 0);
	CHECK_STR(report_of(&inner, UNIT_WAIT(137, 0)), "signal 9\n");
	CHECK_STR(report_of(&outer, UNIT_WAIT(137, 0)), "signal 9\n");
	close(ends.told);
	CHECK_INT(status_let_go(), 0);
	close(inner.start), close(inner.told), close(inner.next);
	close(outer.start), close(outer.told);
}

static void
too_many_reporters(void)
{
	struct status all[STATUS_MOST + 1];
	int i;

	unsetenv("VOLT_STATUS");
	for (i = 0; i < STATUS_MOST; i++)
		CHECK_INT(status_watch(&all[i]), 0);
	CHECK_ERRNO(status_watch(&all[i]), E2BIG);
	CHECK_INT(status_find(&ends), 0);
	CHECK_INT(ends.n, STATUS_MOST);
	CHECK_INT(status_started(&ends), 0);
	while (--i >= 0) {
		CHECK_STR(report_of(&all[i], UNIT_WAIT(1, 0)), "exit 1\n");
		close(all[i].start), close(all[i].told);
		if (all[i].next != -1)
			close(all[i].next);
	}
	CHECK_INT(status_let_go(), 0);
	close(ends.told);
}

/* What the variable names may be anything of the caller's. */
static void
believes_only_such_a_socket(void)
{
	static const char *const bad[] = { "", "x", "-1", "01", "999",
		"2147483648", "3x", "18446744073709551619", ":", "::::",
		"-:-", "1:2", "0:1:2:0" };
	char value[32];
	int fd, p[2], s[2];

	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		setenv("VOLT_STATUS", bad[i], 1);
		CHECK_INT(status_find(&ends), 0);
		CHECK_INT(ends.n, 0);
		CHECK_INT(ends.told, -1);
	}
	CHECK(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) == 0);
	CHECK((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) != -1);
	snprintf(value, sizeof(value), "%d:%d:%d:%d", fd, p[1], s[0], fd);
	setenv("VOLT_STATUS", value, 1);
	CHECK_INT(status_find(&ends), 0);
	CHECK_INT(ends.n, 0);
	CHECK_INT(ends.told, -1);
	/* One that cannot be believed is replaced. */
	CHECK_INT(status_watch(&st), 0);
	CHECK_INT(status_find(&ends), 0);
	CHECK_INT(ends.n, 1);
	CHECK_STR(report(0), "failed 0\n");
	close(p[0]), close(p[1]), close(s[0]), close(s[1]), close(fd);
}

static void
nowhere_to_write(void)
{
	begin();
	CHECK_ERRNO(status_report(&st, -1, 0, false), EBADF);
	CHECK_STR(report(0), "failed 0\n");
}

static const struct unit tests[] = {
	UNIT(nobody_reports),
	UNIT(a_command_that_did_not_start),
	UNIT(a_command_that_did),
	UNIT(a_signal_is_told),
	UNIT(why_is_told),
	UNIT(what_is_told_is_no_more_than_a_hint),
	UNIT(is_let_go_of),
	UNIT(every_reporter_is_told),
	UNIT(too_many_reporters),
	UNIT(believes_only_such_a_socket),
	UNIT(nowhere_to_write),
};

UNIT_MAIN(tests)
