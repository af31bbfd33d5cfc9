#include <errno.h>
#include <string.h>

#include "talk.h"
#include "value.h"

/* What follows an order. */
enum operand { NOTHING, SIGNAL, TWO_NUMBERS, YES_NO, NUMBER, TEXT };

static const struct {
	const char *word;
	enum operand operand;
} orders[TALK_ORDERS] = {
	[TALK_STDIN] = { "stdin", NOTHING },
	[TALK_STDOUT] = { "stdout", NOTHING },
	[TALK_STDERR] = { "stderr", NOTHING },
	[TALK_JOIN] = { "join", NOTHING },
	[TALK_SIGNAL] = { "signal", SIGNAL },
	[TALK_SIZE] = { "size", TWO_NUMBERS },
	[TALK_STATE] = { "state", NOTHING },
	[TALK_PAUSE] = { "pause", YES_NO },
	[TALK_BALLOON] = { "balloon", NUMBER },
	[TALK_GROW] = { "grow", TEXT },
	[TALK_RATE] = { "rate", TEXT },
};

/* Is the text "ROWS COLUMNS"? */
static bool
is_size(const char *text)
{
	const char *cursor = text;
	char field[8];
	uint64_t n;

	return value_field(&cursor, ' ', field, sizeof(field)) == 1 &&
	    cursor != NULL && value_uint(field, UINT16_MAX, &n) == 0 &&
	    value_uint(cursor, UINT16_MAX, &n) == 0;
}

/* Take the operand. Returns whether it is one. */
static bool
take(struct talk *t, enum operand operand, const char *text)
{
	t->number = 0;
	t->text = text;
	if (operand == NOTHING)
		return text == NULL;
	if (text == NULL)
		return false;
	switch (operand) {
	case SIGNAL:
		return value_uint(text, 64, &t->number) == 0 && t->number > 0;
	case TWO_NUMBERS:
		return is_size(text);
	case YES_NO:
		t->number = strcmp(text, "yes") == 0;
		return t->number == 1 || strcmp(text, "no") == 0;
	case NUMBER:
		return value_uint(text, UINT64_MAX, &t->number) == 0;
	default:
		return *text != '\0';
	}
}

/*
 * Parse an order of len bytes, which has room for a NUL behind them. The result refers
 * to it. Returns 0, or -1 and errno: EINVAL.
 */
int
talk_parse(struct talk *t, char *line, size_t len)
{
	char *text;
	size_t i;

	line[len] = '\0';
	if (len == 0 || strlen(line) != len || strpbrk(line, "\r\n") != NULL)
		goto fail;
	if ((text = strchr(line, ' ')) != NULL)
		*text++ = '\0';
	for (i = 0; i < TALK_ORDERS; i++)
		if (strcmp(line, orders[i].word) == 0) {
			t->order = (enum talk_order)i;
			if (take(t, orders[i].operand, text))
				return 0;
			break;
		}
fail:
	errno = EINVAL;
	return -1;
}

static const struct {
	char how;
	const char *word;
	uint64_t most;
} ends[] = { { 'e', "exit", 255 }, { 's', "signal", 64 }, { 'f', "failed", 255 } };

/* Does the line say how a command ended? Then *e is that. */
bool
talk_end_parse(struct talk_end *e, const char *line)
{
	size_t i, len;
	uint64_t n;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		len = strlen(ends[i].word);
		if (strncmp(line, ends[i].word, len) == 0 && line[len] == ' ' &&
		    value_uint(line + len + 1, ends[i].most, &n) == 0) {
			*e = (struct talk_end){ ends[i].how, (int)n };
			return true;
		}
	}
	return false;
}

/* The word of such a line: "exit", "signal" or "failed". */
const char *
talk_end_word(char how)
{
	size_t i;

	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i].how == how)
			break;
	return ends[i == sizeof(ends) / sizeof(ends[0]) ? 0 : i].word;
}
