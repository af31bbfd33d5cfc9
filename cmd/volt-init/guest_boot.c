/* From the kernel's hands to where volt-kvm can be talked to. */
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chain.h"
#include "guest.h"
#include "kfile.h"

#define SEED "/volt/seed"
#define SEED_MOST 256
#define MODULES "/volt/modules/"
#define PORTS "/sys/class/virtio-ports"
#define PORTS_WAIT 60000	/* ms; emulated machines are slow */

#ifndef MODULE_INIT_COMPRESSED_FILE
#define MODULE_INIT_COMPRESSED_FILE 4
#endif

static void
mount_kernel(const char *type, const char *path, unsigned long flags)
{
	(void)mkdir(path, 0755);
	if (mount(type, path, type, MS_NOSUID | flags, NULL) == -1 &&
	    errno != EBUSY)
		err(EXIT_LINK, "mount %s", path);
}

void
guest_early(void)
{
	mount_kernel("proc", "/proc", MS_NODEV | MS_NOEXEC);
	mount_kernel("sysfs", "/sys", MS_NODEV | MS_NOEXEC);
	mount_kernel("devtmpfs", "/dev", 0);
	umask(022);
}

/* Random bytes that the host vouches for: nobody need wait for entropy. */
void
guest_seed(void)
{
	/* struct rand_pool_info: bits, bytes, the bytes */
	int pool[2 + SEED_MOST / sizeof(int)] = { 0 };
	ssize_t n;
	int fd;

	n = kfile_read(AT_FDCWD, SEED, (char *)&pool[2], SEED_MOST);
	(void)unlink(SEED);
	if (n <= 0)
		return;
	pool[0] = (int)n * 8;
	pool[1] = (int)n;
	if ((fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC)) == -1)
		return;
	(void)ioctl(fd, RNDADDENTROPY, pool);
	close(fd);
}

static void
load_module(char *name)
{
	size_t n = strlen(name);
	int flags = 0, fd;
	bool needed = true;

	if (n > 1 && name[n - 1] == '?') { /* another processor's, perhaps */
		name[--n] = '\0';
		needed = false;
	}
	if (n > 2 && strcmp(name + n - 2, ".p") == 0)
		flags = MODULE_INIT_COMPRESSED_FILE;
	if ((fd = open(name, O_RDONLY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "%s", name);
	/* In /volt/modules a number: the kernel says which it is. */
	if (syscall(SYS_finit_module, fd, "", flags) == -1 && errno != EEXIST &&
	    needed)
		err(EXIT_LINK, "module %s", name);
	close(fd);
	(void)unlink(name);
}

void
guest_modules(void)
{
	static char order[16384];
	char path[64], *line, *save;

	if (kfile_read(AT_FDCWD, MODULES "order", order, sizeof(order)) == -1)
		return; /* a kernel that has all built in */
	for (line = strtok_r(order, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		snprintf(path, sizeof(path), MODULES "%s", line);
		load_module(path);
	}
}

/* Open those of volt-kvm's ports that have appeared. Returns how many. */
static int
look_for_ports(struct guest *g)
{
	static const char *const names[GUEST_PORTS] = { "volt.stdin\n",
		"volt.stdout\n", "volt.stderr\n", "volt.control\n" };
	static const int modes[GUEST_PORTS] = { O_RDONLY, O_WRONLY, O_WRONLY,
		O_RDWR };
	char path[300], name[64];
	struct dirent *e;
	int found = 0, i;
	DIR *dir;

	if ((dir = opendir(PORTS)) == NULL)
		return 0;
	/* cppcheck-suppress readdirCalled ; there are no threads */
	while ((e = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), PORTS "/%s/name", e->d_name);
		if (kfile_read(AT_FDCWD, path, name, sizeof(name)) == -1)
			continue;
		snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		for (i = 0; i < GUEST_PORTS; i++)
			if (g->port[i] == -1 && strcmp(name, names[i]) == 0)
				g->port[i] = open(path, modes[i] | O_CLOEXEC);
	}
	closedir(dir);
	for (i = 0; i < GUEST_PORTS; i++)
		found += g->port[i] != -1;
	return found;
}

/* Ports appear one by one, as the driver is told of them. */
void
guest_ports(struct guest *g)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int ms;

	for (ms = 0; ms < PORTS_WAIT; ms++) {
		if (look_for_ports(g) == GUEST_PORTS)
			return;
		nanosleep(&pause, NULL);
	}
	errx(EXIT_LINK, "the ports of volt-kvm: not found");
}
