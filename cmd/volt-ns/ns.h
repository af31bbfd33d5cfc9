/*
 * volt-ns: one plan, filled by the words, carried out by two actors.
 *
 * The inner actor becomes the command: it is in the new namespaces and has, in
 * a user namespace, privileges over those only. The outer actor keeps what the
 * caller could do: it writes the ID maps, sets up idmapped mounts and attaches
 * images, and hands their mounts over. With a PID namespace, a pty or status=
 * the outer is the parent that waits; else it is a helper that is gone before
 * the command starts, and where nothing needs it there is none.
 */
#ifndef VOLT_NS_H
#define VOLT_NS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plug.h"
#include "supervise.h"
#include "words.h"

#define NS_EXTENTS 64
#define NS_GROUPS 64
#define NS_MOUNTS 256
#define NS_LAYERS 64
#define NS_DEFAULTS 4
#define NS_DEVICES 6
#define NS_FILES 2

struct extent {
	uint32_t inside, outside, count;
};

struct idmap {
	const char *key;	/* "uidmap" or "gidmap" */
	bool given, automatic;
	bool by_helper;	/* by newuidmap(1), newgidmap(1) */
	size_t n;
	struct extent extent[NS_EXTENTS];
};

enum mount_kind {
	MOUNT_ROOT, MOUNT_IMAGE, MOUNT_LOWER, MOUNT_OVERLAY, /* the root */
	MOUNT_BIND, MOUNT_MASK, MOUNT_RO, MOUNT_DEV,
	MOUNT_TMPFS, MOUNT_PROC, MOUNT_SYS, MOUNT_CGROUP, /* by fsopen(2) */
};

struct mount {
	enum mount_kind kind;
	const char *what;	/* the word, for messages: "bind=/a:/b" */
	char *src, *dst;
	uint64_t attrs;	/* MOUNT_ATTR_ to set */
	bool rec;	/* with the mounts below src */
	bool idmap;	/* IDs as the new user namespace maps them */
	bool optional;	/* a default: skipped where it cannot be */
	char *fsopts;	/* what the file system itself is told, or NULL */
	int fd;	/* src, opened: by the outer actor or from the old root */
	bool detached;	/* fd is a mount that is attached nowhere */
};

/* What building the root holds open. */
struct build {
	int root;	/* the new root */
	int device[NS_DEVICES];	/* the old root's, in dev.c's order */
	int empty;	/* an attached empty directory, or -1 */
};

struct ns {
	int flags;	/* CLONE_NEW*: namespaces to make */
	bool dry, die_with_parent, new_session;
	bool console;	/* console=pty */

	pid_t join;	/* process to join, or 0 */
	int join_flags;	/* which of its namespaces; 0: all that differ */

	struct mount root;	/* MOUNT_ROOT or MOUNT_IMAGE; what == NULL: none */
	struct mount overlay;	/* MOUNT_OVERLAY; what == NULL: none */
	struct mount lower[NS_LAYERS];	/* top first */
	size_t nlower;
	struct mount mounts[NS_MOUNTS];
	size_t nmounts;
	struct mount defaults[NS_DEFAULTS]; /* before mounts */
	size_t ndefaults;
	bool no_proc, no_sys, no_dev, no_cgroup, no_mask, root_ro;

	const char *hostname, *domainname, *chdir;
	const char *monotonic, *boottime; /* offsets, s */
	struct idmap uidmap, gidmap;
	uid_t uid;
	gid_t gid;
	bool uid_given, gid_given, groups_given;
	gid_t groups[NS_GROUPS];
	size_t ngroups;
	int umask;	/* or -1 */
	int status_fd;	/* or -1 */
	int stop_signal;	/* or 0 */

	bool served;	/* the outer actor does a part */
	bool late_cgroup;	/* inner makes its cgroup namespace itself */
	int outer;	/* inner's end of the socket pair, or -1 */
	int parent;	/* readable once our parent is gone, or -1: whatever */
	int devpts;	/* the new root's devpts, or -1 */
	int console_dst;	/* its /dev/console, or -1 */

	int plug;	/* volt-net's, that we take, or -1 */
	const struct plug_offer *offer;	/* what it says */
	struct mount files[NS_FILES];	/* of it; what == NULL: none */
};

/* fail.c */
_Noreturn void fail(int cause, const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* words.c */
bool has_root(const struct ns *ns);
bool is_overlay(const struct ns *ns);
extern const struct grammar ns_grammar;
void ns_check(struct ns *ns, bool command);

/* idmap.c */
void idmap_parse(struct idmap *m, const char *key, const char *value);
void idmap_plan(struct ns *ns);
bool idmap_needs_outer(const struct ns *ns);
bool idmap_has(const struct idmap *m, uint32_t inside);
bool idmap_outside(const struct idmap *m, uint32_t inside, uint32_t *outside);
void idmap_write(const struct ns *ns, const char *pid);
void idmap_advise(int error);

/* payload.c */
int payload_make(struct ns *ns);

/* outer.c */
bool outer_needed(struct ns *ns);
void outer_serve(struct ns *ns, int sock);
void outer_ask(struct ns *ns);

/* mount.c */
void mount_parse(struct mount *m, enum mount_kind kind, const char *key,
    const char *value);
void mount_default(struct ns *ns, enum mount_kind kind, const char *dst);
void mount_describe(const struct mount *m);
bool mount_has_options(const struct mount *m);
const char *mount_fstype(const struct mount *m);
_Noreturn void mount_failed(const struct mount *m, const char *type);
int mount_fs(const struct mount *m, const char *type);
int mount_place(const struct mount *m, int root, mode_t type);
bool mount_attach(const struct mount *m, int fd, int root, mode_t type);

/* dev.c */
void dev_open(struct build *b);
int dev_null(const struct build *b);
void dev_make(struct ns *ns, const struct mount *m, const struct build *b);

/* image.c */
int image_open(const struct mount *m);

/* apply.c */
void apply_describe(const struct ns *ns, const struct mount *m);
int apply_source(const struct mount *m, int userns);
void apply_mount(struct ns *ns, const struct mount *m, struct build *b);

/* root.c */
void root_plan(struct ns *ns);
void root_open(struct ns *ns, struct build *b);
void root_build(struct ns *ns, struct build *b);
void root_describe(struct ns *ns);

/* join.c */
void join_parse(struct ns *ns, const char *value);
void join_enter(struct ns *ns, bool toolbox);

/* net.c */
void net_find(struct ns *ns);
void net_plug(struct ns *ns);
void net_files_open(struct ns *ns);
void net_files_apply(struct ns *ns, struct build *b);

/* inner.c */
_Noreturn void inner_run(struct ns *ns, char *const argv[]);

/* console.c */
void console_open(struct ns *ns);
int console_wait(int master, struct supervise *s, int *wstatus);

#endif
