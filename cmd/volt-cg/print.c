/* Without a command: print what a group has and uses, or list the groups. */
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

#define FILES 512	/* files of a group that are printed */

/* The output: lines of text, or members of a JSON object. */
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

/* Is it printed? Limits, use, peaks and events are, of any controller. */
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
 * Print one line of a file. In io.max "8:0 rbps=1 wbps=2" is two pairs, with
 * the keys io.max.8:0.rbps and io.max.8:0.wbps. In memory.events "oom 0" is the
 * pair memory.events.oom. Any other line is the value of the file.
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
		return; /* some files cannot be read at times */
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

/* Print the group name, which place_find() has found. */
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
	while ((errno = 0, e = readdir(dir)) != NULL && n < FILES)
		if (e->d_type == DT_REG && is_shown(e->d_name) &&
		    (files[n++] = strdup(e->d_name)) == NULL)
			err(EXIT_LINK, "out of memory");
	if (e == NULL && errno != 0)
		err(EXIT_LINK, "%s", name);
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

/* What a line of the list says of a group. */
enum { SAID_PID, SAID_UNIT, SAID_MEMORY, SAID_CPU, SAID_PATH, SAID };
static const char *const said[SAID] = { "pid", "unit", "memory", "cpu",
	"path" };

static void
list_one(const struct cg *cg, int dir, const char *path, const char *mark,
    bool *first)
{
	struct out o = { .json = true, .first = true };
	const char *name = strrchr(path, '/') + 1;
	char number[32], unit[256], memory[32] = "-", cpu[32] = "-", pid[16];
	const char *value[SAID] = { pid, cgroup_unit(path, unit, sizeof(unit)),
		memory, cpu, path };
	uint64_t n;
	size_t i;

	snprintf(number, sizeof(number), "%ld", look_count_all(dir, CG_DEPTH));
	snprintf(pid, sizeof(pid), "%d", (int)look_first(dir, CG_DEPTH));
	if (strcmp(pid, "0") == 0)
		strcpy(pid, "-");
	if (report_value(dir, "memory.current", NULL, &n))
		snprintf(memory, sizeof(memory), "%llu", (unsigned long long)n);
	if (report_value(dir, "cpu.stat", "usage_usec", &n))
		report_seconds(cpu, sizeof(cpu), n);
	if (!cg->json) {
		printf("%s %s", name, number);
		for (i = 0; i < SAID; i++)
			printf(" %s %s", said[i], value[i]);
		putchar('\n');
		return;
	}
	if (!*first)
		putchar(',');
	*first = false;
	pair(&o, "name", name);
	pair(&o, "processes", number);
	for (i = 0; i < SAID; i++)
		if (strcmp(value[i], "-") != 0)
			pair(&o, said[i], value[i]);
	pair(&o, "state", mark == NULL ? "foreign" :
	    strcmp(mark, "keep") == 0 ? "kept" :
	    group_living(dir) ? "running" : "left");
	putchar('}');
}

/* The list: all groups in place, and elsewhere those that have a mark. */
struct list {
	const struct cg *cg;
	char place[PATH_MAX];
	bool first;
};

/* List the groups in the group dir, whose path this is, and those below. */
static void
list_in(struct list *l, int dir, const char *path, int depth)
{
	bool all = strcmp(path, l->place) == 0;
	char mark[8], below[PATH_MAX];
	struct dirent *e;
	const char *m;
	DIR *d;
	int fd;

	if ((fd = openat(dir, ".", O_RDONLY | O_CLOEXEC)) == -1)
		return;
	if ((d = fdopendir(fd)) == NULL)
		err(EXIT_LINK, "%s", shown(path));
	while ((e = readdir(d)) != NULL) {
		if (e->d_type != DT_DIR || *e->d_name == '.' ||
		    snprintf(below, sizeof(below), "%s/%s", path, e->d_name) >=
		    (int)sizeof(below) || (fd = openat(dir, e->d_name,
			O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) ==
		    -1)
			continue;
		m = look_mark(fd, mark, sizeof(mark));
		if ((m != NULL || all) &&
		    (m == NULL || strcmp(m, LOOK_WAIT) != 0))
			list_one(l->cg, fd, below, m, &l->first);
		if (l->cg->parent == NULL && depth > 0)
			list_in(l, fd, below, depth - 1);
		close(fd);
	}
	closedir(d);
}

/*
 * Print the groups of volt-cg in all units, and all groups in /volt; or the
 * groups in parent=.
 */
void
print_list(const struct cg *cg)
{
	static struct list l = { .first = true };
	const char *path = "";
	int dir;

	l.cg = cg;
	place_of_list(cg, l.place, sizeof(l.place));
	if (cg->parent != NULL)
		path = l.place;
	if (cg->json)
		putchar('[');
	if ((dir = cgroup_open(cg->tree.top, path)) != -1) {
		list_in(&l, dir, path, CG_DEPTH);
		close(dir);
	}
	if (cg->json)
		puts("]");
	end_output();
}
