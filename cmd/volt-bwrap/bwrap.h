/* volt-bwrap: the state that bubblewrap's options set, and its functions by file. */
#ifndef VOLT_BWRAP_H
#define VOLT_BWRAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EXIT_WRONG = 1 };	/* bubblewrap's status for its own errors */

/* A list that grows. Its strings are never freed. */
struct words {
	char **word;
	size_t n;
};

/* A step that builds the new root: a word of volt-ns, or a place for a word made later. */
enum step_kind { STEP_WORD, STEP_PROC, STEP_DEV };
struct step {
	enum step_kind kind;
	char *text;	/* the word, or the place */
	int fd;	/* the descriptor that it uses up, or -1 */
};

/* Options whose argument is a descriptor. */
enum { FD_USERNS, FD_USERNS2, FD_PIDNS, FD_SYNC, FD_BLOCK, FD_USERNS_BLOCK, FD_INFO,
	FD_JSON_STATUS, FD_SECCOMP, FDS };

/* Options whose argument is a string or a number. */
enum { TEXT_CHDIR, TEXT_HOSTNAME, TEXT_ARGV0, TEXT_UID, TEXT_GID, TEXTS };

struct bwrap {
	unsigned int unshare, unshare_try;	/* UNSHARE() bits */
	bool new_session, die_with_parent, as_pid_1;
	bool disable_userns, assert_userns, print;

	int fd[FDS];	/* or -1 */
	const char *text[TEXTS];	/* or NULL */
	struct words filters, locks, env;

	bool caps_given;
	uint64_t caps;

	/* Options for the next step. */
	int perms;	/* or -1 */
	uint64_t size;	/* or 0 */
	struct words layers;	/* the last on top */

	struct words root;	/* words for the root itself. If none: an empty root */
	struct step *steps;
	size_t nsteps;
};

/* In the order of letters[] in chain.c. */
enum { NS_USER, NS_PID, NS_NET, NS_IPC, NS_UTS, NS_CGROUP, NAMESPACES };
#define UNSHARE(ns) (1U << NS_##ns)

/* words.c */
void words_add(struct words *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
char *words_field(const char *s);
char *words_place(const char *s);
char *words_source(const char *s);
void words_print(const struct words *w);

/* options.c */
char **options_parse(struct bwrap *b, char *argv[]);

/* steps.c */
void step_bind(struct bwrap *b, const char *name, char *arg[]);
void step_bind_fd(struct bwrap *b, const char *name, char *arg[]);
void step_overlay_src(struct bwrap *b, const char *name, char *arg[]);
void step_overlay(struct bwrap *b, const char *name, char *arg[]);
void step_proc(struct bwrap *b, const char *name, char *arg[]);
void step_dev(struct bwrap *b, const char *name, char *arg[]);
void step_tmpfs(struct bwrap *b, const char *name, char *arg[]);
void step_mqueue(struct bwrap *b, const char *name, char *arg[]);
void step_dir(struct bwrap *b, const char *name, char *arg[]);
void step_file(struct bwrap *b, const char *name, char *arg[]);
void step_symlink(struct bwrap *b, const char *name, char *arg[]);
void step_chmod(struct bwrap *b, const char *name, char *arg[]);
void step_remount_ro(struct bwrap *b, const char *name, char *arg[]);
int step_fd(const char *value);
int step_mode(const char *name, const char *value);

/* caps.c */
void caps_begin(struct bwrap *b);
void caps_change(struct bwrap *b, const char *name, char *arg[]);
bool caps_word(const struct bwrap *b, struct words *lock);

/* chain.c */
void chain_make(const struct bwrap *b, char *command[], struct words *chain);

#endif
