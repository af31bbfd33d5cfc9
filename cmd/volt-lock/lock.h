/* volt-lock: the plan that the words fill, and what its files share. */
#ifndef VOLT_LOCK_H
#define VOLT_LOCK_H

#include <linux/filter.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "identity.h"
#include "must.h"
#include "words.h"

#define LOCK_PORTS 65536
#define LOCK_LIMITS 16
#define LOCK_PATH 4096

/* Rights that a word grants below one path. The strings are never freed. */
struct path_rule {
	const char *key;	/* of the word, for messages */
	char *path;
	const char *prefix;	/* the path is below this; NULL: it is not */
	const char *except;	/* patterns of the paths to leave out, or NULL */
	uint64_t access;
	bool optional;	/* skip the rule if the path is missing */
};

struct port_rule {
	const char *key;
	uint16_t first, last;
	uint64_t access;
};

/* What a rule grants on an inode, for -l. */
struct grant {
	dev_t dev;
	ino_t ino;
	uint64_t access;
};

/* The policy that landlock.c enforces. */
struct landlock {
	struct path_rule *paths;
	size_t npaths, size;
	struct port_rule *ports;
	size_t nports, ports_size;
	/*
	 * any: rights that are not restricted. none: rights for which a word said
	 * none, and which no later word grants.
	 */
	uint64_t fs_any, fs_none, net_any, net_none;
	uint64_t fs_weak;	/* any within try=: every other word overrides it */
	uint64_t net_named;	/* rights that some word is about */
	uint64_t net_try;	/* none within try= */
	unsigned int filters;	/* FILTER() bits, for what Landlock does not check */
	uint64_t scoped;
	uint32_t flags;	/* of landlock_restrict_self(2) */
	bool scope_given, wanted;
	int abi, min_abi;	/* abi: of the kernel; 0: it has no Landlock */
	int ruleset;	/* descriptor, or -1 */
	uint64_t handled_fs, handled_net, handled_scope;
	bool remember;	/* keep the list of grants, for -l */
	struct grant *grants;
	size_t ngrants, grants_size;
};

struct caps {
	bool given, relative;
	uint64_t add, drop;	/* if not relative, add is the whole set */
};

struct limit {
	const char *key;
	int resource;
	uint64_t soft, hard;
};

enum filter_action { ACTION_ERRNO, ACTION_KILL, ACTION_LOG };

struct lock {
	bool dry, json, best_effort, learn;
	bool optional;	/* we are within try= */
	const char *prefix, *except;	/* for the following paths */
	struct landlock ll;

	struct caps caps;
	struct identity id;

	const char *seccomp;	/* name of the profile; NULL: none */
	enum filter_action action;
	struct sock_fprog *ready;	/* filters of filter=, in their order */
	size_t nready;
	const char *argv0;	/* the command's argument 0, or NULL */
	struct sock_filter *filter;	/* ready to be installed */
	unsigned short nfilter;

	struct limit limits[LOCK_LIMITS];
	size_t nlimits;
	bool close_fds, new_keyring, give_stdio, dumpable;
	unsigned int spec;	/* bits, 1 << PR_SPEC_... */
	const char *learn_file, *learn_words;
};

/* Errors for a word that contradicts an earlier one. */
#define WORD_UNDOES "it would undo what earlier words restrict"
#define WORD_ADDS_NOTHING \
	"an earlier any grants all; put none between them to undo that"

/* The filters that come with volt, besides the profiles. */
enum { FILTER_PORTS, FILTER_NO_LISTEN, FILTER_NO_TCP, FILTER_NO_UDP,
	FILTER_NO_NET, FILTER_NO_UNIX, FILTERS };
#define FILTER(name) (1U << FILTER_##name)

/* lost.c */
void lost(const struct lock *lock, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* words.c */
extern const struct grammar lock_grammar;

/* landlock.c */
enum right_kind { RIGHT_FS, RIGHT_NET, RIGHT_SCOPE, RIGHT_LOG };
struct right {
	const char *key;
	enum right_kind kind;
	uint64_t bit;
	int abi;
	bool file;	/* it may be granted for a file that is no directory */
};
void landlock_word(void *lock, const char *key, const char *value);
void landlock_plan(struct lock *lock, const char *next);
void landlock_enforce(const struct lock *lock);
MUST_CHECK bool landlock_has(const struct lock *lock, const struct right *r,
    const char *key, const char *value);

/* paths.c */
MUST_CHECK bool paths_all(struct lock *lock, const char *key, const char *value,
    uint64_t access);
void paths_word(struct lock *lock, const char *key, const char *value,
    uint64_t access);
MUST_CHECK bool paths_granted(const struct landlock *ll, uint64_t access);
MUST_CHECK int paths_add(const struct landlock *ll, int fd, uint64_t access);
MUST_CHECK int paths_open(const char *prefix, const char *path, int flags);
void paths_grant(struct landlock *ll, const struct path_rule *p, int fd,
    bool among);
void paths_fill(struct landlock *ll, bool dry);

/* except.c */
void except_word(void *lock, const char *key, const char *value);
void except_fill(struct landlock *ll, const struct path_rule *p, int fd);

/* ports.c */
void ports_word(struct lock *lock, const struct right *r, const char *value);
MUST_CHECK bool ports_granted(const struct landlock *ll, uint64_t right);
MUST_CHECK bool ports_allow(const struct landlock *ll, uint64_t right,
    uint16_t port);
void ports_plan(struct lock *lock);
void ports_fill(const struct landlock *ll);

/* rights.c */
extern const struct right rights[];
#define ABI_KNOWN 11
const char *abi_linux(int abi);
const char *rights_group(uint64_t access);
const struct right *right_find(const char *key);
uint64_t rights_known(enum right_kind kind, int abi);
uint64_t rights_of_files(void);
uint64_t rights_of_group(const char *key);
const char *rights_least(uint64_t access);

/* caps.c */
void caps_parse(void *caps, const char *key, const char *value);
void caps_begin(const struct lock *lock);
void caps_finish(const struct lock *lock);
void caps_describe(const struct caps *c, char *buf, size_t size);

/* ids.c */
void ids_streams(const struct lock *lock);
void ids_change(const struct lock *lock);

/* limits.c */
void limit_word(void *lock, const char *key, const char *value);
void spec_parse(void *lock, const char *key, const char *value);
const char *spec_name(unsigned int i, unsigned int *bit);
void limits_apply(const struct lock *lock);
void keyring_drop(const struct lock *lock);
void spec_apply(const struct lock *lock);
void fds_close(const struct lock *lock);

/* cwd.c */
void cwd_check(const struct lock *lock);

/* seccomp.c */
void seccomp_plan(struct lock *lock);
void seccomp_filters(const struct lock *lock);
const char *seccomp_filter_name(unsigned int filter);
void seccomp_ready(void *lock, const char *key, const char *value);
void seccomp_enforce(const struct lock *lock);

/* learn.c */
MUST_CHECK bool learn_wanted(const struct lock *lock);
void learn_plan(struct lock *lock);
void learn_run(struct lock *lock);

/* tracee.c */
#define TRACEE_GROUPS 64
struct tracee {
	pid_t pid, leader;
	uid_t uid;	/* the IDs that open files */
	gid_t gid, groups[TRACEE_GROUPS];
	size_t ngroups;
	uint64_t caps;	/* effective */
};
MUST_CHECK bool tracee_begin(struct tracee *t, pid_t pid);
MUST_CHECK bool tracee_read(const struct tracee *t, uint64_t at, void *buf,
    size_t len);
MUST_CHECK bool tracee_string(const struct tracee *t, uint64_t at,
    char buf[static PATH_MAX]);
MUST_CHECK int tracee_open(const struct tracee *t, int dir, const char *path,
    int flags);
MUST_CHECK int tracee_fd(const struct tracee *t, int fd);
MUST_CHECK int tracee_socket(const struct tracee *t, int fd);
MUST_CHECK bool tracee_may(const struct tracee *t, const struct stat *st,
    unsigned int bits);

/* refused.c */
#define REFUSED_ARGS 6
void refused_call(const struct landlock *ll, pid_t pid, uint64_t nr,
    const uint64_t args[REFUSED_ARGS], int64_t error);
MUST_CHECK bool refused_exec(uint64_t nr);
void refused_print(FILE *f, const char *before);

/* show.c */
MUST_CHECK int show(struct lock *lock);
void show_plan(struct lock *lock);

#endif
