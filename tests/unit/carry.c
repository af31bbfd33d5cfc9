/* carry.c: descriptors that a variable names. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carry.h"
#include "unit.h"

#define NAME "VOLT_TEST"

static int
yes(int fd)
{
	(void)fd;
	return 1;
}

static int
no(int fd)
{
	(void)fd;
	return 0;
}

static int
unknown(int fd)
{
	(void)fd;
	errno = EIO;
	return -1;
}

static void
variables_of_the_chain(void)
{
	CHECK(carry_is_variable("VOLT_"));
	CHECK(carry_is_variable("VOLT_PLUG=3"));
	CHECK(!carry_is_variable("NOT_VOLT_PLUG=3"));
	CHECK(!carry_is_variable("VOLT=3"));
}

/* Write the numbers of a list, each with a blank. */
static const char *
list_of(const char *list)
{
	static char out[128];
	size_t len = 0;
	int fd;

	out[0] = '\0';
	while (carry_next(&list, &fd))
		len += (size_t)snprintf(out + len, sizeof(out) - len, "%d ", fd);
	return out;
}

static void
a_list_ends_at_what_is_no_number(void)
{
	CHECK_STR(list_of(NULL), "");
	CHECK_STR(list_of(""), "");
	CHECK_STR(list_of("3"), "3 ");
	CHECK_STR(list_of("3:-:2147483647:0"), "3 -1 2147483647 0 ");
	CHECK_STR(list_of("3:"), "3 ");
	CHECK_STR(list_of("3: name=x:4"), "3 ");
	CHECK_STR(list_of("3:x:4"), "3 ");
	CHECK_STR(list_of("3:-1:4"), "3 ");
	CHECK_STR(list_of("3:2147483648:4"), "3 ");
	CHECK_STR(list_of("3:00000000000000000004"), "3 ");
}

static void
one_is_found_and_believed(void)
{
	static const struct {
		const char *value;
		int error;
	} bad[] = { { "", EINVAL }, { "-", EINVAL }, { "3:4", EINVAL },
		{ "2147483648", ERANGE } };
	size_t i;

	unsetenv(NAME);
	CHECK_ERRNO(carry_find(NAME, yes), ENOENT);
	for (i = 0; i < UNIT_COUNT(bad); i++) {
		setenv(NAME, bad[i].value, 1);
		CHECK_ERRNO(carry_find(NAME, yes), bad[i].error);
		CHECK(carry_is_none(bad[i].error));
	}
	setenv(NAME, "7", 1);
	CHECK_INT(carry_find(NAME, yes), 7);
	CHECK_ERRNO(carry_find(NAME, no), EPROTOTYPE);
	CHECK(carry_is_none(ENOENT) && carry_is_none(EPROTOTYPE));
	CHECK_ERRNO(carry_find(NAME, unknown), EIO);
	CHECK(!carry_is_none(EIO));
}

static void
what_is_announced_survives_exec(void)
{
	static char text[5000];
	char want[64];
	int fd[3] = { -1, -1, -1 };

	CHECK((fd[0] = open("/dev/null", O_RDONLY | O_CLOEXEC)) > 2);
	CHECK((fd[2] = open("/dev/null", O_RDONLY | O_CLOEXEC)) > 2);
	CHECK_INT(carry_announce(NAME, fd, 3, NULL), 0);
	snprintf(want, sizeof(want), "%d:-:%d", fd[0], fd[2]);
	CHECK_STR(getenv(NAME), want);
	CHECK_INT(fcntl(fd[0], F_GETFD), 0);
	CHECK_INT(fcntl(fd[2], F_GETFD), 0);
	CHECK_INT(carry_announce(NAME, fd, 1, " a=b"), 0);
	snprintf(want, sizeof(want), "%d: a=b", fd[0]);
	CHECK_STR(getenv(NAME), want);
	memset(text, 'x', sizeof(text) - 1);
	CHECK_ERRNO(carry_announce(NAME, fd, 1, text), E2BIG);
	close(fd[0]);
	CHECK_ERRNO(carry_announce(NAME, fd, 1, NULL), EBADF);
	CHECK_STR(getenv(NAME), want);
	close(fd[2]);
}

static const struct unit tests[] = {
	UNIT(variables_of_the_chain),
	UNIT(a_list_ends_at_what_is_no_number),
	UNIT(one_is_found_and_believed),
	UNIT(what_is_announced_survives_exec),
};

UNIT_MAIN(tests)
