/* notify.c: what of sd_notify(3) passes, and how. */
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "notify.h"
#include "unit.h"

static char out[NOTIFY_MOST + 1];

static const char *
filter(const char *message, size_t len)
{
	size_t n = notify_filter(message, len, out);

	CHECK(n <= len && n <= NOTIFY_MOST);
	out[n] = '\0';
	CHECK_INT(strlen(out), n);
	return out;
}

#define PASSES(s) CHECK_STR(filter(s, strlen(s)), s)
#define GIVES(s, t) CHECK_STR(filter(s, sizeof(s) - 1), t)

static void
what_passes(void)
{
	static const char *const all[] = { "READY=1", "RELOADING=1",
		"STOPPING=1", "WATCHDOG=1", "WATCHDOG=trigger", "STATUS=",
		"STATUS=half way, 50 % = 1/2", "STATUS=gr\xc3\xbc\xc3\x9f dich",
		"STATUS=MAINPID=1", "ERRNO=0", "ERRNO=2", "ERRNO=4095",
		"BUSERROR=org.freedesktop.DBus.Error.TimedOut",
		"VARLINKERROR=org.varlink.service.InvalidParameter",
		"WATCHDOG_USEC=0", "WATCHDOG_USEC=20000000",
		"WATCHDOG_USEC=18446744073709551615",
		"EXTEND_TIMEOUT_USEC=5000000", "MONOTONIC_USEC=1",
		"RELOADING=1\nMONOTONIC_USEC=77", "READY=1\nSTATUS=x\nERRNO=0" };

	for (size_t i = 0; i < UNIT_COUNT(all); i++)
		PASSES(all[i]);
}

static void
what_does_not(void)
{
	static const char *const all[] = { "", "\n", "\n\n\n", "x", "=", "=1",
		"READY", "READY=", "READY=0", "READY=2", "READY=1 ", " READY=1",
		"READY=11", "READY=01", "ready=1", "Ready=1", "READY=1=1",
		"READY=1;MAINPID=1", "STOPPING=0", "RELOADING=2", "WATCHDOG=",
		"WATCHDOG=0", "WATCHDOG=triggers", "WATCHDOG=Trigger",
		"STATUS", "status=x", "STATUSX=1", "ERRNO=", "ERRNO=-1",
		"ERRNO=+1", "ERRNO=01", "ERRNO=1x", "ERRNO= 1", "ERRNO=4096",
		"ERRNO=0x10", "ERRNO=ENOENT", "BUSERROR=", "BUSERROR=a b",
		"BUSERROR=a/b", "WATCHDOG_USEC=", "WATCHDOG_USEC=-1",
		"WATCHDOG_USEC=1s", "WATCHDOG_USEC=18446744073709551616",
		"WATCHDOG_USEC=99999999999999999999999999999999999999999",
		"EXTEND_TIMEOUT_USEC=1.5", "MONOTONIC_USEC=x",
		/* process IDs, descriptors, rights, and what is not known */
		"MAINPID=1", "MAINPID=", "mainpid=1", "MAINPIDFD=1",
		"MAINPIDFDID=1", "FDSTORE=1", "FDSTOREREMOVE=1", "FDNAME=x",
		"FDPOLL=0", "BARRIER=1", "NOTIFYACCESS=all", "NOTIFYACCESS=",
		"notifyaccess=all", "EXIT_STATUS=1", "RESTART_RESET=1",
		"INVOCATION_ID=0", "X_SYSTEMD_UNIT_ACTIVE=x", "SERVERPID=1",
		"CONTROLLER=1" };

	for (size_t i = 0; i < UNIT_COUNT(all); i++)
		CHECK_STR(filter(all[i], strlen(all[i])), "");
}

/* systemd ends a line also at a carriage return. */
static void
nothing_is_smuggled(void)
{
	static const char *const ends[] = { "\r", "\v", "\f", "\t",
		"\x1b", "\x7f", "\x01", "\x85", "\xc2\x85", "\xe2\x80\xa8",
		"\xe2\x80\xa9", "\xff", "\xc0\x8a", "\xe0\x80\x8a", "\xc3",
		"\xed\xa0\x80", "\xf5\x80\x80\x80" };
	char message[128];

	for (size_t i = 0; i < UNIT_COUNT(ends); i++) {
		snprintf(message, sizeof(message), "READY=1%sMAINPID=7",
		    ends[i]);
		CHECK_STR(filter(message, strlen(message)), "");
		snprintf(message, sizeof(message), "STATUS=a%sMAINPID=7",
		    ends[i]);
		CHECK_STR(filter(message, strlen(message)), "");
		snprintf(message, sizeof(message), "%sREADY=1", ends[i]);
		CHECK_STR(filter(message, strlen(message)), "");
		snprintf(message, sizeof(message), "STATUS=%s\nREADY=1",
		    ends[i]);
		CHECK_STR(filter(message, strlen(message)), "READY=1");
	}
}

static void
lines_are_judged_one_by_one(void)
{
	GIVES("MAINPID=7\nREADY=1", "READY=1");
	GIVES("READY=1\nMAINPID=7", "READY=1");
	GIVES("READY=1\nMAINPID=7\nSTATUS=x\n", "READY=1\nSTATUS=x");
	GIVES("\n\nREADY=1\n\n\nSTATUS=x\n\n", "READY=1\nSTATUS=x");
	GIVES("FDSTORE=1\nFDNAME=x\n\nBARRIER=1", "");
	GIVES("READY=1\nREADY=1", "READY=1\nREADY=1");
	GIVES("READY=1\r\nMAINPID=7\r\nSTATUS=x", "STATUS=x");
}

static void
a_nul_is_only_at_the_end(void)
{
	GIVES("READY=1\0", "READY=1");
	GIVES("\0", "");
	GIVES("READY=1\0\0", "");
	GIVES("READY=1\0MAINPID=7", "");
	GIVES("STATUS=x\0\nREADY=1", "");
	GIVES("\0READY=1", "");
}

static void
what_is_too_long_is_nothing(void)
{
	static char message[2 * NOTIFY_MOST];
	size_t len;

	memset(message, 'x', sizeof(message));
	memcpy(message, "READY=1\nSTATUS=", 15);
	CHECK_INT(notify_filter(message, NOTIFY_MOST, out), NOTIFY_MOST);
	CHECK_INT(notify_filter(message, NOTIFY_MOST + 1, out), 0);
	CHECK_INT(notify_filter(message, sizeof(message), out), 0);
	message[NOTIFY_MOST] = '\0';
	CHECK_INT(notify_filter(message, NOTIFY_MOST + 1, out), NOTIFY_MOST);
	message[NOTIFY_MOST + 1] = '\0';
	CHECK_INT(notify_filter(message, NOTIFY_MOST + 2, out), 0);
	/* Nothing but ends of lines, and the shortest lines there are. */
	memset(message, '\n', sizeof(message));
	CHECK_INT(notify_filter(message, NOTIFY_MOST, out), 0);
	for (len = 0; len + 8 <= NOTIFY_MOST; len += 8)
		memcpy(message + len, "STATUS=\n", 8);
	CHECK_INT(notify_filter(message, len, out), len - 1);
	/* The name of an error has an end, too. */
	memset(message, 'x', sizeof(message));
	memcpy(message, "BUSERROR=", 9);
	CHECK_INT(notify_filter(message, 9 + 255, out), 9 + 255);
	CHECK_INT(notify_filter(message, 9 + 256, out), 0);
}

/* --- a relay -------------------------------------------------------------- */

static int from, to;

static void
begin(struct notify_relay *r, int type)
{
	int a[2], b[2];

	CHECK(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, a) == 0);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, b) == 0);
	*r = (struct notify_relay){ .in = a[0], .out = b[0] };
	from = a[1];
	to = b[1];
}

static void
end(struct notify_relay *r)
{
	close(r->in), close(r->out);
	close(from), close(to);
}

static const char *
received(void)
{
	ssize_t n = recv(to, out, NOTIFY_MOST, MSG_DONTWAIT);

	out[n > 0 ? n : 0] = '\0';
	return n == -1 ? "nothing" : out;
}

static void
messages_go_through(void)
{
	static const int types[] = { SOCK_DGRAM, SOCK_SEQPACKET };
	struct notify_relay r;

	for (size_t i = 0; i < UNIT_COUNT(types); i++) {
		begin(&r, types[i]);
		CHECK(!notify_move(&r));
		CHECK_INT(notify_wants(&r).fd, r.in);
		CHECK_INT(send(from, "READY=1\nMAINPID=7", 17, 0), 17);
		CHECK_INT(send(from, "MAINPID=7", 9, 0), 9);
		CHECK_INT(send(from, "", 0, 0), 0);
		CHECK_INT(send(from, "STATUS=x", 8, 0), 8);
		while (notify_move(&r))
			;
		CHECK_STR(received(), "READY=1");
		CHECK_STR(received(), "STATUS=x");
		CHECK_STR(received(), "nothing");
		end(&r);
	}
}

/* None is lost because the other side is slow; the sender is slowed down. */
static void
nothing_is_lost(void)
{
	struct notify_relay r;
	char message[32];
	int i, size = 1, got = 0;

	begin(&r, SOCK_SEQPACKET);
	/* The least that there is: a few messages. */
	CHECK_INT(setsockopt(r.out, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)),
	    0);
	for (i = 0; i < 60; i++) {
		snprintf(message, sizeof(message), "STATUS=%d", i);
		CHECK(send(from, message, strlen(message), 0) > 0);
		may_fail(notify_move(&r));
	}
	CHECK_INT(notify_wants(&r).fd, r.out); /* it is full */
	CHECK_INT(notify_wants(&r).events, POLLOUT);
	for (i = 0; i < 200; i++) {
		snprintf(message, sizeof(message), "STATUS=%d", got);
		if (strcmp(received(), "nothing") != 0) {
			CHECK_STR(out, message);
			got++;
		}
		while (notify_move(&r))
			;
	}
	CHECK_INT(got, 60);
	end(&r);
}

/* Neither end being gone makes it spin. */
static void
an_end_is_gone(void)
{
	struct notify_relay r;
	int in;

	begin(&r, SOCK_SEQPACKET);
	in = r.in;
	close(from);
	CHECK(!notify_move(&r) || !notify_move(&r));
	CHECK_INT(notify_wants(&r).fd, -1);
	close(in), close(r.out), close(to);

	begin(&r, SOCK_SEQPACKET);
	/* cppcheck-suppress doubleFree; begin() opened another */
	close(to);
	CHECK_INT(send(from, "READY=1", 7, 0), 7);
	while (notify_move(&r))
		;
	CHECK_INT(r.len, 0);
	CHECK_INT(notify_wants(&r).fd, r.in);
	close(r.in), close(r.out), close(from);
}

/* A descriptor that is sent along goes nowhere. */
static void
descriptors_are_not_kept(void)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(sizeof(int))];
	} control = { .buf = { 0 } };
	char text[] = "FDSTORE=1\nREADY=1";
	struct iovec iov = { text, sizeof(text) - 1 };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf) };
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	struct notify_relay r;
	int p[2], c;

	CHECK(pipe2(p, O_CLOEXEC | O_NONBLOCK) == 0);
	begin(&r, SOCK_DGRAM);
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &p[1], sizeof(int));
	CHECK(sendmsg(from, &msg, 0) > 0);
	close(p[1]);
	while (notify_move(&r))
		;
	CHECK_STR(received(), "READY=1");
	CHECK_INT(read(p[0], &c, 1), 0); /* that end is closed: no error */
	close(p[0]);
	end(&r);
}

static void
a_link_that_waits_is_between(void)
{
	struct notify_relay r = { 0 };
	char value[16];
	int pair[2], handed;

	unsetenv("VOLT_NOTIFY");
	CHECK_INT(notify_split(&r), 0);
	CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0);
	snprintf(value, sizeof(value), "%d", pair[0]);
	setenv("VOLT_NOTIFY", value, 1);
	CHECK_INT(notify_split(&r), 1);
	CHECK((handed = notify_handed()) != -1);
	CHECK(handed != r.in && handed != r.out);
	CHECK_INT(fcntl(handed, F_GETFD), 0);
	CHECK_INT(fcntl(r.in, F_GETFD), FD_CLOEXEC);
	CHECK_INT(fcntl(r.out, F_GETFD), FD_CLOEXEC);
	to = pair[1];
	CHECK_INT(send(handed, "READY=1\nMAINPID=1", 17, 0), 17);
	while (notify_move(&r))
		;
	CHECK_STR(received(), "READY=1");
	close(handed), close(r.in), close(r.out), close(pair[1]);
}

/* VOLT_READY: READY=1 goes to the socket that a link has handed on, or to the caller's. */
static void
readiness(void)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX, .sun_path = "\0ready" };
	char value[16];
	int fd, pair[2];

	unsetenv("VOLT_NOTIFY");
	unsetenv("VOLT_READY");
	setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
	CHECK_ERRNO(notify_open(), ENOENT);
	setenv("VOLT_READY", "1", 1);
	CHECK_ERRNO(notify_open(), ENOTCONN);
	unsetenv("NOTIFY_SOCKET");
	CHECK_ERRNO(notify_open(), ENOENT);

	snprintf(sun.sun_path + 6, sizeof(sun.sun_path) - 6, "%d", getpid());
	sun.sun_path[0] = '@';
	setenv("NOTIFY_SOCKET", sun.sun_path, 1);
	sun.sun_path[0] = '\0';
	CHECK((to = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) != -1);
	CHECK_INT(bind(to, (struct sockaddr *)&sun, (socklen_t)(offsetof(struct
	    sockaddr_un, sun_path) + 1 + strlen(sun.sun_path + 1))), 0);
	CHECK((fd = notify_open()) != -1);
	CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK_INT(notify_ready(fd), 0);
	CHECK_STR(received(), "READY=1");
	close(fd), close(to);
	CHECK_ERRNO(notify_open(), ECONNREFUSED);

	CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0);
	snprintf(value, sizeof(value), "%d", pair[0]);
	setenv("VOLT_NOTIFY", value, 1);
	CHECK((fd = notify_open()) != -1);
	CHECK_INT(notify_ready(fd), 0);
	to = pair[1];
	CHECK_STR(received(), "READY=1");
	close(fd), close(pair[0]), close(pair[1]);
}

static const struct unit tests[] = {
	UNIT(readiness),
	UNIT(what_passes),
	UNIT(what_does_not),
	UNIT(nothing_is_smuggled),
	UNIT(lines_are_judged_one_by_one),
	UNIT(a_nul_is_only_at_the_end),
	UNIT(what_is_too_long_is_nothing),
	UNIT(messages_go_through),
	UNIT(nothing_is_lost),
	UNIT(an_end_is_gone),
	UNIT(descriptors_are_not_kept),
	UNIT(a_link_that_waits_is_between),
};

UNIT_MAIN(tests)
