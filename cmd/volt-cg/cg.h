/*
 * volt-cg: make or find a group of cgroup v2, and run a command in it or change
 * it. Theory of operation:
 *
 * The volt-cg that made a group waits outside of it. While it lives it holds a
 * shared flock(2) on the group's cgroup.kill, which only the group's owner may
 * open. The kernel drops the lock when that process ends, for whatever reason.
 * A group has a mark, the attribute user.volt. If the mark is "run" and another
 * volt-cg can lock the group exclusively, the group is a leftover: that volt-cg
 * kills what is in it and removes it. A group that was kept (-k) has the mark
 * "keep" and is left alone. A group without a mark is not ours.
 *
 * To remove its own group, a volt-cg holds its shared lock; to remove another
 * one, it holds an exclusive lock. So between the look and the removal, the
 * name cannot come to mean another group.
 */
#ifndef VOLT_CG_H
#define VOLT_CG_H

#include <sys/types.h>

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cgroup.h"
#include "identity.h"
#include "must.h"
#include "words.h"

#define CG_LIMITS 128
#define CG_NAME 128
#define CG_PATIENCE 10000	/* ms to wait until killed processes are gone */
#define CG_DEPTH 64	/* how many levels of groups we look at */
#define CG_FILE 65536	/* bytes that we read of an interface file */

/* A word that is written to a file of the group. */
struct limit {
	const char *key, *text;	/* the word, as it was given */
	const char *file;	/* the file that it is written to */
	char *value;	/* what is written */
};

struct cg {
	bool dry, json, keep, summary, systemd, delegate;
	const char *name, *parent, *join;
	struct limit limits[CG_LIMITS];
	size_t nlimits;
	int status_fd;	/* or -1 */
	uint64_t oom_said;	/* OOM kills that were reported */
	unsigned int oom_lines;
	struct identity owner;	/* of a delegated group: uid= and gid= alone */

	struct cgroup_tree tree;

	/* The group that ours is made in. */
	char place[PATH_MAX];
	size_t floor;	/* bytes of place: this group is not ours to change */
	int place_fd;
	bool inside;	/* we are in it, and limits below it need it empty */

	/* Our group. */
	char made_up[CG_NAME];	/* its name; without name= we invent it */
	int dir;	/* or -1 */
	bool entered;	/* we are in it (-k) */
	int lock;	/* or -1 */

	/*
	 * The group that we moved to so that place is empty; dir is -1 if none.
	 */
	char retreat[CG_NAME];
	int retreat_dir, retreat_lock;
	char enabled[256];	/* to disable what we enabled in place */
};

/* look.c */
#define LOOK_MARK CGROUP_MARK
#define LOOK_WAIT "wait"	/* the mark of the group that we move to */
const char *shown(const char *path);
MUST_CHECK bool look_is_root(int dir);
const char *look_mark(int dir, char *buf, size_t size);
void look_each(int dir, int depth, void (*deed)(int dir, void *ctx),
    void *ctx);
MUST_CHECK long look_count_all(int dir, int depth);
MUST_CHECK pid_t look_first(int dir, int depth);

/* words.c */
extern const struct grammar cg_grammar;
void cg_check(const struct cg *cg, bool command);

/* limit.c */
void limit_add(void *cg, const char *key, const char *value);
void limit_cpus(void *cg, const char *key, const char *value);
MUST_CHECK bool limit_needs(const struct cg *cg);
MUST_CHECK bool limit_controller(const struct limit *l, char *buf, size_t size);
void limit_apply(struct cg *cg);

/* device.c */
char *device_resolve(const char *key, const char *value);

/* place.c */
void place_choose(struct cg *cg);
MUST_CHECK bool place_lookup(struct cg *cg, const char *name);
void place_of_list(const struct cg *cg, char *buf, size_t size);
void place_find(struct cg *cg, const char *name);

/* control.c */
void control_enable(struct cg *cg);

/* group.c */
void group_say_owner(const struct cg *cg, bool done);
void group_delegate(const struct cg *cg);
const char *group_name(const struct cg *cg);
void group_make(struct cg *cg);
MUST_CHECK bool group_living(int dir);
void group_sweep(const struct cg *cg);
void group_enter(int dir, const char *name);
void group_finish(struct cg *cg);

/* kill.c */
MUST_CHECK int kill_group(int dir, int64_t patience);
MUST_CHECK int kill_remove(int parent, const char *name, int64_t patience);

/* run.c */
_Noreturn void run(struct cg *cg, char *argv[]);
_Noreturn void run_keep(struct cg *cg, char *argv[]);
_Noreturn void run_join(struct cg *cg, char *argv[]);

/* report.c */
MUST_CHECK int report_watch(const struct cg *cg);
bool report_oom(struct cg *cg, bool end);
MUST_CHECK bool report_value(int dir, const char *file, const char *key,
    uint64_t *out);
void report_seconds(char *buf, size_t size, uint64_t usec);
void report_summary(const struct cg *cg, uint64_t wall);

/* print.c */
void print_group(const struct cg *cg, const char *name);
void print_list(const struct cg *cg);

/* systemd.c */
void systemd_print(const struct cg *cg);

#endif
