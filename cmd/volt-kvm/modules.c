/*
 * The kernel modules that the guest's devices need, and those that these need
 * (modules.dep(5)), in the order in which volt-guest loads them.
 *
 * A compressed module is decompressed here, if the program for it is found, since
 * not every kernel can do that. Otherwise the guest's kernel must decompress it.
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
#include "file.h"
#include "guest.h"
#include "modules.h"
#include "say.h"
#include "value.h"

#define MODULES 128

struct modules {
	struct cpio *cpio;
	const char *dir;
	int dirfd;
	struct blob dep, softdep, alias;
	unsigned int soft;	/* how many soft dependencies lead here */
	char *loaded[MODULES];	/* paths in dir */
	unsigned int n;
	char order[MODULES * 64];
	size_t order_len;
};

static const struct {
	const char *suffix;
	const char *program;
} packers[] = { { ".xz", "xz" }, { ".zst", "zstd" }, { ".gz", "gzip" } };

/* Is path the file of the module name? '-' and '_' are the same. */
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
		if (s[i] != name[i] && !(s[i] == '-' && name[i] == '_') &&
		    !(s[i] == '_' && name[i] == '-'))
			return false;
	return true;
}

/*
 * Run "program -dc" on fd. Returns a memfd with its output, or -1 if the program
 * is missing or failed.
 */
static int
decompress(const char *program, int fd)
{
	int out, status;
	pid_t pid;

	if ((out = memfd_create("volt-module", MFD_CLOEXEC)) == -1)
		err(EXIT_LINK, "memfd");
	signal(SIGCHLD, SIG_DFL); /* if it were ignored waitpid(2) would fail */
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

static void add_soft(struct modules *m, const char *path);

/* Add the file at path, once, and a line to the list of modules. */
static void
add_file(struct modules *m, const char *path)
{
	char name[64];
	size_t i, len = strlen(path);
	unsigned int number;
	int fd, plain = -1, n;

	for (i = 0; i < m->n; i++)
		if (strcmp(m->loaded[i], path) == 0)
			return;
	if (m->n == MODULES || (m->loaded[m->n++] = strdup(path)) == NULL)
		errx(EXIT_LINK, "modules=%s: too many", m->dir);
	number = m->n;
	add_soft(m, path);
	if ((fd = openat(m->dirfd, path, O_RDONLY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "modules=%s: %s", m->dir, path);
	for (i = 0; i < sizeof(packers) / sizeof(packers[0]); i++)
		if (len > strlen(packers[i].suffix) &&
		    strcmp(path + len - strlen(packers[i].suffix),
			packers[i].suffix) == 0)
			plain = decompress(packers[i].program, fd);
		else if (plain == -1 && len > 3 &&
		    memcmp(path + len - 3, ".ko", 3) == 0)
			plain = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	/* The suffixes: it is still compressed; it may fail to load. */
	n = snprintf(name, sizeof(name), "%02u%s%s", number,
	    plain == -1 ? GUEST_MODULE_PACKED : "",
	    m->soft > 0 ? GUEST_MODULE_SOFT : "");
	if (m->order_len + (size_t)n + 1 > sizeof(m->order))
		errx(EXIT_LINK, "modules=%s: too many", m->dir);
	memcpy(m->order + m->order_len, name, (size_t)n);
	m->order[m->order_len + (size_t)n] = '\n';
	m->order_len += (size_t)n + 1;
	snprintf(name, sizeof(name), GUEST_MODULES "/%02u%s", number,
	    plain == -1 ? GUEST_MODULE_PACKED : "");
	cpio_fd(m->cpio, name, 0600, plain == -1 ? fd : plain);
	say("module %s", path);
	close(fd);
	if (plain != -1)
		close(plain);
}

/*
 * A line of modules.dep, "FILE: NEEDED NEEDED ...". The needed modules are loaded
 * from the last to the first, and then FILE.
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

/* The line of a file that begins at *at, or NULL. Advances *at to the next. */
static const char *
next_line(const struct blob *b, size_t *at, size_t *len)
{
	const char *s, *eol;

	if (*at >= b->len)
		return NULL;
	s = (const char *)b->data + *at;
	eol = memchr(s, '\n', b->len - *at);
	*len = eol == NULL ? b->len - *at : (size_t)(eol - s);
	*at += *len + 1;
	return s;
}

/* Add the module called name. Returns false if it has no file: it may be built in. */
static bool
add(struct modules *m, const char *name)
{
	const char *s, *colon;
	size_t at = 0, len;

	while ((s = next_line(&m->dep, &at, &len)) != NULL) {
		colon = memchr(s, ':', len);
		if (colon == NULL || memchr(s, '\0', len) != NULL ||
		    !is_module(s, (size_t)(colon - s), name))
			continue;
		add_line(m, s, len);
		return true;
	}
	return false;
}

/* Add the module called name, or the modules with that alias. */
static void
add_alias(struct modules *m, const char *name)
{
	char buf[256], *save, *alias, *module;
	const char *s;
	size_t at = 0, len;

	if (add(m, name))
		return;
	while ((s = next_line(&m->alias, &at, &len)) != NULL) {
		if (len >= sizeof(buf) || len < 6 || memcmp(s, "alias ", 6) != 0)
			continue;
		memcpy(buf, s, len);
		buf[len] = '\0';
		alias = strtok_r(buf + 6, " ", &save);
		module = strtok_r(NULL, " ", &save);
		if (module != NULL && strcmp(alias, name) == 0)
			(void)add(m, module);
	}
}

/*
 * Add the soft dependencies of the file at path ("softdep ext4 pre:
 * crypto-crc32c"). It requests these from modprobe(8) while it runs, and the
 * guest has no modprobe(8). Some are for other processors, and fail to load.
 */
static void
add_soft(struct modules *m, const char *path)
{
	char buf[512], *save, *word;
	const char *s;
	size_t at = 0, len;
	bool pre;

	while ((s = next_line(&m->softdep, &at, &len)) != NULL) {
		if (len >= sizeof(buf) || len < 8 ||
		    memcmp(s, "softdep ", 8) != 0)
			continue;
		memcpy(buf, s, len);
		buf[len] = '\0';
		word = strtok_r(buf + 8, " ", &save);
		if (word == NULL || !is_module(path, strlen(path), word))
			continue;
		m->soft++;
		pre = false;
		while ((word = strtok_r(NULL, " ", &save)) != NULL)
			if (strcmp(word, "pre:") == 0)
				pre = true;
			else if (strcmp(word, "post:") == 0)
				pre = false;
			else if (pre)
				add_alias(m, word);
		m->soft--;
	}
}

/* Add the module for the file system of a disk. */
static void
add_type(struct modules *m, const char *word)
{
	struct guest_disk d;

	if (guest_disk_parse(&d, word) == -1)
		err(EXIT_LINK, "%s", word);
	(void)add(m, d.type[0] != '\0' ? d.type : GUEST_TYPE);
}

static void
add_devices(struct modules *m, const struct config *cfg)
{
	(void)add(m, "pvpanic_mmio"); /* first: the others may panic */
	(void)add(m, "virtio_pci");
	(void)add(m, "virtio_console");
	(void)add(m, "virtio_rng");
	(void)add(m, "virtio_balloon");
	if (cfg->ndisks > 0)
		(void)add(m, "virtio_blk");
	if (cfg->npmems > 0) {
		(void)add(m, "virtio_pmem");
		(void)add(m, "nd_pmem");
	}
	if (cfg->nshares > 0)
		(void)add(m, GUEST_SHARE_TYPE);
	if (cfg->net.present)
		(void)add(m, "virtio_net");
	if (cfg->vsock != NULL)
		(void)add(m, "vmw_vsock_virtio_transport");
	if (cfg->root != NULL)
		add_type(m, cfg->root);
	if (cfg->overlay != NULL) {
		(void)add(m, "overlay");
		if (strcmp(cfg->overlay, "tmpfs") != 0)
			add_type(m, cfg->overlay);
	}
}

/* Map a file of the directory, if it is there. */
static struct blob
map_if_there(const struct modules *m, const char *name)
{
	char path[PATH_MAX + 32];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", m->dir, name);
	if (stat(path, &st) == -1 || st.st_size == 0)
		return (struct blob){ 0 };
	return file_map(path, "modules");
}

/* Add modules from modules= or /lib/modules/VERSION, if there is such a directory. */
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
	m.softdep = map_if_there(&m, "modules.softdep");
	m.alias = map_if_there(&m, "modules.alias");
	add_devices(&m, cfg);
	cpio_file(c, GUEST_MODULES_ORDER, 0600, m.order, m.order_len);
	file_unmap(&m.dep);
	file_unmap(&m.softdep);
	file_unmap(&m.alias);
	close(m.dirfd);
}
