/* The start of the guest: mounts, entropy, modules, and the ports to volt-kvm. */
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
#include "inside.h"
#include "kfile.h"

#define SEED_MOST 256
#define PORTS "/sys/class/virtio-ports"
#define WAIT 60000	/* ms; emulated machines are slow */

#ifndef MODULE_INIT_COMPRESSED_FILE
#define MODULE_INIT_COMPRESSED_FILE 4
#endif

/* Some kernels mount the devtmpfs by themselves. */
static void
mount_kernel(const char *type, const char *path, unsigned long flags)
{
	(void)mkdir(path, 0755);
	if (mount(type, path, type, MS_NOSUID | flags, NULL) == -1 &&
	    (errno != EBUSY || strcmp(type, "devtmpfs") != 0))
		err(EXIT_LINK, "mount %s", path);
}

void
boot_mounts(void)
{
	mount_kernel("proc", "/proc", MS_NODEV | MS_NOEXEC);
	mount_kernel("sysfs", "/sys", MS_NODEV | MS_NOEXEC);
	mount_kernel("devtmpfs", "/dev", 0);
	umask(022);
}

/* Credit the payload's random bytes as entropy, so that no read waits for more. */
void
boot_seed(void)
{
	/* struct rand_pool_info: bits, bytes, the bytes */
	int pool[2 + SEED_MOST / sizeof(int)] = { 0 };
	ssize_t n;
	int fd;

	n = kfile_read(AT_FDCWD, "/" GUEST_SEED, (char *)&pool[2], SEED_MOST);
	(void)unlink("/" GUEST_SEED);
	if (n <= 0)
		return;
	pool[0] = (int)n * 8;
	pool[1] = (int)n;
	if ((fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC)) == -1)
		return;
	(void)ioctl(fd, RNDADDENTROPY, pool);
	close(fd);
}

static bool
ends_with(const char *s, size_t len, const char *end)
{
	size_t n = strlen(end);

	return len > n && strcmp(s + len - n, end) == 0;
}

static void
load_module(char *name)
{
	size_t n = strlen(name);
	int flags = 0, fd;
	bool needed = true;

	if (ends_with(name, n, GUEST_MODULE_SOFT)) { /* it may fail to load */
		name[--n] = '\0';
		needed = false;
	}
	if (ends_with(name, n, GUEST_MODULE_PACKED))
		flags = MODULE_INIT_COMPRESSED_FILE;
	if ((fd = open(name, O_RDONLY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "%s", name);
	/* The file's name is a number. The kernel's own message has the name. */
	if (syscall(SYS_finit_module, fd, "", flags) == -1 && errno != EEXIST &&
	    needed)
		err(EXIT_LINK, "module %s", name);
	close(fd);
	(void)unlink(name);
}

void
boot_modules(void)
{
	static char order[16384];
	char path[64], *line, *save;

	if (kfile_read(AT_FDCWD, "/" GUEST_MODULES_ORDER, order, sizeof(order)) == -1)
		return; /* volt-kvm found no modules for this kernel */
	for (line = strtok_r(order, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		snprintf(path, sizeof(path), "/" GUEST_MODULES "/%s", line);
		load_module(path);
	}
}

/*
 * Wait for what the kernel makes in the background: call is_there(arg) each ms, until
 * that returns true. Returns whether it did in time.
 */
bool
boot_wait(bool (*is_there)(void *arg), void *arg)
{
	const struct timespec pause = { .tv_nsec = 1000000 };
	int ms;

	for (ms = 0; ms < WAIT; ms++) {
		if (is_there(arg))
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

/* Open the ports that have appeared: the driver makes them one by one. */
static bool
look_for_ports(void *arg)
{
	struct inside *in = arg;
	static const int modes[GUEST_PORTS] = { O_RDONLY, O_WRONLY, O_WRONLY,
		O_RDWR };
	char path[300], name[64], wanted[GUEST_PORT_NAME];
	struct dirent *e;
	int found = 0, i;
	DIR *dir;

	if ((dir = opendir(PORTS)) == NULL)
		return false;
	/* cppcheck-suppress readdirCalled ; there are no threads */
	while ((e = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), PORTS "/%s/name", e->d_name);
		if (kfile_read(AT_FDCWD, path, name, sizeof(name)) == -1)
			continue;
		name[strcspn(name, "\n")] = '\0';
		snprintf(path, sizeof(path), "/dev/%s", e->d_name);
		for (i = 0; i < GUEST_PORTS; i++) {
			guest_port_name(wanted, in->lane, (enum guest_port)i);
			if (in->port[i] == -1 && strcmp(name, wanted) == 0)
				in->port[i] = open(path, modes[i] | O_CLOEXEC);
		}
	}
	closedir(dir);
	for (i = 0; i < GUEST_PORTS; i++)
		found += in->port[i] != -1;
	return found == GUEST_PORTS;
}

/* Wait for the ports of our lane and open them. If they do not come, the end. */
void
boot_ports(struct inside *in)
{
	if (!boot_wait(look_for_ports, in))
		errx(EXIT_LINK, "the ports of volt-kvm: not found");
}
