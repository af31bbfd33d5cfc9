#include <linux/fuse.h>
#include <sys/stat.h>

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "fuse.h"

_Static_assert(sizeof(struct fuse_in_header) == FUSE_IN_HEADER, "FUSE");
_Static_assert(sizeof(struct fuse_out_header) == FUSE_OUT_HEADER, "FUSE");
_Static_assert(FUSE_IN_HEADER + sizeof(struct fuse_write_in) ==
    FUSE_WRITE_HEADER, "FUSE");

#define OLD_SETXATTR 8	/* bytes: struct fuse_setxattr_in before protocol 7.33 */
#define OLD_INIT 16	/* struct fuse_init_in before protocol 7.36 */

/*
 * The requests that are passed on. One that is not here gets ENOSYS: a guest's
 * kernel then does without it. size is that of its structure, and names is how many
 * names of directory entries follow it.
 */
static const struct {
	uint32_t opcode;
	uint16_t size;
	uint16_t names;
} known[] = {
	{ FUSE_LOOKUP, 0, 1 },
	{ FUSE_FORGET, sizeof(struct fuse_forget_in), 0 },
	{ FUSE_GETATTR, sizeof(struct fuse_getattr_in), 0 },
	{ FUSE_SETATTR, sizeof(struct fuse_setattr_in), 0 },
	{ FUSE_READLINK, 0, 0 },
	{ FUSE_SYMLINK, 0, 1 }, /* and the text of the symlink */
	{ FUSE_MKNOD, sizeof(struct fuse_mknod_in), 1 },
	{ FUSE_MKDIR, sizeof(struct fuse_mkdir_in), 1 },
	{ FUSE_UNLINK, 0, 1 },
	{ FUSE_RMDIR, 0, 1 },
	{ FUSE_RENAME, sizeof(struct fuse_rename_in), 2 },
	{ FUSE_LINK, sizeof(struct fuse_link_in), 1 },
	{ FUSE_OPEN, sizeof(struct fuse_open_in), 0 },
	{ FUSE_READ, sizeof(struct fuse_read_in), 0 },
	{ FUSE_WRITE, sizeof(struct fuse_write_in), 0 },
	{ FUSE_STATFS, 0, 0 },
	{ FUSE_RELEASE, sizeof(struct fuse_release_in), 0 },
	{ FUSE_FSYNC, sizeof(struct fuse_fsync_in), 0 },
	{ FUSE_SETXATTR, OLD_SETXATTR, 0 },
	{ FUSE_GETXATTR, sizeof(struct fuse_getxattr_in), 0 },
	{ FUSE_LISTXATTR, sizeof(struct fuse_getxattr_in), 0 },
	{ FUSE_REMOVEXATTR, 0, 0 },
	{ FUSE_FLUSH, sizeof(struct fuse_flush_in), 0 },
	{ FUSE_INIT, OLD_INIT, 0 },
	{ FUSE_OPENDIR, sizeof(struct fuse_open_in), 0 },
	{ FUSE_READDIR, sizeof(struct fuse_read_in), 0 },
	{ FUSE_RELEASEDIR, sizeof(struct fuse_release_in), 0 },
	{ FUSE_FSYNCDIR, sizeof(struct fuse_fsync_in), 0 },
	{ FUSE_GETLK, sizeof(struct fuse_lk_in), 0 },
	{ FUSE_SETLK, sizeof(struct fuse_lk_in), 0 },
	{ FUSE_SETLKW, sizeof(struct fuse_lk_in), 0 },
	{ FUSE_ACCESS, sizeof(struct fuse_access_in), 0 },
	{ FUSE_CREATE, sizeof(struct fuse_create_in), 1 },
	{ FUSE_INTERRUPT, sizeof(struct fuse_interrupt_in), 0 },
	{ FUSE_DESTROY, 0, 0 },
	{ FUSE_BATCH_FORGET, sizeof(struct fuse_batch_forget_in), 0 },
	{ FUSE_FALLOCATE, sizeof(struct fuse_fallocate_in), 0 },
	{ FUSE_READDIRPLUS, sizeof(struct fuse_read_in), 0 },
	{ FUSE_RENAME2, sizeof(struct fuse_rename2_in), 2 },
	{ FUSE_LSEEK, sizeof(struct fuse_lseek_in), 0 },
	{ FUSE_COPY_FILE_RANGE, sizeof(struct fuse_copy_file_range_in), 0 },
	{ FUSE_SYNCFS, sizeof(struct fuse_syncfs_in), 0 },
};

/*
 * Check n names, each with its NUL, at the start of the len bytes: each is that of a
 * directory entry. Returns 0 or an error of FUSE.
 */
static int
check_names(const uint8_t *s, size_t len, unsigned int n)
{
	const uint8_t *end;
	size_t size;

	for (; n > 0; n--) {
		if ((end = memchr(s, '\0', len)) == NULL)
			return EINVAL;
		size = (size_t)(end - s);
		if (size > NAME_MAX)
			return ENAMETOOLONG;
		if (size == 0 || memchr(s, '/', size) != NULL ||
		    (size == 1 && s[0] == '.') ||
		    (size == 2 && s[0] == '.' && s[1] == '.'))
			return EINVAL;
		s = end + 1;
		len -= size + 1;
	}
	return 0;
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
check_attribute(const struct fuse_rules *r, const uint8_t *s, size_t len)
{
	static const char *const refused[] = { "security.", "trusted." };
	size_t i;

	if (memchr(s, '\0', len) == NULL)
		return EINVAL;
	for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (!r->suid && strncmp((const char *)s, refused[i],
			strlen(refused[i])) == 0)
			return EPERM;
	return 0;
}

/*
 * Take from the features that the guest offers those that change the form of a
 * request that is checked here, and those that need memory shared with the daemon.
 */
static void
limit_features(uint8_t *body)
{
	const size_t at = offsetof(struct fuse_init_in, flags);
	uint32_t flags;

	memcpy(&flags, body + at, sizeof(flags));
	flags &= ~(uint32_t)(FUSE_SETXATTR_EXT | FUSE_MAP_ALIGNMENT);
	memcpy(body + at, &flags, sizeof(flags));
}

/* Check what follows the header, of a known size at least. */
static int
check_body(const struct fuse_rules *r, uint32_t opcode, uint8_t *body,
    size_t len)
{
	struct fuse_setattr_in set;
	struct fuse_mknod_in node;
	struct fuse_mkdir_in dir;
	struct fuse_create_in create;

	switch (opcode) {
	case FUSE_INIT:
		limit_features(body);
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
	case FUSE_CREATE:
		memcpy(&create, body, sizeof(create));
		return check_mode(r, create.mode);
	case FUSE_SETXATTR:
		return check_attribute(r, body + OLD_SETXATTR,
		    len - OLD_SETXATTR);
	default:
		return 0;
	}
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
	size_t i, body;
	int error;

	if (len < sizeof(h))
		return -1;
	memcpy(&h, head, sizeof(h));
	*q = (struct fuse_request){ .opcode = h.opcode, .unique = h.unique };
	if (h.len != total)
		return EINVAL;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].opcode == h.opcode)
			break;
	if (i == sizeof(known) / sizeof(known[0]))
		return ENOSYS;
	q->silent = h.opcode == FUSE_FORGET || h.opcode == FUSE_BATCH_FORGET ||
	    h.opcode == FUSE_INTERRUPT;
	body = len - sizeof(h);
	if (body < known[i].size)
		return EINVAL;
	error = check_names(head + sizeof(h) + known[i].size,
	    body - known[i].size, known[i].names);
	if (error == 0)
		error = check_body(r, h.opcode, head + sizeof(h), body);
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
