/*
 * Faults that would otherwise show late or not at all: an initrd that the kernel
 * would ignore, and memory that the host does not have.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cgroup.h"
#include "chain.h"
#include "check.h"
#include "config.h"
#include "kfile.h"
#include "value.h"

/* A field of /proc/meminfo in bytes; 0 if it is missing. */
static uint64_t
meminfo(const char *field)
{
	char buf[8192], *s;

	if (kfile_read(AT_FDCWD, "/proc/meminfo", buf, sizeof(buf)) == -1 ||
	    (s = strstr(buf, field)) == NULL)
		return 0;
	return strtoull(s + strlen(field), NULL, 10) << 10;
}

/* The number in a file of a group; UINT64_MAX if it is "max" or missing. */
static uint64_t
limit_of(int group, const char *file)
{
	char buf[32];
	uint64_t n;

	if (kfile_read(group, file, buf, sizeof(buf)) == -1)
		return UINT64_MAX;
	buf[strcspn(buf, "\n")] = '\0';
	return value_uint(buf, UINT64_MAX, &n) == -1 ? UINT64_MAX : n;
}

/* The lowest limit of our control group and those above it, swap included. */
static uint64_t
group_limit(void)
{
	uint64_t least = UINT64_MAX, memory, swap, all = meminfo("SwapTotal:");
	struct cgroup_tree t;
	int group;

	if (cgroup_tree_open(&t) == -1)
		return UINT64_MAX;
	while (t.visible) {
		if ((group = cgroup_open(t.top, t.own)) == -1)
			break;
		memory = limit_of(group, "memory.max");
		swap = limit_of(group, "memory.swap.max");
		close(group);
		if (swap > all)
			swap = all;
		if (memory < least && swap < least - memory)
			least = memory + swap;
		if (t.own[0] == '\0')
			break;
		*strrchr(t.own, '/') = '\0';
	}
	close(t.top);
	return least;
}

/*
 * The guest takes its memory page by page, and may never need all of it: so this
 * is a warning and not an error.
 */
void
check_memory(const struct config *cfg)
{
	uint64_t free = meminfo("MemAvailable:") + meminfo("SwapFree:");
	uint64_t limit = group_limit();

	if (limit < cfg->memory)
		warnx("memory=%s: the control group's limit is %llu MiB; a "
		    "guest that uses more is killed", cfg->memory_text,
		    (unsigned long long)(limit >> 20));
	else if (free != 0 && free < cfg->memory)
		warnx("memory=%s: this host has %llu MiB free; a guest that "
		    "uses more is killed", cfg->memory_text,
		    (unsigned long long)(free >> 20));
}

/* The kernel unpacks a file that starts with one of these, after any zeroes. */
void
check_initrd(const struct config *cfg)
{
	static const struct {
		const char *magic;
		size_t len;
	} kinds[] = {
		{ "070701", 6 }, { "070702", 6 }, /* cpio, newc and crc */
		{ "\x1f\x8b", 2 }, { "\x1f\x9e", 2 }, /* gzip */
		{ "BZh", 3 }, { "\x5d\x00\x00", 3 }, /* bzip2, lzma */
		{ "\xfd" "7zXZ", 6 }, { "\x89LZO", 4 }, /* with xz's NUL */
		{ "\x02\x21\x4c\x18", 4 }, /* lz4, the legacy format */
		{ "\x28\xb5\x2f\xfd", 4 }, /* zstd */
	};
	const char *s = cfg->user_initrd.data;
	size_t len = cfg->user_initrd.len, i;

	for (; len > 0 && *s == '\0'; s++)
		len--;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (len >= kinds[i].len &&
		    memcmp(s, kinds[i].magic, kinds[i].len) == 0)
			return;
	if (cfg->initrd != NULL)
		errx(EXIT_LINK, "initrd=%s: not an initramfs: a cpio archive, "
		    "as it is or by gzip, bzip2, lzma, xz, lzo, lz4 or zstd",
		    cfg->initrd);
}
