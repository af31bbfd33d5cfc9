/*
 * An image as the root: a loop device that the kernel releases with its mount.
 * The magic number of the superblock tells the type of the file system. Three
 * types are known. With verity= the mount is of a device of dm-verity over the loop
 * device. The kernel releases that, too, and then the loop device.
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
#include "verity.h"

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

/*
 * Make a device of dm-verity over the loop device, which has size bytes. Closes the
 * loop device. Returns the descriptor of the new device, and its path in place of the
 * loop device's.
 */
static int
verify(const struct mount *m, int loop, off_t size, char path[static DM_PATH])
{
	const char *wrong, *number = strrchr(path, '/') + 1;
	struct verity v;
	struct stat st;
	char name[64];
	int fd;

	if ((wrong = verity_read(&v, &m->trust, loop, (uint64_t)size)) != NULL)
		errx(EXIT_LINK, "%s: %s", m->what, wrong);
	if (verity_sign(&v, &m->trust) == -1)
		err(EXIT_LINK, "%s: sig", m->what);
	if (fstat(loop, &st) == -1)
		err(EXIT_LINK, "%s", m->what);
	snprintf(name, sizeof(name), "volt-%s", number);
	if ((fd = verity_open(&v, st.st_rdev, name, DM_ENDS, path)) == -1)
		errx(EXIT_LINK, "%s: %s", m->what, verity_reason(&v, errno));
	close(loop);
	return fd;
}

/* Return a detached mount of the image m->src. Errors end the program. */
int
image_open(const struct mount *m)
{
	bool ro = (m->attrs & MOUNT_ATTR_RDONLY) != 0;
	struct mount dev = *m;
	char path[DM_PATH], options[64];
	const char *type, *wrong;
	int file, device, fd;
	struct stat st;

	file = open(m->src, (ro ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (file == -1 || fstat(file, &st) == -1)
		err(EXIT_LINK, "%s", m->what);
	if (!S_ISREG(st.st_mode))
		errx(EXIT_LINK, "%s: not a file", m->what);
	if ((wrong = trust_measure(&m->trust, file)) != NULL)
		errx(EXIT_LINK, "%s: %s", m->what, wrong);
	type = m->trust.verity.len > 0 ? NULL : fs_type(m, file);
	device = loop_attach(m, file, ro, path, sizeof(path));
	close(file);
	if (type == NULL) {
		device = verify(m, device, st.st_size, path);
		type = fs_type(m, device);
	}

	dev.fsopts = options;
	snprintf(options, sizeof(options), "source=%s%s", path,
	    ro ? ",ro" : "");
	fd = mount_fs(&dev, type);
	close(device);
	return fd;
}
