/*
 * volt-kvm: run a KVM guest, and the next command in it. The main thread does
 * all I/O; every vCPU has a thread of its own.
 */
#include <sys/prctl.h>
#include <sys/signalfd.h>

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "config.h"
#include "console.h"
#include "devices.h"
#include "network.h"
#include "payload.h"
#include "say.h"
#include "status.h"
#include "terminal.h"
#include "value.h"
#include "vm.h"

#define TAIL_LINES 128	/* an oops, a panic, their call traces */
#define PATIENCE 1000	/* ms */

static struct vm vm;
static struct config cfg;
static struct {
	bool up;	/* volt-init has reported */
	bool done;	/* and again, with the command's end */
	bool told;	/* it was told to end */
	char how;	/* 'e'xit, 's'ignal, 'f'ailed */
	int code;
} session;

/* Threads run on and hold locks: nothing but this is tidied up. */
static _Noreturn void
finish(int status)
{
	terminal_restore();
	_exit(status);
}

/* A line on the control port: the guest is not trusted to write sense. */
static void
control_line(const char *line)
{
	static const struct {
		const char *word;
		uint64_t most;
	} ends[] = { { "exit ", 255 }, { "signal ", 64 }, { "failed ", 255 } };
	uint64_t n;
	size_t i;

	if (strcmp(line, "up") == 0) {
		session.up = true;
		if (cfg.pty)
			terminal_raw(); /* ^C was for us until now */
	}
	if (strcmp(line, "lost") == 0)
		console_lose();
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (!session.done &&
		    strncmp(line, ends[i].word, strlen(ends[i].word)) == 0 &&
		    value_uint(line + strlen(ends[i].word), ends[i].most, &n)
		    == 0) {
			session.done = true;
			session.how = line[0];
			session.code = (int)n;
		}
}

/* The line of status=. */
static void
report_end(void)
{
	static const char *const words[] = { "exit", "signal", "failed" };
	size_t i = session.how == 'e' ? 0 : session.how == 's' ? 1 : 2;

	if (cfg.status_fd != -1)
		dprintf(cfg.status_fd, "%s %d\n", words[i], session.code);
}

/* A signal that nobody in the guest hears, or not yet, ends us. */
static _Noreturn void
signal_ends(int signo)
{
	if (!session.done) {
		session.how = 'f';
		session.code = EXIT_SIGNAL + signo;
	}
	if (*cfg.argv != NULL)
		report_end();
	finish(EXIT_SIGNAL + signo);
}

static bool
ends_us(uint32_t signo)
{
	return signo == SIGTERM || signo == SIGINT || signo == SIGHUP ||
	    signo == SIGQUIT;
}

static void
signal_ready(struct io_source *s, short revents)
{
	struct signalfd_siginfo si;
	char line[32], size[16];

	(void)revents;
	if (read(s->fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGWINCH && cfg.pty && session.up) {
		terminal_size(size, sizeof(size));
		snprintf(line, sizeof(line), "size %s\n", size);
		(void)console_tell(line);
	}
	if (si.ssi_signo == SIGPIPE || si.ssi_signo == SIGCHLD ||
	    si.ssi_signo == SIGWINCH || si.ssi_signo == SIGCONT ||
	    si.ssi_signo == SIGURG || si.ssi_signo == SIGXFSZ)
		return; /* our own writes' and windows' */
	if (*cfg.argv == NULL || !session.up || session.done) {
		if (ends_us(si.ssi_signo))
			signal_ends((int)si.ssi_signo);
		return;
	}
	if (si.ssi_signo == SIGTERM)
		session.told = true;
	snprintf(line, sizeof(line), "signal %u\n", si.ssi_signo);
	(void)console_tell(line);
}

static void
watch_signals(void)
{
	static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP,
		SIGABRT, SIGSYS, SIGTSTP, SIGTTIN, SIGTTOU };
	sigset_t mask;
	size_t i;
	int fd;

	sigfillset(&mask);
	for (i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&mask, faults[i]);
	if (sigprocmask(SIG_BLOCK, &mask, NULL) == -1 ||
	    (fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK)) == -1)
		err(EXIT_LINK, "signals");
	io_add(&vm.io, &(struct io_source){ .fd = fd, .ready = signal_ready });
}

/* Without a command, stdin is typed at COM1. */
static short
wants_typing(struct io_source *s)
{
	return s->fd != -1 && uart_room(&vm.uart) > 0 ? POLLIN : 0;
}

static void
typed(struct io_source *s, short revents)
{
	uint8_t buf[UART_INPUT];
	unsigned int room = uart_room(&vm.uart);
	ssize_t n;

	(void)revents;
	if (room == 0)
		return; /* the guest took it, by its loop */
	n = read(s->fd, buf, room);
	if (n > 0)
		uart_input(&vm.uart, buf, (unsigned int)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		s->fd = -1;
}

static void
print_stats(void)
{
	static const char *const names[EXITS] = { "pio", "mmio", "other" };
	uint64_t sum[EXITS] = { 0 };
	unsigned int i, k;

	for (i = 0; i < vm.ncpus; i++)
		for (k = 0; k < EXITS; k++)
			sum[k] += vm.cpu[i].exits[k];
	for (k = 0; k < EXITS; k++)
		dprintf(STDERR_FILENO, "exits.%s %llu\n", names[k],
		    (unsigned long long)sum[k]);
	dprintf(STDERR_FILENO, "exits %llu\nthreads %u\n",
	    (unsigned long long)(sum[0] + sum[1] + sum[2]), vm.ncpus + 1);
}

/* The machine has ended by itself, or did not start in time. */
static _Noreturn void
machine_ended(const char *why)
{
	terminal_restore();
	if (*cfg.argv != NULL) {
		if (!cfg.console)
			uart_tail(&vm.uart, STDERR_FILENO, TAIL_LINES);
		if (cfg.status_fd != -1)
			dprintf(cfg.status_fd, "failed %d\n", EXIT_LINK);
	}
	warnx("the guest %s%s%s", why, vm.why != NULL ? ": " : "",
	    vm.why != NULL ? vm.why : "");
	finish(EXIT_LINK);
}

/* The command has ended: its status is ours. */
static _Noreturn void
command_ended(void)
{
	struct status_ends ends;

	report_end();
	status_find(&ends);
	if (session.how != 'f')
		status_started(&ends);
	else if (session.code == EXIT_NOTFOUND && cfg.root == NULL &&
	    cfg.initrd == NULL)
		warnx("neither root= nor initrd=: only volt's own programs "
		    "are in the guest");
	if ((errno = console_lost()) != 0) {
		if (errno == ETIMEDOUT)
			warnx("the command's output: nobody took all of it");
		else
			warn("the command's output");
		if (session.how == 'e' && session.code == 0)
			finish(EXIT_LINK);
	}
	if (session.how == 's') {
		status_tell(session.code); /* as waitpid(2) has it */
		finish(EXIT_SIGNAL + session.code);
	}
	finish(session.code);
}

static _Noreturn void
run(void)
{
	int64_t deadline = 0, patience = 0, left;
	uint64_t taken = 0, now;
	bool looked = false;

	if (cfg.boot_timeout != 0)
		deadline = clock_ms() + (int64_t)cfg.boot_timeout;
	for (;;) {
		if (session.done && console_drained())
			break;
		if (atomic_load(&vm.end) != VM_RUNS) {
			/* What it said last may not have been read yet. */
			if (*cfg.argv == NULL || (looked && !session.done))
				break;
			if (!looked)
				console_look();
			looked = true;
		}
		vm.io.timeout = -1;
		if (deadline != 0 && !session.up && *cfg.argv != NULL) {
			left = deadline - clock_ms();
			if (left <= 0)
				machine_ended("did not start in time");
			vm.io.timeout = (int)left;
		}
		/* Who was told to end waits for no reader that is stuck. */
		if (session.done && session.told) {
			now = console_taken();
			if (patience == 0 || now != taken)
				patience = clock_ms() + PATIENCE;
			taken = now;
			if ((left = patience - clock_ms()) <= 0) {
				console_lose();
				break;
			}
			vm.io.timeout = (int)left;
		}
		io_step(&vm.io);
	}
	if (cfg.stats)
		print_stats();
	if (session.done)
		command_ended();
	switch (atomic_load(&vm.end)) {
	case VM_POWEROFF:
		if (*cfg.argv == NULL)
			finish(0);
		machine_ended("powered off before the command ended");
	case VM_RESET:
		machine_ended("reset itself");
	default:
		machine_ended("crashed");
	}
}

/* -v, -N: a line an item. */
static void
describe(const char *version)
{
	unsigned int i;

	say("memory %llu MiB, cpus %u", (unsigned long long)(cfg.memory >> 20),
	    cfg.cpus);
	say("kernel %s%s%s", cfg.kernel, version != NULL ? ", " : "",
	    version != NULL ? version : "");
	for (i = 0; i < cfg.ndisks; i++)
		say("vd%c %s%s%s", 'a' + (int)i, cfg.disks[i].path,
		    cfg.disks[i].ro ? ", read-only" : "",
		    cfg.disks[i].scratch != NULL ? ", overlay" : "");
	if (*cfg.argv != NULL)
		say("root %s", cfg.root != NULL ? cfg.root : "the initramfs");
	if (cfg.net.present)
		say("network %s", cfg.tap != NULL ? cfg.tap : "of volt-net");
}

int
main(int argc, char *argv[])
{
	const char *version;

	config_parse(&cfg, argc, argv);
	cfg.image = file_map(cfg.kernel, "kernel");
	if (cfg.initrd != NULL)
		cfg.user_initrd = file_map(cfg.initrd, "initrd");
	network_open(&cfg);
	version = arch_kernel_version(&cfg);
	describe(version);
	if (*cfg.argv != NULL)
		payload_make(&cfg, version);
	if (cfg.dry) {
		blk_check(&cfg);
		return 0;
	}

	chain_refuse_waste();
	vm_open(&vm, cfg.memory);
	vcpu_create_all(&vm, cfg.cpus);
	devices_init(&vm, &cfg);
	arch_load(&vm, &cfg);
	file_unmap(&cfg.image);
	file_unmap(&cfg.user_initrd);
	file_unmap(&cfg.payload);
	watch_signals();
	if (*cfg.argv == NULL)
		io_add(&vm.io, &(struct io_source){ .fd = STDIN_FILENO,
		    .wants = wants_typing, .ready = typed });
	console_on_line(control_line);
	/* The guest's memory is nobody else's, not even by ptrace. */
	prctl(PR_SET_DUMPABLE, 0);
	if (cfg.pty && *cfg.argv == NULL)
		terminal_raw();
	arch_boot(&vm);
	run();
}
