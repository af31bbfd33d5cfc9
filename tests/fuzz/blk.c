/*
 * Fuzz the disks, as their guest. The first byte of the input says which of
 * them: one to be written, one that is read only, one with an overlay; then as
 * in machine.h. Each has two queues. STEP is the turn of both workers, one after the
 * other. While one is at a file the guest goes on: its next call comes before the
 * file's, and a STEP is then the other's turn, unless the first holds a lock.
 * Link: volt-kvm
 */
#include "../../cmd/volt-kvm/vio_blk.c"
#include "../../cmd/volt-kvm/vio_worker.c"
#include "machine.h"

#define DISKS 3
#define CPUS 2	/* and so many queues */
#define SIZE (16u * 4096u + 512u)	/* of each */

int __wrap_thread_start(pthread_t *t, void *(*run)(void *), void *arg,
    enum lock_kind kind, timer_t *timer);
ssize_t __wrap_preadv(int fd, const struct iovec *iov, int n, off_t off);
ssize_t __real_preadv(int fd, const struct iovec *iov, int n, off_t off);
ssize_t __wrap_pwritev(int fd, const struct iovec *iov, int n, off_t off);
ssize_t __real_pwritev(int fd, const struct iovec *iov, int n, off_t off);
int __wrap_fallocate(int fd, int mode, off_t off, off_t len);
int __real_fallocate(int fd, int mode, off_t off, off_t len);

static struct blk *disk[DISKS];
static const uint8_t *file[DISKS];	/* what is in them */
static uint8_t first[SIZE];

int
__wrap_thread_start(pthread_t *t, void *(*run)(void *), void *arg,
    enum lock_kind kind, timer_t *timer)
{
	(void)kind;
	(void)timer;
	(void)t;
	(void)run;
	(void)arg;
	return 0;
}

static void
meanwhile(int fd, uint64_t off, uint64_t len)
{
	unsigned int i;

	for (i = 0; i < DISKS; i++)
		if (fd == disk[i]->host.fd && off + len > SIZE)
			abort();
	(void)machine_call();
}

ssize_t
__wrap_preadv(int fd, const struct iovec *iov, int n, off_t off)
{
	meanwhile(fd, (uint64_t)off, virtq_bytes(iov, (unsigned int)n));
	return __real_preadv(fd, iov, n, off);
}

ssize_t
__wrap_pwritev(int fd, const struct iovec *iov, int n, off_t off)
{
	meanwhile(fd, (uint64_t)off, virtq_bytes(iov, (unsigned int)n));
	return __real_pwritev(fd, iov, n, off);
}

int
__wrap_fallocate(int fd, int mode, off_t off, off_t len)
{
	meanwhile(fd, (uint64_t)off, (uint64_t)len);
	return __real_fallocate(fd, mode, off, len);
}

static void
workers(void)
{
	static bool at_work[CPUS];
	static unsigned int busy;
	struct blk *b = device->dev;
	unsigned int i;

	if (pthread_mutex_trylock(&b->scratch_lock) != 0)
		return;
	pthread_mutex_unlock(&b->scratch_lock);
	for (i = 0; i < CPUS; i++) {
		if (at_work[i])
			continue;
		at_work[i] = true;
		busy++;
		pthread_mutex_lock(&device->lock);
		serve(&device->workers[i]);
		pthread_mutex_unlock(&device->lock);
		busy--;
		at_work[i] = false;
		if (device->busy != busy || (busy == 0 && device->resetting))
			abort();
	}
}

static void
open_disks(void)
{
	static char path[DISKS][32];
	static struct config cfg = { .ndisks = DISKS, .cpus = CPUS };
	unsigned int i;
	int fd;

	memset(first, 'V', sizeof(first));
	for (i = 0; i < DISKS; i++) {
		if ((fd = memfd_create("disk", MFD_CLOEXEC)) == -1 ||
		    write(fd, first, SIZE) != SIZE ||
		    (file[i] = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0)) ==
		    MAP_FAILED)
			abort();
		snprintf(path[i], sizeof(path[i]), "/proc/self/fd/%d", fd);
		cfg.disks[i].path = path[i];
	}
	cfg.disks[1].ro = true;
	cfg.disks[2].scratch = "";
	blk_init(&vm, &cfg);
	for (i = 0; i < DISKS; i++)
		disk[i] = machine_device(1 + i, sizeof(*disk[i]));
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	struct stat st;
	unsigned int i;

	if (device == NULL) {
		machine_begin();
		open_disks();
		machine_ready(&disk[0]->vio);
		machine_step = workers;
	}
	if (size == 0)
		return 0;
	device = &disk[*data % DISKS]->vio;
	memset((void *)disk[2]->map, 0, SIZE / BLOCK / 8 + 1);
	machine_run(data + 1, size - 1);
	for (i = 0; i < DISKS; i++)
		if (fstat(disk[i]->host.fd, &st) == -1 || st.st_size != SIZE)
			abort();
	for (i = 1; i < DISKS; i++)
		if (memcmp(file[i], first, SIZE) != 0)
			abort(); /* nobody may write it */
	return 0;
}
