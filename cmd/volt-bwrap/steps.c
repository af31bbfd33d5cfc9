/*
 * The options that build the new root. Each is a step, mostly one word of volt-ns. A step
 * at "/" makes a new root, which covers everything before it.
 */
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "value.h"

#include "bwrap.h"

static struct step *
step_new(struct bwrap *b, enum step_kind kind, int fd)
{
	/* The room doubles: 1, 2, 4, 8 ... */
	if ((b->nsteps & (b->nsteps - 1)) == 0 && (b->steps = realloc(b->steps,
	    (b->nsteps == 0 ? 1 : 2 * b->nsteps) * sizeof(*b->steps))) == NULL)
		err(EXIT_WRONG, "steps");
	b->steps[b->nsteps] = (struct step){ .kind = kind, .fd = fd };
	return &b->steps[b->nsteps++];
}

/* Add a step: a word. fd is the descriptor that the word uses up, or -1. */
static void __attribute__((format(printf, 3, 4)))
add(struct bwrap *b, int fd, const char *fmt, ...)
{
	struct step *s = step_new(b, STEP_WORD, fd);
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s->text, fmt, ap);
	va_end(ap);
	if (n == -1)
		err(EXIT_WRONG, "steps");
}

/* Is the place the root itself? */
static bool
is_root(const char *place)
{
	size_t n;

	for (; *place != '\0'; place += n) {
		place += strspn(place, "/");
		n = strcspn(place, "/");
		if (n != 0 && !(n == 1 && *place == '.'))
			return false;
	}
	return true;
}

/* Begin a new root: drop the steps of the last one, and close their descriptors. */
static struct words *
root_new(struct bwrap *b)
{
	size_t i;

	for (i = 0; i < b->nsteps; i++)
		if (b->steps[i].fd != -1)
			(void)fcntl(b->steps[i].fd, F_SETFD, FD_CLOEXEC);
	b->nsteps = 0;
	b->root = (struct words){ 0 };
	return &b->root;
}

/* Parse the number of a descriptor. An error ends the program. */
int
step_fd(const char *value)
{
	uint64_t n;

	if (value_uint(value, INT_MAX, &n) == -1)
		errx(EXIT_WRONG, "Invalid fd: %s", value);
	return (int)n;
}

/* Parse an octal mode. An error ends the program. */
int
step_mode(const char *name, const char *value)
{
	const char *s;
	int mode = 0;

	for (s = value; *s >= '0' && *s <= '7' && mode <= 07777; s++)
		mode = mode * 8 + (*s - '0');
	if (s == value || *s != '\0' || mode > 07777)
		errx(EXIT_WRONG, "%s takes an octal argument <= 07777", name);
	return mode;
}

/* Returns the mode that --perms gave, or usual. */
static unsigned int
take_perms(struct bwrap *b, unsigned int usual)
{
	unsigned int perms = b->perms == -1 ? usual : (unsigned int)b->perms;

	b->perms = -1;
	return perms;
}

/* Does the source exist? Without try it is an error if it does not. */
static bool
has_source(const char *path, bool try)
{
	struct stat st;

	if (stat(path, &st) == 0)
		return true;
	if (!try || errno != ENOENT)
		err(EXIT_WRONG, "Can't find source path %s", path);
	return false;
}

static bool
begins(const char *s, const char *with)
{
	return strncmp(s, with, strlen(with)) == 0;
}

/* --bind, --ro-bind, --dev-bind, and -try of each */
void
step_bind(struct bwrap *b, const char *name, char *arg[])
{
	bool try = strstr(name, "-try") != NULL;
	const char *more = begins(name, "--ro") ? ",ro" :
	    begins(name, "--dev") ? ",samedev" : "";

	if (!has_source(arg[0], try))
		return;
	if (is_root(arg[1]))
		words_add(root_new(b), "root=%s:rec%s", words_source(arg[0]),
		    more);
	else
		add(b, -1, "bind=%s:%s:rec%s%s", words_source(arg[0]),
		    words_place(arg[1]), more, try ? ",try" : "");
}

/* --bind-fd, --ro-bind-fd */
void
step_bind_fd(struct bwrap *b, const char *name, char *arg[])
{
	int fd = step_fd(arg[0]);
	const char *more = begins(name, "--ro") ? ",ro" : "";

	if (is_root(arg[1]))
		words_add(root_new(b), "root=fd:%d:rec%s", fd, more);
	else
		add(b, fd, "bind=fd:%d:%s:rec%s", fd, words_place(arg[1]), more);
}

void
step_overlay_src(struct bwrap *b, const char *name, char *arg[])
{
	(void)name;
	(void)has_source(arg[0], false);
	words_add(&b->layers, "%s", words_source(arg[0]));
}

/* Take the layers, as fields, the first on top. None are left then. */
static char *
take_layers(struct bwrap *b, const char *name, size_t least)
{
	struct words *l = &b->layers;
	size_t i, size = 1;
	char *text, *end;

	if (l->n < least)
		errx(EXIT_WRONG, "%s requires at least %s --overlay-src", name,
		    least == 1 ? "one" : "two");
	for (i = 0; i < l->n; i++)
		size += strlen(l->word[i]) + 1;
	if ((text = malloc(size)) == NULL)
		err(EXIT_WRONG, "%s", name);
	for (i = l->n, end = text; i-- > 0;) {
		if (end != text)
			*end++ = ':';
		end = stpcpy(end, l->word[i]);
	}
	*l = (struct words){ 0 };
	return text;
}

/* Make the root an overlay. Each of its layers is a word. */
static void
root_overlay(struct bwrap *b, const char *name)
{
	struct words *root = root_new(b);
	size_t i;

	for (i = b->layers.n; i-- > 0;)
		words_add(root, "lower=%s", b->layers.word[i]);
	if (strcmp(name, "--tmp-overlay") == 0)
		words_add(root, "overlay=tmpfs:size=50%%");
	b->layers = (struct words){ 0 };
}

/* --overlay, --tmp-overlay, --ro-overlay */
void
step_overlay(struct bwrap *b, const char *name, char *arg[])
{
	const bool writes = strcmp(name, "--overlay") == 0;
	const size_t least = strcmp(name, "--ro-overlay") == 0 ? 2 : 1;
	const char *place = arg[writes ? 2 : 0];
	char *layers;

	if (is_root(place) && b->layers.n >= least) {
		if (writes)
			errx(EXIT_WRONG, "--overlay: not at /; --tmp-overlay and "
			    "--ro-overlay are");
		root_overlay(b, name);
		return;
	}
	layers = take_layers(b, name, least);
	if (writes) {
		(void)has_source(arg[0], false);
		(void)has_source(arg[1], false);
		add(b, -1, "layers=%s:%s:upper=%s:work=%s", words_place(place),
		    layers, words_source(arg[0]), words_source(arg[1]));
	} else {
		add(b, -1, "layers=%s:%s%s", words_place(place), layers,
		    least == 1 ? ":upper=tmpfs:size=50%" : "");
	}
}

/* The word for /proc depends on options that may follow. */
void
step_proc(struct bwrap *b, const char *name, char *arg[])
{
	(void)name;
	step_new(b, STEP_PROC, -1)->text = words_place(arg[0]);
}

void
step_dev(struct bwrap *b, const char *name, char *arg[])
{
	(void)name;
	step_new(b, STEP_DEV, -1)->text = words_place(arg[0]);
}

void
step_tmpfs(struct bwrap *b, const char *name, char *arg[])
{
	unsigned int mode = take_perms(b, 0755);
	char size[32] = "50%";

	(void)name;
	if (b->size != 0)
		snprintf(size, sizeof(size), "%" PRIu64, b->size);
	b->size = 0;
	if (is_root(arg[0]))
		words_add(root_new(b), "root=tmpfs:size=%s,mode=%o", size, mode);
	else
		add(b, -1, "tmpfs=%s:size=%s,mode=%o", words_place(arg[0]), size,
		    mode);
}

void
step_mqueue(struct bwrap *b, const char *name, char *arg[])
{
	(void)name;
	add(b, -1, "mqueue=%s", words_place(arg[0]));
}

void
step_dir(struct bwrap *b, const char *name, char *arg[])
{
	bool given = b->perms != -1;
	unsigned int mode = take_perms(b, 0755);

	(void)name;
	if (is_root(arg[0]))
		return; /* the root exists */
	if (given)
		add(b, -1, "dir=%s:mode=%o", words_place(arg[0]), mode);
	else
		add(b, -1, "dir=%s", words_place(arg[0]));
}

/* --file, --bind-data, --ro-bind-data */
void
step_file(struct bwrap *b, const char *name, char *arg[])
{
	bool plain = strcmp(name, "--file") == 0;
	unsigned int mode = take_perms(b, plain ? 0666 : 0600);
	int fd = step_fd(arg[0]);

	add(b, fd, "file=%d:%s:%s,mode=%o", fd, words_place(arg[1]),
	    plain ? "plain" : begins(name, "--ro") ? "ro" : "rw", mode);
}

void
step_symlink(struct bwrap *b, const char *name, char *arg[])
{
	(void)name;
	add(b, -1, "symlink=%s:%s", words_field(arg[0]), words_place(arg[1]));
}

void
step_chmod(struct bwrap *b, const char *name, char *arg[])
{
	add(b, -1, "chmod=%o:%s", (unsigned int)step_mode(name, arg[0]),
	    words_place(arg[1]));
}

void
step_remount_ro(struct bwrap *b, const char *name, char *arg[])
{
	(void)name;
	if (is_root(arg[0]))
		add(b, -1, "ro=/");
	else
		add(b, -1, "ro=%s:top", words_place(arg[0]));
}
