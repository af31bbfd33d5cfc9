/* status.c: did the command start? */
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "status.h"
#include "unit.h"

static const char *
report(int counter, int wstatus)
{
	static char line[64];
	ssize_t n;
	int p[2];

	CHECK(pipe2(p, O_CLOEXEC) == 0);
	status_report(p[1], counter, wstatus);
	close(p[1]);
	CHECK((n = read(p[0], line, sizeof(line) - 1)) >= 0);
	line[n] = '\0';
	close(p[0]);
	return line;
}

/* Did the command start, as far as those who look are told? */
static bool
status_started(int counter)
{
	return strncmp(report(counter, 0), "failed", 6) != 0;
}

static void
counts_the_start(void)
{
	int fd;

	unsetenv("VOLT_STATUS");
	CHECK_INT(status_start(), -1);
	CHECK((fd = status_watch()) != -1);
	CHECK_INT(atoi(getenv("VOLT_STATUS")), fd);
	CHECK_INT(fcntl(fd, F_GETFD), 0); /* it is to survive exec */
	CHECK(!status_started(fd));
	CHECK_INT(status_start(), fd);
	CHECK(status_started(fd));
	CHECK(status_started(fd)); /* looking changes nothing */
	status_unstart(fd);
	CHECK(!status_started(fd));
	status_unstart(-1);
	close(fd);
}

static void
an_outer_counter_is_used_on(void)
{
	int fd;

	unsetenv("VOLT_STATUS");
	CHECK((fd = status_watch()) != -1);
	CHECK_INT(status_watch(), fd);
	close(fd);
}

/* What the variable names may be anything of the caller's. */
static void
believes_only_a_counter(void)
{
	static const char *const bad[] = { "", "x", "-1", "01", "999",
		"2147483648", "3x", "18446744073709551619" };
	char value[16];
	int fd, p[2];

	for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
		setenv("VOLT_STATUS", bad[i], 1);
		CHECK_INT(status_start(), -1);
	}
	CHECK(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0);
	snprintf(value, sizeof(value), "%d", p[1]);
	setenv("VOLT_STATUS", value, 1);
	CHECK_INT(status_start(), -1);
	CHECK_INT(read(p[0], value, 1), -1); /* nothing was written */
	close(p[0]), close(p[1]);

	CHECK_INT(chdir(unit_tmpdir()), 0);
	CHECK((fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600)) != -1);
	snprintf(value, sizeof(value), "%d", fd);
	setenv("VOLT_STATUS", value, 1);
	CHECK_INT(status_start(), -1);
	CHECK_INT(lseek(fd, 0, SEEK_END), 0);
	/* One that cannot be believed is replaced. */
	CHECK((p[0] = status_watch()) != fd);
	close(p[0]);
	close(fd);
}

static void
reports_one_line(void)
{
	int fd;

	unsetenv("VOLT_STATUS");
	CHECK((fd = status_watch()) != -1);
	CHECK_STR(report(fd, UNIT_WAIT(125, 0)), "failed 125\n");
	CHECK_STR(report(fd, UNIT_WAIT(0, 9)), "failed 137\n");
	status_tell(UNIT_WAIT(0, 9)); /* a link that was killed, no command */
	CHECK_STR(report(fd, UNIT_WAIT(137, 0)), "failed 137\n");
	CHECK_INT(status_start(), fd);
	CHECK_STR(report(fd, UNIT_WAIT(125, 0)), "exit 125\n");
	CHECK_STR(report(fd, UNIT_WAIT(0, 0)), "exit 0\n");
	CHECK_STR(report(fd, UNIT_WAIT(0, 15)), "signal 15\n");
	/* Told by a link further in, which itself exits with 128+N. */
	status_tell(UNIT_WAIT(9, 0));
	CHECK_STR(report(fd, UNIT_WAIT(9, 0)), "exit 9\n");
	status_tell(UNIT_WAIT(0, 9));
	CHECK_STR(report(fd, UNIT_WAIT(137, 0)), "signal 9\n");
	status_tell(UNIT_WAIT(0, 15)); /* one further out has other news */
	CHECK_STR(report(fd, UNIT_WAIT(137, 0)), "signal 9\n");
	status_report(-1, fd, 0); /* nowhere to write: nothing happens */
	close(fd);
}

static const struct unit tests[] = {
	UNIT(counts_the_start),
	UNIT(an_outer_counter_is_used_on),
	UNIT(believes_only_a_counter),
	UNIT(reports_one_line),
};

UNIT_MAIN(tests)
