/*
 * volt-lock: give up rights for good, become the next command.
 */
#include <unistd.h>

#include "chain.h"
#include "lock.h"
#include "say.h"

int
main(int argc, char *argv[])
{
	static struct lock lock = { .ll = { .abi = -1, .ruleset = -1 },
		.new_keyring = true, .give_stdio = true, .dumpable = true };

	argv = words_parse(argc, argv, &lock_grammar, &lock);
	if (!lock.dry || !chain_is_to(CHAIN_ROOT))
		identity_resolve(&lock.id);
	if (*argv == NULL)
		return show(&lock);

	/* While we have all rights: open, look up and run what we need. */
	seccomp_plan(&lock);
	learn_plan(&lock);
	landlock_plan(&lock, argv[0]);
	if (say_on)
		show_plan(&lock);
	if (lock.dry)
		chain_dry(argv, false, getpid() == 1 ||
		    chain_is_to(CHAIN_INIT));
	if (learn_wanted(&lock))
		learn_run(&lock);

	/* Each step can still do what the next one forbids. */
	keyring_drop(&lock);
	limits_apply(&lock);
	spec_apply(&lock);
	caps_begin(&lock);
	ids_streams(&lock);
	ids_change(&lock);
	if (lock.argv0 != NULL)
		chain_name(argv, lock.argv0);
	chain_prepare(argv);
	landlock_enforce(&lock);
	fds_close(&lock);
	cwd_check(&lock);
	seccomp_filters(&lock);
	seccomp_enforce(&lock);
	chain_exec(argv);
}
