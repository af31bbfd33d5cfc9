/* The rights of Landlock as data: their words, and the ABI that introduced them. */
#include <string.h>

#include "lock.h"
#include "uapi/landlock.h"

#define FS(name) LANDLOCK_ACCESS_FS_##name

const struct right rights[] = {
	{ "fs.execute", RIGHT_FS, FS(EXECUTE), 1, true },
	{ "fs.write_file", RIGHT_FS, FS(WRITE_FILE), 1, true },
	{ "fs.read_file", RIGHT_FS, FS(READ_FILE), 1, true },
	{ "fs.read_dir", RIGHT_FS, FS(READ_DIR), 1, false },
	{ "fs.remove_dir", RIGHT_FS, FS(REMOVE_DIR), 1, false },
	{ "fs.remove_file", RIGHT_FS, FS(REMOVE_FILE), 1, false },
	{ "fs.make_char", RIGHT_FS, FS(MAKE_CHAR), 1, false },
	{ "fs.make_dir", RIGHT_FS, FS(MAKE_DIR), 1, false },
	{ "fs.make_reg", RIGHT_FS, FS(MAKE_REG), 1, false },
	{ "fs.make_sock", RIGHT_FS, FS(MAKE_SOCK), 1, false },
	{ "fs.make_fifo", RIGHT_FS, FS(MAKE_FIFO), 1, false },
	{ "fs.make_block", RIGHT_FS, FS(MAKE_BLOCK), 1, false },
	{ "fs.make_sym", RIGHT_FS, FS(MAKE_SYM), 1, false },
	{ "fs.refer", RIGHT_FS, FS(REFER), 2, false },
	{ "fs.truncate", RIGHT_FS, FS(TRUNCATE), 3, true },
	{ "fs.ioctl_dev", RIGHT_FS, FS(IOCTL_DEV), 5, true },
	{ "unix", RIGHT_FS, FS(RESOLVE_UNIX), 9, true },
	{ "tcp.bind", RIGHT_NET, LANDLOCK_ACCESS_NET_BIND_TCP, 4, false },
	{ "tcp.connect", RIGHT_NET, LANDLOCK_ACCESS_NET_CONNECT_TCP, 4, false },
	{ "udp.bind", RIGHT_NET, LANDLOCK_ACCESS_NET_BIND_UDP, 10, false },
	{ "udp.connect", RIGHT_NET, LANDLOCK_ACCESS_NET_CONNECT_SEND_UDP, 10,
	    false },
	{ "abstract-unix", RIGHT_SCOPE, LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET, 6,
	    false },
	{ "signal", RIGHT_SCOPE, LANDLOCK_SCOPE_SIGNAL, 6, false },
	{ "same-exec-off", RIGHT_LOG, LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF,
	    7, false },
	{ "new-exec-on", RIGHT_LOG, LANDLOCK_RESTRICT_SELF_LOG_NEW_EXEC_ON, 7,
	    false },
	{ "subdomains-off", RIGHT_LOG,
	    LANDLOCK_RESTRICT_SELF_LOG_SUBDOMAINS_OFF, 7, false },
	{ NULL, RIGHT_FS, 0, 0, false },
};

/* The words that stand for several rights at once. */
static const struct {
	const char *key;
	uint64_t access;
} groups[] = {
	{ "fs.ro", FS(READ_FILE) | FS(READ_DIR) },
	{ "fs.rx", FS(READ_FILE) | FS(READ_DIR) | FS(EXECUTE) },
#define RW (FS(READ_FILE) | FS(READ_DIR) | FS(WRITE_FILE) | FS(REMOVE_DIR) | \
	FS(REMOVE_FILE) | FS(MAKE_DIR) | FS(MAKE_REG) | FS(MAKE_SOCK) | \
	FS(MAKE_FIFO) | FS(MAKE_SYM) | FS(REFER) | FS(TRUNCATE))
	{ "fs.rw", RW },
	{ "fs.rwx", RW | FS(EXECUTE) },
	{ "fs.dev", FS(READ_FILE) | FS(READ_DIR) | FS(WRITE_FILE) |
	    FS(TRUNCATE) | FS(IOCTL_DEV) },
};

/* The version of Linux that introduced an ABI. */
const char *
abi_linux(int abi)
{
	static const char *const linux_version[ABI_KNOWN + 1] = { "none", "5.13",
		"5.19", "6.2", "6.7", "6.10", "6.12", "6.15", "7.0", "7.1",
		"7.2", "7.3" };

	return abi >= 0 && abi <= ABI_KNOWN ? linux_version[abi] : "newer";
}

const struct right *
right_find(const char *key)
{
	const struct right *r;

	for (r = rights; r->key != NULL; r++)
		if (strcmp(r->key, key) == 0)
			return r;
	return NULL;
}

/* All rights of that kind that the ABI has. */
uint64_t
rights_known(enum right_kind kind, int abi)
{
	const struct right *r;
	uint64_t all = 0;

	for (r = rights; r->key != NULL; r++)
		if (r->kind == kind && r->abi <= abi)
			all |= r->bit;
	return all;
}

/* All rights that apply to files that are no directories. */
uint64_t
rights_of_files(void)
{
	const struct right *r;
	uint64_t all = 0;

	for (r = rights; r->key != NULL; r++)
		if (r->kind == RIGHT_FS && r->file)
			all |= r->bit;
	return all;
}

/* The rights of fs.ro and the other groups, or 0 if key is none of them. */
uint64_t
rights_of_group(const char *key)
{
	size_t i;

	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (strcmp(groups[i].key, key) == 0)
			return groups[i].access;
	return 0;
}

/* The word that grants exactly these rights, or NULL. */
const char *
rights_group(uint64_t access)
{
	const struct right *r;
	size_t i;

	for (i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		if (groups[i].access == access)
			return groups[i].key;
	for (r = rights; r->key != NULL; r++)
		if (r->kind == RIGHT_FS && r->bit == access)
			return r->key;
	return NULL;
}

/*
 * The word that a person would choose to grant these rights: the word for a group that
 * grants least beyond them. To list a directory, that would grant too much, all files
 * below it: so fs.read_dir is a word of its own. NULL if no word grants them all.
 */
const char *
rights_least(uint64_t access)
{
	size_t i;

	for (i = 0; access != FS(READ_DIR) &&
	     i < sizeof(groups) / sizeof(groups[0]); i++)
		if ((access & ~groups[i].access) == 0)
			return groups[i].key;
	return rights_group(access);
}
