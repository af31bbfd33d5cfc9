/*
 * Fuzz the ID maps. The first line is the value of uidmap=; behind it stand,
 * between lines "%", /etc/passwd, /etc/subuid and /proc/self/uid_map.
 */
#include <sys/mman.h>

#include "../../cmd/volt-ns/idmap.c"
#include "fuzz.h"

#define PARTS 4
#define USER 1000

ssize_t __wrap_kfile_read(int dir, const char *path, char *buf, size_t size);
int __wrap_path_open(int root, const char *path, int flags);

static const char *part[PARTS];

ssize_t
__wrap_kfile_read(int dir, const char *path, char *buf, size_t size)
{
	const char *s = part[strcmp(path, "/etc/subuid") == 0 ? 2 : 3];

	(void)dir;
	if (strlen(s) >= size)
		return -1;
	strcpy(buf, s);
	return (ssize_t)strlen(s);
}

/* /etc/passwd */
int
__wrap_path_open(int root, const char *path, int flags)
{
	size_t len = strlen(part[1]);
	int fd = memfd_create(path, MFD_CLOEXEC);

	(void)root;
	(void)flags;
	if (fd == -1 || write(fd, part[1], len) != (ssize_t)len ||
	    lseek(fd, 0, SEEK_SET) == -1)
		abort();
	return fd;
}

/* What the kernel would take, and that idmap_outside() is of one mind with it. */
static void
check_map(const struct idmap *m)
{
	const struct extent *e;
	uint32_t outside;
	size_t i;

	if (m->n > NS_EXTENTS)
		abort();
	for (i = 0; i < m->n; i++) {
		e = &m->extent[i];
		if (e->count == 0 || (uint64_t)e->inside + e->count > UINT32_MAX ||
		    (uint64_t)e->outside + e->count > UINT32_MAX)
			abort();
		if (!idmap_outside(m, e->inside, &outside) ||
		    !idmap_has(m, e->inside + e->count - 1))
			abort();
	}
	if (m->n == 1 && outside != m->extent[0].outside)
		abort();
}

int
LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
	static struct idmap m;
	char *text = fuzz_parts(data, size, part, PARTS), user[256], small[8];

	if (text == NULL)
		return 0;
	text[strcspn(text, "\n")] = '\0';
	memset(&m, 0, sizeof(m));
	FUZZ(idmap_parse(&m, "uidmap", part[0]));
	if (!fuzz_ended)
		check_map(&m);
	fuzz_free();
	memset(&m, 0, sizeof(m));
	m.key = "uidmap";
	FUZZ(user_name(USER, small, sizeof(small)));
	FUZZ(user_name(USER, user, sizeof(user)));
	if (memchr(user, '\0', sizeof(user)) == NULL)
		abort();
	FUZZ(add_extent(&m, 0, USER, 1); (void)add_granted(&m, "/etc/subuid",
	    user, USER));
	if (fuzz_ended)
		abort();
	check_map(&m);
	fuzz_free();
	m.n = 0;
	FUZZ(add_identity(&m, "/proc/self/uid_map"));
	fuzz_free();
	free(text);
	return 0;
}
