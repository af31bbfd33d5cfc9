/*
 * Fuzz what volt-kvm takes from a client of control=, and from a guest as the end of a
 * command: the input is a message. What is accepted can be written again.
 * Link: cmd/volt-kvm/talk.c
 */
#include "../../cmd/volt-kvm/talk.h"
#include "fuzz.h"

static void
check_order(const struct talk *t)
{
	if (t->order >= TALK_ORDERS)
		abort();
	if (t->order == TALK_SIGNAL && (t->number < 1 || t->number > 64))
		abort();
	if (t->order == TALK_PAUSE && t->number > 1)
		abort();
	if ((t->order == TALK_SIZE || t->order == TALK_GROW) &&
	    (t->text == NULL || strlen(t->text) >= TALK_LINE ||
	    strpbrk(t->text, "\r\n") != NULL))
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct talk_end e = { '\0', 0 };
	char *line, again[TALK_LINE];
	struct talk t;

	if (size >= TALK_LINE || (line = malloc(size + 1)) == NULL)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (talk_end_parse(&e, line)) {
		snprintf(again, sizeof(again), "%s %d", talk_end_word(e.how), e.code);
		if (strcmp(again, line) != 0)
			abort();
	} else if (e.how != '\0') {
		abort();
	}
	if (talk_parse(&t, line, size) == 0)
		check_order(&t);
	free(line);
	return 0;
}
