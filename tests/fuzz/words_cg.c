/*
 * Fuzz the words of volt-cg.
 * Link: volt-cg
 */
#include "../../cmd/volt-cg/cg.h"
#include "grammar.h"

static void
parse(int argc, char *argv[])
{
	static struct cg cg;

	cg = (struct cg){ .tree.top = -1,
		.status_fd = -1, .place_fd = -1, .dir = -1, .lock = -1,
		.retreat_dir = -1, .retreat_lock = -1 };
	argv = words_parse(argc, argv, &cg_grammar, &cg);
	cg_check(&cg, *argv != NULL);
	if (cg.name != NULL && (*cg.name == '\0' || *cg.name == '.' ||
	    strpbrk(cg.name, "/\n") != NULL))
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	grammar_run(data, size, parse);
	return 0;
}
