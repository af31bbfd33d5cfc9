/* volt-lock: what was asked for, and the files that see to it. */
#ifndef VOLT_LOCK_H
#define VOLT_LOCK_H

#include <linux/filter.h>
#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "identity.h"
#include "must.h"
#include "words.h"

#define LOCK_PORTS 65536
#define LOCK_LIMITS 16
#define LOCK_PATH 4096

/* Rights that a word grants below one path. The strings live on. */
struct path_rule {
	const char *key;	/* of the word, for messages */
	char *path;
	const char *prefix;	/* NULL: the path is as it stands */
	const char *except;	/* patterns of what is left out, or NULL */
	uint64_t access;
	bool optional;	/* a path that is missing is passed over */
};

struct port_rule {
	const char *key;
	uint16_t first, last;
	uint64_t access;
};

/* What landlock.c enforces. */
struct landlock {
	struct path_rule *paths;
	size_t npaths, size;
	struct port_rule *ports;
	size_t nports, ports_size;
	/* any: rights that are left alone; none: a word said so, and no later one */
	uint64_t fs_any, fs_none, net_any, net_none;
	uint64_t fs_weak;	/* any of try=, that other words override */
	uint64_t net_named;	/* a word is about them */
	uint64_t net_try;	/* none within try= */
	unsigned int filters;	/* FILTER() bits, for what Landlock does not see */
	uint64_t scoped;
	uint32_t flags;	/* of landlock_restrict_self(2) */
	bool scope_given, wanted;
	int abi, min_abi;	/* abi: the kernel's; 0: it has none */
	int ruleset;	/* descriptor, or -1 */
	uint64_t handled_fs, handled_net, handled_scope;
};

struct caps {
	bool given, relative;
	uint64_t add, drop;	/* not relative: add is the whole set */
};

struct limit {
	const char *key;
	int resource;
	uint64_t soft, hard;
};

enum filter_action { ACTION_ERRNO, ACTION_KILL, ACTION_LOG };

struct lock {
	bool dry, json, best_effort, learn;
	bool optional;	/* within try= */
	const char *prefix, *except;	/* for the paths that follow */
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
	const char *learn_file;
};

/* Two words of which one would be without effect. */
#define WORD_UNDOES "it would undo what words before it restrict"
#define WORD_ADDS_NOTHING \
	"any before it grants all; none between them takes that back"

/* Filters that come with volt besides the profiles. */
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
	bool file;	/* may be granted for what is not a directory */
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
void paths_grant(const struct landlock *ll, const struct path_rule *p, int fd,
    bool among);
void paths_fill(const struct landlock *ll, bool dry);

/* except.c */
void except_word(void *lock, const char *key, const char *value);
void except_fill(const struct landlock *ll, const struct path_rule *p, int fd);

/* ports.c */
void ports_word(struct lock *lock, const struct right *r, const char *value);
MUST_CHECK bool ports_granted(const struct landlock *ll, uint64_t right);
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
void learn_run(struct lock *lock);

/* show.c */
MUST_CHECK int show(struct lock *lock);
void show_plan(struct lock *lock);

#endif
