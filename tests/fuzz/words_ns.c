/*
 * Fuzz the words of volt-ns, up to the plan of the root.
 * Link: volt-ns
 */
#include "../../cmd/volt-ns/ns.h"
#include "grammar.h"

static void
parse(int argc, char *argv[])
{
	static struct ns ns;

	ns = (struct ns){ .umask = -1, .status_fd = -1, .outer = -1,
		.info_fd = -1, .wait_fd = -1, .userns_fd = -1,
		.builder = -1, .parent = -1, .plug = -1 };
	argv = words_parse(argc, argv, &ns_grammar, &ns);
	ns_check(&ns, *argv != NULL);
	root_plan(&ns);
	root_describe(&ns);
	if (ns.uidmap.n > NS_EXTENTS || ns.ndefaults > NS_DEFAULTS)
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	grammar_run(data, size, parse);
	return 0;
}
