#include <linux/dm-ioctl.h>
#include <linux/ioctl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dm.h"
#include "sys.h"

#define ENDING "VOLT-"	/* the UUIDs of devices with DM_ENDS begin so */
#define LIST_MOST 65536	/* bytes of the list of all devices */
#define TABLE_MOST 2048

/* A request with a table behind it. */
struct request {
	struct dm_ioctl io;
	struct dm_target_spec spec;
	char table[TABLE_MOST];
};

static void
begin(struct dm_ioctl *io, const char *name, size_t size, uint32_t flags)
{
	*io = (struct dm_ioctl){ .version = { 4, 0, 0 }, .flags = flags,
		.data_size = (uint32_t)size,
		.data_start = sizeof(*io) };
	snprintf(io->name, sizeof(io->name), "%s", name);
}

/* Make a request that has nothing behind it. */
static int
simple(int control, unsigned long call, const char *name, uint32_t flags,
    struct dm_ioctl *io)
{
	begin(io, name, sizeof(*io), flags);
	return sys_ioctl(control, call, io);
}

static int
load(int control, const char *name, const char *type, uint64_t sectors,
    const char *table)
{
	struct request r = { .spec = { .length = sectors } };

	if (strlen(table) >= sizeof(r.table)) {
		errno = E2BIG;
		return -1;
	}
	begin(&r.io, name, sizeof(r), DM_READONLY_FLAG);
	r.io.target_count = 1;
	r.spec.next = sizeof(r.spec) + sizeof(r.table);
	snprintf(r.spec.target_type, sizeof(r.spec.target_type), "%s", type);
	strcpy(r.table, table);
	return sys_ioctl(control, DM_TABLE_LOAD, &r);
}

static int
create(int control, const char *name, enum dm_life life, struct dm_ioctl *io)
{
	begin(io, name, sizeof(*io), 0);
	if (life == DM_ENDS)
		snprintf(io->uuid, sizeof(io->uuid), ENDING "%s", name);
	return sys_ioctl(control, DM_DEV_CREATE, io);
}

/* Remove the device if it is one with DM_ENDS, and nothing has it open. */
static void
sweep_one(int control, const char *name)
{
	struct dm_ioctl io;

	if (simple(control, DM_DEV_STATUS, name, 0, &io) == 0 &&
	    strncmp(io.uuid, ENDING, strlen(ENDING)) == 0)
		may_fail(simple(control, DM_DEV_REMOVE, name, 0, &io));
}

/*
 * Remove the devices with DM_ENDS that nothing has open. We hold the lock, so nobody is
 * about to open one of them.
 */
static void
sweep(int control)
{
	struct dm_ioctl *list = calloc(1, LIST_MOST);
	const struct dm_name_list *d;
	const char *s;

	if (list == NULL)
		return;
	begin(list, "", LIST_MOST, 0);
	if (sys_ioctl(control, DM_LIST_DEVICES, list) == -1 ||
	    (list->flags & DM_BUFFER_FULL_FLAG) != 0)
		goto out;
	for (s = (const char *)list + list->data_start;; s += d->next) {
		d = (const void *)s;
		if (d->dev == 0)
			break; /* there is none */
		sweep_one(control, d->name);
		if (d->next == 0)
			break;
	}
out:
	free(list);
}

/* Open the device of that number, as the kernel names it. */
static int
open_device(uint64_t dev, char path[static DM_PATH])
{
	struct stat st;
	int fd;

	snprintf(path, DM_PATH, "/dev/dm-%u", minor((dev_t)dev));
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) &&
	    st.st_rdev == (dev_t)dev)
		return fd;
	close(fd);
	errno = ENODEV;
	return -1;
}

/* Open what all requests go to, and take the lock. */
static int
open_control(void)
{
	int control;

	if ((control = open(DM_CONTROL, O_RDWR | O_CLOEXEC)) == -1)
		return -1;
	while (flock(control, LOCK_EX) == -1)
		if (errno != EINTR) {
			close(control);
			return -1;
		}
	return control;
}

/*
 * Make a device with that name, of that many sectors of 512 bytes, with one target of
 * that type and table. Returns its descriptor, and its path; or -1 and errno: ENOENT,
 * ENODEV or ENXIO if there is no device mapper, and what the kernel says.
 */
int
dm_make(const char *name, enum dm_life life, const char *type, uint64_t sectors,
    const char *table, char path[static DM_PATH])
{
	int control, fd = -1, saved;
	struct dm_ioctl io;

	if ((control = open_control()) == -1)
		return -1;
	sweep(control);
	if (create(control, name, life, &io) == -1) {
		saved = errno;
		goto out;
	}
	if (load(control, name, type, sectors, table) == -1 ||
	    (fd = open_device(io.dev, path)) == -1)
		goto fail;
	/* The device is open: it is only marked. */
	if (life == DM_ENDS &&
	    simple(control, DM_DEV_REMOVE, name, DM_DEFERRED_REMOVE, &io) == -1)
		goto fail;
	if (simple(control, DM_DEV_SUSPEND, name, 0, &io) == -1) /* it resumes */
		goto fail;
	close(control);
	return fd;

fail:
	saved = errno;
	if (fd != -1)
		close(fd);
	may_fail(simple(control, DM_DEV_REMOVE, name, 0, &io));
out:
	close(control);
	errno = saved;
	return -1;
}
