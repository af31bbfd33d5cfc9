/*
 * The kernel modules that the guest's devices need, with what these need in
 * their turn (modules.dep(5)), in the order in which they are to be loaded.
 *
 * A compressed module is decompressed here where the program for it is found,
 * so that it does for every kernel; else it goes as it is, and the guest's
 * kernel is asked to do it.
 */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "config.h"
#include "modules.h"
#include "say.h"

#define MODULES 128

struct modules {
	struct cpio *cpio;
	const char *dir;
	int dirfd;
	struct blob dep;
	char *loaded[MODULES];	/* paths in dir */
	unsigned int n;
	char order[MODULES * 64];
	size_t order_len;
};

static const struct {
	const char *suffix;
	const char *program;
} packers[] = { { ".xz", "xz" }, { ".zst", "zstd" }, { ".gz", "gzip" } };

/* Is path the file of the module name? '-' and '_' are one. */
static bool
is_module(const char *path, size_t len, const char *name)
{
	const char *s = path;
	size_t i, n = strlen(name);

	for (i = 0; i < len; i++)
		if (path[i] == '/')
			s = path + i + 1;
	len -= (size_t)(s - path);
	if (len < n + 3 || strncmp(s + n, ".ko", 3) != 0)
		return false;
	for (i = 0; i < n; i++)
		if (s[i] != name[i] && !(s[i] == '-' && name[i] == '_'))
			return false;
	return true;
}

/*
 * Run "program -dc" on fd. Returns a memfd with what it wrote, or -1 if it
 * could not.
 */
static int
decompress(const char *program, int fd)
{
	int out, status;
	pid_t pid;

	if ((out = memfd_create("volt-module", MFD_CLOEXEC)) == -1)
		err(EXIT_LINK, "memfd");
	if ((pid = fork()) == -1)
		err(EXIT_LINK, "fork");
	if (pid == 0) {
		if (dup2(fd, 0) != -1 && dup2(out, 1) != -1)
			execlp(program, program, "-dc", (char *)NULL);
		_exit(EXIT_NOTFOUND);
	}
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			err(EXIT_LINK, "wait");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return out;
	close(out);
	return -1;
}

/* Add the file at path, once, and a line to the list of what is loaded. */
static void
add_file(struct modules *m, const char *path)
{
	char name[64];
	size_t i, len = strlen(path);
	int fd, plain = -1, n;

	for (i = 0; i < m->n; i++)
		if (strcmp(m->loaded[i], path) == 0)
			return;
	if (m->n == MODULES || (m->loaded[m->n++] = strdup(path)) == NULL)
		errx(EXIT_LINK, "modules=%s: too many", m->dir);
	if ((fd = openat(m->dirfd, path, O_RDONLY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "modules=%s: %s", m->dir, path);
	for (i = 0; i < sizeof(packers) / sizeof(packers[0]); i++)
		if (len > strlen(packers[i].suffix) &&
		    strcmp(path + len - strlen(packers[i].suffix),
			packers[i].suffix) == 0)
			plain = decompress(packers[i].program, fd);
		else if (plain == -1 && memcmp(path + len - 3, ".ko", 3) == 0)
			plain = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	/* A ".p" is packed still. */
	n = snprintf(name, sizeof(name), "%02u%s", m->n,
	    plain == -1 ? ".p" : "");
	if (m->order_len + (size_t)n + 1 > sizeof(m->order))
		errx(EXIT_LINK, "modules=%s: too many", m->dir);
	memcpy(m->order + m->order_len, name, (size_t)n);
	m->order[m->order_len + (size_t)n] = '\n';
	m->order_len += (size_t)n + 1;
	snprintf(name, sizeof(name), "volt/modules/%02u%s", m->n,
	    plain == -1 ? ".p" : "");
	cpio_fd(m->cpio, name, 0600, plain == -1 ? fd : plain);
	say("module %s", path);
	close(fd);
	if (plain != -1)
		close(plain);
}

/*
 * A line of modules.dep, "FILE: NEEDED NEEDED ...": the needed ones are loaded
 * from the last to the first, and then the file itself.
 */
static void
add_line(struct modules *m, const char *line, size_t len)
{
	char *buf = strndup(line, len), *colon, *space;

	if (buf == NULL)
		err(EXIT_LINK, "modules");
	colon = strchr(buf, ':');
	*colon = '\0';
	while ((space = strrchr(colon + 1, ' ')) != NULL) {
		if (space[1] != '\0')
			add_file(m, space + 1);
		*space = '\0';
	}
	add_file(m, buf);
	free(buf);
}

/* Add the module called name. Where there is none it may be built in. */
static void
add(struct modules *m, const char *name)
{
	const char *s = m->dep.data, *end = s + m->dep.len, *eol, *colon;

	for (; s < end; s = eol + 1) {
		if ((eol = memchr(s, '\n', (size_t)(end - s))) == NULL)
			eol = end;
		colon = memchr(s, ':', (size_t)(eol - s));
		if (colon == NULL || !is_module(s, (size_t)(colon - s), name))
			continue;
		add_line(m, s, (size_t)(eol - s));
		return;
	}
}

static void
add_devices(struct modules *m, const struct config *cfg)
{
	char type[32] = "ext4";
	const char *colon;

	add(m, "virtio_pci");
	add(m, "virtio_console");
	if (cfg->ndisks > 0)
		add(m, "virtio_blk");
	if (cfg->net.present)
		add(m, "virtio_net");
	if (cfg->root != NULL) {
		colon = strchr(cfg->root, ':');
		if (colon != NULL && strcmp(colon, ":ro") != 0)
			snprintf(type, sizeof(type), "%.*s",
			    (int)strcspn(colon + 1, ":"), colon + 1);
		add(m, type);
	}
	if (cfg->overlay != NULL) {
		add(m, "overlay");
		add(m, "ext4");
	}
}

/* Add modules= or what fits the kernel; without either there are none. */
void
modules_add(struct cpio *c, const struct config *cfg, const char *version)
{
	struct modules m = { 0 };
	char path[PATH_MAX], dep[PATH_MAX + 16];

	m.cpio = c;
	m.dir = cfg->modules;
	if (m.dir == NULL && version != NULL) {
		snprintf(path, sizeof(path), "/lib/modules/%s", version);
		m.dir = path;
	}
	m.dirfd = m.dir == NULL ? -1 :
	    open(m.dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m.dirfd == -1) {
		if (cfg->modules != NULL)
			err(EXIT_LINK, "modules=%s", cfg->modules);
		say("no modules");
		return;
	}
	snprintf(dep, sizeof(dep), "%s/modules.dep", m.dir);
	m.dep = file_map(dep, "modules");
	add_devices(&m, cfg);
	cpio_file(c, "volt/modules/order", 0600, m.order, m.order_len);
	file_unmap(&m.dep);
	close(m.dirfd);
}
