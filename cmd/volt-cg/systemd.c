/* -S: print the words as properties of a systemd unit. */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "value.h"

#include "cg.h"

static FILE *out;	/* lines "Property=value" */

/* Files whose value is also that of a property, except "max". */
static const struct {
	const char *file, *property;
} same[] = {
	{ "memory.min", "MemoryMin" },
	{ "memory.low", "MemoryLow" },
	{ "memory.high", "MemoryHigh" },
	{ "memory.max", "MemoryMax" },
	{ "memory.swap.max", "MemorySwapMax" },
	{ "memory.zswap.max", "MemoryZSwapMax" },
	{ "pids.max", "TasksMax" },
	{ "cpu.weight", "CPUWeight" },
	{ "cpuset.cpus", "AllowedCPUs" },
	{ "cpuset.mems", "AllowedMemoryNodes" },
};

static const char *
limit_text(const char *value)
{
	return strcmp(value, "max") == 0 ? "infinity" : value;
}

/* cpu.max="50000 100000" is CPUQuota=50%; another period is a property too. */
static bool
print_cpu(const char *value)
{
	uint64_t quota = 0, period = 100000, percent;
	char field[24];
	const char *cursor = value;
	bool none;

	if (value_field(&cursor, ' ', field, sizeof(field)) != 1)
		return false;
	none = strcmp(field, "max") == 0;
	if (!none && value_uint(field, UINT32_MAX, &quota) == -1)
		return false;
	if (value_field(&cursor, ' ', field, sizeof(field)) == 1 &&
	    (value_uint(field, 1000000, &period) == -1 || period == 0))
		return false;
	percent = quota * 10000 / period; /* hundredths of one */
	if (none)
		fprintf(out, "CPUQuota=\n");
	else if (percent % 100 == 0)
		fprintf(out, "CPUQuota=%" PRIu64 "%%\n", percent / 100);
	else
		fprintf(out, "CPUQuota=%" PRIu64 ".%02" PRIu64 "%%\n",
		    percent / 100, percent % 100);
	if (period != 100000)
		fprintf(out, "CPUQuotaPeriodSec=%" PRIu64 "us\n", period);
	return true;
}

/* io.max="8:0 rbps=1" is IOReadBandwidthMax=/dev/block/8:0 1, for example. */
static bool
print_io(const struct limit *l)
{
	static const struct {
		const char *file, *key, *property, *unit;
	} map[] = {
		{ "io.max", "rbps", "IOReadBandwidthMax", "" },
		{ "io.max", "wbps", "IOWriteBandwidthMax", "" },
		{ "io.max", "riops", "IOReadIOPSMax", "" },
		{ "io.max", "wiops", "IOWriteIOPSMax", "" },
		{ "io.latency", "target", "IODeviceLatencyTargetSec", "us" },
	};
	char dev[32], field[64];
	const char *cursor = l->value;
	char *value;
	size_t i, n = sizeof(map) / sizeof(map[0]);

	if (value_field(&cursor, ' ', dev, sizeof(dev)) != 1 || cursor == NULL)
		return false;
	while (value_field(&cursor, ' ', field, sizeof(field)) == 1) {
		if ((value = strchr(field, '=')) == NULL)
			return false;
		*value++ = '\0';
		for (i = 0; i < n; i++)
			if (strcmp(map[i].file, l->file) == 0 &&
			    strcmp(map[i].key, field) == 0)
				break;
		if (i == n)
			return false;
		fprintf(out, "%s=/dev/block/%s %s%s\n", map[i].property, dev,
		    limit_text(value), map[i].unit);
	}
	return errno == 0;
}

static bool
print_io_weight(const char *value)
{
	char dev[32];
	const char *cursor = value;

	if (value_field(&cursor, ' ', dev, sizeof(dev)) != 1)
		return false;
	if (cursor == NULL)
		fprintf(out, "IOWeight=%s\n", dev);
	else if (strcmp(dev, "default") == 0)
		fprintf(out, "IOWeight=%s\n", cursor);
	else
		fprintf(out, "IODeviceWeight=/dev/block/%s %s\n", dev, cursor);
	return true;
}

static bool
print_limit(const struct limit *l)
{
	size_t i;

	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (strcmp(l->file, same[i].file) == 0) {
			fprintf(out, "%s=%s\n", same[i].property,
			    limit_text(l->value));
			return true;
		}
	if (strcmp(l->file, "cpu.max") == 0)
		return print_cpu(l->value);
	if (strcmp(l->file, "io.weight") == 0)
		return print_io_weight(l->value);
	if (strcmp(l->file, "io.max") == 0 ||
	    strcmp(l->file, "io.latency") == 0)
		return print_io(l);
	if (strcmp(l->file, "cpu.idle") == 0 && strcmp(l->value, "1") == 0)
		return fprintf(out, "CPUWeight=idle\n") >= 0;
	if (strcmp(l->file, "memory.oom.group") == 0) {
		/* Does an OOM kill end the whole unit? */
		fprintf(out, "OOMPolicy=%s\n",
		    strcmp(l->value, "1") == 0 ? "kill" : "continue");
		return true;
	}
	return false;
}

/*
 * How many bytes of a line say what it sets: the property, and the device if
 * the property has one.
 */
static size_t
subject(const char *line)
{
	size_t n = strcspn(line, "=") + 1;

	return strncmp(line + n, "/dev/", 5) == 0 ?
	    n + strcspn(line + n, " ") : n;
}

/* Does a later line set the same? */
static bool
is_overridden(const char *line)
{
	const char *later = line;
	size_t n = subject(line);

	while ((later = strchr(later, '\n')) != NULL)
		if (subject(++later) == n && strncmp(later, line, n) == 0)
			return true;
	return false;
}

void
systemd_print(const struct cg *cg)
{
	const struct limit *l;
	char *text, *line;
	size_t size;

	if ((out = open_memstream(&text, &size)) == NULL)
		err(EXIT_LINK, "out of memory");
	for (l = cg->limits; l < cg->limits + cg->nlimits; l++)
		if (!print_limit(l))
			errx(EXIT_LINK, "%s=%s: systemd has no property for "
			    "this", l->key, l->text);
	if (cg->delegate)
		fprintf(out, "Delegate=yes\n");
	if (fclose(out) == EOF)
		err(EXIT_LINK, "out of memory");
	for (line = text; *line != '\0'; line = strchr(line, '\n') + 1)
		if (!is_overridden(line))
			printf("%.*s\n", (int)strcspn(line, "\n"), line);
	free(text);
	if (fflush(stdout) == EOF)
		err(EXIT_LINK, "standard output");
}
