/* Without a command: what a group has and uses, and which groups there are. */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "json.h"
#include "kfile.h"

#include "cg.h"

#define FILES 512	/* of a group */

/* What is printed one after the other: text, or members of an object. */
struct out {
	bool json, first;
};

static void
pair(struct out *o, const char *key, const char *value)
{
	if (!o->json) {
		printf("%s %s\n", key, value);
		return;
	}
	putchar(o->first ? '{' : ',');
	o->first = false;
	json_string(stdout, key);
	putchar(':');
	json_value(stdout, value);
}

static void
end_output(void)
{
	if (fflush(stdout) == EOF)
		err(EXIT_LINK, "standard output");
}

/* Files worth showing, of any controller: limits, use, peaks, events. */
static bool
is_shown(const char *name)
{
	static const char *const tails[] = { ".max", ".high", ".low", ".min",
		".weight", ".current", ".peak", ".events", ".pressure",
		".cpus", ".mems", ".effective", ".idle", ".freeze", ".group",
		".latency", "cpu.stat", "io.stat" };
	size_t i, n = strlen(name), len;

	for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
		len = strlen(tails[i]);
		if (n >= len && strcmp(name + n - len, tails[i]) == 0)
			return true;
	}
	return false;
}

/*
 * One line of a file. "8:0 rbps=1 wbps=2" is two pairs, of io.max.8:0.rbps and
 * its sibling; "oom 0" is one of memory.events.oom; what is neither is the
 * value of the file itself.
 */
static void
print_line(struct out *o, const char *file, char *text)
{
	char key[512], *word, *save, *value;
	const char *sub = NULL;

	if (strcmp(file, "cpu.max") == 0 || strchr(text, ' ') == NULL) {
		pair(o, file, text);
		return;
	}
	if (strchr(text, '=') == NULL) {
		value = strchr(text, ' ');
		*value++ = '\0';
		snprintf(key, sizeof(key), "%s.%s", file, text);
		pair(o, key, value);
		return;
	}
	for (word = strtok_r(text, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		if ((value = strchr(word, '=')) == NULL) {
			sub = word;
			continue;
		}
		*value++ = '\0';
		snprintf(key, sizeof(key), "%s%s%s.%s", file,
		    sub != NULL ? "." : "", sub != NULL ? sub : "", word);
		pair(o, key, value);
	}
}

static void
print_file(struct out *o, int dir, const char *file)
{
	static char buf[CG_FILE];
	char *text, *save;

	if (kfile_read(dir, file, buf, sizeof(buf)) == -1)
		return; /* as some are, for the while */
	if (*buf == '\0' || strcmp(buf, "\n") == 0) {
		pair(o, file, "");
		return;
	}
	for (text = strtok_r(buf, "\n", &save); text != NULL;
	     text = strtok_r(NULL, "\n", &save))
		print_line(o, file, text);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Print the living group name, which place_find() has found. */
void
print_group(const struct cg *cg, const char *name)
{
	struct out o = { .json = cg->json, .first = true };
	char *files[FILES], path[PATH_MAX * 2], number[32];
	size_t i, n = 0;
	struct dirent *e;
	DIR *dir;
	int fd;

	if ((fd = dup(cg->dir)) == -1 || (dir = fdopendir(fd)) == NULL)
		err(EXIT_LINK, "%s", name);
	while ((e = readdir(dir)) != NULL && n < FILES)
		if (e->d_type == DT_REG && is_shown(e->d_name) &&
		    (files[n++] = strdup(e->d_name)) == NULL)
			err(EXIT_LINK, "out of memory");
	closedir(dir);
	qsort(files, n, sizeof(files[0]), compare);

	snprintf(path, sizeof(path), "%s/%s", cg->place, name);
	snprintf(number, sizeof(number), "%ld",
	    look_count_all(cg->dir, CG_DEPTH));
	pair(&o, "path", path);
	pair(&o, "processes", number);
	for (i = 0; i < n; i++)
		print_file(&o, cg->dir, files[i]);
	if (cg->json)
		puts("}");
	end_output();
}

/* One line for a group, if it is one of ours or all in place are. */
static void
list_one(const struct cg *cg, int parent, const char *path, const char *name,
    bool all, bool *first)
{
	struct out o = { .json = true, .first = true };
	char mark[8], full[PATH_MAX * 2], number[32];
	const char *m;
	long n;
	int dir;

	if ((dir = openat(parent, name,
		 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1)
		return;
	m = look_mark(dir, mark, sizeof(mark));
	n = look_count_all(dir, CG_DEPTH);
	if ((m != NULL || all) && !cg->json)
		printf("%s %ld\n", name, n);
	if ((m != NULL || all) && cg->json) {
		if (!*first)
			putchar(',');
		*first = false;
		snprintf(full, sizeof(full), "%s/%s", path, name);
		snprintf(number, sizeof(number), "%ld", n);
		pair(&o, "name", name);
		pair(&o, "path", full);
		pair(&o, "processes", number);
		pair(&o, "state", m == NULL ? "foreign" :
		    strcmp(m, "keep") == 0 ? "kept" :
		    group_living(dir) ? "running" : "left");
		putchar('}');
	}
	close(dir);
}

static void
list_in(const struct cg *cg, const char *path, bool all, bool *first)
{
	struct dirent *e;
	DIR *dir;
	int fd;

	if ((fd = cgroup_open(cg->tree.top, path)) == -1)
		return;
	if ((dir = fdopendir(fd)) == NULL)
		err(EXIT_LINK, "%s", shown(path));
	while ((e = readdir(dir)) != NULL)
		if (e->d_type == DT_DIR && *e->d_name != '.')
			list_one(cg, fd, path, e->d_name, all, first);
	closedir(dir);
}

/*
 * Print the groups of volt-cg and the number of processes in each: those in
 * parent=; or in our own group and above it, and in the place for all.
 */
void
print_list(const struct cg *cg)
{
	char path[PATH_MAX], place[PATH_MAX];
	char *slash;
	bool first = true, seen = false, here;

	place_of_list(cg, place, sizeof(place));
	if (cg->json)
		putchar('[');
	if (cg->parent == NULL && cg->tree.visible) {
		strcpy(path, cg->tree.own);
		for (;;) {
			here = strcmp(path, place) == 0;
			seen = seen || here;
			list_in(cg, path, here, &first);
			if ((slash = strrchr(path, '/')) == NULL)
				break;
			*slash = '\0';
		}
	}
	if (!seen)
		list_in(cg, place, true, &first);
	if (cg->json)
		puts("]");
	end_output();
}
