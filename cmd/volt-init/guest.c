#include <sys/ioctl.h>
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
#include "guest.h"
#include "kfile.h"
#include "status.h"
#include "toolbox.h"

#define RAMFS_MAGIC 0x858458f6
#define TMPFS_MAGIC 0x01021994
#define FILE_MOST ((size_t)4 << 20)
#define ENDING 10	/* ms between two looks at what was killed */

extern char **environ;

static struct guest guest = { .port = { -1, -1, -1, -1 } };

/* Are we the first program of a guest of volt-kvm's? */
bool
guest_here(void)
{
	struct statfs fs;

	return getpid() == 1 && access(GUEST_FILE, F_OK) == 0 &&
	    statfs("/", &fs) == 0 &&
	    (fs.f_type == RAMFS_MAGIC || fs.f_type == TMPFS_MAGIC);
}

/*
 * All is said: volt-kvm ends the guest once it has read it. On the way down the
 * kernel may reset devices, and what is in their queues would be lost.
 */
static _Noreturn void
rest(void)
{
	if (guest.port[GUEST_CONTROL] == -1)
		reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

/* However we end, the kernel need not panic. */
static void
last_words(void)
{
	if (getpid() != 1)
		return;
	sync();
	if (guest.port[GUEST_CONTROL] != -1)
		dprintf(guest.port[GUEST_CONTROL], "failed %d\n", EXIT_LINK);
	rest();
}

/* Strings that each end with a NUL, as a vector. */
static char **
read_strings(const char *path)
{
	char *buf, *s, **list;
	size_t n = 0, i;
	ssize_t len;

	if ((buf = malloc(FILE_MOST)) == NULL ||
	    (len = kfile_read(AT_FDCWD, path, buf, FILE_MOST)) == -1)
		err(EXIT_LINK, "%s", path);
	for (i = 0; i < (size_t)len; i++)
		n += buf[i] == '\0';
	if ((list = calloc(n + 1, sizeof(*list))) == NULL)
		err(EXIT_LINK, "%s", path);
	for (s = buf, i = 0; i < n; s += strlen(s) + 1)
		list[i++] = s;
	return list;
}

static void
read_words(void)
{
	static char buf[16384];
	struct {
		const char *key;
		char **value;
	} words[] = {
		{ "root=", &guest.root },
		{ "overlay=", &guest.overlay },
		{ "hostname=", &guest.hostname },
		{ "chdir=", &guest.chdir },
		{ "console=", &guest.console },
		{ "size=", &guest.size },
		{ "mac=", &guest.mac },
		{ "ip=", &guest.ip },
		{ "gw=", &guest.gw },
		{ "ip6=", &guest.ip6 },
		{ "gw6=", &guest.gw6 },
		{ "dns=", &guest.dns },
		{ "search=", &guest.search },
		{ "options=", &guest.options },
	};
	char *line, *save;
	size_t i;

	if (kfile_read(AT_FDCWD, GUEST_FILE, buf, sizeof(buf)) == -1)
		err(EXIT_LINK, "%s", GUEST_FILE);
	for (line = strtok_r(buf, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
			if (strncmp(line, words[i].key,
				strlen(words[i].key)) == 0)
				*words[i].value = line + strlen(words[i].key);
}

static void
set_environment(void)
{
	static char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:"
	    "/usr/bin:/sbin:/bin";
	static char home[] = "HOME=/root", term[] = "TERM=linux";
	char **s;

	environ = NULL;
	if (putenv(path) != 0 || putenv(home) != 0 || putenv(term) != 0)
		err(EXIT_LINK, "environment");
	for (s = guest.env; *s != NULL; s++)
		if (strncmp(*s, "VOLT_", 5) != 0 && putenv(*s) != 0)
			err(EXIT_LINK, "environment");
}

static _Noreturn void
run_command(const struct supervise *s, const int ends[3])
{
	int i;

	for (i = 0; i < 3; i++)
		if (dup2(ends[i], i) == -1)
			err(EXIT_LINK, "descriptor %d", i);
	if (setsid() == -1)
		err(EXIT_LINK, "session");
	if (guest.console != NULL && ioctl(STDIN_FILENO, TIOCSCTTY, 0) == -1)
		err(EXIT_LINK, "console=pty");
	if (supervise_child(s) == -1)
		err(EXIT_LINK, "wait for our parent");
	chain_exec(guest.argv);
}

/* Stop all that still runs, so that the root can be left clean. */
static void
end_all(void)
{
	pid_t pid;

	kill(-1, SIGKILL);
	while ((pid = waitpid(-1, NULL, WNOHANG)) != -1 || errno == EINTR)
		if (pid == 0) /* it waits for a device, perhaps */
			guest_pump_answer(ENDING);
}

/* Leave the root clean; a slow disk is no guest that hangs. */
static void
leave_root(void)
{
	pid_t pid = fork();

	if (pid == 0)
		guest_pump_answer(-1);
	guest_root_end();
	if (pid != -1)
		kill(pid, SIGKILL);
}

/*
 * Be the guest's first program. Our own messages go to the console until the
 * ports are there, and then to volt-kvm's stderr.
 */
_Noreturn void
guest_main(void)
{
	struct supervise s = { .own_session = true };
	int part[TOOLBOX_PARTS];
	int ends[3], wstatus;
	struct status status;

	atexit(last_words);
	guest_early();
	guest_seed();
	guest_modules();
	guest_ports(&guest);
	if (dup2(guest.port[GUEST_STDERR], STDERR_FILENO) == -1)
		err(EXIT_LINK, "stderr");
	read_words();
	guest.argv = read_strings("/volt/argv");
	guest.env = read_strings("/volt/env");
	if (guest.argv[0] == NULL)
		errx(EXIT_LINK, "no command");
	set_environment();
	if (toolbox_clone(part) == -1)
		err(EXIT_LINK, "toolbox");
	if (guest.hostname != NULL &&
	    sethostname(guest.hostname, strlen(guest.hostname)) == -1)
		err(EXIT_LINK, "hostname=%s", guest.hostname);
	guest_root(&guest);
	if (guest.mac != NULL)
		guest_net(&guest);
	if (toolbox_announce(part) == -1)
		err(EXIT_LINK, "toolbox");
	if (status_watch(&status) == -1)
		err(EXIT_LINK, "status");
	if (guest.chdir != NULL && chdir(guest.chdir) == -1)
		err(EXIT_LINK, "chdir=%s", guest.chdir);

	guest_pump_pipes(&guest, ends);
	if (supervise_begin(&s) == -1)
		err(EXIT_LINK, "signals");
	dprintf(guest.port[GUEST_CONTROL], "up\n");
	if ((s.child = fork()) == -1)
		err(EXIT_LINK, "fork");
	if (s.child == 0)
		run_command(&s, ends);
	if (supervise_parent(&s) == -1)
		err(EXIT_LINK, "let the command start");
	close(ends[0]);
	close(ends[1]);
	close(ends[2]);
	guest_pump_begin(&guest, &s);
	if (supervise_wait(&s, &wstatus) == -1)
		err(EXIT_LINK, "wait");
	end_all();
	guest_pump_end();
	leave_root();
	if (status_report(&status, guest.port[GUEST_CONTROL], wstatus) == -1)
		warn("status");
	rest();
}
