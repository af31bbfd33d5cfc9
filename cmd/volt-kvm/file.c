#include <sys/mman.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "config.h"
#include "file.h"

#define MAPS 8	/* the kernel, the initrd, three lists of modules */

static struct {
	const char *data;
	size_t len;
	char *line;	/* the message if it becomes shorter */
} maps[MAPS];

/* SIGBUS: a mapped file has become shorter. Any other SIGBUS is fatal. */
static void
cut_off(int signo, siginfo_t *info, void *context)
{
	const char *at = info->si_addr;
	unsigned int i;

	(void)context;
	for (i = 0; i < MAPS; i++)
		if (maps[i].data != NULL && at >= maps[i].data &&
		    at < maps[i].data + maps[i].len) {
			(void)!write(STDERR_FILENO, maps[i].line,
			    strlen(maps[i].line));
			_exit(EXIT_LINK);
		}
	(void)signal(signo, SIG_DFL);
}

/* From now on a message says so if b's file becomes shorter. */
static void
watch(const struct blob *b, const char *path, const char *what)
{
	struct sigaction sa = { .sa_sigaction = cut_off,
		.sa_flags = SA_SIGINFO };
	unsigned int i;

	for (i = 0; i < MAPS && maps[i].data != NULL; i++)
		;
	if (i == MAPS ||
	    asprintf(&maps[i].line, "volt-kvm: %s=%s: the file was cut off\n",
	    what, path) == -1 || sigaction(SIGBUS, &sa, NULL) == -1)
		err(EXIT_LINK, "%s=%s", what, path);
	maps[i].len = b->len;
	maps[i].data = b->data;
}

/*
 * Map a regular file, or end the program with an error that says what=path. t is what
 * proves the file, or NULL.
 */
struct blob
file_map(const char *path, const char *what, const struct trust *t)
{
	struct blob b = { 0 };
	const char *wrong;
	struct stat st;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) ==
	    -1 || fstat(fd, &st) == -1)
		err(EXIT_LINK, "%s=%s", what, path);
	if (!S_ISREG(st.st_mode))
		errx(EXIT_LINK, "%s=%s: not a regular file", what, path);
	if (t != NULL && (wrong = trust_measure(t, fd)) != NULL)
		errx(EXIT_LINK, "%s=%s: %s", what, path, wrong);
	if (st.st_size == 0)
		errx(EXIT_LINK, "%s=%s: the file is empty", what, path);
	b.len = (size_t)st.st_size;
	b.data = mmap(NULL, b.len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (b.data == MAP_FAILED)
		err(EXIT_LINK, "%s=%s", what, path);
	close(fd);
	watch(&b, path, what);
	return b;
}

void
file_unmap(struct blob *b)
{
	unsigned int i;

	for (i = 0; i < MAPS; i++)
		if (b->data != NULL && maps[i].data == b->data) {
			maps[i].data = NULL;
			free(maps[i].line);
		}
	if (b->data != NULL)
		munmap(b->data, b->len);
	*b = (struct blob){ 0 };
}
