#include <linux/fuse.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "fuse.h"

_Static_assert(sizeof(struct fuse_in_header) == FUSE_IN_HEADER, "FUSE");
_Static_assert(sizeof(struct fuse_out_header) == FUSE_OUT_HEADER, "FUSE");
_Static_assert(FUSE_IN_HEADER + sizeof(struct fuse_write_in) ==
    FUSE_WRITE_HEADER, "FUSE");

#define TMPFILE 020000000u	/* the bit of O_TMPFILE that is not O_DIRECTORY */
#define OLD_SETXATTR 8	/* bytes: struct fuse_setxattr_in before protocol 7.33 */
#define OLD_INIT 16	/* struct fuse_init_in before protocol 7.36 */

/*
 * The requests that are passed on. One that is not here gets ENOSYS: a guest's
 * kernel then does without it. size is that of its structure. So many strings, each
 * with its NUL, follow it; the first of them are names of directory entries.
 */
static const struct {
	uint32_t opcode;
	uint16_t size;
	uint8_t strings, names;
} known[] = {
	{ FUSE_LOOKUP, 0, 1, 1 },
	{ FUSE_FORGET, sizeof(struct fuse_forget_in), 0, 0 },
	{ FUSE_GETATTR, sizeof(struct fuse_getattr_in), 0, 0 },
	{ FUSE_SETATTR, sizeof(struct fuse_setattr_in), 0, 0 },
	{ FUSE_READLINK, 0, 0, 0 },
	{ FUSE_SYMLINK, 0, 2, 1 },
	{ FUSE_MKNOD, sizeof(struct fuse_mknod_in), 1, 1 },
	{ FUSE_MKDIR, sizeof(struct fuse_mkdir_in), 1, 1 },
	{ FUSE_UNLINK, 0, 1, 1 },
	{ FUSE_RMDIR, 0, 1, 1 },
	{ FUSE_RENAME, sizeof(struct fuse_rename_in), 2, 2 },
	{ FUSE_LINK, sizeof(struct fuse_link_in), 1, 1 },
	{ FUSE_OPEN, sizeof(struct fuse_open_in), 0, 0 },
	{ FUSE_READ, sizeof(struct fuse_read_in), 0, 0 },
	{ FUSE_WRITE, sizeof(struct fuse_write_in), 0, 0 },
	{ FUSE_STATFS, 0, 0, 0 },
	{ FUSE_RELEASE, sizeof(struct fuse_release_in), 0, 0 },
	{ FUSE_FSYNC, sizeof(struct fuse_fsync_in), 0, 0 },
	{ FUSE_SETXATTR, OLD_SETXATTR, 1, 0 },
	{ FUSE_GETXATTR, sizeof(struct fuse_getxattr_in), 1, 0 },
	{ FUSE_LISTXATTR, sizeof(struct fuse_getxattr_in), 0, 0 },
	{ FUSE_REMOVEXATTR, 0, 1, 0 },
	{ FUSE_FLUSH, sizeof(struct fuse_flush_in), 0, 0 },
	{ FUSE_INIT, OLD_INIT, 0, 0 },
	{ FUSE_OPENDIR, sizeof(struct fuse_open_in), 0, 0 },
	{ FUSE_READDIR, sizeof(struct fuse_read_in), 0, 0 },
	{ FUSE_RELEASEDIR, sizeof(struct fuse_release_in), 0, 0 },
	{ FUSE_FSYNCDIR, sizeof(struct fuse_fsync_in), 0, 0 },
	{ FUSE_GETLK, sizeof(struct fuse_lk_in), 0, 0 },
	{ FUSE_SETLK, sizeof(struct fuse_lk_in), 0, 0 },
	{ FUSE_SETLKW, sizeof(struct fuse_lk_in), 0, 0 },
	{ FUSE_ACCESS, sizeof(struct fuse_access_in), 0, 0 },
	{ FUSE_CREATE, sizeof(struct fuse_create_in), 1, 1 },
	{ FUSE_INTERRUPT, sizeof(struct fuse_interrupt_in), 0, 0 },
	{ FUSE_DESTROY, 0, 0, 0 },
	{ FUSE_BATCH_FORGET, sizeof(struct fuse_batch_forget_in), 0, 0 },
	{ FUSE_FALLOCATE, sizeof(struct fuse_fallocate_in), 0, 0 },
	{ FUSE_READDIRPLUS, sizeof(struct fuse_read_in), 0, 0 },
	{ FUSE_RENAME2, sizeof(struct fuse_rename2_in), 2, 2 },
	{ FUSE_LSEEK, sizeof(struct fuse_lseek_in), 0, 0 },
	{ FUSE_COPY_FILE_RANGE, sizeof(struct fuse_copy_file_range_in), 0, 0 },
	{ FUSE_SYNCFS, sizeof(struct fuse_syncfs_in), 0, 0 },
};

#define KNOWN (sizeof(known) / sizeof(known[0]))

static int
check_name(const uint8_t *s, size_t len)
{
	if (len > NAME_MAX)
		return ENAMETOOLONG;
	return len == 0 || memchr(s, '/', len) != NULL ||
	    (len == 1 && s[0] == '.') ||
	    (len == 2 && s[0] == '.' && s[1] == '.') ? EINVAL : 0;
}

/*
 * Check the strings at the start of the len bytes. Nothing follows them unless there
 * may be data. Returns 0 or an error of FUSE, and fills how long they are.
 */
static int
check_strings(const uint8_t *s, size_t len, unsigned int strings,
    unsigned int names, bool data, size_t *used)
{
	const uint8_t *end;
	size_t at = 0, size;
	int error;

	for (; strings > 0; strings--) {
		if ((end = memchr(s + at, '\0', len - at)) == NULL)
			return EINVAL;
		size = (size_t)(end - s) - at;
		if (names > 0 && (error = check_name(s + at, size)) != 0)
			return error;
		names -= names > 0;
		at += size + 1;
	}
	*used = at;
	return at > 0 && at < len && !data ? EINVAL : 0;
}

static int
check_mode(const struct fuse_rules *r, uint32_t mode)
{
	return !r->suid && (mode & (S_ISUID | S_ISGID)) != 0 ? EPERM : 0;
}

/* No device nodes; a socket, a named pipe and a regular file are only files. */
static int
check_node(const struct fuse_rules *r, uint32_t mode)
{
	if (S_ISCHR(mode) || S_ISBLK(mode))
		return EPERM;
	return check_mode(r, mode);
}

/*
 * An attribute that gives rights to whoever runs the file on the host, or that
 * belongs to the host's root.
 */
static int
check_attribute(const struct fuse_rules *r, const uint8_t *s)
{
	static const char *const refused[] = { "security.", "trusted." };
	size_t i;

	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (!r->suid && strncmp((const char *)s, refused[i],
			strlen(refused[i])) == 0)
			return EPERM;
	return 0;
}

/* Take flags from those at this place. */
static void
drop_flags(uint8_t *body, size_t at, uint32_t drop)
{
	uint32_t flags;

	memcpy(&flags, body + at, sizeof(flags));
	flags &= ~drop;
	memcpy(body + at, &flags, sizeof(flags));
}

/*
 * Take from the features that the guest offers those that change the form of a
 * request that is checked here, and those that need memory shared with the daemon.
 * All of the second word are younger.
 */
static void
limit_features(uint8_t *body, size_t len)
{
	const size_t second = offsetof(struct fuse_init_in, flags2);

	drop_flags(body, offsetof(struct fuse_init_in, flags),
	    FUSE_SETXATTR_EXT | FUSE_MAP_ALIGNMENT);
	if (len >= second + sizeof(uint32_t))
		drop_flags(body, second, UINT32_MAX);
}

/* Does the size that a structure has at this place fit the data of len bytes? */
static int
check_size(const uint8_t *body, size_t at, uint32_t unit, uint64_t len)
{
	uint32_t n;

	memcpy(&n, body + at, sizeof(n));
	return (uint64_t)n * unit == len ? 0 : EINVAL;
}

/*
 * Check the structure behind the header, which is complete. len bytes of data follow
 * it, and a string.
 */
static int
check_body(const struct fuse_rules *r, uint32_t opcode, uint8_t *body,
    size_t size, uint64_t len)
{
	struct fuse_setattr_in set;
	struct fuse_mknod_in node;
	struct fuse_mkdir_in dir;
	struct fuse_create_in create;

	switch (opcode) {
	case FUSE_INIT:
		limit_features(body, size + (size_t)len);
		return 0;
	case FUSE_SETATTR:
		memcpy(&set, body, sizeof(set));
		return (set.valid & FATTR_MODE) != 0 ? check_mode(r, set.mode) :
		    0;
	case FUSE_MKNOD:
		memcpy(&node, body, sizeof(node));
		return check_node(r, node.mode);
	case FUSE_MKDIR: /* the set-group-ID bit of a directory gives no rights */
		memcpy(&dir, body, sizeof(dir));
		return check_mode(r, dir.mode & ~(uint32_t)S_ISGID);
	case FUSE_OPEN:
	case FUSE_OPENDIR:
		drop_flags(body, offsetof(struct fuse_open_in, flags),
		    O_CREAT | O_EXCL | O_NOCTTY | TMPFILE);
		return 0;
	case FUSE_CREATE:
		/*
		 * Debian 12's daemon aborts if it opens a file that is there
		 * with O_CREAT. To create it has flags of its own.
		 */
		drop_flags(body, offsetof(struct fuse_create_in, flags),
		    O_CREAT | O_NOCTTY | TMPFILE);
		memcpy(&create, body, sizeof(create));
		return check_mode(r, create.mode);
	case FUSE_SETXATTR:
		if (check_size(body, offsetof(struct fuse_setxattr_in, size), 1,
			len) != 0)
			return EINVAL;
		return check_attribute(r, body + size);
	case FUSE_WRITE:
		return check_size(body, offsetof(struct fuse_write_in, size), 1,
		    len);
	case FUSE_BATCH_FORGET:
		return check_size(body,
		    offsetof(struct fuse_batch_forget_in, count),
		    sizeof(struct fuse_forget_one), len);
	default:
		return 0;
	}
}

/* How long can the answer be? A daemon may not cope with less room than that. */
static int
find_room(struct fuse_request *q, const uint8_t *body)
{
	uint32_t size = 0;

	switch (q->opcode) {
	case FUSE_READ:
	case FUSE_READDIR:
	case FUSE_READDIRPLUS:
		memcpy(&size, body + offsetof(struct fuse_read_in, size),
		    sizeof(size));
		break;
	case FUSE_GETXATTR:
	case FUSE_LISTXATTR:
		memcpy(&size, body + offsetof(struct fuse_getxattr_in, size),
		    sizeof(size));
		break;
	default:
		break;
	}
	if (size > FUSE_MOST - FUSE_OUT_HEADER)
		return EINVAL;
	if (size > q->room - FUSE_OUT_HEADER)
		q->room = size + FUSE_OUT_HEADER;
	return 0;
}

/* An ID that is not mapped would make each creation fail: it becomes 0. */
static void
squash(const struct fuse_ids *ids, uint32_t *id)
{
	unsigned int i;

	for (i = 0; i < ids->n; i++)
		if (*id >= ids->range[i].first &&
		    *id - ids->range[i].first < ids->range[i].count)
			return;
	*id = 0;
}

/*
 * Check a request of total bytes, of which head has the first len: all of them, or
 * FUSE_HEAD. It may be changed. Fills q. Returns 0 if it may be passed on; an errno
 * for the answer; or -1 if it is no request.
 */
int
fuse_check(const struct fuse_rules *r, uint8_t *head, size_t len,
    uint64_t total, struct fuse_request *q)
{
	struct fuse_in_header h;
	size_t i, size, strings;
	int error;

	if (len < sizeof(h))
		return -1;
	memcpy(&h, head, sizeof(h));
	*q = (struct fuse_request){ .opcode = h.opcode, .unique = h.unique,
		.room = FUSE_ROOM };
	q->silent = h.opcode == FUSE_FORGET || h.opcode == FUSE_BATCH_FORGET ||
	    h.opcode == FUSE_INTERRUPT;
	if (h.len != total)
		return EINVAL;
	for (i = 0; i < KNOWN && known[i].opcode != h.opcode; i++)
		;
	if (i == KNOWN)
		return ENOSYS;
	size = sizeof(h) + known[i].size;
	if (len < size)
		return EINVAL;
	error = check_strings(head + size, len - size, known[i].strings,
	    known[i].names, h.opcode == FUSE_SETXATTR, &strings);
	if (known[i].strings > 0 && h.opcode != FUSE_SETXATTR && len < total)
		error = EINVAL;
	if (error == 0)
		error = check_body(r, h.opcode, head + sizeof(h), known[i].size,
		    total - size - strings);
	if (error == 0)
		error = find_room(q, head + sizeof(h));
	squash(&r->uids, &h.uid);
	squash(&r->gids, &h.gid);
	memcpy(head, &h, sizeof(h));
	return error;
}

/*
 * Check the first bytes of an answer of len bytes. Returns 0; or -1 if it is not one
 * to q.
 */
int
fuse_answer(const struct fuse_request *q, const uint8_t head[FUSE_OUT_HEADER],
    uint32_t len)
{
	struct fuse_out_header h;

	memcpy(&h, head, sizeof(h));
	return h.unique == q->unique && h.len == len && h.error <= 0 &&
	    h.error > -512 ? 0 : -1;
}

/* Make an answer to q that says only this errno. */
void
fuse_error(const struct fuse_request *q, int error,
    uint8_t head[FUSE_OUT_HEADER])
{
	const struct fuse_out_header h = { .len = sizeof(h), .error = -error,
		.unique = q->unique };

	memcpy(head, &h, sizeof(h));
}

/* Make a request of our own that ends the daemon's session. */
void
fuse_destroy(struct fuse_request *q, uint8_t head[FUSE_IN_HEADER])
{
	const struct fuse_in_header h = { .len = sizeof(h),
		.opcode = FUSE_DESTROY, .unique = UINT64_MAX - 1 };

	*q = (struct fuse_request){ .opcode = h.opcode, .unique = h.unique };
	memcpy(head, &h, sizeof(h));
}

/*
 * Parse the text of /proc/PID/uid_map. Ranges beyond FUSE_RANGES are as if they were
 * not mapped. Returns 0, or -1 and EINVAL if no ID is mapped.
 */
int
fuse_ids_parse(struct fuse_ids *ids, const char *map)
{
	unsigned long first, count;
	char *end;

	ids->n = 0;
	for (; *map != '\0' && ids->n < FUSE_RANGES; map = end) {
		first = strtoul(map, &end, 10);
		(void)strtoul(end, &end, 10);
		count = strtoul(end, &end, 10);
		if (first > UINT32_MAX || count > UINT32_MAX || count == 0 ||
		    *end != '\n')
			break;
		ids->range[ids->n].first = (uint32_t)first;
		ids->range[ids->n++].count = (uint32_t)count;
		end++;
	}
	if (ids->n > 0)
		return 0;
	errno = EINVAL;
	return -1;
}
