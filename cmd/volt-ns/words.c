/* The words of volt-ns: what may be said, and what must not be said together. */
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "say.h"
#include "sys.h"
#include "value.h"
#include "words.h"

static void
flag_namespace(void *ctx, char letter)
{
	static const struct {
		char letter;
		int flags;
	} map[] = {
		{ 'm', CLONE_NEWNS }, { 'p', CLONE_NEWPID },
		{ 'n', CLONE_NEWNET }, { 'u', CLONE_NEWUTS },
		{ 'i', CLONE_NEWIPC }, { 'C', CLONE_NEWCGROUP },
		{ 'U', CLONE_NEWUSER }, { 'T', CLONE_NEWTIME },
		{ 'A', CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET |
		    CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP |
		    CLONE_NEWUSER | CLONE_NEWTIME },
	};
	struct ns *ns = ctx;
	size_t i;

	for (i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (map[i].letter == letter)
			ns->flags |= map[i].flags;
}

static void
flag_other(void *ctx, char letter)
{
	struct ns *ns = ctx;

	switch (letter) {
	case 'N':
		ns->dry = say_on = true;
		break;
	case 'k':
		ns->die_with_parent = true;
		break;
	case 's':
		ns->new_session = true;
		break;
	default:
		say_on = true;
	}
}

static void
set_root(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	if (ns->root.what != NULL)
		word_bad(key, value, "there can be only one root= or image=");
	mount_parse(&ns->root, strcmp(key, "root") == 0 ? MOUNT_ROOT :
	    MOUNT_IMAGE, key, value);
}

static void
set_lower(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	mount_parse(mount_add(&ns->lower, &ns->nlower), MOUNT_LOWER, key,
	    value);
}

static void
set_overlay(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	mount_parse(&ns->overlay, MOUNT_OVERLAY, key, value);
}

static void
set_mount(void *ctx, const char *key, const char *value)
{
	static const struct {
		const char *key;
		enum mount_kind kind;
		size_t no;	/* offset of the flag that "none" sets */
	} kinds[] = {
		{ "bind", MOUNT_BIND, 0 },
		{ "tmpfs", MOUNT_TMPFS, 0 },
		{ "proc", MOUNT_PROC, offsetof(struct ns, no_proc) },
		{ "sys", MOUNT_SYS, offsetof(struct ns, no_sys) },
		{ "dev", MOUNT_DEV, offsetof(struct ns, no_dev) },
		{ "cgroup", MOUNT_CGROUP, offsetof(struct ns, no_cgroup) },
		{ "mask", MOUNT_MASK, offsetof(struct ns, no_mask) },
		{ "ro", MOUNT_RO, 0 },
	};
	struct ns *ns = ctx;
	struct mount *m;
	size_t i;

	for (i = 0; strcmp(kinds[i].key, key) != 0; i++)
		;
	if (kinds[i].no != 0 && strcmp(value, "none") == 0) {
		*(bool *)((char *)ns + kinds[i].no) = true;
		return;
	}
	if (kinds[i].kind == MOUNT_RO && strcmp(value, "/") == 0) {
		ns->root_ro = true;
		return;
	}
	m = mount_add(&ns->mounts, &ns->nmounts);
	mount_parse(m, kinds[i].kind, key, value);
	if (m->kind == MOUNT_DEV)
		ns->dev = m->dst;
	/* An explicit one takes the place of the default. */
	if (kinds[i].no != 0 && kinds[i].kind != MOUNT_MASK)
		*(bool *)((char *)ns + kinds[i].no) = true;
}

static void
set_idmap(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	idmap_parse(key[0] == 'u' ? &ns->uidmap : &ns->gidmap, key, value);
}

static void
set_id(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	if (key[0] == 'u') {
		ns->uid = word_id(key, value);
		ns->uid_given = true;
	} else {
		ns->gid = word_id(key, value);
		ns->gid_given = true;
	}
}

static void
set_groups(void *ctx, const char *key, const char *value)
{
	const char *cursor = *value != '\0' ? value : NULL;
	struct ns *ns = ctx;
	char field[16];

	ns->groups_given = true;
	ns->ngroups = 0;
	while (value_field(&cursor, ',', field, sizeof(field))) {
		if (ns->ngroups == NS_GROUPS)
			word_bad(key, value, "too many groups");
		ns->groups[ns->ngroups++] = word_id(key, field);
	}
	if (errno != 0)
		word_bad(key, value, "not a number");
}

static void
set_string(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;
	const char *s;

	if (*value == '\0')
		word_bad(key, value, "empty");
	if (strcmp(key, "chdir") == 0) {
		ns->chdir = value;
	} else {
		if (strlen(value) > 64)
			word_bad(key, value, "longer than 64 bytes");
		for (s = value; *s != '\0'; s++)
			if (*s <= ' ' || *s > '~' || *s == '/')
				word_bad(key, value, "not a name");
		*(key[0] == 'h' ? &ns->hostname : &ns->domainname) = value;
	}
}

static void
set_offset(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	/* The kernel's own limit is lower: KTIME_SEC_MAX / 2. */
	word_uint(key, *value == '-' ? value + 1 : value, INT64_MAX);
	*(key[0] == 'm' ? &ns->monotonic : &ns->boottime) = value;
}

static void
set_umask(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;
	int mask = 0;
	const char *s;

	for (s = value; *s >= '0' && *s <= '7' && mask <= 0777; s++)
		mask = mask * 8 + (*s - '0');
	if (s == value || *s != '\0' || mask > 0777)
		word_bad(key, value, "not an octal mask");
	ns->umask = mask;
}

static void
set_console(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	ns->console = strcmp(value, "pty") == 0 ? CONSOLE_PTY : CONSOLE_PIPE;
	if (ns->console == CONSOLE_PIPE && strcmp(value, "pipe") != 0)
		word_bad(key, value, "not pty or pipe");
}

static void
set_stdio(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	ns->keep_stdio = strcmp(value, "keep") == 0;
	if (!ns->keep_stdio && strcmp(value, "give") != 0)
		word_bad(key, value, "not give or keep");
}

static void
set_status(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	ns->status_fd = word_fd(key, value);
}

static void
set_stop(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	ns->stop_signal = word_signal(key, value);
}

static void
set_join(void *ctx, const char *key, const char *value)
{
	(void)key;
	join_parse(ctx, value);
}

static const struct flag flags[] = {
	{ 'A', flag_namespace, "all eight namespaces" },
	{ 'C', flag_namespace, "a cgroup namespace" },
	{ 'N', flag_other, "dry run: say what would be done, and do nothing" },
	{ 'T', flag_namespace, "a time namespace" },
	{ 'U', flag_namespace, "a user namespace" },
	{ 'i', flag_namespace, "an IPC namespace" },
	{ 'k', flag_other, "die when the parent of volt-ns dies" },
	{ 'm', flag_namespace, "a mount namespace" },
	{ 'n', flag_namespace, "a network namespace" },
	{ 'p', flag_namespace, "a PID namespace" },
	{ 's', flag_other, "a session of its own for the command" },
	{ 'u', flag_namespace, "a UTS namespace: host and domain name" },
	{ 'v', flag_other, "say on standard error what is done" },
	{ 0, NULL, NULL },
};

static const struct word words[] = {
	{ "join", set_join, "PID[:NS,...]", "enter the namespaces of a process" },
	{ "root", set_root, "DIR[:OPTS]", "the new root: a directory" },
	{ "image", set_root, "FILE[:OPTS]", "the new root: an erofs, squashfs or ext4 image" },
	{ "lower", set_lower, "DIR[:OPTS]", "a layer above the root, the first on top" },
	{ "overlay", set_overlay, "tmpfs|DIR[:OPTS]", "where changes to the root go" },
	{ "bind", set_mount, "SRC[:DST[:OPTS]]", "show SRC of the host at DST" },
	{ "tmpfs", set_mount, "DST[:OPTS]", "an empty file system in memory" },
	{ "proc", set_mount, "DST[:OPTS]|none", "where /proc goes" },
	{ "sys", set_mount, "DST[:OPTS]|none", "where /sys goes" },
	{ "dev", set_mount, "DST|none", "where a minimal /dev goes" },
	{ "cgroup", set_mount, "DST[:OPTS]|none", "where the cgroup v2 tree goes" },
	{ "mask", set_mount, "PATH|none", "hide PATH behind something empty" },
	{ "ro", set_mount, "PATH", "make PATH, or the whole root, read-only" },
	{ "hostname", set_string, "NAME", "the host name" },
	{ "domainname", set_string, "NAME", "the NIS domain name" },
	{ "uidmap", set_idmap, "auto|IN:OUT:N,...", "user IDs of the user namespace" },
	{ "gidmap", set_idmap, "auto|IN:OUT:N,...", "group IDs of the user namespace" },
	{ "uid", set_id, "N", "user ID of the command" },
	{ "gid", set_id, "N", "group ID of the command" },
	{ "groups", set_groups, "N,...", "supplementary groups of the command" },
	{ "chdir", set_string, "DIR", "working directory, inside the root" },
	{ "umask", set_umask, "OCTAL", "file mode creation mask" },
	{ "console", set_console, "pty|pipe", "a terminal, or pipes, of the command's own" },
	{ "stdio", set_stdio, "give|keep", "may the command open its pipes by /dev/stdout" },
	{ "monotonic", set_offset, "SECONDS", "offset of CLOCK_MONOTONIC" },
	{ "boottime", set_offset, "SECONDS", "offset of CLOCK_BOOTTIME" },
	{ "stop", set_stop, "SIGNAL", "what a SIGTERM is passed on as" },
	{ "status", set_status, "FD", "write to FD how the command ended" },
	{ NULL, NULL, NULL, NULL },
};

const struct grammar ns_grammar = {
	.purpose = "Run a command in namespaces and a root of its own.",
	.flags = flags,
	.words = words,
};

static void
needs(const struct ns *ns, int flag, const char *letter, bool used,
    const char *word)
{
	if (used && (ns->flags & flag) == 0)
		errx(EXIT_LINK, "%s needs -%s", word, letter);
}

/* Will the root change? */
bool
has_root(const struct ns *ns)
{
	return ns->root.what != NULL || ns->nlower > 0;
}

/* Will the root be an overlay? Else it is a single mount. */
bool
is_overlay(const struct ns *ns)
{
	return ns->overlay.what != NULL ||
	    ns->nlower + (ns->root.what != NULL) > 1;
}

/* Options that would be ignored are refused. */
static void
check_options(const struct ns *ns, const struct mount *m)
{
	if (m->what == NULL)
		return;
	if (m->idmap && (ns->flags & CLONE_NEWUSER) == 0)
		errx(EXIT_LINK, "%s: idmap needs -U", m->what);
	if (is_overlay(ns) && (m->kind == MOUNT_ROOT ||
		m->kind == MOUNT_IMAGE || m->kind == MOUNT_LOWER) &&
	    mount_has_options(m))
		errx(EXIT_LINK, "%s: of layers only overlay= has mount options",
		    m->what);
}

/* Refuse combinations that cannot mean anything, before anything is done. */
void
ns_check(struct ns *ns, bool command)
{
	const char *word;
	size_t i;

	if (!command && !ns->dry)
		errx(EXIT_LINK, "no command; -h shows the words");
	word = ns->root.what != NULL ? ns->root.what :
	    ns->overlay.what != NULL ? ns->overlay.what :
	    ns->nlower > 0 ? ns->lower[0].what :
	    ns->nmounts > 0 ? ns->mounts[0].what : "ro=/";
	needs(ns, CLONE_NEWNS, "m", has_root(ns) || ns->overlay.what != NULL ||
	    ns->nmounts > 0 || ns->root_ro, word);
	needs(ns, CLONE_NEWUTS, "u", ns->hostname != NULL, "hostname=");
	needs(ns, CLONE_NEWUTS, "u", ns->domainname != NULL, "domainname=");
	needs(ns, CLONE_NEWUSER, "U", ns->uidmap.given, "uidmap=");
	needs(ns, CLONE_NEWUSER, "U", ns->gidmap.given, "gidmap=");
	needs(ns, CLONE_NEWTIME, "T", ns->monotonic != NULL, "monotonic=");
	needs(ns, CLONE_NEWTIME, "T", ns->boottime != NULL, "boottime=");
	if (ns->overlay.what != NULL && !has_root(ns))
		errx(EXIT_LINK, "%s needs root=, image= or lower=",
		    ns->overlay.what);
	if (ns->join != 0 && has_root(ns))
		errx(EXIT_LINK, "join= and root= do not go together");
	check_options(ns, &ns->root);
	check_options(ns, &ns->overlay);
	for (i = 0; i < ns->nlower; i++)
		check_options(ns, &ns->lower[i]);
	for (i = 0; i < ns->nmounts; i++)
		check_options(ns, &ns->mounts[i]);
	if (ns->console == CONSOLE_PTY && has_root(ns) && ns->no_dev) {
		for (i = 0; i < ns->nmounts; i++)
			if (ns->mounts[i].kind == MOUNT_DEV)
				return;
		errx(EXIT_LINK, "console=pty needs the root's own /dev");
	}
}
