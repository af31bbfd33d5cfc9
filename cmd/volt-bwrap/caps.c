/* --cap-add and --cap-drop: the capabilities of the command. */
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <err.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "capname.h"

#include "bwrap.h"

/* Begin with all capabilities for root, and with none for other users. */
void
caps_begin(struct bwrap *b)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (getuid() != 0)
		return;
	if (syscall(SYS_capget, &head, data) == -1)
		err(EXIT_WRONG, "capget");
	b->caps = data[0].effective | (uint64_t)data[1].effective << 32;
}

/* Apply --cap-add or --cap-drop. Their order counts. */
void
caps_change(struct bwrap *b, const char *name, char *arg[])
{
	uint64_t bits = UINT64_MAX;
	int cap;

	if (strcasecmp(arg[0], "ALL") != 0) {
		if ((cap = capname_parse(arg[0])) == -1)
			errx(EXIT_WRONG, "unknown cap: %s", arg[0]);
		bits = (uint64_t)1 << cap;
	}
	b->caps_given = true;
	if (strcmp(name, "--cap-add") == 0)
		b->caps |= bits;
	else
		b->caps &= ~bits;
}

/* Returns all capabilities that the kernel has. */
static uint64_t
all(void)
{
	uint64_t bits = 0;
	unsigned int cap;

	for (cap = 0; cap < CAPNAME_SETS; cap++)
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != -1)
			bits |= (uint64_t)1 << cap;
	return bits;
}

/*
 * Add caps= to the words of volt-lock, unless the command keeps all capabilities.
 * Returns whether an option lets it keep any.
 */
bool
caps_word(const struct bwrap *b, struct words *lock)
{
	char list[1024] = "caps=";
	size_t len = strlen(list), first = len;
	unsigned int cap;
	uint64_t there;

	if (!b->caps_given && getuid() == 0)
		return false;
	there = all();
	if (b->caps_given && (b->caps & there) == there)
		return true;
	for (cap = 0; cap < CAPNAME_SETS; cap++) {
		if (((b->caps & there) >> cap & 1) == 0)
			continue;
		len += capname_of(cap) != NULL ?
		    (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
			len > first ? "," : "", capname_of(cap)) :
		    (size_t)snprintf(list + len, sizeof(list) - len, "%s%u",
			len > first ? "," : "", cap);
	}
	words_add(lock, "%s%s", list, len == first ? "none" : "");
	return b->caps_given && len > first;
}
