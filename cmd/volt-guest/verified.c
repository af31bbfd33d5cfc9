/*
 * Disks with verity=. The hash and its signature come with the payload. A device of
 * dm-verity takes the disk's name in /dev, so all that mount the disk read what is
 * verified.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "inside.h"
#include "verity.h"

static void
verify(const struct guest_verity *d)
{
	char path[sizeof("/dev/") + sizeof(d->dev)], verified[DM_PATH];
	const char *wrong;
	struct verity v;
	struct stat st;
	off_t end;
	int disk;

	snprintf(path, sizeof(path), "/dev/%s", d->dev);
	may_fail(boot_wait_node(path)); /* then open(2) fails and reports it */
	if ((disk = open(path, O_RDONLY | O_CLOEXEC)) == -1 ||
	    fstat(disk, &st) == -1 || (end = lseek(disk, 0, SEEK_END)) == -1)
		err(EXIT_LINK, "disk %s", d->dev);
	if ((wrong = verity_read(&v, &d->trust, disk, (uint64_t)end)) != NULL)
		errx(EXIT_LINK, "disk %s: %s", d->dev, wrong);
	if (verity_sign(&v, &d->trust) == -1)
		err(EXIT_LINK, "disk %s: sig", d->dev);
	close(disk);
	disk = verity_open(&v, st.st_rdev, d->dev, DM_STAYS, verified);
	if (disk == -1)
		errx(EXIT_LINK, "disk %s: %s", d->dev, verity_reason(&v, errno));
	close(disk);
	if (unlink(path) == -1 || symlink(strrchr(verified, '/') + 1, path) == -1)
		err(EXIT_LINK, "disk %s", d->dev);
}

void
verified_start(const struct guest_words *w)
{
	struct guest_verity d;
	unsigned int i;

	for (i = 0; i < w->nverity; i++) {
		if (guest_verity_parse(&d, w->verity[i]) == -1)
			err(EXIT_LINK, "verity=%s", w->verity[i]);
		verify(&d);
	}
}
