/*
 * volt-ns: one plan, filled by the words, carried out by up to three actors.
 *
 * The inner actor becomes the command. It is in the new namespaces. If one of them
 * is a user namespace, it has privileges over the new namespaces only.
 *
 * The outer actor keeps the caller's privileges and writes the ID maps. With a
 * PID namespace, console= or status= it is the parent that waits. Otherwise it is
 * a helper that ends before the command starts. If nothing needs it, there is no
 * outer actor.
 *
 * If there is a user namespace, the builder puts the root together, so that the
 * container's root cannot undo what the words asked for (stage.c). The builder
 * ends before the command starts.
 */
#ifndef VOLT_NS_H
#define VOLT_NS_H

#include <sys/resource.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env.h"
#include "identity.h"
#include "must.h"
#include "plug.h"
#include "supervise.h"
#include "sys.h"
#include "toolbox.h"
#include "words.h"

#define NS_EXTENTS 64
#define NS_DEFAULTS 4
#define NS_DEVICES 6
#define NS_FILES 2
#define NS_JOINS 8
#define REPORT_MAX 512	/* bytes of the text of report_look() */

struct extent {
	uint32_t inside, outside, count;
};

struct idmap {
	const char *key;	/* "uidmap" or "gidmap" */
	bool given, automatic;
	bool by_helper;	/* by newuidmap(1), newgidmap(1) */
	bool waits;	/* another process writes both maps, and then to wait_fd */
	int wait_fd;
	size_t n;
	struct extent extent[NS_EXTENTS];
};

enum mount_kind {
	MOUNT_ROOT, MOUNT_IMAGE, MOUNT_EMPTY, MOUNT_LOWER, MOUNT_OVERLAY, /* the root */
	MOUNT_BIND, MOUNT_MASK, MOUNT_RO, MOUNT_DEV,
	MOUNT_FILE, MOUNT_TEXT,	/* a file that we write */
	MOUNT_DIR, MOUNT_LINK, MOUNT_MODE, /* made or changed in the root; no mounts */
	MOUNT_TMPFS, MOUNT_PROC, MOUNT_SYS, MOUNT_CGROUP, MOUNT_MQUEUE, /* by fsopen(2) */
	MOUNT_LAYERS,	/* an overlay at a place below the root */
};

struct mount {
	enum mount_kind kind;
	const char *what;	/* the word, for messages: "bind=/a:/b" */
	char *src, *dst;
	uint64_t attrs;	/* MOUNT_ATTR_ to set */
	uint64_t lifted;	/* MOUNT_ATTR_ that the word clears */
	bool rec;	/* with the mounts below src */
	bool slave;	/* show what the host mounts below src later */
	bool try;	/* skip this mount if src or its place does not exist */
	bool top;	/* of MOUNT_RO: not the mounts below it */
	bool plain;	/* a file in the root's file system, not a mount */
	int mode;	/* of the file or directory that we make */
	bool mode_given;
	int from;	/* src is this descriptor, or -1 */
	const char *shm;	/* of MOUNT_DEV: size of its shm, or NULL */
	struct layers *layers;	/* of MOUNT_LAYERS */
	bool idmap;	/* map IDs as the new user namespace does */
	bool optional;	/* a default: skip it where it is impossible */
	bool silent;	/* skip it without a warning: the manual says when */
	char *fsopts;	/* options for the file system itself, or NULL */
	int fd;	/* a detached mount of src, or -1 */
};

/* An overlay: its layers, and where its changes go. */
struct layers {
	const char *what;	/* the word */
	uint64_t attrs;
	struct mount **lower;	/* top first */
	size_t n;
	struct mount *changes;	/* a directory, or a tmpfs; or NULL */
	const char *upper, *work;	/* below changes. NULL: we make them there */
};

/* The descriptors that are open while the root is built. */
struct build {
	int root;	/* the new root */
	int device[NS_DEVICES];	/* of the old root, in dev.c's order */
	int empty;	/* an attached empty directory, or -1 */
	int inner;	/* the socket to the inner actor, which makes the file
			 * systems; -1: we make them */
	int stage;	/* where the builder leaves the root, or -1 */
};

/* The new mounts of one word: a file system, and for a /dev those below it. */
enum { PART_FS, PART_PTS, PART_SHM, PART_MQUEUE, NS_PARTS };
struct parts {
	int fd[NS_PARTS];	/* detached mounts; -1: none, or impossible here */
};

enum console { CONSOLE_PTY, CONSOLE_PIPE, CONSOLE_NONE };

struct ns {
	int flags;	/* CLONE_NEW*: namespaces to make */
	bool dry, json, die_with_parent, new_session;
	enum console console;
	bool give_stdio;	/* stdio=give */

	pid_t join;	/* process to join, or 0 */
	int join_flags;	/* which of its namespaces; 0: all that differ */
	struct {
		int fd, flag;
	} joins[NS_JOINS];	/* single namespaces to join */
	size_t njoins;

	bool userns_none, userns_check;	/* allow no further ones; check that */
	int userns_fd;	/* to enter last, or -1 */

	struct mount root;	/* MOUNT_ROOT, _IMAGE or _EMPTY; what == NULL: none */
	struct mount overlay;	/* MOUNT_OVERLAY; what == NULL: none */
	struct mount *lower;	/* top first */
	size_t nlower;
	struct mount *mounts;	/* in the order of the words */
	size_t nmounts;
	struct mount defaults[NS_DEFAULTS]; /* before mounts */
	size_t ndefaults;
	bool no_proc, no_sys, no_dev, no_cgroup, no_mask, root_ro;

	const char *hostname, *domainname, *chdir;
	char *cwd;	/* chdir=keep: the caller's directory */
	bool keep_caps;	/* the command keeps the permitted ones */
	const char *monotonic, *boottime; /* offsets, s */
	struct idmap uidmap, gidmap;
	struct identity id;
	struct env env;
	int umask;	/* or -1 */
	int status_fd;	/* or -1 */
	int info_fd, wait_fd;	/* or -1 */
	bool info_closed;	/* another of our processes writes to it */
	bool waited;	/* our parent waits for us */
	int stop_signal;	/* or 0 */
	struct rlimit nofile;	/* RLIMIT_NOFILE to restore; rlim_max 0: none */

	bool link;	/* the command is looked up in the toolbox */
	bool served;	/* the outer actor writes the ID maps */
	bool staged;	/* a builder builds the root */
	bool between;	/* the builder needs a user namespace of its own */
	bool late_cgroup;	/* inner makes its cgroup namespace itself */
	int toolbox[TOOLBOX_PARTS];	/* on the stage; -1: not there */
	int outer;	/* inner's socket to the outer actor, or -1 */
	int builder;	/* inner's socket to the builder, or -1 */
	int parent;	/* readable once our parent has ended; -1: not watched */
	int stream[3];	/* console=pipe: the command's streams; each may be -1 */
	const char *dev;	/* path of /dev in the new root, or NULL */

	int plug;	/* the plug that we use, or -1 */
	const struct plug_offer *offer;	/* what the plug offers */
	struct mount files[NS_FILES];	/* from the offer; what == NULL: none */
};

/* fail.c */
_Noreturn void fail(int cause, const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
_Noreturn void fail_namespaces(const struct ns *ns);

/* words.c */
MUST_CHECK bool has_root(const struct ns *ns);
MUST_CHECK bool is_overlay(const struct ns *ns);
extern const struct grammar ns_grammar;
void ns_check(struct ns *ns, bool command);

/* idmap.c */
void idmap_parse(void *map, const char *key, const char *value);
void idmap_plan(struct ns *ns);
MUST_CHECK bool idmap_needs_outer(const struct ns *ns);
MUST_CHECK bool idmap_has(const struct idmap *m, uint32_t inside);
MUST_CHECK bool idmap_has_group(const struct ns *ns, uint32_t gid);
MUST_CHECK bool idmap_outside(const struct idmap *m, uint32_t inside, uint32_t
    *outside);
void idmap_write(const struct ns *ns, const char *pid);
void idmap_write_same(const struct ns *ns, const char *pid);
void idmap_learn(struct ns *ns, const char *pid, bool inside);
void idmap_advise(int error);

/* ids.c */
void ids_become_root(const struct ns *ns);
void ids_act_as_root(const struct ns *ns);
void ids_be_writable(const struct ns *ns);
void ids_set(const struct ns *ns);

/* payload.c */
MUST_CHECK int payload_make(struct ns *ns);

/* talk.c */
void talk_send(int sock, int fd);
MUST_CHECK int talk_recv(int sock);
void talk_wait(int sock);
void talk_hello(int sock);
void talk_heard(int sock, char *pid, size_t size);
MUST_CHECK pid_t talk_sender(int sock);
void talk_tell(int sock, const char *text);
MUST_CHECK bool talk_text(int sock, char *text, size_t size);
void talk_with(pid_t pid);
MUST_CHECK bool talk_ended(void);

/* outer.c */
void outer_map(struct ns *ns, const char *pid);
void outer_serve(struct ns *ns, int sock);
void outer_ask(int sock);

/* stage.c */
#define STAGE "/dev"	/* the stage's path, for the builder and for inner */
#define STAGE_ROOT STAGE "/root"	/* the new root, when it is finished */
#define STAGE_BENCH STAGE "/bench"	/* of inner: the layers of an overlay */
#define STAGE_FILES STAGE "/files"	/* of the builder: files that we write */
MUST_CHECK bool stage_needed(const struct ns *ns);
MUST_CHECK pid_t stage_clone(struct ns *ns, const struct clone_args *args, int
    pair[2]);
void stage_unshare(struct ns *ns);
void stage_take(struct ns *ns);
void stage_fill(struct ns *ns);
void stage_recv(int sock, const struct mount *m, struct parts *p);

/* mount.c */
void mount_parse(struct mount *m, enum mount_kind kind, const char *key,
    const char *value);
struct mount *mount_add(struct mount **list, size_t *n);
void mount_default(struct ns *ns, enum mount_kind kind, const char *dst);
void mount_describe(const struct mount *m);
bool mount_is_tmpfs(const char *value);
bool mount_has_options(const struct mount *m);
const char *mount_fstype(const struct mount *m);
_Noreturn void mount_failed(const struct mount *m, const char *type);
MUST_CHECK int mount_fs(const struct mount *m, const char *type);
MUST_CHECK int mount_place(const struct mount *m, int root, mode_t type);
MUST_CHECK mode_t mount_way(const struct mount *m);
MUST_CHECK bool mount_attach(const struct mount *m, int fd, int root, mode_t
    type);

/* dev.c */
void dev_open(struct build *b);
MUST_CHECK int dev_null(const struct build *b);
void dev_make(const struct ns *ns, const struct mount *m, struct parts *p);
void dev_place(const struct mount *m, const struct parts *p,
    const struct build *b);

/* image.c */
MUST_CHECK int image_open(const struct mount *m);

/* apply.c */
void apply_describe(const struct ns *ns, const struct mount *m);
void apply_make(const struct ns *ns, const struct mount *m, struct parts *p);
void apply_mount(struct ns *ns, const struct mount *m, struct build *b);

/* source.c */
void source_open(const struct ns *ns, struct mount *m);
void source_idmap(struct mount *m, int userns);
struct mount *source_layer(struct ns *ns, size_t i);
void source_changes(struct layers *l);
void source_each(struct ns *ns, void (*deed)(const struct ns *, struct mount *, int),
    int arg);

/* overlay.c */
MUST_CHECK int overlay_make(struct ns *ns);
MUST_CHECK int overlay_layers(const struct ns *ns, const struct layers *l);

/* report.c */
MUST_CHECK bool report_wanted(const struct ns *ns);
void report_look(const struct ns *ns, const char *pid, char text[static REPORT_MAX]);
void report_leave(struct ns *ns);
void report_info(struct ns *ns, const char *pid, const char *text);
void report_child(struct ns *ns, int sock, pid_t child);
void report_ready(struct ns *ns, const char *text);
void report_await(int fd, const char *word);

/* userns.c */
void userns_parse(void *ns, const char *key, const char *value);
void userns_check(const struct ns *ns);
void userns_limit(const struct ns *ns);
void userns_finish(const struct ns *ns);

/* root.c */
void root_plan(struct ns *ns);
MUST_CHECK bool root_is_plain(const struct ns *ns);
void root_open(struct ns *ns, struct build *b);
void root_build(struct ns *ns, struct build *b);
void root_enter(const struct ns *ns, int root);
void root_describe(struct ns *ns);

/* join.c */
void join_parse(void *ns, const char *key, const char *value);
void join_enter(struct ns *ns, bool toolbox);
MUST_CHECK bool join_wanted(const struct ns *ns);

/* net.c */
void net_find(struct ns *ns);
void net_plug(struct ns *ns);
void net_files_open(struct ns *ns, int dir);
void net_files_apply(struct ns *ns, struct build *b);

/* files.c */
void files_open(struct ns *ns);
void files_write(struct mount *m, int dir, const char *name, int fd);
void files_put(const struct mount *m, int root);

/* inner.c */
_Noreturn void inner_run(struct ns *ns, char *const argv[]);

/* console.c */
void console_open(struct ns *ns);
MUST_CHECK int console_recv(int sock);
void console_pipes(struct ns *ns, int ours[3]);
void console_forked(struct ns *ns);

/* pump.c */
MUST_CHECK int pump_wait(int master, const int pipes[3], struct supervise *s,
    int *wstatus);

#endif
