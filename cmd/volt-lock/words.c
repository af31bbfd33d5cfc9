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
	if (w->key == NULL || w->set != landlock_word)
		word_bad(key, value, "not one of Landlock's words");
	lock->optional = true;
	w->set(ctx, w->key, rest + 1);
	lock->optional = false;
}

static void
set_prefix(void *prefix, const char *key, const char *value)
{
	(void)key;
	*(const char **)prefix = *value == '\0' ? NULL : value;
}

static void
set_seccomp(void *profile, const char *key, const char *value)
{
	if (*value == '\0')
		word_bad(key, value, "empty");
	*(const char **)profile = strcmp(value, "none") == 0 ? NULL : value;
}

static const struct flag flags[] = {
	FLAG_DRY(struct lock),
	FLAG('b', struct lock, best_effort, "do what this kernel can, and print what was lost"),
	FLAG('j', struct lock, json, "print JSON; only without a command"),
	FLAG('l', struct lock, learn,
	    "learn: print the system calls that the command made, and the words that it lacked"),
	FLAG_SAY,
	FLAG_END,
};

static const struct word words[] = {
	CTX_WORD("fs", landlock_word, "any|none",
	    "leave files alone, or revoke all grants so far"),
	CTX_WORD("fs.ro", landlock_word, "PATH,...", "read files and directories"),
	CTX_WORD("fs.rx", landlock_word, "PATH,...", "the same, and execute"),
	CTX_WORD("fs.rw", landlock_word, "PATH,...", "read, write, make and remove"),
	CTX_WORD("fs.rwx", landlock_word, "PATH,...", "the same, and execute"),
	CTX_WORD("fs.dev", landlock_word, "PATH,...", "read, write and control devices"),
	CTX_WORD("fs.execute", landlock_word, "PATH,...", "execute files"),
	CTX_WORD("fs.write_file", landlock_word, "PATH,...", "open files for writing"),
	CTX_WORD("fs.read_file", landlock_word, "PATH,...", "open files for reading"),
	CTX_WORD("fs.read_dir", landlock_word, "PATH,...", "list directories"),
	CTX_WORD("fs.remove_dir", landlock_word, "PATH,...", "remove empty directories"),
	CTX_WORD("fs.remove_file", landlock_word, "PATH,...", "remove files"),
	CTX_WORD("fs.make_char", landlock_word, "PATH,...", "make character devices"),
	CTX_WORD("fs.make_dir", landlock_word, "PATH,...", "make directories"),
	CTX_WORD("fs.make_reg", landlock_word, "PATH,...", "make regular files"),
	CTX_WORD("fs.make_sock", landlock_word, "PATH,...", "make UNIX sockets"),
	CTX_WORD("fs.make_fifo", landlock_word, "PATH,...", "make named pipes"),
	CTX_WORD("fs.make_block", landlock_word, "PATH,...", "make block devices"),
	CTX_WORD("fs.make_sym", landlock_word, "PATH,...", "make symbolic links"),
	CTX_WORD("fs.refer", landlock_word, "PATH,...",
	    "move and link between directories"),
	CTX_WORD("fs.truncate", landlock_word, "PATH,...", "truncate files"),
	CTX_WORD("fs.ioctl_dev", landlock_word, "PATH,...", "ioctl(2) on devices"),
	CTX_WORD("unix", landlock_word, "PATH,...", "connect to UNIX sockets made outside"),
	CTX_WORD("tcp.bind", landlock_word, "PORT,...", "TCP ports to bind to"),
	CTX_WORD("tcp.connect", landlock_word, "PORT,...", "TCP ports to connect to"),
	CTX_WORD("udp.bind", landlock_word, "PORT,...", "UDP ports to bind to"),
	CTX_WORD("udp.connect", landlock_word, "PORT,...",
	    "UDP ports to connect and send to"),
	CTX_WORD("scope", landlock_word, "NAME,...",
	    "what must stay inside: abstract-unix, signal"),
	CTX_WORD("log", landlock_word, "NAME,...",
	    "same-exec-off, new-exec-on, subdomains-off"),
	CTX_WORD("abi", landlock_word, "N", "the Landlock ABI that the kernel must have"),
	CALL_WORD("prefix", set_prefix, struct lock, prefix, "DIR",
	    "all following paths are below DIR"),
	CTX_WORD("except", except_word, "PATH,...", "all following words leave this out"),
	CTX_WORD("try", set_try, "WORD", "a Landlock word that may fail to apply"),
	CALL_WORD("seccomp", set_seccomp, struct lock, seccomp, "PROFILE",
	    "strict, default, none or a file"),
	CHOICE_WORD("seccomp.action", struct lock, action, enum filter_action,
	    "errno|kill|log", "what a denied call gets"),
	CTX_WORD("filter", seccomp_ready, "FD", "a filter that was compiled before"),
	CALL_WORD("caps", caps_parse, struct lock, caps, "NAME,...",
	    "capabilities to keep, none, or +x,-y"),
	IDENTITY_WORDS(struct lock, id),
	BOOL_WORD("stdio", struct lock, give_stdio, "give|keep",
	    "let the command open its pipes by /dev/stdout"),
	BOOL_WORD("fds", struct lock, close_fds, "close|keep",
	    "descriptors above standard error"),
	BOOL_WORD("keyring", struct lock, new_keyring, "new|keep", "the session keyring"),
	BOOL_WORD("dumpable", struct lock, dumpable, "yes|no",
	    "let the command dump core"),
	CTX_WORD("spec", spec_parse, "NAME,...", "store-bypass, indirect-branch, l1d-flush"),
	CTX_WORD("rlimit.as", limit_word, "SIZE[:SIZE]", "address space"),
	CTX_WORD("rlimit.core", limit_word, "SIZE[:SIZE]", "core file"),
	CTX_WORD("rlimit.cpu", limit_word, "N[:N]", "seconds of processor time"),
	CTX_WORD("rlimit.data", limit_word, "SIZE[:SIZE]", "data segment"),
	CTX_WORD("rlimit.fsize", limit_word, "SIZE[:SIZE]", "file size"),
	CTX_WORD("rlimit.locks", limit_word, "N[:N]", "file locks"),
	CTX_WORD("rlimit.memlock", limit_word, "SIZE[:SIZE]", "locked memory"),
	CTX_WORD("rlimit.msgqueue", limit_word, "SIZE[:SIZE]", "POSIX message queues"),
	CTX_WORD("rlimit.nice", limit_word, "N[:N]", "20 minus the lowest nice value"),
	CTX_WORD("rlimit.nofile", limit_word, "N[:N]", "descriptors"),
	CTX_WORD("rlimit.nproc", limit_word, "N[:N]", "processes of the user"),
	CTX_WORD("rlimit.rss", limit_word, "SIZE[:SIZE]",
	    "resident set (Linux ignores it)"),
	CTX_WORD("rlimit.rtprio", limit_word, "N[:N]", "real-time priority"),
	CTX_WORD("rlimit.rttime", limit_word, "N[:N]", "real-time microseconds"),
	CTX_WORD("rlimit.sigpending", limit_word, "N[:N]", "queued signals"),
	CTX_WORD("rlimit.stack", limit_word, "SIZE[:SIZE]", "stack"),
	STRING_WORD("argv0", struct lock, argv0, "NAME", "the command's argument 0"),
	STRING_WORD("learn", struct lock, learn_file, "FILE|FD", "like -l, but add to a file"),
	STRING_WORD("learn.words", struct lock, learn_words, "FILE|FD",
	    "add the Landlock words that were missing to a file"),
	WORD_END,
};

const struct grammar lock_grammar = {
	.purpose = "Give up rights for good and run a command.",
	.flags = flags,
	.words = words,
};
