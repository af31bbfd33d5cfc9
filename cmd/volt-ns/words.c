/* The words of volt-ns: which there are, and which exclude or need each other. */
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
set_root(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	if (ns->root.what != NULL)
		word_bad(key, value, "there can be only one root= or image=");
	mount_parse(&ns->root, strcmp(key, "root") != 0 ? MOUNT_IMAGE :
	    mount_is_tmpfs(value) ? MOUNT_EMPTY : MOUNT_ROOT, key, value);
	/* It becomes read-only after all places in it are made. */
	if (ns->root.kind == MOUNT_EMPTY &&
	    (ns->root.attrs & MOUNT_ATTR_RDONLY) != 0) {
		ns->root.attrs &= ~(uint64_t)MOUNT_ATTR_RDONLY;
		ns->root_ro = true;
	}
}

static void
set_lower(void *ctx, const char *key, const char *value)
{
	struct ns *ns = ctx;

	mount_parse(mount_add(&ns->lower, &ns->nlower), MOUNT_LOWER, key,
	    value);
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
		{ "file", MOUNT_FILE, 0 },
		{ "text", MOUNT_TEXT, 0 },
		{ "dir", MOUNT_DIR, 0 },
		{ "symlink", MOUNT_LINK, 0 },
		{ "chmod", MOUNT_MODE, 0 },
		{ "mqueue", MOUNT_MQUEUE, 0 },
		{ "layers", MOUNT_LAYERS, 0 },
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
	if (m->kind == MOUNT_FILE)
		(void)word_fd(key, m->src);
	/* An explicit mount replaces the default one. */
	if (kinds[i].no != 0 && kinds[i].kind != MOUNT_MASK)
		*(bool *)((char *)ns + kinds[i].no) = true;
}

static void
set_umask(void *at, const char *key, const char *value)
{
	int mask = 0;
	const char *s;

	for (s = value; *s >= '0' && *s <= '7' && mask <= 0777; s++)
		mask = mask * 8 + (*s - '0');
	if (s == value || *s != '\0' || mask > 0777)
		word_bad(key, value, "not an octal mask");
	*(int *)at = mask;
}

static void
set_overlay(void *overlay, const char *key, const char *value)
{
	mount_parse(overlay, MOUNT_OVERLAY, key, value);
}

/* hostname= and domainname= */
static void
set_name(void *name, const char *key, const char *value)
{
	const char *s;

	if (*value == '\0')
		word_bad(key, value, "empty");
	if (strlen(value) > 64)
		word_bad(key, value, "longer than 64 bytes");
	for (s = value; *s != '\0'; s++)
		if (*s <= ' ' || *s > '~' || *s == '/')
			word_bad(key, value, "not a name");
	*(const char **)name = value;
}

/* monotonic= and boottime= */
static void
set_offset(void *seconds, const char *key, const char *value)
{
	/* The kernel's own limit is lower: KTIME_SEC_MAX / 2. */
	word_uint(key, *value == '-' ? value + 1 : value, INT64_MAX);
	*(const char **)seconds = value;
}

#define ALL (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | \
	CLONE_NEWIPC | CLONE_NEWCGROUP | CLONE_NEWUSER | CLONE_NEWTIME)

static const struct flag flags[] = {
	FLAG_BITS('A', struct ns, flags, ALL,
	    "all eight namespaces"),
	FLAG_BITS('C', struct ns, flags, CLONE_NEWCGROUP,
	    "a cgroup namespace"),
	FLAG_DRY(struct ns),
	FLAG_BITS('T', struct ns, flags, CLONE_NEWTIME,
	    "a time namespace"),
	FLAG_BITS('U', struct ns, flags, CLONE_NEWUSER,
	    "a user namespace"),
	FLAG_BITS('i', struct ns, flags, CLONE_NEWIPC,
	    "an IPC namespace"),
	FLAG('j', struct ns, json, "write info= and status= as JSON"),
	FLAG('k', struct ns, die_with_parent, "die when the parent of volt-ns dies"),
	FLAG_BITS('m', struct ns, flags, CLONE_NEWNS,
	    "a mount namespace"),
	FLAG_BITS('n', struct ns, flags, CLONE_NEWNET,
	    "a network namespace"),
	FLAG_BITS('p', struct ns, flags, CLONE_NEWPID,
	    "a PID namespace"),
	FLAG('s', struct ns, new_session, "a session of its own for the command"),
	FLAG_BITS('u', struct ns, flags, CLONE_NEWUTS,
	    "a UTS namespace: host and domain name"),
	FLAG_SAY,
	FLAG_END,
};

static const struct word words[] = {
	CTX_WORD("join", join_parse, "PID[:NS,...]|fd:N|PATH",
	    "enter the namespaces of a process, or one"),
	CTX_WORD("userns", userns_parse, "any|none|check|fd:N|PATH",
	    "further user namespaces, or one to enter last"),
	CTX_WORD("root", set_root, "DIR|fd:N|tmpfs[:OPTS]",
	    "the new root: a directory, or an empty one"),
	CTX_WORD("image", set_root, "FILE[:OPTS]",
	    "the new root: an erofs, squashfs or ext4 image"),
	CTX_WORD("lower", set_lower, "DIR[:OPTS]",
	    "a layer above the root, the first on top"),
	CALL_WORD("overlay", set_overlay, struct ns, overlay, "tmpfs|DIR[:OPTS]",
	    "where changes to the root go"),
	CTX_WORD("bind", set_mount, "SRC|fd:N[:DST[:OPTS]]", "show SRC of the host at DST"),
	CTX_WORD("layers", set_mount, "DST:DIR[:...]", "an overlay of directories at DST"),
	CTX_WORD("tmpfs", set_mount, "DST[:OPTS]", "an empty file system in memory"),
	CTX_WORD("file", set_mount, "FD:DST[:OPTS]",
	    "a file with the contents of FD"),
	CTX_WORD("text", set_mount, "TEXT:DST[:OPTS]", "a file with a line of text"),
	CTX_WORD("dir", set_mount, "DST[:mode=OCTAL]",
	    "a directory, made if it is missing"),
	CTX_WORD("symlink", set_mount, "TARGET:DST", "a symbolic link"),
	CTX_WORD("chmod", set_mount, "OCTAL:PATH",
	    "the mode of the file or directory at PATH"),
	CTX_WORD("proc", set_mount, "DST[:OPTS]|none", "where /proc goes"),
	CTX_WORD("sys", set_mount, "DST[:OPTS]|none", "where /sys goes"),
	CTX_WORD("dev", set_mount, "DST[:OPTS]|none", "where a minimal /dev goes"),
	CTX_WORD("mqueue", set_mount, "DST[:OPTS]", "where the POSIX message queues go"),
	CTX_WORD("cgroup", set_mount, "DST[:OPTS]|none", "where the cgroup v2 tree goes"),
	CTX_WORD("mask", set_mount, "PATH[:try]|none", "hide PATH behind something empty"),
	CTX_WORD("ro", set_mount, "PATH[:OPTS]", "make PATH, or the whole root, read-only"),
	CALL_WORD("hostname", set_name, struct ns, hostname, "NAME", "the host name"),
	CALL_WORD("domainname", set_name, struct ns, domainname, "NAME",
	    "the NIS domain name"),
	CALL_WORD("uidmap", idmap_parse, struct ns, uidmap, "auto|wait:FD|IN:OUT:N,...",
	    "user IDs of the user namespace"),
	CALL_WORD("gidmap", idmap_parse, struct ns, gidmap, "auto|IN:OUT:N,...",
	    "group IDs of the user namespace"),
	IDENTITY_WORDS(struct ns, id),
	ENV_WORDS(struct ns, env),
	BOOL_WORD("caps", struct ns, keep_caps, "keep|root",
	    "does the command have capabilities if it is not root"),
	STRING_WORD("chdir", struct ns, chdir, "DIR|keep",
	    "working directory, inside the root"),
	CALL_WORD("umask", set_umask, struct ns, umask, "OCTAL", "file mode creation mask"),
	CHOICE_WORD("console", struct ns, console, enum console, "pty|pipe",
	    "a terminal, or pipes, of the command's own"),
	BOOL_WORD("stdio", struct ns, give_stdio, "give|keep",
	    "let the command open its pipes by /dev/stdout"),
	CALL_WORD("monotonic", set_offset, struct ns, monotonic, "SECONDS",
	    "offset of CLOCK_MONOTONIC"),
	CALL_WORD("boottime", set_offset, struct ns, boottime, "SECONDS",
	    "offset of CLOCK_BOOTTIME"),
	STOP_WORD(struct ns),
	STATUS_WORD(struct ns),
	WORDS_ROW(WORD_FD, "info", struct ns, info_fd, int, "FD",
	    "write to FD who the command is"),
	WORDS_ROW(WORD_FD, "wait", struct ns, wait_fd, int, "FD",
	    "start the command when FD has a byte to read"),
	WORD_END,
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

/* Will the root be an overlay? If not, it is a single mount. */
bool
is_overlay(const struct ns *ns)
{
	return ns->overlay.what != NULL ||
	    ns->nlower + (ns->root.what != NULL) > 1;
}

/* Refuse options that would be ignored. */
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
		errx(EXIT_LINK, "%s: a layer has no mount options of its own; "
		    "give them to overlay=", m->what);
}

/* Refuse senseless combinations before anything is done. */
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
	if (ns->root.what != NULL && ns->root.kind == MOUNT_EMPTY &&
	    is_overlay(ns))
		errx(EXIT_LINK, "%s: an empty root has no layers",
		    ns->root.what);
	if (ns->join != 0 && has_root(ns) && (ns->join_flags == 0 ||
		(ns->join_flags & CLONE_NEWNS) != 0))
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
