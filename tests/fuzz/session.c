/*
 * Fuzz what volt-kvm takes from a guest's control port: the input is its lines.
 * The end that is reported is one that a command can have, and the first.
 * Link: volt-kvm
 */
#include "../../cmd/volt-kvm/session.c"
#include "fuzz.h"

void __wrap_console_lose(struct lane *l);

void
__wrap_console_lose(struct lane *l)
{
	(void)l;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const struct config config;
	static struct vm vm;
	struct session session = { .vm = &vm, .cfg = &config };
	char *text = malloc(size + 1), *line, *next, first[16];

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	first[0] = '\0';
	for (line = text; line != NULL; line = next) {
		if ((next = strchr(line, '\n')) != NULL)
			*next++ = '\0';
		control_line(&session, line);
		if (!session.done)
			continue;
		if (first[0] == '\0')
			snprintf(first, sizeof(first), "%s", line);
		if (first[0] != session.end.how || session.end.code < 0 ||
		    session.end.code > 255 ||
		    (session.end.how == 's' && session.end.code > 64) ||
		    atoi(strchr(first, ' ')) != session.end.code)
			abort();
	}
	free(text);
	return 0;
}
