/* Fuzz the words between volt-kvm and volt-guest: they mean the same to both. */
#include "fuzz.h"
#include "guest.h"

static void
compare(const char *a, const char *b)
{
	if ((a == NULL) != (b == NULL) || (a != NULL && strcmp(a, b) != 0))
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	char *text = malloc(size + 1), *again = malloc(2 * size + 1);
	struct guest_words w, back;
	int n;

	if (text == NULL || again == NULL)
		abort();
	memcpy(text, data, size);
	text[size] = '\0';
	guest_words_parse(&w, text);
	n = guest_words_print(&w, again, 2 * size + 1);
	if (n < 0 || (size_t)n > size + 1 || strlen(again) != (size_t)n)
		abort();
	guest_words_parse(&back, again);
	compare(w.root, back.root);
	compare(w.chdir, back.chdir);
	compare(w.ip6, back.ip6);
	compare(w.options, back.options);
	(void)guest_words_print(&w, again, size / 2);
	free(text);
	free(again);
	return 0;
}
