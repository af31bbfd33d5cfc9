/* The words of volt-cg, and which of them go together. */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "chain.h"
#include "say.h"
#include "words.h"

#include "cg.h"

static void
set_flag(void *ctx, char letter)
{
	struct cg *cg = ctx;

	switch (letter) {
	case 'N':
		cg->dry = say_on = true;
		break;
	case 'S':
		cg->systemd = true;
		break;
	case 'd':
		cg->delegate = true;
		break;
	case 'j':
		cg->json = true;
		break;
	case 'k':
		cg->keep = true;
		break;
	case 's':
		cg->summary = true;
		break;
	default:
		say_on = true;
	}
}

/*
 * A name is one directory: letters, digits and a few signs. The kernel's own
 * files begin with a controller and a dot, so a name does not.
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

/* A path of groups: no component of it leads back, and it is one line. */
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
set_name(void *ctx, const char *key, const char *value)
{
	struct cg *cg = ctx;

	check_name(key, value);
	cg->name = value;
}

static void
set_path(void *ctx, const char *key, const char *value)
{
	struct cg *cg = ctx;

	check_path(key, value);
	if (*key == 'p')
		cg->parent = value;
	else if (*value == '/')
		word_bad(key, value, "below parent=, a path does not begin with /");
	else
		cg->join = value;
}

static void
set_id(void *ctx, const char *key, const char *value)
{
	struct cg *cg = ctx;

	if (*key == 'u')
		cg->uid = (uid_t)word_id(key, value);
	else
		cg->gid = (gid_t)word_id(key, value);
}

static void
set_cpus(void *ctx, const char *key, const char *value)
{
	limit_cpus(ctx, key, value);
}

static void
set_file(void *ctx, const char *key, const char *value)
{
	limit_add(ctx, key, value);
}

static const struct flag flags[] = {
	{ 'N', set_flag, "dry run: say what would be done, and do nothing" },
	{ 'S', set_flag, "print the words as properties of a systemd unit" },
	{ 'd', set_flag, "delegate: the command may make groups below its own" },
	{ 'j', set_flag, "print JSON" },
	{ 'k', set_flag, "keep the group, and leave no parent behind" },
	{ 's', set_flag, "say afterwards what the command used" },
	{ 'v', set_flag, "say on standard error what is done" },
	{ 0, NULL, NULL },
};

static const struct word words[] = {
	{ "name", set_name, "NAME", "the name of the group" },
	{ "parent", set_path, "GROUP", "the group to make or find it in" },
	{ "join", set_path, "NAME", "run the command in a group that is there" },
	{ "cpus", set_cpus, "N|max", "time of so many CPUs, as 1.5; sets cpu.max" },
	{ "uid", set_id, "N", "with -d: the user that the group is left to" },
	{ "gid", set_id, "N", "with -d: the group that it is left to" },
	{ "*.*", set_file, "VALUE", "any file of cgroup v2, as memory.max=512M" },
	{ NULL, NULL, NULL, NULL },
};

const struct grammar cg_grammar = {
	.purpose = "Run a command in a control group of its own, with limits.",
	.flags = flags,
	.words = words,
};

/* Refuse what cannot mean anything, before anything is done. */
void
cg_check(const struct cg *cg, bool command)
{
	bool ids = cg->uid != (uid_t)-1 || cg->gid != (gid_t)-1;

	if (ids && !cg->delegate)
		errx(EXIT_LINK, "%s= needs -d",
		    cg->uid != (uid_t)-1 ? "uid" : "gid");
	if (cg->keep && cg->summary)
		errx(EXIT_LINK, "-k and -s do not go together: "
		    "nobody is left to say it");
	if (cg->join != NULL && (cg->name != NULL || cg->nlimits > 0 ||
		cg->delegate || cg->keep || cg->summary || cg->systemd))
		errx(EXIT_LINK, "join= goes with parent= and a command only");
	if (cg->join != NULL && !command && !cg->dry)
		errx(EXIT_LINK, "join=%s: no command", cg->join);
	if (!command && cg->name == NULL && !cg->systemd && !cg->dry &&
	    (cg->nlimits > 0 || cg->delegate))
		errx(EXIT_LINK, "no command, and no name= of a group to change");
	if (!command && !cg->dry && !cg->systemd &&
	    (cg->keep || cg->summary))
		errx(EXIT_LINK, "-%c needs a command", cg->keep ? 'k' : 's');
}
