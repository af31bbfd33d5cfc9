/*
 * An image as the root: a loop device that the kernel releases with its mount.
 * The magic number of the superblock tells the type of the file system. Three
 * types are known.
 */
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "ns.h"
#include "sys.h"

static const char *
fs_type(const struct mount *m, int fd)
{
	static const struct {
		const char *type, *magic;
		size_t len;
		off_t at;
	} types[] = {
		{ "erofs", "\xe2\xe1\xf5\xe0", 4, 1024 },
		{ "squashfs", "hsqs", 4, 0 },
		{ "ext4", "\x53\xef", 2, 1024 + 56 },
	};
	char buf[4];
	size_t i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (pread(fd, buf, types[i].len, types[i].at) ==
		    (ssize_t)types[i].len &&
		    memcmp(buf, types[i].magic, types[i].len) == 0)
			return types[i].type;
	errx(EXIT_LINK, "%s: not an erofs, squashfs or ext4 image", m->what);
}

/*
 * Tie a free loop device to file. Returns its descriptor, and its path in buf.
 */
static int
loop_attach(const struct mount *m, int file, bool ro, char *buf, size_t size)
{
	const struct loop_config config = {
		.fd = (uint32_t)file,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR |
		    (ro ? (uint32_t)LO_FLAGS_READ_ONLY : 0),
	};
	int control, loop, n, tries;

	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control == -1)
		fail(EACCES, "image= requires root's rights; unpack the image "
		    "and use root=", "%s: /dev/loop-control", m->what);
	for (tries = 0; tries < 64; tries++) {
		if ((n = ioctl(control, LOOP_CTL_GET_FREE)) == -1)
			break;
		snprintf(buf, size, "/dev/loop%d", n);
		loop = open(buf, (ro ? O_RDONLY : O_RDWR) | O_CLOEXEC);
		if (loop == -1)
			break;
		if (ioctl(loop, LOOP_CONFIGURE, &config) == 0) {
			close(control);
			return loop;
		}
		close(loop);
		if (errno != EBUSY)
			break;
		/* Another process was faster: try the next device. */
	}
	err(EXIT_LINK, "%s: loop device", m->what);
}

/* Return a detached mount of the image m->src. Errors end the program. */
int
image_open(const struct mount *m)
{
	bool ro = (m->attrs & MOUNT_ATTR_RDONLY) != 0;
	struct mount dev = *m;
	char device[32], options[64];
	const char *type;
	struct stat st;
	int file, loop, fd;

	file = open(m->src, (ro ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (file == -1 || fstat(file, &st) == -1)
		err(EXIT_LINK, "%s", m->what);
	if (!S_ISREG(st.st_mode))
		errx(EXIT_LINK, "%s: not a file", m->what);
	type = fs_type(m, file);
	loop = loop_attach(m, file, ro, device, sizeof(device));
	close(file);

	dev.fsopts = options;
	snprintf(options, sizeof(options), "source=%s%s", device,
	    ro ? ",ro" : "");
	fd = mount_fs(&dev, type);
	close(loop);
	return fd;
}
