/*
 * Fuzz the console and its ports, as their guest: the input is described in
 * machine.h. HOST's first byte says what happens outside.
 * Link: volt-kvm
 */
#include <limits.h>
#include <signal.h>
#include "../../cmd/volt-kvm/vio_console.c"
#include "machine.h"

#define FDS 200	/* where the streams are */
#define NARROW 4096

enum { TYPE, SIGNAL, RESIZED, READER, CLOSE_INPUT, CLOSE_OUTPUT, LOOK, EVENTS_ };

static struct lane *con;
static int stream[3][2];	/* our ends and the device's */

/* Streams as of the beginning; where the device looks for them. */
static void
open_streams(void)
{
	int p[2], i;

	for (i = 0; i < 3; i++) {
		if (pipe2(p, O_CLOEXEC | O_NONBLOCK) == -1 ||
		    dup2(p[i == 0 ? 0 : 1], FDS + i) == -1 ||
		    dup2(p[i == 0 ? 1 : 0], FDS + 8 + i) == -1)
			abort();
		(void)fcntl(FDS + i, F_SETPIPE_SZ, NARROW);
		close(p[0]);
		close(p[1]);
		stream[i][0] = FDS + 8 + i;
		stream[i][1] = FDS + i;
	}
}

/* Whole lines, no longer than they may be. */
static void
line(void *arg, const char *s)
{
	if (arg != con)
		abort();
	if (strlen(s) >= LINE || strchr(s, '\n') != NULL)
		abort();
}

static void
outside(const uint8_t *data, size_t len)
{
	static char buf[NARROW];
	char size[16];
	int i = len > 1 && (data[1] & 1) != 0 ? 2 : 1;

	if (len == 0)
		return;
	switch (data[0] % EVENTS_) {
	case TYPE:
		(void)!write(stream[0][0], data + 1, len - 1);
		break;
	case SIGNAL:
		console_signal(con, len > 1 ? data[1] : 15);
		break;
	case RESIZED:
		snprintf(size, sizeof(size), "%u %zu", data[0] * 257u, len);
		console_size(con, size);
		break;
	case READER:
		(void)!read(stream[i][0], buf, sizeof(buf));
		break;
	case CLOSE_INPUT:
		close(stream[0][0]);
		break;
	case CLOSE_OUTPUT:
		close(stream[i][0]);
		break;
	default:
		console_look(con);
		(void)console_drained(con);
	}
}

static void
check(void)
{
	if (con->from_len > LINE || con->to_len > LINE)
		abort();
}

/* Its streams are ours, and not those of this process. */
static void
take_streams(void)
{
	struct io_source *s;
	struct port *p;
	unsigned int i;
	int fd;

	for (i = 0; i < vm.io.n; i++) {
		s = &vm.io.sources[i];
		if ((p = s->arg) < con->port || p >= con->port + GUEST_PORTS)
			continue;
		fd = FDS + (int)(p - con->port);
		if (p->in != -1)
			p->in = fd;
		else
			p->out = p->stream.fd = fd;
		s->fd = fd;
		p->out_ended = false;
		p->stream.piece = PIPE_BUF;
		p->stream.socket = false;
	}
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static char *argv[2] = { (char *)(uintptr_t)"x" };
	static struct config cfg = { .argv = argv };

	open_streams();
	if (device == NULL) {
		signal(SIGPIPE, SIG_IGN);
		machine_begin();
		console_init(&vm, &cfg);
		con = vm.lane;
		console_on_line(con, line, con);
		take_streams();
		(void)machine_device(1, sizeof(struct console));
		machine_keep(con, sizeof(*con));
		machine_ready(&con->console->vio);
		machine_host = outside;
		machine_step = check;
	}
	machine_run(data, size);
	return 0;
}
