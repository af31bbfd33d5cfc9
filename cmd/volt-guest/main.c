/*
 * volt-guest: the first program of a guest of volt-kvm(1), and its PID 1. It sets
 * the guest up, starts the command and waits for it.
 */
#include <sys/reboot.h>
#include <sys/vfs.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chain.h"
#include "inside.h"
#include "kfile.h"
#include "status.h"
#include "toolbox.h"

#define RAMFS_MAGIC 0x858458f6
#define TMPFS_MAGIC 0x01021994
#define FILE_MOST ((size_t)4 << 20)
#define ENDING 10	/* ms between two looks whether the killed are gone */

static struct inside in = { .port = { -1, -1, -1, -1 } };

/* Did volt-kvm's initramfs start us, as PID 1? */
static bool
in_guest(void)
{
	struct statfs fs;

	return getpid() == 1 && access("/" GUEST_WORDS, F_OK) == 0 &&
	    statfs("/", &fs) == 0 &&
	    (fs.f_type == RAMFS_MAGIC || fs.f_type == TMPFS_MAGIC);
}

/*
 * The report is written: volt-kvm ends the guest once it has read it. Do not power
 * off: that may reset the devices, and what is in their queues would be lost.
 */
static _Noreturn void
rest(void)
{
	if (in.port[GUEST_CONTROL] == -1)
		reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* At exit: report the failure. If PID 1 exited the kernel would panic. */
static void
last_words(void)
{
	if (getpid() != 1)
		return;
	sync();
	if (in.port[GUEST_CONTROL] != -1 &&
	    dprintf(in.port[GUEST_CONTROL], "failed %d\n", EXIT_LINK) < 0)
		in.port[GUEST_CONTROL] = -1;
	rest();
}

/* Read a file of strings, each with its NUL, into a vector. */
static char **
read_strings(const char *path)
{
	ssize_t len;
	char *buf;

	if ((buf = malloc(FILE_MOST)) == NULL ||
	    (len = kfile_read(AT_FDCWD, path, buf, FILE_MOST)) == -1)
		err(EXIT_LINK, "%s", path);
	return command_strings(buf, (size_t)len, path);
}

static void
read_words(void)
{
	static char buf[16384];

	if (kfile_read(AT_FDCWD, "/" GUEST_WORDS, buf, sizeof(buf)) == -1)
		err(EXIT_LINK, "/" GUEST_WORDS);
	guest_words_parse(&in.words, buf);
}

/* Kill all processes, so that none writes to the root any more. */
static void
end_all(void)
{
	pid_t pid;

	kill(-1, SIGKILL);
	while ((pid = waitpid(-1, NULL, WNOHANG)) != -1 || errno == EINTR)
		if (pid == 0) /* one may wait for a slow device */
			pump_answer(ENDING);
}

/*
 * Leave the root clean. Meanwhile a child acknowledges signals: a guest with a slow
 * disk does not hang.
 */
static void
leave_root(void)
{
	pid_t pid = fork();

	if (pid == 0)
		pump_answer(-1);
	root_leave();
	if (pid != -1)
		kill(pid, SIGKILL);
}

/*
 * Messages go to the console until the ports are open, and then to the standard
 * error of volt-kvm.
 */
int
main(void)
{
	struct supervise s = { .own_session = true };
	int part[TOOLBOX_PARTS];
	int wstatus;

	if (!in_guest())
		errx(EXIT_LINK, "not the first program of a guest; "
		    "volt-kvm starts it");
	atexit(last_words);
	boot_mounts();
	boot_seed();
	boot_modules();
	boot_ports(&in);
	if (dup2(in.port[GUEST_STDERR], STDERR_FILENO) == -1)
		err(EXIT_LINK, "stderr");
	read_words();
	in.argv = read_strings("/" GUEST_ARGV);
	in.env = read_strings("/" GUEST_ENV);
	if (in.argv[0] == NULL)
		errx(EXIT_LINK, "no command");
	command_environment(in.env);
	if (toolbox_clone(part) == -1)
		err(EXIT_LINK, "toolbox");
	if (in.words.hostname != NULL &&
	    sethostname(in.words.hostname, strlen(in.words.hostname)) == -1)
		err(EXIT_LINK, "hostname=%s", in.words.hostname);
	root_change(&in.words);
	root_shares(&in.words);
	if (in.words.mac != NULL)
		net_up(&in.words);
	if (toolbox_announce(part) == -1)
		err(EXIT_LINK, "toolbox");
	command_run(&in, &s, &wstatus);
	end_all();
	pump_end();
	leave_root();
	if (status_report(&s.status, s.status_fd, wstatus, false) == -1)
		err(EXIT_LINK, "the command's status");
	rest();
}
