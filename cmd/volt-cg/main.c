/*
 * volt-cg: make a group of cgroup v2 with limits, and run the command in it; or
 * show or change an existing group.
 */
#include <err.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "say.h"
#include "words.h"

#include "cg.h"

static void
open_tree(struct cg *cg)
{
	if (cgroup_tree_open(&cg->tree) == 0)
		return;
	if (errno != ENOENT)
		err(EXIT_LINK, "cgroup v2");
	warnx("cgroup v2 is not mounted here");
	errx(EXIT_LINK, "to mount it: mount -t cgroup2 cgroup2 "
	    "/sys/fs/cgroup");
}

/* Change the group that place_find() has found. */
static void
change(struct cg *cg)
{
	const struct limit *l;

	if (!cg->dry) {
		control_enable(cg);
		limit_apply(cg);
		if (cg->delegate)
			group_delegate(cg);
		return;
	}
	say("change %s/%s", cg->place, cg->name);
	for (l = cg->limits; l < cg->limits + cg->nlimits; l++)
		say("%s=%s", l->file, l->value);
	group_say_owner(cg, false);
}

/*
 * No command: list, show or change groups. Returns false in a dry run that is
 * about a new group.
 */
static bool
inspect(struct cg *cg)
{
	bool words = cg->nlimits > 0 || cg->delegate;

	if (cg->name == NULL) {
		if (words)
			return false;
		print_list(cg);
		return true;
	}
	if (cg->dry && words && !place_lookup(cg, cg->name))
		return false;
	if (cg->dir == -1)
		place_find(cg, cg->name);
	if (words)
		change(cg);
	else
		print_group(cg, cg->name);
	return true;
}

int
main(int argc, char *argv[])
{
	static struct cg cg = {
		.tree.top = -1, .status_fd = -1, .place_fd = -1, .dir = -1,
		.lock = -1, .retreat_dir = -1, .retreat_lock = -1,
	};

	argv = words_parse(argc, argv, &cg_grammar, &cg);
	cg_check(&cg, *argv != NULL);
	if (!cg.dry || !chain_is_to(CHAIN_ROOT))
		identity_resolve(&cg.owner);
	if (cg.systemd) {
		systemd_print(&cg);
		return 0;
	}
	open_tree(&cg);
	if (*argv == NULL && inspect(&cg))
		return 0;
	if (cg.join != NULL)
		run_join(&cg, argv);
	place_choose(&cg);
	if (cg.keep)
		run_keep(&cg, argv);
	run(&cg, argv);
}
