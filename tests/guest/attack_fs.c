/*
 * A guest that sends hostile FUSE messages to a share, as no kernel would. The share
 * has: file, with "content"; link, a symlink to a file outside; null, a device node, if
 * the test could make one; and fifo.
 */
#include <linux/fuse.h>

#include "guest.h"

enum { HIPRIO, REQUESTS };
enum { EPERM = 1, E2BIG = 7, EINVAL = 22, ENAMETOOLONG = 36, ENOSYS = 38, NONE = 999 };
enum { S_REG = 0100000, S_CHR = 0020000, S_BLK = 0060000, S_DIR = 0040000 };

static struct device d;
static struct queue q[2];
static struct {
	struct fuse_in_header h;
	uint8_t body[8192];
} out __attribute__((aligned(4096)));
static struct {
	struct fuse_out_header h;
	union {
		uint8_t byte[1 << 20];
		struct fuse_entry_out entry;
		struct fuse_open_out open;
		struct {
			struct fuse_entry_out entry;
			struct fuse_open_out open;
		} create;
	} u;
} in __attribute__((aligned(4096)));
static uint64_t unique;

static unsigned int
copy(uint8_t *to, const void *from, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		to[i] = ((const uint8_t *)from)[i];
	return n;
}

static unsigned int
length(const char *s)
{
	unsigned int n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

static void
header(uint32_t opcode, uint64_t node, unsigned int body)
{
	clear(&out.h, sizeof(out.h));
	out.h.len = (uint32_t)sizeof(out.h) + body;
	out.h.opcode = opcode;
	out.h.unique = ++unique;
	out.h.nodeid = node;
}

/* Send what is in out, with that much room for the answer. Returns the error. */
static int
send(unsigned int len, unsigned int room)
{
	uint16_t idx = q[REQUESTS].used.idx;

	clear(&in.h, sizeof(in.h));
	in.h.error = -NONE;
	q[REQUESTS].desc[0] = (struct desc){ (uintptr_t)&out, len,
		room > 0 ? NEXT : 0, 1 };
	q[REQUESTS].desc[1] = (struct desc){ (uintptr_t)&in, room, WRITE, 0 };
	submit(&d, REQUESTS, &q[REQUESTS], 0);
	if (!wait_used(&q[REQUESTS], (uint16_t)(idx + 1)))
		return 1000;
	return -*(volatile int32_t *)&in.h.error;
}

/* A request with a structure and up to two names. Returns the error. */
static int
ask(uint32_t opcode, uint64_t node, const void *arg, unsigned int size, const char *a,
    const char *b)
{
	unsigned int n = copy(out.body, arg, size);

	if (a != NULL)
		n += copy(out.body + n, a, length(a) + 1);
	if (b != NULL)
		n += copy(out.body + n, b, length(b) + 1);
	header(opcode, node, n);
	return send(out.h.len, sizeof(in));
}

static uint64_t
look_up(const char *name)
{
	return ask(FUSE_LOOKUP, 1, NULL, 0, name, NULL) == 0 ? in.u.entry.nodeid : 0;
}

static int
open_node(uint64_t node, uint32_t flags, uint64_t *fh)
{
	struct fuse_open_in arg = { .flags = flags };
	int error = ask(FUSE_OPEN, node, &arg, sizeof(arg), NULL, NULL);

	*fh = in.u.open.fh;
	return error;
}

static int
read_node(uint64_t node, uint64_t fh, uint32_t size)
{
	struct fuse_read_in arg = { .fh = fh, .size = size };

	return ask(FUSE_READ, node, &arg, sizeof(arg), NULL, NULL);
}

static int
set_mode(uint64_t node, uint32_t mode)
{
	struct fuse_setattr_in arg = { .valid = FATTR_MODE, .mode = mode };

	return ask(FUSE_SETATTR, node, &arg, sizeof(arg), NULL, NULL);
}

static int
make_node(const char *name, uint32_t mode)
{
	struct fuse_mknod_in arg = { .mode = mode, .rdev = 0x103 };

	return ask(FUSE_MKNOD, 1, &arg, sizeof(arg), name, NULL);
}

static int
make_dir(const char *name, uint32_t mode)
{
	struct fuse_mkdir_in arg = { .mode = mode };

	return ask(FUSE_MKDIR, 1, &arg, sizeof(arg), name, NULL);
}

static int
create(const char *name, uint32_t mode)
{
	struct fuse_create_in arg = { .flags = 0102, .mode = S_REG | mode };

	return ask(FUSE_CREATE, 1, &arg, sizeof(arg), name, NULL);
}

static int
rename_to(uint32_t opcode, const char *a, const char *b)
{
	struct fuse_rename2_in arg = { .newdir = 1 };

	return ask(opcode, 1, &arg, opcode == FUSE_RENAME ?
	    sizeof(struct fuse_rename_in) : sizeof(arg), a, b);
}

static int
set_attribute(uint64_t node, const char *name)
{
	struct fuse_setxattr_in arg = { .size = 2 };

	return ask(FUSE_SETXATTR, node, &arg, FUSE_COMPAT_SETXATTR_IN_SIZE, name, "v");
}

static int
begin(void)
{
	struct fuse_init_in arg = { .major = 7, .minor = 36, .max_readahead = 65536,
		.flags = FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_INIT_EXT |
		FUSE_SETXATTR_EXT };

	device_start(&d, 0, q, 2, QUEUE);
	return ask(FUSE_INIT, 0, &arg, sizeof(arg), NULL, NULL);
}

static bool
file_works(void)
{
	uint64_t node = look_up("file"), fh;

	return node != 0 && open_node(node, 0, &fh) == 0 &&
	    read_node(node, fh, 4096) == 0 && in.h.len == 16 + 7 &&
	    in.u.byte[0] == 'c' && in.u.byte[6] == 't';
}

static void
works(const char *what)
{
	check(begin() == 0 && file_works(), what);
}

/* No name but that of a directory entry goes anywhere. */
static void
names(void)
{
	static const char *const bad[] = { "..", ".", "", "/", "a/b", "/etc/passwd",
		"../canary", "file/", "./file" };
	struct fuse_link_in link = { .oldnodeid = look_up("file") };
	unsigned int i, wrong = 0;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		wrong += ask(FUSE_LOOKUP, 1, NULL, 0, bad[i], NULL) != EINVAL;
		wrong += create(bad[i], 0644) != EINVAL;
		wrong += make_dir(bad[i], 0755) != EINVAL;
		wrong += make_node(bad[i], S_REG | 0644) != EINVAL;
		wrong += ask(FUSE_UNLINK, 1, NULL, 0, bad[i], NULL) != EINVAL;
		wrong += ask(FUSE_RMDIR, 1, NULL, 0, bad[i], NULL) != EINVAL;
		wrong += ask(FUSE_SYMLINK, 1, NULL, 0, bad[i], "x") != EINVAL;
		wrong += ask(FUSE_LINK, 1, &link, sizeof(link), bad[i], NULL) != EINVAL;
		wrong += rename_to(FUSE_RENAME, bad[i], "x") != EINVAL;
		wrong += rename_to(FUSE_RENAME, "file", bad[i]) != EINVAL;
		wrong += rename_to(FUSE_RENAME2, bad[i], "x") != EINVAL;
		wrong += rename_to(FUSE_RENAME2, "file", bad[i]) != EINVAL;
	}
	check(wrong == 0, "names that are no entry of a directory are refused");
	for (i = 0; i < 300; i++)
		out.body[i] = 'n';
	out.body[300] = '\0';
	header(FUSE_LOOKUP, 1, 301);
	check(send(out.h.len, sizeof(in)) == ENAMETOOLONG, "a name of 300 bytes");
	header(FUSE_LOOKUP, 1, 100);
	check(send(out.h.len, sizeof(in)) == EINVAL, "a name without an end");
	header(FUSE_LOOKUP, 1, 0);
	check(send(out.h.len, sizeof(in)) == EINVAL, "no name");
}

/* The text of a symlink is only text: nobody follows it on the host. */
static void
symlinks(void)
{
	struct fuse_setattr_in size = { .valid = FATTR_SIZE };
	uint64_t link, fh;
	uint32_t i;

	check(ask(FUSE_SYMLINK, 1, NULL, 0, "made", "/../../../etc/passwd") == 0,
	    "a symlink to an absolute path is made");
	link = look_up("made");
	check(ask(FUSE_READLINK, link, NULL, 0, NULL, NULL) == 0 &&
	    in.h.len == 16 + 20, "and read");
	for (i = 0; i < 3; i++) {
		check(open_node(link, i, &fh) != 0, "a symlink is not opened");
		link = look_up("link");
	}
	check(link != 0 && create("link", 0644) != 0, "nor created again");
	check(ask(FUSE_LOOKUP, link, NULL, 0, "x", NULL) != 0, "nor entered");
	(void)ask(FUSE_SETATTR, link, &size, sizeof(size), NULL, NULL);
	(void)set_mode(link, 0777);
	(void)set_attribute(link, "user.volt");
}

static void
nodes(void)
{
	uint64_t node = look_up("null"), fh;

	check(node == 0 || open_node(node, 2, &fh) != 0, "a device is not opened");
	node = look_up("fifo");
	check(node != 0 && open_node(node, 0, &fh) != 0, "nor is a named pipe");
	check(make_node("zero", S_CHR | 0666) == EPERM, "a device is not made");
	check(make_node("disk", S_BLK | 0666) == EPERM, "nor a block device");
}

/* Nothing that gives the guest's rights to those who run a file on the host. */
static void
rights(void)
{
	uint64_t node;

	check(create("s", 04755) == EPERM, "no set-user-ID file is made");
	check(create("s", 02755) == EPERM, "no set-group-ID file is made");
	check(make_node("s", S_REG | 04755) == EPERM, "nor by mknod");
	check(make_dir("s", 04755) == EPERM, "nor a set-user-ID directory");
	check(make_dir("group", 02755) == 0, "a set-group-ID directory is made");
	check(create("new", 0644) == 0, "a file is made");
	node = look_up("new");
	check(create("new", 0644) == 0, "and made again: it is opened");
	check(open_node(node, 020000702, &(uint64_t){ 0 }) == 0, "also with odd flags");
	check(set_mode(node, 0755) == 0, "its mode is changed");
	check(set_mode(node, 04755) == EPERM, "but not to set-user-ID");
	check(set_mode(node, 02755) == EPERM, "nor to set-group-ID");
	check(set_attribute(node, "security.capability") == EPERM, "no capabilities");
	check(set_attribute(node, "trusted.overlay.x") == EPERM, "no trusted attribute");
}

static void
malformed(void)
{
	static const uint32_t unknown[] = { 0, 7, 19, 37, 39, 40, 41, 48, 49, 51, 52,
		4096, 0xffffffff };
	struct fuse_batch_forget_in many = { .count = 0xffffffff };
	struct fuse_write_in write = { .size = 0xffffffff };
	unsigned int i, wrong = 0;

	for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
		wrong += ask(unknown[i], 1, NULL, 0, NULL, NULL) != ENOSYS;
	check(wrong == 0, "unknown requests are not passed on");
	header(FUSE_GETATTR, 1, 16);
	out.h.len++;
	check(send(out.h.len - 1, sizeof(in)) == EINVAL, "a length that is too large");
	out.h.len = 40;
	check(send(56, sizeof(in)) == EINVAL, "a length that is too small");
	for (i = wrong = 0; i < 53; i++) {
		header(i, 1, 0);
		if (i != FUSE_INIT && i != FUSE_DESTROY)
			wrong += send(out.h.len, sizeof(in)) == 1000;
	}
	check(wrong == 0, "each request without a body is answered");
	check(ask(FUSE_BATCH_FORGET, 0, &many, sizeof(many), NULL, NULL) != 1000,
	    "four thousand million inodes to forget");
	check(ask(FUSE_WRITE, 1, &write, sizeof(write), NULL, NULL) != 0,
	    "a write of more than there is");
	check(ask(FUSE_SETXATTR, 1, &(uint64_t){ 1 }, 8, "user.x", "v") == EINVAL,
	    "an attribute of more than its size");
	check(ask(FUSE_UNLINK, 1, NULL, 0, "x", "y") == EINVAL, "two names for one");
	check(ask(FUSE_GETXATTR, 1, &(uint64_t){ 9 }, 8, NULL, NULL) == EINVAL,
	    "an attribute without a name");
	check(ask(FUSE_SYMLINK, 1, NULL, 0, "x", NULL) == EINVAL, "a symlink to nothing");
	check(read_node(1, ~0ull, 4096) != 0, "a read of no file");
	check(open_node(~0ull, 0, &(uint64_t){ 0 }) != 0, "a node that is none");
	header(FUSE_GETATTR, 1, 16);
	check(send(out.h.len, 0) == NONE, "no room for the answer");
	header(FUSE_GETATTR, 1, 16);
	check(send(out.h.len, 15) == NONE, "too little room for an error");
	header(FUSE_GETATTR, 1, 16);
	check(send(out.h.len, 16) != 1000, "too little room for the answer");
	check(file_works(), "after all that a file is read");
}

static void
breaks(const char *what)
{
	check(wait_broken(&d), what);
	check(begin() == 0, "and it works after a reset");
}

static void
descriptors(void)
{
	struct desc *t = q[REQUESTS].desc;
	unsigned int i;

	header(FUSE_GETATTR, 1, 16);
	t[0] = (struct desc){ (uintptr_t)&out, 39, 0, 0 };
	submit(&d, REQUESTS, &q[REQUESTS], 0);
	breaks("half a header");
	t[0] = (struct desc){ (uintptr_t)&in, 100, WRITE, 0 };
	submit(&d, REQUESTS, &q[REQUESTS], 0);
	breaks("no request");
	t[0] = (struct desc){ 0x400000, (1 << 20) + 4097, 0, 0 };
	submit(&d, REQUESTS, &q[REQUESTS], 0);
	breaks("a request that is too large");
	t[0] = (struct desc){ 64ul << 20, 56, 0, 0 };
	submit(&d, REQUESTS, &q[REQUESTS], 0);
	breaks("a request outside of memory");
	t[0] = (struct desc){ (uintptr_t)&out, 56, NEXT, 0 };
	submit(&d, REQUESTS, &q[REQUESTS], 0);
	breaks("a loop");
	t[0] = (struct desc){ (uintptr_t)&out, 40, NEXT, 1 };
	t[1] = (struct desc){ (uintptr_t)&in, 100, NEXT | WRITE, 2 };
	t[2] = (struct desc){ (uintptr_t)out.body, 16, 0, 0 };
	submit(&d, REQUESTS, &q[REQUESTS], 0);
	breaks("a request behind its answer");
	submit(&d, HIPRIO, &q[HIPRIO], 100);
	breaks("a descriptor outside of the queue");
	header(FUSE_LOOKUP, 1, copy(out.body, "file", 5));
	for (i = 0; i < QUEUE; i++)
		t[i] = (struct desc){ (uintptr_t)&out + 3 * i, 3, NEXT, (uint16_t)(i + 1) };
	t[QUEUE - 1] = (struct desc){ (uintptr_t)&in, sizeof(in), WRITE, 0 };
	submit(&d, REQUESTS, &q[REQUESTS], 0);
	check(wait_used(&q[REQUESTS], (uint16_t)(q[REQUESTS].avail.idx)) &&
	    in.h.error == 0, "a request in fifteen pieces");
	t[0] = (struct desc){ (uintptr_t)&out, out.h.len, NEXT, 1 };
	t[1] = (struct desc){ 0x400000, 48u << 20, WRITE, 0 };
	submit(&d, REQUESTS, &q[REQUESTS], 0);
	check(wait_used(&q[REQUESTS], (uint16_t)(q[REQUESTS].avail.idx)),
	    "room of 48 MiB for an answer");
}

/* More than the shadow has room for. */
static void
flood(void)
{
	struct fuse_in_header h;
	unsigned int round, i;

	for (round = 0; round < 20; round++) {
		for (i = 0; i < QUEUE / 2; i++) {
			header(FUSE_STATFS, 1, 0);
			h = out.h;
			copy((uint8_t *)0x400000 + 64 * i, &h, sizeof(h));
			q[REQUESTS].desc[2 * i] = (struct desc){ 0x400000 + 64 * i, 40,
				NEXT, (uint16_t)(2 * i + 1) };
			q[REQUESTS].desc[2 * i + 1] = (struct desc){ 0x800000, 8u << 20,
				WRITE, 0 };
			submit(&d, REQUESTS, &q[REQUESTS], (uint16_t)(2 * i));
		}
		if (round % 2 == 0 &&
		    !wait_used(&q[REQUESTS], q[REQUESTS].avail.idx))
			break;
		if (round % 2 == 1 && begin() != 0) /* in the middle of them */
			break;
	}
	check(round == 20, "requests that must wait for room, and resets meanwhile");
}

int
main(void)
{
	device_want(&d, 26, "there is a share");
	works("a file is read");
	names();
	symlinks();
	nodes();
	rights();
	malformed();
	works("a new session");
	descriptors();
	flood();
	works("after all that a file is read");
	done();
}
