/* Names of system calls: libseccomp's, and those that are newer. */
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "seccomp.h"

/* From 403 on the numbers are the same on all architectures of volt. */
static const struct {
	const char *name;
	int nr;
} newer[] = {
#ifdef __x86_64__
	{ "uretprobe", 335 }, { "uprobe", 336 },
#endif
	{ "cachestat", 451 }, { "fchmodat2", 452 },
	{ "map_shadow_stack", 453 }, { "futex_wake", 454 },
	{ "futex_wait", 455 }, { "futex_requeue", 456 }, { "statmount", 457 },
	{ "listmount", 458 }, { "lsm_get_self_attr", 459 },
	{ "lsm_set_self_attr", 460 }, { "lsm_list_modules", 461 },
	{ "mseal", 462 }, { "setxattrat", 463 }, { "getxattrat", 464 },
	{ "listxattrat", 465 }, { "removexattrat", 466 },
	{ "open_tree_attr", 467 }, { "file_getattr", 468 },
	{ "file_setattr", 469 }, { "listns", 470 },
};

/*
 * The number of a call. Returns 1 and sets nr; 0 if only other architectures have
 * the call; -1 if the name is unknown.
 */
int
name_resolve(const char *name, int *nr)
{
	size_t i;

	for (i = 0; i < sizeof(newer) / sizeof(newer[0]); i++) {
		if (strcmp(newer[i].name, name) == 0) {
			*nr = newer[i].nr;
			return 1;
		}
	}
	*nr = seccomp_syscall_resolve_name(name);
	if (*nr == __NR_SCMP_ERROR)
		return -1;
	return *nr >= 0 && *nr < CALLS;
}

/* The name of a call, or NULL. The caller frees it. */
char *
name_of(int nr)
{
	size_t i;

	for (i = 0; i < sizeof(newer) / sizeof(newer[0]); i++)
		if (newer[i].nr == nr)
			return strdup(newer[i].name);
	return seccomp_syscall_resolve_num_arch(seccomp_arch_native(), nr);
}
