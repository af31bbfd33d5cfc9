/*
 * volt-cg: a group of cgroup v2, made or found, and what is done with it.
 *
 * Theory of operation. Whoever runs a command in a group of its own stays
 * outside and holds a shared flock on the group for as long as it lives: on its
 * cgroup.kill, which only the group's owner may open. The kernel drops the lock
 * when that process goes, however it goes. So a group that is marked as such a
 * one ("user.volt=run") and that can be locked exclusively is a leftover: the
 * next volt-cg that comes by kills what is in it and removes it. Groups that
 * outlive their maker by intent (-k) are marked "keep" and not touched, and
 * what is not marked is not ours.
 *
 * Nobody removes a group but under a lock on it, and nobody but under an
 * exclusive one if the group is another's. So between looking and removing, a
 * name does not come to mean another group.
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
#include "words.h"

#define CG_LIMITS 128
#define CG_NAME 128
#define CG_PATIENCE 10000	/* ms for killed processes to be gone */
#define CG_DEPTH 64	/* groups below groups that we look at one by one */
#define CG_FILE 65536	/* bytes of an interface file that we read whole */

/* A word that is written to a file of the group. */
struct limit {
	const char *key, *text;	/* as they were given */
	const char *file;	/* what is written, and where */
	char *value;
};

struct cg {
	bool dry, json, keep, summary, systemd, delegate;
	const char *name, *parent, *join;
	struct limit limits[CG_LIMITS];
	size_t nlimits;
	int status_fd;	/* or -1 */
	uint64_t oom_said;	/* processes killed for want of memory, of which
				 * we have told */
	unsigned int oom_lines;
	uid_t uid;	/* or -1: whose a delegated group is */
	gid_t gid;

	struct cgroup_tree tree;

	/* The group that ours is made in. */
	char place[PATH_MAX];
	size_t floor;	/* length of the part of place not to be changed */
	int place_fd;
	bool inside;	/* we are in it, and limits below need it empty */

	/* Ours. */
	char made_up[CG_NAME];	/* its name, if none was given */
	int dir;	/* or -1 */
	bool entered;	/* by ourselves (-k) */
	int lock;	/* or -1 */

	/* Where we went to be out of place; dir is -1 if nowhere. */
	char retreat[CG_NAME];
	int retreat_dir, retreat_lock;
	char enabled[256];	/* what we enabled in place: "-cpu -memory" */
};

/* look.c */
#define LOOK_MARK CGROUP_MARK
#define LOOK_WAIT "wait"	/* the mark of a group that we retreat to */
const char *shown(const char *path);
bool look_is_root(int dir);
const char *look_mark(int dir, char *buf, size_t size);
void look_each(int dir, int depth, void (*deed)(int dir, void *ctx),
    void *ctx);
long look_count_all(int dir, int depth);
pid_t look_first(int dir, int depth);

/* words.c */
extern const struct grammar cg_grammar;
void cg_check(const struct cg *cg, bool command);

/* limit.c */
void limit_add(void *cg, const char *key, const char *value);
void limit_cpus(void *cg, const char *key, const char *value);
bool limit_needs(const struct cg *cg);
bool limit_controller(const struct limit *l, char *buf, size_t size);
void limit_apply(struct cg *cg);

/* device.c */
char *device_resolve(const char *key, const char *value);

/* place.c */
void place_choose(struct cg *cg);
bool place_lookup(struct cg *cg, const char *name);
void place_of_list(const struct cg *cg, char *buf, size_t size);
void place_find(struct cg *cg, const char *name);

/* control.c */
void control_enable(struct cg *cg);

/* group.c */
void group_delegate(const struct cg *cg);
const char *group_name(const struct cg *cg);
void group_make(struct cg *cg);
bool group_living(int dir);
void group_sweep(const struct cg *cg);
void group_enter(int dir, const char *name);
void group_finish(struct cg *cg);

/* kill.c */
int kill_group(int dir, int64_t patience);
int kill_remove(int parent, const char *name, int64_t patience);

/* run.c */
_Noreturn void run(struct cg *cg, char *argv[]);
_Noreturn void run_keep(struct cg *cg, char *argv[]);
_Noreturn void run_join(struct cg *cg, char *argv[]);

/* report.c */
int report_watch(const struct cg *cg);
bool report_oom(struct cg *cg, bool end);
bool report_value(int dir, const char *file, const char *key, uint64_t *out);
void report_seconds(char *buf, size_t size, uint64_t usec);
void report_summary(const struct cg *cg, uint64_t wall);

/* print.c */
void print_group(const struct cg *cg, const char *name);
void print_list(const struct cg *cg);

/* systemd.c */
void systemd_print(const struct cg *cg);

#endif
