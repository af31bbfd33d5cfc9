/*
 * Fuzz what is read of leases: the first line is an interface's name, the second its
 * alias.
 * Link: cmd/volt-net/lease_name.c cmd/volt-net/addr.c
 */
#include "../../cmd/volt-net/net.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static const struct bridge b = { .mask = 0xffff0000 };
	struct lease l = { 0 }, again;
	struct iface iface = { 0 };
	char *text = malloc(size + 1), *alias, back[64];
	pid_t pid;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if ((alias = strchr(text, '\n')) != NULL) {
		*alias++ = '\0';
		snprintf(iface.alias, sizeof(iface.alias), "%s", alias);
	}
	if (lease_parse(text, &l)) {
		lease_fill(&b, &again, l.addr);
		if (strcmp(again.name, text) != 0 || again.addr != l.addr)
			abort();
	}
	if (lease_process(&iface, &pid)) {
		snprintf(back, sizeof(back), NET_ALIAS " %d", (int)pid);
		if (pid < 0 || strcmp(back, iface.alias) != 0)
			abort();
	}
	free(text);
	return 0;
}
