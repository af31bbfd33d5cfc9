/*
 * Fuzz the choice of a guest's modules. The input is modules.dep, and behind
 * lines "%" modules.softdep, modules.alias, and the value of root=. Every file
 * that these name is there.
 * Link: volt-kvm
 */
#include "../../cmd/volt-kvm/modules.c"
#include "fuzz.h"

int __wrap_openat(int dir, const char *path, int flags, ...);
pid_t __wrap_fork(void);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);
void __wrap_cpio_fd(struct cpio *c, const char *path, mode_t mode, int fd);

static size_t files;

int
__wrap_openat(int dir, const char *path, int flags, ...)
{
	(void)dir;
	(void)flags;
	if (*path == '\0')
		abort();
	return memfd_create("module", MFD_CLOEXEC);
}

/* Whatever is to be decompressed has been. */
pid_t
__wrap_fork(void)
{
	return 1;
}

pid_t
__wrap_waitpid(pid_t pid, int *status, int options)
{
	(void)options;
	*status = 0;
	return pid;
}

void
__wrap_cpio_fd(struct cpio *c, const char *path, mode_t mode, int fd)
{
	(void)c;
	(void)path;
	(void)mode;
	(void)fd;
	files++;
}

/* The next part, in memory that ends with it. */
static struct blob
cut(const unsigned char **data, size_t *size)
{
	const unsigned char *end = memmem(*data, *size, "%\n", 2);
	struct blob b = { NULL, end == NULL ? *size : (size_t)(end - *data) };
	size_t all = end == NULL ? *size : b.len + 2;

	if (b.len > 0 && (b.data = malloc(b.len)) == NULL)
		abort();
	if (b.len > 0)
		memcpy(b.data, *data, b.len);
	*data += all;
	*size -= all;
	return b;
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct config cfg = { .ndisks = 1, .net.present = true,
		.overlay = "tmpfs" };
	static struct modules m;
	char root[64] = "";
	size_t i, lines = 0;
	struct blob b;

	files = 0;
	memset(&m, 0, sizeof(m));
	m.dir = "/modules";
	m.dep = cut(&data, &size);
	m.softdep = cut(&data, &size);
	m.alias = cut(&data, &size);
	b = cut(&data, &size);
	memcpy(root, b.data != NULL ? b.data : root, b.len < sizeof(root) ?
	    b.len : sizeof(root) - 1);
	cfg.root = root;
	FUZZ(add_devices(&m, &cfg));
	for (i = 0; i < m.order_len; i++)
		lines += m.order[i] == '\n';
	if (!fuzz_ended && (files != m.n || lines != m.n))
		abort();
	closefrom(64);
	fuzz_free();
	free(m.dep.data);
	free(m.softdep.data);
	free(m.alias.data);
	free(b.data);
	return 0;
}
