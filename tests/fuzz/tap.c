/* Fuzz VOLT_TAP: what is taken is what tap_announce() says in the same words. */
#include <fcntl.h>

#include "fuzz.h"
#include "tap.h"

int __wrap_fcntl(int fd, int cmd, ...);

/* The descriptors are the input's. */
int
__wrap_fcntl(int fd, int cmd, ...)
{
	(void)fd;
	(void)cmd;
	return 0;
}

static void
check_text(const char *s, size_t size)
{
	if (memchr(s, '\0', size) == NULL)
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct tap t, again;
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (tap_parse(&t, text) == 0) {
		if (t.nfds == 0 || t.nfds > TAP_QUEUES || t.mtu > 65535 ||
		    t.len > 32 || t.len6 > 128)
			abort();
		check_text(t.name, sizeof(t.name));
		check_text(t.dns, sizeof(t.dns));
		check_text(t.search, sizeof(t.search));
		check_text(t.options, sizeof(t.options));
		/* The two escapes are of the parser alone. */
		if (strpbrk(text, "\\") == NULL && t.has6) {
			if (tap_announce(&t) == -1 ||
			    tap_parse(&again, getenv(TAP_VARIABLE)) == -1 ||
			    strcmp(t.dns, again.dns) != 0 ||
			    memcmp(t.mac, again.mac, sizeof(t.mac)) != 0 ||
			    memcmp(&t.ip6, &again.ip6, sizeof(t.ip6)) != 0 ||
			    memcmp(t.fd, again.fd, sizeof(t.fd)) != 0)
				abort();
		}
	}
	free(text);
	return 0;
}
