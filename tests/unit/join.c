/* volt-guest's join.c and command.c: a joined command, with sockets for its ports. */
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../../cmd/volt-guest/inside.h"
#include "unit.h"

#define TEXT 4096

static struct sockaddr_un where = { .sun_family = AF_UNIX };
static int port[GUEST_PORTS];

/* What volt-guest has of boot.c: here a port is a connection to the test. */
void
boot_ports(struct inside *in)
{
	int i;

	for (i = 0; i < GUEST_PORTS; i++) {
		in->port[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (in->lane != 5 || connect(in->port[i],
			(struct sockaddr *)&where, sizeof(where)) == -1)
			_exit(99);
	}
}

bool
boot_wait(bool (*is_there)(void *arg), void *arg)
{
	return is_there(arg);
}

/* Start what serves a command, and take its ports. */
static pid_t
begin(void)
{
	const struct supervise first = { .old_mask = 0 };
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), i;
	pid_t pid = getpid();

	snprintf(where.sun_path, sizeof(where.sun_path), "%s/s", unit_tmpdir());
	(void)unlink(where.sun_path);
	CHECK_INT(bind(listener, (struct sockaddr *)&where, sizeof(where)), 0);
	CHECK_INT(listen(listener, GUEST_PORTS), 0);
	join_start(5, &first);
	CHECK_INT(getpid(), pid);
	for (i = 0; i < GUEST_PORTS; i++)
		CHECK((port[i] = accept(listener, NULL, NULL)) != -1);
	close(listener);
	return pid;
}

static void
put(const void *data, size_t len)
{
	CHECK_INT(write(port[GUEST_STDIN], data, len), len);
}

/* The request of a shell that runs the script, with A=B and NAME in its environment. */
static void
request(const char *words, const char *script)
{
	static const char env[] = "A=B\0VOLT_X=1";
	char argv[TEXT];
	size_t n = (size_t)snprintf(argv, sizeof(argv), "sh%c-c%c%s", 0, 0, script) + 1;
	const struct guest_request r = { (uint32_t)strlen(words), (uint32_t)n,
		sizeof(env) };

	put(&r, sizeof(r));
	put(words, r.words);
	put(argv, r.argv);
	put(env, r.env);
}

/* All that comes from a port until it is closed. */
static const char *
all(enum guest_port which)
{
	static char text[GUEST_PORTS][TEXT];
	size_t len = 0;
	ssize_t n;

	while ((n = read(port[which], text[which] + len, TEXT - 1 - len)) > 0)
		len += (size_t)n;
	text[which][len] = '\0';
	return text[which];
}

static void
end(void)
{
	int i;

	for (i = 0; i < GUEST_PORTS; i++)
		close(port[i]);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void
streams_and_status(void)
{
	begin();
	request("chdir=/usr\n", "pwd; echo $A $VOLT_X $HOME; cat; echo error >&2; exit 3");
	put("input", 5);
	shutdown(port[GUEST_STDIN], SHUT_WR);
	CHECK_STR(all(GUEST_STDOUT), "/usr\nB /root\ninput");
	CHECK_STR(all(GUEST_STDERR), "error\n");
	CHECK_STR(all(GUEST_CONTROL), "up\nexit 3\n");
	end();
}

static void
signals(void)
{
	char line[16] = "";

	begin();
	request("", "trap 'echo got it; exit 9' USR1; echo set; while :; do sleep 0.01; done");
	CHECK_INT(read(port[GUEST_STDOUT], line, 4), 4);
	CHECK_STR(line, "set\n");
	CHECK_INT(write(port[GUEST_CONTROL], "signal 10\n", 10), 10);
	CHECK_STR(all(GUEST_STDOUT), "got it\n");
	CHECK_STR(all(GUEST_CONTROL), "up\nheard\nexit 9\n");
	end();
}

static void
a_signal_that_kills(void)
{
	begin();
	request("", "kill -9 $$");
	CHECK_STR(all(GUEST_CONTROL), "up\nsignal 9\n");
	end();
}

/* A stopped command does not stop what serves it. */
static void
a_stop(void)
{
	begin();
	request("", "echo $$; kill -STOP $$; exit 5");
	unit_sleep_ms(300);
	CHECK_INT(write(port[GUEST_CONTROL], "signal 18\n", 10), 10);
	CHECK_STR(all(GUEST_CONTROL), "up\nheard\nexit 5\n");
	end();
}

static void
no_request(void)
{
	static const struct guest_request huge = { UINT32_MAX, 1, 1 },
		none = { 0, 0, 0 };

	begin();
	shutdown(port[GUEST_STDIN], SHUT_WR);
	CHECK_STR(all(GUEST_CONTROL), "failed 125\n");
	end();
	begin();
	put(&huge, sizeof(huge));
	CHECK_STR(all(GUEST_CONTROL), "failed 125\n");
	end();
	begin();
	put(&none, sizeof(none));
	CHECK_STR(all(GUEST_CONTROL), "failed 125\n");
	end();
	begin();
	request("chdir=/none\n", "true");
	CHECK_STR(all(GUEST_CONTROL), "failed 125\n");
	end();
}

static void
a_terminal(void)
{
	const char *text;

	begin();
	request("console=pty\nsize=33 77\n", "stty size; test -t 2 && echo terminal");
	text = all(GUEST_STDOUT);
	CHECK(strstr(text, "33 77") != NULL);
	CHECK(strstr(text, "terminal") != NULL);
	CHECK_STR(all(GUEST_CONTROL), "up\nexit 0\n");
	end();
}

static const struct unit tests[] = {
	UNIT(streams_and_status),
	UNIT(signals),
	UNIT(a_signal_that_kills),
	UNIT(a_stop),
	UNIT(no_request),
	UNIT(a_terminal),
};

UNIT_MAIN(tests)
