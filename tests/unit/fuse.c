/* fuse.c of volt-kvm: requests of a guest that lies, answers of a daemon that lies. */
#include <linux/fuse.h>
#include <string.h>

#include "../../cmd/volt-kvm/fuse.h"
#include "unit.h"

static uint8_t head[FUSE_HEAD];
static size_t len;
static struct fuse_request q;
static struct fuse_rules rules = {
	.uids = { 1, { { 0, 65536 } } }, .gids = { 2, { { 0, 1 }, { 100, 10 } } },
};

/* Begin a request with a structure and a string of its own length, with its NULs. */
static void
begin(uint32_t opcode, const void *arg, size_t size, const char *s, size_t n)
{
	struct fuse_in_header h = { .opcode = opcode, .unique = 7, .nodeid = 1 };

	memset(head, 0xee, sizeof(head));
	len = sizeof(h) + size + n;
	h.len = (uint32_t)len;
	memcpy(head, &h, sizeof(h));
	if (size > 0)
		memcpy(head + sizeof(h), arg, size);
	if (n > 0)
		memcpy(head + sizeof(h) + size, s, n);
}

static int
check(void)
{
	return fuse_check(&rules, head, len, len, &q);
}

static int
named(uint32_t opcode, const char *name)
{
	begin(opcode, NULL, 0, name, strlen(name) + 1);
	return check();
}

static void
names(void)
{
	char name[300];

	CHECK_INT(named(FUSE_LOOKUP, "x"), 0);
	CHECK_INT(named(FUSE_LOOKUP, "..."), 0);
	CHECK_INT(named(FUSE_LOOKUP, ".x"), 0);
	CHECK_INT(named(FUSE_LOOKUP, "."), EINVAL);
	CHECK_INT(named(FUSE_LOOKUP, ".."), EINVAL);
	CHECK_INT(named(FUSE_LOOKUP, ""), EINVAL);
	CHECK_INT(named(FUSE_UNLINK, "a/b"), EINVAL);
	CHECK_INT(named(FUSE_RMDIR, "/"), EINVAL);
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	CHECK_INT(named(FUSE_LOOKUP, name), 0);
	name[255] = 'n';
	name[256] = '\0';
	CHECK_INT(named(FUSE_LOOKUP, name), ENAMETOOLONG);
	begin(FUSE_LOOKUP, NULL, 0, "xy", 2); /* no NUL */
	CHECK_INT(check(), EINVAL);
	begin(FUSE_LOOKUP, NULL, 0, "x\0y", 3);
	CHECK_INT(check(), EINVAL);
	begin(FUSE_SYMLINK, NULL, 0, "x\0/../y", 8);
	CHECK_INT(check(), 0);
	begin(FUSE_SYMLINK, NULL, 0, "..\0y", 5);
	CHECK_INT(check(), EINVAL);
	begin(FUSE_SYMLINK, NULL, 0, "x", 2);
	CHECK_INT(check(), EINVAL);
	begin(FUSE_RENAME, &(uint64_t){ 1 }, 8, "x\0..", 5);
	CHECK_INT(check(), EINVAL);
	begin(FUSE_RENAME, &(uint64_t){ 1 }, 8, "x\0y", 4);
	CHECK_INT(check(), 0);
}

static void
lengths(void)
{
	struct fuse_write_in w = { .size = 3 };
	struct fuse_setxattr_in x = { .size = 1 };
	struct fuse_read_in r = { .size = 1 << 20 };

	begin(FUSE_STATFS, NULL, 0, NULL, 0);
	CHECK_INT(check(), 0);
	CHECK_INT(q.unique, 7);
	CHECK_INT(q.room, FUSE_ROOM);
	CHECK_INT(fuse_check(&rules, head, len - 1, len - 1, &q), -1);
	CHECK_INT(fuse_check(&rules, head, len, len + 1, &q), EINVAL);
	begin(FUSE_GETATTR, &w, 15, NULL, 0);
	CHECK_INT(check(), EINVAL);
	begin(FUSE_WRITE, &w, sizeof(w), "abc", 3);
	CHECK_INT(check(), 0);
	begin(FUSE_WRITE, &w, sizeof(w), "abcd", 4);
	CHECK_INT(check(), EINVAL);
	/* A write of which head has only a part. */
	w.size = 1 << 20;
	begin(FUSE_WRITE, &w, sizeof(w), NULL, 0);
	((struct fuse_in_header *)(void *)head)->len = 80 + (1 << 20);
	CHECK_INT(fuse_check(&rules, head, FUSE_HEAD, 80 + (1 << 20), &q), 0);
	begin(FUSE_SETXATTR, &x, FUSE_COMPAT_SETXATTR_IN_SIZE, "user.x\0v", 8);
	CHECK_INT(check(), 0);
	begin(FUSE_SETXATTR, &x, FUSE_COMPAT_SETXATTR_IN_SIZE, "user.x\0vw", 9);
	CHECK_INT(check(), EINVAL);
	begin(FUSE_READ, &r, sizeof(r), NULL, 0);
	CHECK_INT(check(), 0);
	CHECK_INT(q.room, (1 << 20) + 16);
	r.size = UINT32_MAX;
	begin(FUSE_READ, &r, sizeof(r), NULL, 0);
	CHECK_INT(check(), EINVAL);
	begin(FUSE_FORGET, &(uint64_t){ 1 }, 8, NULL, 0);
	CHECK_INT(check(), 0);
	CHECK(q.silent);
	begin(FUSE_IOCTL, NULL, 0, NULL, 0);
	CHECK_INT(check(), ENOSYS);
	begin(CUSE_INIT, NULL, 0, NULL, 0);
	CHECK_INT(check(), ENOSYS);
}

static int
mode_of(uint32_t opcode, uint32_t mode)
{
	struct fuse_mknod_in node = { .mode = mode };
	struct fuse_mkdir_in dir = { .mode = mode };
	struct fuse_create_in create = { .mode = mode };
	struct fuse_setattr_in set = { .valid = FATTR_MODE, .mode = mode };

	if (opcode == FUSE_MKNOD)
		begin(opcode, &node, sizeof(node), "x", 2);
	else if (opcode == FUSE_MKDIR)
		begin(opcode, &dir, sizeof(dir), "x", 2);
	else if (opcode == FUSE_CREATE)
		begin(opcode, &create, sizeof(create), "x", 2);
	else
		begin(opcode, &set, sizeof(set), NULL, 0);
	return check();
}

static void
rights(void)
{
	static const uint32_t ops[] = { FUSE_MKNOD, FUSE_MKDIR, FUSE_CREATE,
		FUSE_SETATTR };
	struct fuse_setattr_in set = { .mode = 04755 };
	struct fuse_setxattr_in x = { .size = 0 };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		CHECK_INT(mode_of(ops[i], 01777), 0);
		CHECK_INT(mode_of(ops[i], 04700), EPERM);
		CHECK_INT(mode_of(ops[i], 02700), ops[i] == FUSE_MKDIR ? 0 : EPERM);
	}
	CHECK_INT(mode_of(FUSE_MKNOD, 0020666), EPERM);
	CHECK_INT(mode_of(FUSE_MKNOD, 0060666), EPERM);
	CHECK_INT(mode_of(FUSE_MKNOD, 0010666), 0);
	begin(FUSE_SETATTR, &set, sizeof(set), NULL, 0); /* not of the mode */
	CHECK_INT(check(), 0);
	begin(FUSE_SETXATTR, &x, FUSE_COMPAT_SETXATTR_IN_SIZE,
	    "security.capability", 20);
	CHECK_INT(check(), EPERM);
	rules.suid = true;
	CHECK_INT(check(), 0);
	CHECK_INT(mode_of(FUSE_SETATTR, 06755), 0);
	CHECK_INT(mode_of(FUSE_MKNOD, 0020666), EPERM);
}

static void
owners(void)
{
	struct fuse_in_header h;

	begin(FUSE_STATFS, NULL, 0, NULL, 0);
	memcpy(&h, head, sizeof(h));
	h.uid = 1000;
	h.gid = 105;
	memcpy(head, &h, sizeof(h));
	CHECK_INT(check(), 0);
	memcpy(&h, head, sizeof(h));
	CHECK_INT(h.uid, 1000);
	CHECK_INT(h.gid, 105);
	h.uid = 65536;
	h.gid = 110;
	memcpy(head, &h, sizeof(h));
	CHECK_INT(check(), 0);
	memcpy(&h, head, sizeof(h));
	CHECK_INT(h.uid, 0);
	CHECK_INT(h.gid, 0);
}

static void
id_maps(void)
{
	struct fuse_ids ids;

	CHECK_INT(fuse_ids_parse(&ids, "         0       1000          1\n"
	    "         1     100000      65536\n"), 0);
	CHECK_INT(ids.n, 2);
	CHECK_INT(ids.range[1].first, 1);
	CHECK_INT(ids.range[1].count, 65536);
	CHECK_INT(fuse_ids_parse(&ids, "0 0 4294967295\n"), 0);
	CHECK_INT(ids.range[0].count, UINT32_MAX);
	CHECK_ERRNO(fuse_ids_parse(&ids, ""), EINVAL);
	CHECK_ERRNO(fuse_ids_parse(&ids, "x\n"), EINVAL);
}

static void
features(void)
{
	struct fuse_init_in init = { .major = 7, .minor = 36, .flags = UINT32_MAX,
		.flags2 = UINT32_MAX };

	begin(FUSE_INIT, &init, sizeof(init), NULL, 0);
	CHECK_INT(check(), 0);
	memcpy(&init, head + FUSE_IN_HEADER, sizeof(init));
	CHECK_INT(init.flags & FUSE_SETXATTR_EXT, 0);
	CHECK_INT(init.flags & FUSE_MAP_ALIGNMENT, 0);
	CHECK((init.flags & FUSE_MAX_PAGES) != 0);
	CHECK_INT(init.flags2, 0);
	/* An old one, which ends before the second word. */
	begin(FUSE_INIT, &init, 16, NULL, 0);
	CHECK_INT(check(), 0);
	CHECK_INT(head[FUSE_IN_HEADER + 16], 0xee);
}

static void
answers(void)
{
	struct fuse_out_header h = { .len = 20, .unique = 7 };
	uint8_t out[FUSE_OUT_HEADER];

	q = (struct fuse_request){ .unique = 7 };
	memcpy(out, &h, sizeof(h));
	CHECK_INT(fuse_answer(&q, out, 20), 0);
	CHECK_INT(fuse_answer(&q, out, 19), -1);
	h.error = -511;
	memcpy(out, &h, sizeof(h));
	CHECK_INT(fuse_answer(&q, out, 20), 0);
	h.error = -512;
	memcpy(out, &h, sizeof(h));
	CHECK_INT(fuse_answer(&q, out, 20), -1);
	h.error = 1;
	memcpy(out, &h, sizeof(h));
	CHECK_INT(fuse_answer(&q, out, 20), -1);
	fuse_error(&q, EIO, out);
	memcpy(&h, out, sizeof(h));
	CHECK_INT(h.len, 16);
	CHECK_INT(h.error, -EIO);
	CHECK_INT(h.unique, 7);
}

static const struct unit tests[] = {
	UNIT(names), UNIT(lengths), UNIT(rights), UNIT(owners), UNIT(id_maps),
	UNIT(features), UNIT(answers),
};
UNIT_MAIN(tests)
