/* The limits: words whose values are written to files of the group. */
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "chain.h"
#include "kfile.h"
#include "say.h"
#include "value.h"
#include "words.h"

#include "cg.h"

#define PERIOD 100000	/* us; the period that cpus= writes to cpu.max */
#define LEAST_QUOTA 1000	/* us; the kernel accepts no less */
#define CPUS 8192	/* the most that any kernel is built for */

static char *
copy(const char *s)
{
	char *t = strdup(s);

	if (t == NULL)
		err(EXIT_LINK, "out of memory");
	return t;
}

static bool
ends_with(const char *s, const char *tail)
{
	size_t n = strlen(s), m = strlen(tail);

	return n > m && strcmp(s + n - m, tail) == 0;
}

/* Is the value of this file a size in bytes, or "max"? */
static bool
holds_size(const char *key)
{
	return (strncmp(key, "memory.", 7) == 0 ||
	    strncmp(key, "hugetlb.", 8) == 0) &&
	    (ends_with(key, ".max") || ends_with(key, ".high") ||
	    ends_with(key, ".low") || ends_with(key, ".min"));
}

static char *
convert_size(const char *key, const char *value)
{
	char buf[24];

	if (strcmp(value, "max") == 0)
		return copy(value);
	snprintf(buf, sizeof(buf), "%" PRIu64, word_size(key, value));
	return copy(buf);
}

/* Take a word: its key is the name of a file. Refuse what is surely wrong. */
void
limit_add(void *ctx, const char *key, const char *value)
{
	struct cg *cg = ctx;
	struct limit *l = &cg->limits[cg->nlimits];

	if (*key == '.' || ends_with(key, "."))
		errx(EXIT_LINK, "%s=: unknown word", key);
	if (cg->nlimits == CG_LIMITS)
		errx(EXIT_LINK, "%s=: more than %d limits", key, CG_LIMITS);
	if (*value == '\0')
		word_bad(key, value, "the value is empty");
	if (strchr(value, '\n') != NULL)
		errx(EXIT_LINK, "%s=: the value has a newline in it", key);
	*l = (struct limit){ .key = key, .text = value };
	l->file = l->key = copy(key);
	if (holds_size(key)) {
		l->value = convert_size(key, value);
	} else if (strncmp(key, "io.", 3) == 0) {
		l->value = device_resolve(l->key, value);
	} else {
		if (strcmp(key, "pids.max") == 0 && strcmp(value, "max") != 0)
			(void)word_uint(key, value, INT32_MAX);
		l->value = copy(value);
	}
	cg->nlimits++;
}

/* cpus=1.5 means cpu.max="150000 100000". */
void
limit_cpus(void *ctx, const char *key, const char *value)
{
	struct cg *cg = ctx;
	char buf[32], whole[16] = "";
	const char *fraction = "";
	uint64_t n, digit = PERIOD / 10;
	size_t len = strcspn(value, ".");

	if (strcmp(value, "max") == 0) {
		snprintf(buf, sizeof(buf), "max %d", PERIOD);
	} else {
		if (len < sizeof(whole))
			memcpy(whole, value, len);
		if (value[len] == '.')
			fraction = value + len + 1;
		if (value_uint(whole, CPUS, &n) == -1 ||
		    (value[len] == '.' && *fraction == '\0') ||
		    fraction[strspn(fraction, "0123456789")] != '\0' ||
		    strlen(fraction) > 5)
			word_bad(key, value,
			    "not a number of CPUs, as 2 or 0.5");
		for (n *= PERIOD; *fraction != '\0'; fraction++, digit /= 10)
			n += (uint64_t)(*fraction - '0') * digit;
		if (n < LEAST_QUOTA)
			word_bad(key, value, "the least is 0.01");
		snprintf(buf, sizeof(buf), "%" PRIu64 " %d", n, PERIOD);
	}
	limit_add(cg, "cpu.max", buf);
	cg->limits[cg->nlimits - 1].key = "cpus";
	cg->limits[cg->nlimits - 1].text = value;
}

/* Write the limit's controller to buf. Returns false if it needs none. */
bool
limit_controller(const struct limit *l, char *buf, size_t size)
{
	size_t len = strcspn(l->file, ".");

	if (len >= size)
		errx(EXIT_LINK, "%s=: no such controller", l->key);
	memcpy(buf, l->file, len);
	buf[len] = '\0';
	return strcmp(buf, "cgroup") != 0;
}

/*
 * The group has no file of this name. Keys are lower-case, but a few files have
 * capitals (hugetlb.2MB.max): return that one, or end and name the nearest one.
 */
static char *
find_file(const struct cg *cg, const struct limit *l)
{
	unsigned int d, least = 4;
	char best[256] = "", *found;
	struct dirent *e;
	size_t len = strcspn(l->file, ".");
	DIR *dir;
	int fd;

	if ((fd = dup(cg->dir)) == -1 || (dir = fdopendir(fd)) == NULL)
		err(EXIT_LINK, "%s=", l->key);
	rewinddir(dir);
	while ((errno = 0, e = readdir(dir)) != NULL) {
		if (e->d_type != DT_REG)
			continue;
		if (strcasecmp(e->d_name, l->file) == 0) {
			found = copy(e->d_name);
			closedir(dir);
			return found;
		}
		d = words_distance(l->file, e->d_name);
		if (strncmp(l->file, e->d_name, len + 1) == 0 && d < least) {
			least = d;
			snprintf(best, sizeof(best), "%s", e->d_name);
		}
	}
	if (errno != 0)
		err(EXIT_LINK, "%s=", l->key);
	closedir(dir);
	if (*best != '\0')
		errx(EXIT_LINK, "%s=: this kernel has no such file; "
		    "the nearest is %s", l->key, best);
	errx(EXIT_LINK, "%s=: this kernel has no such file", l->key);
}

/* Set the bits of a list such as "0-3,7". Returns false if it is no list. */
static bool
parse_list(const char *s, unsigned char bits[CPUS / 8])
{
	unsigned long from, to;
	char *end;

	memset(bits, 0, CPUS / 8);
	while (*s >= '0' && *s <= '9') {
		from = to = strtoul(s, &end, 10);
		if (*end == '-')
			to = strtoul(end + 1, &end, 10);
		if (to >= CPUS)
			return false;
		for (; from <= to; from++)
			bits[from / 8] |= (unsigned char)(1U << from % 8);
		s = *end == ',' ? end + 1 : end;
	}
	return *s == '\0' || *s == '\n';
}

/*
 * The kernel accepts CPUs or nodes that the group above does not have, and then
 * uses others. That is not what was asked for.
 */
static void
check_set(const struct cg *cg, const struct limit *l)
{
	unsigned char want[CPUS / 8], have[CPUS / 8];
	char file[64], buf[CG_FILE];
	size_t i;

	snprintf(file, sizeof(file), "%s.effective", l->file);
	if (!parse_list(l->value, want) ||
	    kfile_read(cg->dir, file, buf, sizeof(buf)) == -1 ||
	    !parse_list(buf, have))
		return;
	buf[strcspn(buf, "\n")] = '\0';
	for (i = 0; i < sizeof(want); i++)
		if ((have[i] & ~want[i]) != 0)
			errx(EXIT_LINK, "%s=%s: the group above has only %s",
			    l->key, l->text, buf);
}

/* Write all limits to the group, in the order of the words. */
void
limit_apply(struct cg *cg)
{
	struct limit *l;
	int rc;

	for (l = cg->limits; l < cg->limits + cg->nlimits; l++) {
		rc = kfile_write(cg->dir, l->file, l->value);
		if (rc == -1 && errno == ENOENT) {
			l->file = find_file(cg, l);
			rc = kfile_write(cg->dir, l->file, l->value);
		}
		if (rc == -1)
			err(EXIT_LINK, "%s=%s", l->key, l->text);
		if (strcmp(l->file, "cpuset.cpus") == 0 ||
		    strcmp(l->file, "cpuset.mems") == 0)
			check_set(cg, l);
		say("%s=%s", l->file, l->value);
	}
}

/* Does the group need a controller? Those for -s are optional. */
bool
limit_needs(const struct cg *cg)
{
	char name[64];
	size_t i;

	for (i = 0; i < cg->nlimits; i++)
		if (limit_controller(&cg->limits[i], name, sizeof(name)))
			return true;
	return cg->delegate;
}
