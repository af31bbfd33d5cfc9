/* The words of volt-lock. */
#include <err.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "lock.h"
#include "say.h"
#include "value.h"

static void
set_flag(void *ctx, char letter)
{
	struct lock *lock = ctx;

	switch (letter) {
	case 'N':
		lock->dry = say_on = true;
		break;
	case 'b':
		lock->best_effort = true;
		break;
	case 'j':
		lock->json = true;
		break;
	case 'l':
		lock->learn = true;
		break;
	default:
		say_on = true;
	}
}

/* The key as it stands in the table: the caller's does not live on. */
static const char *
lasting(const char *key)
{
	const struct word *w;

	for (w = lock_grammar.words; strcmp(w->key, key) != 0; w++)
		;
	return w->key;
}

static void
set_landlock(void *ctx, const char *key, const char *value)
{
	landlock_word(ctx, lasting(key), value);
}

static void
set_limit(void *ctx, const char *key, const char *value)
{
	limit_word(ctx, key, value);
}

static void
set_prefix(void *ctx, const char *key, const char *value)
{
	struct lock *lock = ctx;

	(void)key;
	lock->prefix = *value == '\0' ? NULL : value;
}

static void
set_except(void *ctx, const char *key, const char *value)
{
	except_word(ctx, key, value);
}

/* try=KEY=VALUE */
static void
set_try(void *ctx, const char *key, const char *value)
{
	const char *rest = strchr(value, '=');
	struct lock *lock = ctx;
	const struct word *w;
	size_t len;

	len = rest == NULL ? 0 : (size_t)(rest - value);
	for (w = lock_grammar.words; w->key != NULL; w++)
		if (strlen(w->key) == len && memcmp(w->key, value, len) == 0)
			break;
	if (w->key == NULL || w->set != set_landlock)
		word_bad(key, value, "not one of Landlock's words");
	lock->optional = true;
	w->set(ctx, w->key, rest + 1);
	lock->optional = false;
}

static void
set_seccomp(void *ctx, const char *key, const char *value)
{
	struct lock *lock = ctx;

	if (*value == '\0')
		word_bad(key, value, "empty");
	lock->seccomp = strcmp(value, "none") == 0 ? NULL : value;
}

static void
set_action(void *ctx, const char *key, const char *value)
{
	static const char *const names[] = { "errno", "kill", "log" };
	struct lock *lock = ctx;
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], value) == 0) {
			lock->action = (enum filter_action)i;
			return;
		}
	}
	word_bad(key, value, "not errno, kill or log");
}

static void
set_caps(void *ctx, const char *key, const char *value)
{
	struct lock *lock = ctx;

	caps_parse(&lock->caps, key, value);
}

static void
set_id(void *ctx, const char *key, const char *value)
{
	struct lock *lock = ctx;

	identity_word(&lock->id, key, value);
}

/* The words with two values, the first of which is true. */
static void
set_choice(void *ctx, const char *key, const char *value)
{
	static const struct {
		const char *key, *yes, *no;
		size_t member;
		const char *why;
	} choices[] = {
		{ "fds", "close", "keep", offsetof(struct lock, close_fds),
		    "not close or keep" },
		{ "dumpable", "no", "yes", offsetof(struct lock, no_dump),
		    "not yes or no" },
		{ "keyring", "keep", "new", offsetof(struct lock, keep_keyring),
		    "not new or keep" },
		{ "stdio", "keep", "give", offsetof(struct lock, keep_stdio),
		    "not give or keep" },
	};
	size_t i;

	for (i = 0; strcmp(choices[i].key, key) != 0; i++)
		;
	if (strcmp(value, choices[i].yes) != 0 &&
	    strcmp(value, choices[i].no) != 0)
		word_bad(key, value, choices[i].why);
	*(bool *)((char *)ctx + choices[i].member) =
	    strcmp(value, choices[i].yes) == 0;
}

static void
set_spec(void *ctx, const char *key, const char *value)
{
	spec_parse(ctx, key, value);
}

static void
set_learn(void *ctx, const char *key, const char *value)
{
	struct lock *lock = ctx;

	if (*value == '\0')
		word_bad(key, value, "empty");
	lock->learn = true;
	lock->learn_file = value;
}

static const struct flag flags[] = {
	{ 'N', set_flag, "dry run: say what would be done, and do nothing" },
	{ 'b', set_flag, "take what this kernel has, and print what was lost" },
	{ 'j', set_flag, "print JSON, where there is no command" },
	{ 'l', set_flag, "learn: print the system calls that the command made" },
	{ 'v', set_flag, "say on standard error what is done" },
	{ 0, NULL, NULL },
};

static const struct word words[] = {
	{ "fs", set_landlock, "any|none", "leave files alone, or grant none so far" },
	{ "fs.ro", set_landlock, "PATH,...", "read files and directories" },
	{ "fs.rx", set_landlock, "PATH,...", "and execute" },
	{ "fs.rw", set_landlock, "PATH,...", "read, write, make and remove" },
	{ "fs.rwx", set_landlock, "PATH,...", "and execute" },
	{ "fs.dev", set_landlock, "PATH,...", "read, write and control devices" },
	{ "fs.execute", set_landlock, "PATH,...", "execute files" },
	{ "fs.write_file", set_landlock, "PATH,...", "open files for writing" },
	{ "fs.read_file", set_landlock, "PATH,...", "open files for reading" },
	{ "fs.read_dir", set_landlock, "PATH,...", "list directories" },
	{ "fs.remove_dir", set_landlock, "PATH,...", "remove empty directories" },
	{ "fs.remove_file", set_landlock, "PATH,...", "remove files" },
	{ "fs.make_char", set_landlock, "PATH,...", "make character devices" },
	{ "fs.make_dir", set_landlock, "PATH,...", "make directories" },
	{ "fs.make_reg", set_landlock, "PATH,...", "make regular files" },
	{ "fs.make_sock", set_landlock, "PATH,...", "make UNIX sockets" },
	{ "fs.make_fifo", set_landlock, "PATH,...", "make named pipes" },
	{ "fs.make_block", set_landlock, "PATH,...", "make block devices" },
	{ "fs.make_sym", set_landlock, "PATH,...", "make symbolic links" },
	{ "fs.refer", set_landlock, "PATH,...", "move and link between directories" },
	{ "fs.truncate", set_landlock, "PATH,...", "truncate files" },
	{ "fs.ioctl_dev", set_landlock, "PATH,...", "ioctl(2) on devices" },
	{ "unix", set_landlock, "PATH,...", "connect to UNIX sockets from outside" },
	{ "tcp.bind", set_landlock, "PORT,...", "TCP ports to bind to" },
	{ "tcp.connect", set_landlock, "PORT,...", "TCP ports to connect to" },
	{ "udp.bind", set_landlock, "PORT,...", "UDP ports to bind to" },
	{ "udp.connect", set_landlock, "PORT,...", "UDP ports to connect and send to" },
	{ "scope", set_landlock, "NAME,...", "what must not leave: abstract-unix, signal" },
	{ "log", set_landlock, "NAME,...", "same-exec-off, new-exec-on, subdomains-off" },
	{ "abi", set_landlock, "N", "the Landlock ABI that there must be" },
	{ "prefix", set_prefix, "DIR", "the paths that follow are below DIR" },
	{ "except", set_except, "PATH,...", "what the paths that follow leave out" },
	{ "try", set_try, "WORD", "a Landlock word that may fail to apply" },
	{ "seccomp", set_seccomp, "PROFILE", "strict, default, none or a file" },
	{ "seccomp.action", set_action, "NAME", "errno, kill or log" },
	{ "caps", set_caps, "NAME,...", "capabilities to keep, none, or +x,-y" },
	{ "user", set_id, "NAME", "user, group and groups of the command" },
	{ "uid", set_id, "N|NAME", "user ID of the command" },
	{ "gid", set_id, "N|NAME", "group ID of the command" },
	{ "groups", set_id, "N|NAME,...", "supplementary groups of the command" },
	{ "stdio", set_choice, "give|keep", "may the command open its pipes by /dev/stdout" },
	{ "fds", set_choice, "close|keep", "descriptors above standard error" },
	{ "keyring", set_choice, "new|keep", "the session keyring" },
	{ "dumpable", set_choice, "yes|no", "may the command dump core" },
	{ "spec", set_spec, "NAME,...", "store-bypass, indirect-branch, l1d-flush" },
	{ "rlimit.as", set_limit, "SIZE[:SIZE]", "address space" },
	{ "rlimit.core", set_limit, "SIZE[:SIZE]", "core file" },
	{ "rlimit.cpu", set_limit, "N[:N]", "seconds of processor time" },
	{ "rlimit.data", set_limit, "SIZE[:SIZE]", "data segment" },
	{ "rlimit.fsize", set_limit, "SIZE[:SIZE]", "file size" },
	{ "rlimit.locks", set_limit, "N[:N]", "file locks" },
	{ "rlimit.memlock", set_limit, "SIZE[:SIZE]", "locked memory" },
	{ "rlimit.msgqueue", set_limit, "SIZE[:SIZE]", "POSIX message queues" },
	{ "rlimit.nice", set_limit, "N[:N]", "nice value, as 20 minus it" },
	{ "rlimit.nofile", set_limit, "N[:N]", "descriptors" },
	{ "rlimit.nproc", set_limit, "N[:N]", "processes of the user" },
	{ "rlimit.rss", set_limit, "SIZE[:SIZE]", "resident set (Linux ignores it)" },
	{ "rlimit.rtprio", set_limit, "N[:N]", "real-time priority" },
	{ "rlimit.rttime", set_limit, "N[:N]", "real-time microseconds" },
	{ "rlimit.sigpending", set_limit, "N[:N]", "queued signals" },
	{ "rlimit.stack", set_limit, "SIZE[:SIZE]", "stack" },
	{ "learn", set_learn, "FILE|FD", "as -l, but add to a file" },
	{ NULL, NULL, NULL, NULL },
};

const struct grammar lock_grammar = {
	.purpose = "Give up rights for good and run a command.",
	.flags = flags,
	.words = words,
};
