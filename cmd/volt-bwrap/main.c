/*
 * volt-bwrap: bubblewrap's command line, as a chain. It translates the options to words
 * of volt-ns, volt-init and volt-lock, and becomes that chain. It does nothing else.
 */
#include <err.h>
#include <stdlib.h>
#include <unistd.h>

#include "chain.h"

#include "bwrap.h"

int
main(int argc, char *argv[])
{
	static struct bwrap b = { .perms = -1 };
	struct words chain = { 0 };
	char **command;
	int i;

	if (argc < 1)
		return EXIT_WRONG;
	chain_begin();
	if (getuid() != geteuid() || getgid() != getegid())
		errx(EXIT_WRONG, "refusing to run set-user-ID or set-group-ID");
	for (i = 0; i < FDS; i++)
		b.fd[i] = -1;
	caps_begin(&b);
	command = options_parse(&b, argv);
	chain_make(&b, command, &chain);
	if (b.print) {
		words_print(&chain);
		return 0;
	}
	chain_exec(chain.word);
}
