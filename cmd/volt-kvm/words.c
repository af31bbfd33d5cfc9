#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "cidr.h"
#include "config.h"
#include "guest.h"
#include "host_socket.h"
#include "root.h"
#include "say.h"
#include "signals.h"
#include "talk.h"
#include "value.h"
#include "vm.h"
#include "words.h"

#define MEMORY_LEAST (UINT64_C(16) << 20)
#define MEMORY_MOST (UINT64_C(1) << 40)

static const char memory_default[] = "256M";

static void
add(const char *list[CONFIG_LIST], unsigned int *n, const char *key,
    const char *value)
{
	if (*n == CONFIG_LIST)
		word_bad(key, value, "too many");
	list[(*n)++] = value;
}

static void
set_memory(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;

	c->memory_text = value;
	c->memory = word_size(key, value) & ~(RAM_ALIGN - 1);
	if (c->memory < MEMORY_LEAST || c->memory > MEMORY_MOST)
		word_bad(key, value, "from 16M to 1T");
}

/* Add an order for a living guest: that word and what follows it. */
static void
add_order(struct config *c, const char *key, const char *value, const char *word,
    const char *text)
{
	size_t len = strlen(word) + strlen(text);
	char *order = malloc(len + 1);

	if (order == NULL)
		err(EXIT_LINK, "%s=%s", key, value);
	if (len >= TALK_LINE)
		word_bad(key, value, "too long");
	stpcpy(stpcpy(order, word), text);
	add(c->orders, &c->norders, key, value);
	c->orders[c->norders - 1] = order;
}

static void
set_balloon(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;
	char bytes[24];

	c->balloon = word_size(key, value);
	snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)c->balloon);
	add_order(c, key, value, "balloon ", bytes);
}

static void
set_pause(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;

	(void)word_choice(key, value, "yes|no");
	add_order(c, key, value, "pause ", value);
	c->only_living = key;
}

static void
set_grow(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;

	if (strlen(value) != 3)
		word_bad(key, value, "not a disk, such as vda");
	add_order(c, key, value, "grow ", value);
	c->only_living = key;
}

/* rate=DEVICE[:bytes=SIZE][:ops=N] */
static void
add_rate(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;

	if (c->nrates == CONFIG_LIST)
		word_bad(key, value, "too many");
	if (rate_parse(&c->rate[c->nrates], value) == -1)
		word_bad(key, value, errno == ERANGE ? "too large" :
		    "not of the form DEVICE[:bytes=SIZE][:ops=N]");
	c->net_rate |= strcmp(c->rate[c->nrates++].device, "net") == 0;
	add_order(c, key, value, "rate ", value);
}

/* signal=NAME: for the command, as if volt-kvm had received it. */
static void
set_signal(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;
	int signo = word_signal(key, value);
	char number[8];

	if (signo == SIGKILL || signo == SIGSTOP || signo == SIGTSTP ||
	    signals_ours(signo))
		word_bad(key, value, "volt-kvm does not pass this one on");
	snprintf(number, sizeof(number), "%d", signo);
	add_order(c, key, value, "signal ", number);
	c->only_living = key;
}

static void
add_cmdline(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;

	if (strpbrk(value, "\n\r") != NULL)
		word_bad(key, value, "more than one line");
	add(c->cmdline, &c->ncmdline, key, value);
}

static void
add_env(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;

	if (*value == '=' || *value == '\0')
		word_bad(key, value, "no name");
	add(c->env, &c->nenv, key, value);
}

/* A block size: a power of two, from a sector to a page. */
static unsigned int
block_size(const char *key, const char *value, const char *s)
{
	uint64_t n;

	if (value_size(s, &n) == -1 || n < 512 || n > 4096 ||
	    (n & (n - 1)) != 0)
		word_bad(key, value, "block: 512, 1024, 2048 or 4096");
	return (unsigned int)n;
}

/* Check the options of trust.h of a disk. Its overlay is not what verity= proves. */
static void
prove_disk(struct disk *d, const char *key, const char *value)
{
	const bool written = !d->ro && d->scratch == NULL;
	const char *wrong = trust_check(&d->trust, written);

	if (wrong == NULL && d->trust.verity.len > 0 && d->scratch != NULL)
		wrong = "verity and overlay do not go together";
	if (wrong == NULL && d->trust.verity.len > 0 && d->direct)
		wrong = "verity and direct do not go together";
	if (wrong != NULL)
		word_bad(key, value, wrong);
}

/* disk=FILE[:ro|:rw][:overlay[=DIR]][:direct][:block=SIZE][:OPTION of trust.h] */
static void
add_disk(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;
	const char *cursor = value, *wrong;
	char field[PATH_MAX];
	struct disk *d;

	if (c->ndisks == CONFIG_DISKS)
		word_bad(key, value, "too many disks; 26 at the most, vda to "
		    "vdz");
	d = &c->disks[c->ndisks++];
	if (value_field(&cursor, ':', field, sizeof(field)) != 1 ||
	    field[0] == '\0' || (d->path = strdup(field)) == NULL)
		word_bad(key, value, "no file");
	while (value_field(&cursor, ':', field, sizeof(field)) == 1) {
		if (strcmp(field, "ro") == 0)
			d->ro = true;
		else if (strcmp(field, "rw") == 0)
			d->ro = false;
		else if (strcmp(field, "direct") == 0)
			d->direct = true;
		else if (strcmp(field, "overlay") == 0)
			d->scratch = "";
		else if (strncmp(field, "overlay=", 8) == 0)
			d->scratch = strdup(field + 8);
		else if (strncmp(field, "block=", 6) == 0)
			d->block = block_size(key, value, field + 6);
		else if (!trust_is_option(field))
			word_bad(key, value, "ro, rw, direct, overlay, overlay=DIR, "
			    "block=SIZE, verity=HASH, hashes=OFFSET, "
			    "sig=FILE or fsverity=DIGEST");
		else if ((wrong = trust_set(&d->trust, field)) != NULL)
			word_bad(key, value, wrong);
	}
	if (d->direct && d->scratch != NULL)
		word_bad(key, value, "direct and overlay do not go together");
	if (errno != 0)
		word_bad(key, value, "too long");
	prove_disk(d, key, value);
}

/*
 * FILE[:fsverity=DIGEST]. A path may have a colon. Returns the path, and sets t.
 */
static const char *
proved_file(const char *key, const char *value, struct trust *t)
{
	const char *option = strrchr(value, ':'), *wrong;
	char *path;

	if (*value == '\0')
		word_bad(key, value, "empty");
	*t = (struct trust){ .hashes_given = false };
	if (option == NULL || strncmp(option + 1, "fsverity=", 9) != 0)
		return value;
	if ((wrong = trust_set(t, option + 1)) != NULL)
		word_bad(key, value, wrong);
	if ((path = strndup(value, (size_t)(option - value))) == NULL)
		err(EXIT_LINK, "%s=%s", key, value);
	return path;
}

static void
set_kernel(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;

	c->kernel = proved_file(key, value, &c->kernel_trust);
}

static void
set_initrd(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;

	c->initrd = proved_file(key, value, &c->initrd_trust);
}

static void
add_pmem(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;
	struct disk *d;

	if (*value == '\0')
		word_bad(key, value, "no file");
	if (c->npmems == CONFIG_PMEMS)
		word_bad(key, value, "too many files; 8 at the most, pmem0 to pmem7");
	d = &c->pmems[c->npmems++];
	d->path = proved_file(key, value, &d->trust);
	d->ro = true;
}

/* Add a share, without its options. dst is NULL for the root. */
static struct share *
new_share(struct config *c, const char *key, const char *value, char *path,
    char *dst)
{
	struct share *s = &c->shares[c->nshares];

	if (c->nshares == CONFIG_SHARES)
		word_bad(key, value, "too many");
	*s = (struct share){ .key = key, .path = strdup(path), .sock = -1,
		.said = -1, .dst = dst != NULL ? strdup(dst) : NULL };
	if (s->path == NULL || (dst != NULL && s->dst == NULL))
		err(EXIT_LINK, "%s=%s", key, value);
	if (dst != NULL)
		snprintf(s->tag, sizeof(s->tag), "share%u", c->nshares);
	else
		strcpy(s->tag, "root");
	c->nshares++;
	return s;
}

/* The options of a share: what is left of the value. Returns whether rw is one. */
static bool
share_options(struct share *s, const char *key, const char *value,
    const char *cursor)
{
	char field[16];
	bool rw = false;
	int rc;

	while ((rc = value_field(&cursor, ':', field, sizeof(field))) == 1)
		if (strcmp(field, "ro") == 0)
			s->ro = true;
		else if (strcmp(field, "rw") == 0)
			rw = true;
		else if (strcmp(field, "suid") == 0)
			s->suid = true;
		else
			break;
	if (rc != 0 || (rw && s->ro))
		word_bad(key, value, "ro, rw or suid");
	return rw;
}

/* share=SRC:DST[:ro|:rw][:suid] */
static void
add_share(void *ctx, const char *key, const char *value)
{
	char src[PATH_MAX], dst[PATH_MAX];
	struct config *c = ctx;
	const char *cursor = value;

	if (strpbrk(value, "\n\r") != NULL)
		word_bad(key, value, "more than one line");
	if (value_field(&cursor, ':', src, sizeof(src)) != 1 || src[0] == '\0' ||
	    value_field(&cursor, ':', dst, sizeof(dst)) != 1 || dst[0] != '/')
		word_bad(key, value, "not SRC:DST, with DST from the guest's /");
	if (c->nshares == CONFIG_SHARES - 1)
		word_bad(key, value, "too many; 8 at the most");
	(void)share_options(new_share(c, key, value, src, dst), key, value,
	    cursor);
}

/* Check an address of that family, with or without a prefix length. */
static const char *
address(const char *key, const char *value, int family, bool prefix)
{
	unsigned int len;
	char addr[16];

	if (prefix && !cidr_parse(value, family, addr, &len))
		word_bad(key, value, "not of the form ADDRESS/LENGTH");
	if (!prefix && inet_pton(family, value, addr) != 1)
		word_bad(key, value, "not an address");
	return value;
}

static void
set_ip(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;

	if (strchr(value, ':') != NULL)
		c->net.ip6 = address(key, value, AF_INET6, true);
	else
		c->net.ip = address(key, value, AF_INET, true);
}

static void
set_gw(void *ctx, const char *key, const char *value)
{
	struct config *c = ctx;

	if (strchr(value, ':') != NULL)
		c->net.gw6 = address(key, value, AF_INET6, false);
	else
		c->net.gw = address(key, value, AF_INET, false);
}

static const struct flag flags[] = {
	FLAG_DRY(struct config),
	FLAG('c', struct config, console, "copy the guest's kernel messages to standard error"),
	FLAG('j', struct config, json, "print JSON"),
	FLAG('s', struct config, stats, "at the end, print counters on standard error"),
	FLAG_SAY,
	FLAG_END,
};

static const struct word words[] = {
	CTX_WORD("memory", set_memory, "SIZE", "the guest's memory (256M)"),
	CTX_WORD("balloon", set_balloon, "SIZE",
	    "how much of it the guest gives back to the host (0)"),
	UINT_WORD("cpus", struct config, cpus, 1, VM_CPUS, "N",
	    "its processors (1)"),
	BOOL_WORD("nested", struct config, nested, "yes|no",
	    "whether it can run guests of its own (no)"),
	CTX_WORD("kernel", set_kernel, "FILE[:fsverity=DIGEST]",
	    "bzImage or ELF vmlinux"),
	CTX_WORD("initrd", set_initrd, "FILE[:fsverity=DIGEST]",
	    "an initramfs; volt's own goes in front of it"),
	CTX_WORD("cmdline", add_cmdline, "TEXT", "add to the kernel's command line"),
	STRING_WORD("modules", struct config, modules, "DIR",
	    "the kernel's modules (/lib/modules/VERSION)"),
	CTX_WORD("disk", add_disk,
	    "FILE[:ro][:overlay[=DIR]][:direct][:block=SIZE][:verity=HASH]",
	    "a disk: a raw file or block device"),
	CTX_WORD("pmem", add_pmem, "FILE[:fsverity=DIGEST]",
	    "a read-only disk, of which the guest needs no copy in its memory"),
	CTX_WORD("rate", add_rate, "DEVICE[:bytes=SIZE][:ops=N]",
	    "limit a disk, as vda, or the network card, net; each second"),
	LINE_WORD("tap", struct config, tap, "NAME",
	    "a network card at this tap device"),
	CTX_WORD("ip", set_ip, "ADDRESS/LENGTH", "the guest's address at tap=; v4 or v6"),
	CTX_WORD("gw", set_gw, "ADDRESS", "the gateway"),
	LINE_WORD("dns", struct config, net.dns, "LIST",
	    "resolvers"),
	STRING_WORD("vsock", struct config, vsock, "PATH",
	    "a vsock device, and a socket of the host's for it"),
	CTX_WORD("share", add_share, "SRC:DST[:ro][:suid]",
	    "a directory of the host at DST in the guest"),
	STRING_WORD("virtiofsd", struct config, virtiofsd, "FILE",
	    "the daemon for share= and root=DIR"),
	LINE_WORD("root", struct config, root, "DEV[:TYPE][:ro]|DIR[:ro|:rw][:suid]",
	    "the root: a disk or a directory; default: vda, or pmem0"),
	LINE_WORD("overlay", struct config, overlay, "tmpfs|DEV",
	    "where writes to the root go"),
	LINE_WORD("hostname", struct config, hostname, "NAME",
	    "the guest's host name"),
	LINE_WORD("chdir", struct config, chdir, "DIR",
	    "where the command starts"),
	CTX_WORD("env", add_env, "NAME[=VALUE]", "a variable for the command"),
	BOOL_WORD("console", struct config, pty, "pty", "give the command a terminal"),
	STRING_WORD("control", struct config, control, "SOCKET",
	    "a socket to control the guest by; without kernel=, that of a guest"),
	STRING_WORD("join", struct config, join, "SOCKET",
	    "run the command in the guest of that control="),
	CTX_WORD("pause", set_pause, "yes|no",
	    "let the guest of control= stand still, or go on"),
	CTX_WORD("grow", set_grow, "DISK",
	    "tell the guest of control= that this disk has grown"),
	CTX_WORD("signal", set_signal, "SIGNAL",
	    "send this to the guest of control="),
	TIME_WORD("boot_timeout", struct config, boot_timeout, INT_MAX, "TIME",
	    "give up if the command has not started by then"),
	TIME_WORD("stop_timeout", struct config, stop_timeout, INT_MAX, "TIME",
	    "end a guest that still runs by then after SIGTERM"),
	STATUS_WORD(struct config),
	WORD_END,
};

static const struct grammar grammar = {
	.purpose = "Run a KVM guest and a command in it.",
	.flags = flags,
	.words = words,
};

/* A word that is only for the start of a guest, or NULL. */
static const char *
word_of_start(const struct config *c)
{
	const struct {
		bool given;
		const char *key;
	} words_given[] = {
		{ c->memory_text != memory_default, "memory" },
		{ c->cpus != 1, "cpus" }, { c->nested, "nested" },
		{ c->kernel != NULL, "kernel" }, { c->initrd != NULL, "initrd" },
		{ c->ncmdline > 0, "cmdline" }, { c->modules != NULL, "modules" },
		{ c->ndisks > 0, "disk" }, { c->npmems > 0, "pmem" }, { c->tap != NULL, "tap" },
		{ c->vsock != NULL, "vsock" }, { c->root != NULL, "root" },
		{ c->overlay != NULL, "overlay" },
		{ c->nshares > 0, "share" }, { c->virtiofsd != NULL, "virtiofsd" },
		{ c->hostname != NULL, "hostname" },
		{ c->stop_timeout != 0, "stop_timeout" },
	};
	size_t i;

	for (i = 0; i < sizeof(words_given) / sizeof(words_given[0]); i++)
		if (words_given[i].given)
			return words_given[i].key;
	return NULL;
}

/* join= is for a command and the words of a command. */
static void
check_join(const struct config *c)
{
	const char *key = word_of_start(c);

	if (key == NULL && c->norders > 0)
		key = c->only_living != NULL ? c->only_living :
		    c->nrates > 0 ? "rate" : "balloon";
	if (key == NULL && c->control != NULL)
		key = "control";
	if (key != NULL)
		errx(EXIT_LINK, "%s= and join= do not go together", key);
	if (*c->argv == NULL)
		errx(EXIT_LINK, "join=%s: no command", c->join);
	host_socket_check("join", c->join, HOST_SOCKET_PATH);
}

/* control= without kernel= is for a living guest. */
static void
check_control(const struct config *c)
{
	const char *key = word_of_start(c);

	if (key != NULL)
		errx(EXIT_LINK, "%s=: no kernel= of a guest to start", key);
	if (*c->argv != NULL)
		errx(EXIT_LINK, "control=: no kernel=; join= runs a command in a "
		    "guest");
	if (c->json && c->norders > 0)
		errx(EXIT_LINK, "-j and words that change the guest do not go "
		    "together");
}

/* Is this the root= of a directory? A disk has no slash, or is in /dev. */
static bool
is_directory(const char *root)
{
	return root != NULL && strchr(root, '/') != NULL &&
	    strncmp(root, "/dev/", 5) != 0;
}

/*
 * Make root=DIR a share, and what the guest mounts. Without an option the guest's
 * changes go to memory.
 */
static void
share_root(struct config *c)
{
	const char *cursor = c->root, *value = c->root;
	char path[PATH_MAX], *word;
	struct share *s;
	bool rw;

	if (value_field(&cursor, ':', path, sizeof(path)) != 1)
		word_bad("root", value, "too long");
	s = new_share(c, "root", value, path, NULL);
	rw = share_options(s, "root", value, cursor);
	if (!rw && !s->ro && c->overlay == NULL)
		c->overlay = "tmpfs";
	s->ro = !rw || c->overlay != NULL;
	if (asprintf(&word, "%s:" GUEST_SHARE_TYPE "%s", s->tag,
	    s->ro ? ":ro" : "") == -1)
		err(EXIT_LINK, "root=%s", value);
	c->root = word;
}

/* The guest learns a hash from the payload, which goes with a command. */
static void
check_verity(const struct config *c)
{
	unsigned int i;

	for (i = 0; i < c->ndisks; i++)
		if (c->disks[i].trust.verity.len > 0 && *c->argv == NULL)
			errx(EXIT_LINK, "disk=%s: verity needs a command",
			    c->disks[i].path);
}

/* Refuse words that mean nothing without another one; set the default root. */
static void
check(struct config *c)
{
	bool given = c->root != NULL;

	if (c->join != NULL) {
		check_join(c);
		return;
	}
	if (c->control != NULL)
		host_socket_check("control", c->control, HOST_SOCKET_PATH);
	if (c->control != NULL && c->kernel == NULL) {
		check_control(c);
		return;
	}
	if (c->only_living != NULL)
		errx(EXIT_LINK, "%s= is for a guest that runs: control= and no "
		    "kernel=", c->only_living);
	if (c->json)
		errx(EXIT_LINK, "-j is for a guest that runs: control= and no "
		    "kernel=");

	if (c->tap == NULL && (c->net.ip != NULL || c->net.ip6 != NULL))
		errx(EXIT_LINK, "ip=: no tap=");
	if (c->tap == NULL && (c->net.gw != NULL || c->net.gw6 != NULL))
		errx(EXIT_LINK, "gw=: no tap=");
	if (c->kernel == NULL)
		errx(EXIT_LINK, "no kernel=; -h shows the words");
	if (c->balloon > c->memory)
		errx(EXIT_LINK, "balloon=: more than memory=%s", c->memory_text);
	if (c->vsock != NULL)
		vsock_host_check(c->vsock);
	check_verity(c);
	/* The default is the first disk, unless there is an initrd=. */
	if (c->root == NULL && c->ndisks + c->npmems > 0 && c->initrd == NULL)
		c->root = c->ndisks > 0 ? "vda" : "pmem0";
	if (c->root != NULL && strcmp(c->root, "none") == 0)
		c->root = NULL;
	if (is_directory(c->root))
		share_root(c);
	else
		c->root = root_check(c, "root", c->root, given);
	c->overlay = root_check(c, "overlay", c->overlay, true);
}

void
config_parse(struct config *c, int argc, char *argv[])
{
	*c = (struct config){ .memory = UINT64_C(256) << 20,
		.memory_text = memory_default, .cpus = 1, .status_fd = -1 };
	c->argv = words_parse(argc, argv, &grammar, c);
	check(c);
}
