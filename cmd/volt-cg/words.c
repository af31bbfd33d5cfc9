/* The words of volt-cg, and which of them go together. */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "chain.h"
#include "say.h"
#include "words.h"

#include "cg.h"

/*
 * A name is one directory: letters, digits and a few signs. It does not begin
 * with a controller and a dot, as the kernel's own files do.
 */
static void
check_name(const char *key, const char *value)
{
	static const char *const taken[] = { "cgroup", "cpu", "cpuset", "io",
		"memory", "hugetlb", "pids", "rdma", "misc", "dmem", "irq",
		"perf_event", "debug", "freezer", "devices", "net_cls",
		"net_prio", "blkio" };
	static const char alnum[] = "abcdefghijklmnopqrstuvwxyz"
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
	char set[80];
	size_t i, dot = strcspn(value, ".");

	snprintf(set, sizeof(set), "%s_.-@:+", alnum);
	if (*value == '\0')
		word_bad(key, value, "the name is empty");
	if (strlen(value) >= CG_NAME)
		word_bad(key, value, "the name is too long");
	if (value[strspn(value, set)] != '\0')
		errx(EXIT_LINK, "%s=: a name is letters, digits and _.-@:+",
		    key);
	if (strchr(alnum, *value) == NULL && *value != '_')
		word_bad(key, value, "a name begins with a letter or digit");
	for (i = 0; value[dot] == '.' && i < sizeof(taken) / sizeof(taken[0]);
	     i++)
		if (strncmp(taken[i], value, dot) == 0 &&
		    taken[i][dot] == '\0')
			word_bad(key, value,
			    "the name looks like a file of the kernel's");
}

/* A path of groups. It has no component "..", and no newline. */
static void
check_path(const char *key, const char *value)
{
	const char *s, *end;

	if (*value == '\0')
		word_bad(key, value, "the path is empty");
	if (strlen(value) >= PATH_MAX / 2)
		errx(EXIT_LINK, "%s=: the path is too long", key);
	if (strchr(value, '\n') != NULL)
		errx(EXIT_LINK, "%s=: the path has a newline in it", key);
	for (s = value; *s != '\0'; s = end) {
		s += strspn(s, "/");
		end = s + strcspn(s, "/");
		if (end - s == 2 && strncmp(s, "..", 2) == 0)
			word_bad(key, value, "the path has .. in it");
	}
}

static void
set_name(void *name, const char *key, const char *value)
{
	check_name(key, value);
	*(const char **)name = value;
}

static void
set_parent(void *parent, const char *key, const char *value)
{
	check_path(key, value);
	*(const char **)parent = value;
}

static void
set_join(void *join, const char *key, const char *value)
{
	check_path(key, value);
	if (*value == '/')
		word_bad(key, value,
		    "below parent=, a path does not begin with /");
	*(const char **)join = value;
}

static const struct flag flags[] = {
	FLAG_DRY(struct cg),
	FLAG('S', struct cg, systemd,
	    "print the words as properties of a systemd unit"),
	FLAG('d', struct cg, delegate,
	    "delegate: the command may make groups below its own"),
	FLAG('j', struct cg, json, "print JSON"),
	FLAG('k', struct cg, keep,
	    "keep the group, and have no parent that waits"),
	FLAG('s', struct cg, summary, "say afterwards what the command used"),
	FLAG_SAY,
	FLAG_END,
};

static const struct word words[] = {
	CALL_WORD("name", set_name, struct cg, name, "NAME",
	    "the name of the group"),
	CALL_WORD("parent", set_parent, struct cg, parent, "GROUP",
	    "the group to make it in, or to find it in"),
	CALL_WORD("join", set_join, struct cg, join, "NAME",
	    "run the command in an existing group"),
	CTX_WORD("cpus", limit_cpus, "N|max",
	    "the time of so many CPUs, as 1.5; sets cpu.max"),
	CALL_WORD("uid", identity_name, struct cg, owner.uid_word, "N|NAME",
	    "with -d: the user who owns the group"),
	CALL_WORD("gid", identity_name, struct cg, owner.gid_word, "N|NAME",
	    "with -d: the user group that owns it"),
	STATUS_WORD(struct cg),
	CTX_WORD("*.*", limit_add, "VALUE",
	    "any file of cgroup v2, as memory.max=512M"),
	WORD_END,
};

const struct grammar cg_grammar = {
	.purpose = "Run a command in a control group of its own, with limits.",
	.flags = flags,
	.words = words,
};

/*
 * Refuse words and flags that make no sense together, before anything is done.
 */
void
cg_check(const struct cg *cg, bool command)
{
	const struct identity *owner = &cg->owner;

	if ((owner->uid_word != NULL || owner->gid_word != NULL) &&
	    !cg->delegate)
		errx(EXIT_LINK, "%s= needs -d",
		    owner->uid_word != NULL ? "uid" : "gid");
	if (cg->keep && cg->summary)
		errx(EXIT_LINK, "-k and -s do not go together: "
		    "volt-cg does not wait with -k");
	if (cg->status_fd != -1 && (cg->keep || cg->join != NULL || !command))
		errx(EXIT_LINK, "status=%d needs a command, and a volt-cg that "
		    "waits for it", cg->status_fd);
	if (cg->join != NULL && (cg->name != NULL || cg->nlimits > 0 ||
		cg->delegate || cg->keep || cg->summary || cg->systemd))
		errx(EXIT_LINK, "join= goes with parent= and a command only");
	if (cg->join != NULL && !command && !cg->dry)
		errx(EXIT_LINK, "join=%s: no command", cg->join);
	if (!command && cg->name == NULL && !cg->systemd && !cg->dry &&
	    (cg->nlimits > 0 || cg->delegate))
		errx(EXIT_LINK,
		    "no command, and no name= of a group to change");
	if (!command && !cg->dry && !cg->systemd &&
	    (cg->keep || cg->summary))
		errx(EXIT_LINK, "-%c needs a command", cg->keep ? 'k' : 's');
}
