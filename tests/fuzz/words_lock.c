/*
 * Fuzz the words of volt-lock.
 * Link: volt-lock
 */
#include "../../cmd/volt-lock/lock.h"
#include "grammar.h"

static void
parse(int argc, char *argv[])
{
	static struct lock lock;

	lock = (struct lock){ .ll = { .abi = -1, .ruleset = -1 },
		.new_keyring = true, .give_stdio = true, .dumpable = true };
	(void)words_parse(argc, argv, &lock_grammar, &lock);
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	grammar_run(data, size, parse);
	return 0;
}
