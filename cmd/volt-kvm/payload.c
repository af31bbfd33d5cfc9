/*
 * The payload: an initramfs with volt-guest as its first program, the command, and
 * all that these need (guest.h).
 */
#include <sys/random.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "config.h"
#include "cpio.h"
#include "guest.h"
#include "kfile.h"
#include "modules.h"
#include "payload.h"
#include "request.h"
#include "terminal.h"
#include "toolbox.h"
#include "verity.h"

#define SEED 64
#define INCLUDE_MOST ((size_t)1 << 20)
#define INCLUDE_DEPTH 8
#define NAMES 64

struct payload {
	struct cpio cpio;
	const char *names[NAMES];	/* programs and files of words in it */
	unsigned int nnames;
};

/* Note the name. Returns whether it is new. */
static bool
first(struct payload *p, const char *name)
{
	unsigned int i;

	for (i = 0; i < p->nnames; i++)
		if (strcmp(p->names[i], name) == 0)
			return false;
	if (p->nnames == NAMES)
		errx(EXIT_LINK, "too many programs and files of words");
	if ((p->names[p->nnames++] = strdup(name)) == NULL)
		err(EXIT_LINK, "%s", name);
	return true;
}

static void
add_program(struct payload *p, const char *name)
{
	char path[64];
	int fd;

	if (!first(p, name))
		return;
	if ((fd = toolbox_open_program(name)) == -1) {
		if (errno == ENOENT && strcmp(name, "volt-guest") != 0)
			return; /* the root has its own */
		err(EXIT_LINK, "%s", name);
	}
	snprintf(path, sizeof(path), GUEST_PROGRAMS "/%s", name);
	cpio_fd(&p->cpio, path, 0755, fd);
	close(fd);
}

/* Add the file of @name, for a link in the guest, and the files that it includes. */
static void
add_include(struct payload *p, const char *name, int depth)
{
	char path[64], *buf, *line, *save;
	struct stat st;
	ssize_t n;
	int fd;

	if (strchr(name, '/') != NULL || strlen(name) > 40 ||
	    depth > INCLUDE_DEPTH || !first(p, name) ||
	    (fd = toolbox_open_words(name)) == -1)
		return;
	if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(fd); /* such as "@..": not a file of words */
		return;
	}
	if ((buf = malloc(INCLUDE_MOST)) == NULL ||
	    (n = kfile_slurp(fd, buf, INCLUDE_MOST)) == -1)
		err(EXIT_LINK, "@%s", name);
	close(fd);
	snprintf(path, sizeof(path), GUEST_SHARE_WORDS "/%s", name);
	cpio_file(&p->cpio, path, 0644, buf, (size_t)n);
	for (line = strtok_r(buf, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		line += strspn(line, " \t\r");
		line[strcspn(line, " \t\r")] = '\0';
		if (line[0] == '@')
			add_include(p, line + 1, depth + 1);
	}
	free(buf);
}

/* Add the volt programs that argv names, and the files of words for them. */
static void
add_toolbox(struct payload *p, char *const argv[])
{
	add_program(p, "volt-guest");
	for (; *argv != NULL; argv++)
		if (chain_is_name(*argv) && strlen(*argv) < 32)
			add_program(p, *argv);
		else if ((*argv)[0] == '@')
			add_include(p, *argv + 1, 1);
}

/* Add a file of n strings, each with its NUL. */
static void
add_strings(struct payload *p, const char *path, char *const *list, size_t n)
{
	size_t len;
	char *buf = request_strings(list, n, &len);

	cpio_file(&p->cpio, path, 0600, buf, len);
	free(buf);
}

static void
add_environment(struct payload *p, const struct config *cfg)
{
	size_t len;
	char *buf = request_environment(cfg, &len);

	cpio_file(&p->cpio, GUEST_ENV, 0600, buf, len);
	free(buf);
}

/* The shares but for the root, as words for the guest. */
static void
add_shares(struct guest_words *w, const struct config *cfg)
{
	struct guest_share share;
	const struct share *s;
	char buf[sizeof(share) + 8];
	unsigned int i;

	for (i = 0; i < cfg->nshares; i++) {
		s = &cfg->shares[i];
		if (s->dst == NULL)
			continue;
		share.ro = s->ro;
		snprintf(share.tag, sizeof(share.tag), "%s", s->tag);
		snprintf(share.dst, sizeof(share.dst), "%s", s->dst);
		if (guest_share_print(&share, buf, sizeof(buf)) == -1 ||
		    (w->share[w->nshares++] = strdup(buf)) == NULL)
			err(EXIT_LINK, "share=%s", s->path);
	}
}

/* Add the signature of that disk as a file, and have v name it. */
static void
add_signature(struct payload *p, struct guest_verity *v, const struct disk *d)
{
	struct verity read;
	char *path;

	if (verity_sign(&read, &d->trust) == -1)
		err(EXIT_LINK, "disk=%s: sig=%s", d->path, d->trust.sig);
	if (read.sig_len == 0)
		return;
	if (asprintf(&path, "/" GUEST_SIG "%s", v->dev) == -1)
		err(EXIT_LINK, "disk=%s", d->path);
	v->trust.sig = path;
	cpio_file(&p->cpio, path + 1, 0600, read.sig, read.sig_len);
}

/* The disks with dm-verity, as words for the guest, and the signatures. */
static void
add_verity(struct payload *p, struct guest_words *w, const struct config *cfg)
{
	struct guest_verity v;
	char buf[sizeof(v) + DIGEST_TEXT];
	unsigned int i;

	for (i = 0; i < cfg->ndisks; i++) {
		v.trust = cfg->disks[i].trust;
		if (v.trust.verity.len == 0)
			continue;
		snprintf(v.dev, sizeof(v.dev), "vd%c", 'a' + (int)i);
		add_signature(p, &v, &cfg->disks[i]);
		if (guest_verity_print(&v, buf, sizeof(buf)) == -1 ||
		    (w->verity[w->nverity++] = strdup(buf)) == NULL)
			err(EXIT_LINK, "disk=%s", cfg->disks[i].path);
	}
}

static void
add_words(struct payload *p, const struct config *cfg)
{
	const uint8_t *m = cfg->net.mac;
	char mac[18], size[16], pmems[8], buf[8 * 4096];
	struct guest_words words = {
		.pmems = cfg->npmems > 0 ? pmems : NULL,
		.root = cfg->root,
		.overlay = cfg->overlay,
		.hostname = cfg->hostname,
		.chdir = cfg->chdir,
		.console = cfg->pty ? "pty" : NULL,
		.size = cfg->pty ? size : NULL,
		.mac = cfg->net.present ? mac : NULL,
		.ip = cfg->net.ip,
		.gw = cfg->net.gw,
		.ip6 = cfg->net.ip6,
		.gw6 = cfg->net.gw6,
		.dns = cfg->net.dns,
		.search = cfg->net.search,
		.options = cfg->net.options,
	};
	int len;

	add_shares(&words, cfg);
	snprintf(pmems, sizeof(pmems), "%u", cfg->npmems);
	add_verity(p, &words, cfg);
	terminal_size(size, sizeof(size));
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1],
	    m[2], m[3], m[4], m[5]);
	if ((len = guest_words_print(&words, buf, sizeof(buf))) == -1)
		err(EXIT_LINK, "the words for the guest");
	cpio_file(&p->cpio, GUEST_WORDS, 0600, buf, (size_t)len);
}

/* Make cfg->payload for a kernel of that version; NULL: it is not known. */
void
payload_make(struct config *cfg, const char *version)
{
	static const char *const dirs[] = { "dev", "proc", "sys", GUEST_DIR,
		GUEST_PROGRAMS, GUEST_MODULES, GUEST_SHARE, GUEST_SHARE_WORDS,
		GUEST_ROOT, GUEST_UPPER, GUEST_LOWER };
	struct payload p = { .nnames = 0 };
	uint8_t seed[SEED];
	size_t i, n;

	for (i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
		cpio_dir(&p.cpio, dirs[i], 0755);
	cpio_node(&p.cpio, "dev/console", S_IFCHR | 0600, 5, 1);
	add_toolbox(&p, cfg->argv);
	for (n = 0; cfg->argv[n] != NULL; n++)
		;
	add_strings(&p, GUEST_ARGV, cfg->argv, n);
	add_environment(&p, cfg);
	add_words(&p, cfg);
	if (getrandom(seed, sizeof(seed), 0) != SEED)
		err(EXIT_LINK, "random bytes");
	cpio_file(&p.cpio, GUEST_SEED, 0600, seed, sizeof(seed));
	modules_add(&p.cpio, cfg, version);
	cpio_end(&p.cpio);
	cfg->payload = (struct blob){ p.cpio.base, p.cpio.len };
}
