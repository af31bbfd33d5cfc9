/*
 * Devices in the values of io.*: the kernel wants the MAJ:MIN of a whole disk.
 */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "kfile.h"
#include "value.h"
#include "words.h"

#include "cg.h"

/* Is s of the form MAJ:MIN? */
static bool
is_number(const char *s)
{
	size_t n = strspn(s, "0123456789"), m;

	if (n == 0 || s[n] != ':')
		return false;
	m = strspn(s + n + 1, "0123456789");
	return m > 0 && s[n + 1 + m] == '\0';
}

/*
 * If the device number in dev is that of a partition, replace it by the number
 * of the whole disk.
 */
static void
whole_disk(char *dev, size_t size)
{
	char path[96], buf[32];

	snprintf(path, sizeof(path), "/sys/dev/block/%s/partition", dev);
	if (kfile_read(AT_FDCWD, path, buf, sizeof(buf)) == -1)
		return;
	snprintf(path, sizeof(path), "/sys/dev/block/%s/../dev", dev);
	if (kfile_read(AT_FDCWD, path, buf, sizeof(buf)) == -1)
		return;
	buf[strcspn(buf, "\n")] = '\0';
	snprintf(dev, size, "%s", buf);
}

/*
 * Find the number of a device. what is its name ("sda"), its path, or the path
 * of a file or directory, which means the device that it is on.
 */
static void
resolve(const char *key, const char *what, char *dev, size_t size)
{
	char path[PATH_MAX], buf[32];
	struct stat st;
	dev_t number;

	if (strchr(what, '/') == NULL && strlen(what) < NAME_MAX) {
		snprintf(path, sizeof(path), "/sys/class/block/%s/dev", what);
		if (kfile_read(AT_FDCWD, path, buf, sizeof(buf)) == -1)
			errx(EXIT_LINK, "%s=: no block device %s", key, what);
		buf[strcspn(buf, "\n")] = '\0';
		snprintf(dev, size, "%s", buf);
		whole_disk(dev, size);
		return;
	}
	if (stat(what, &st) == -1)
		err(EXIT_LINK, "%s=: %s", key, what);
	if (S_ISCHR(st.st_mode))
		errx(EXIT_LINK, "%s=: %s: not a block device", key, what);
	number = S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev;
	if (major(number) == 0)
		errx(EXIT_LINK, "%s=: %s: not on one block device; "
		    "name the device itself", key, what);
	snprintf(dev, size, "%u:%u", major(number), minor(number));
	whole_disk(dev, size);
}

/*
 * Copy value. If it begins with a device, that becomes MAJ:MIN. The sizes of
 * rbps= and wbps= become bytes.
 */
char *
device_resolve(const char *key, const char *value)
{
	char *out, *words, *word, *save, *end;
	char dev[32];
	uint64_t n;
	size_t size = strlen(value) * 3 + sizeof(dev);
	bool first = true;

	if ((out = malloc(size)) == NULL || (words = strdup(value)) == NULL)
		err(EXIT_LINK, "out of memory");
	end = out;
	*end = '\0';
	for (word = strtok_r(words, " \t", &save); word != NULL;
	     word = strtok_r(NULL, " \t", &save), first = false) {
		if (!first)
			*end++ = ' ';
		if (first && strcmp(word, "default") != 0 &&
		    strcmp(word, "max") != 0 && strchr(word, '=') == NULL &&
		    value_uint(word, UINT64_MAX, &n) == -1) {
			if (!is_number(word)) {
				resolve(key, word, dev, sizeof(dev));
				word = dev;
			}
		} else if (strncmp(word, "rbps=", 5) == 0 ||
		    strncmp(word, "wbps=", 5) == 0) {
			if (strcmp(word + 5, "max") != 0) {
				end += sprintf(end, "%.5s%" PRIu64, word,
				    word_size(key, word + 5));
				continue;
			}
		}
		end = stpcpy(end, word);
	}
	if (*out == '\0')
		word_bad(key, value, "the value is empty");
	free(words);
	return out;
}
