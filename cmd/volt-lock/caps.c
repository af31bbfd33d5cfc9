/*
 * Capabilities (capabilities(7)). All five sets become the same. What is kept
 * is permitted, inheritable and ambient, so that the command has it with any
 * user ID. Everything else leaves the bounding set, too. Then user ID 0 has no
 * more capabilities than any other, and the securebits that ensure this are
 * locked.
 *
 * A caller without CAP_SETPCAP can change neither its bounding set nor its
 * securebits. That is not needed: under no_new_privs, exec(2) adds no
 * capability.
 */
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "capname.h"
#include "chain.h"
#include "lock.h"
#include "say.h"
#include "value.h"

#define CAPS CAPNAME_SETS	/* bits of a set */
#define BIT(cap) ((uint64_t)1 << (cap))

struct sets {
	uint64_t effective, permitted, inheritable;
};

static uint64_t
parse_name(const char *key, const char *value, const char *name)
{
	int cap = capname_parse(name);

	if (cap == -1)
		word_bad(key, value, "not a capability");
	return BIT(cap);
}

/* Parse none, a list of names, or a list of +name and -name. */
void
caps_parse(void *caps, const char *key, const char *value)
{
	struct caps *c = caps;
	const char *cursor = value, *name;
	char field[40];
	uint64_t bit;

	*c = (struct caps){ .given = true };
	if (strcmp(value, "none") == 0)
		return;
	c->relative = *value == '+' || *value == '-';
	while (value_field(&cursor, ',', field, sizeof(field)) == 1) {
		name = field + (c->relative ? 1 : 0);
		if (c->relative != (*field == '+' || *field == '-'))
			word_bad(key, value, "put + or - before all names, or none");
		bit = parse_name(key, value, name);
		if (*field == '-') {
			c->drop |= bit;
			c->add &= ~bit;
		} else {
			c->add |= bit;
			c->drop &= ~bit;
		}
	}
	if (errno != 0)
		word_bad(key, value, "not a capability");
}

void
caps_describe(const struct caps *c, char *buf, size_t size)
{
	size_t i, len = 0;

	snprintf(buf, size, "%s", c->add == 0 && !c->relative ? "none" : "");
	for (i = 0; i < CAPS && len < size; i++) {
		const char *sign = !c->relative ? "" :
		    (c->drop & BIT(i)) != 0 ? "-" : "+";

		if (((c->add | c->drop) & BIT(i)) == 0)
			continue;
		if (capname_of((unsigned int)i) != NULL)
			len += (size_t)snprintf(buf + len, size - len,
			    "%s%s%s", len > 0 ? "," : "", sign,
			    capname_of((unsigned int)i));
		else
			len += (size_t)snprintf(buf + len, size - len,
			    "%s%s%zu", len > 0 ? "," : "", sign, i);
	}
}

static void
get_sets(struct sets *s)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) == -1)
		err(EXIT_LINK, "capget");
	s->effective = data[0].effective | (uint64_t)data[1].effective << 32;
	s->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	s->inheritable = data[0].inheritable |
	    (uint64_t)data[1].inheritable << 32;
}

static void
set_sets(const struct sets *s)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	const struct __user_cap_data_struct data[2] = {
		{ (uint32_t)s->effective, (uint32_t)s->permitted,
		    (uint32_t)s->inheritable },
		{ (uint32_t)(s->effective >> 32), (uint32_t)(s->permitted >> 32),
		    (uint32_t)(s->inheritable >> 32) },
	};

	if (syscall(SYS_capset, &head, data) == -1)
		err(EXIT_LINK, "capset");
}

/* The part of the permitted set that we keep. */
static uint64_t
kept(const struct caps *c, uint64_t permitted)
{
	return c->relative ? permitted & ~c->drop : c->add;
}

/*
 * Before the IDs change: check that we have all capabilities that the word
 * keeps, and drop all others from the bounding set. That needs CAP_SETPCAP.
 */
void
caps_begin(const struct lock *lock)
{
	const struct caps *c = &lock->caps;
	struct sets s;
	uint64_t missing, keep;
	char list[1024];
	int cap, there;

	if (!c->given)
		return;
	get_sets(&s);
	keep = kept(c, s.permitted);
	missing = c->add & ~s.permitted;
	if (missing != 0) {
		caps_describe(&(struct caps){ .add = missing }, list,
		    sizeof(list));
		errx(EXIT_LINK, "caps: %s: we do not have that", list);
	}
	for (cap = 0; cap < CAPS; cap++) {
		/* 1: it is in the set; 0: it is not */
		there = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);
		/* The kernel's last was before. It has all that have a name. */
		if (there == -1 && errno == EINVAL && cap >= (int)capname_known())
			return;
		if (there == -1)
			err(EXIT_LINK, "caps: bounding set");
		if (there == 0 || (keep & BIT(cap)) != 0)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		/* If we have CAP_SETPCAP, EPERM has another cause. */
		if (errno != EPERM || (s.effective & BIT(CAP_SETPCAP)) != 0)
			err(EXIT_LINK, "caps: bounding set");
		say("the bounding set stays: no CAP_SETPCAP; "
		    "no_new_privs makes up for it");
		return;
	}
}

/*
 * Make it permanent. Securebits that an earlier link locked stay as they are.
 */
static void
lock_securebits(const struct caps *c)
{
	int old = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
	unsigned int want = SECBIT_NO_CAP_AMBIENT_RAISE |
	    (c->relative ? 0 : SECBIT_NOROOT);
	unsigned int fixed;

	if (old == -1)
		err(EXIT_LINK, "caps: securebits");
	fixed = ((unsigned int)old & SECURE_ALL_LOCKS) >> 1;
	want = ((unsigned int)old & fixed) | (want & ~fixed) |
	    SECURE_ALL_LOCKS;
	if (prctl(PR_SET_SECUREBITS, want, 0, 0, 0) == -1)
		err(EXIT_LINK, "caps: securebits");
}

/*
 * After the IDs have changed: set all other sets, and the securebits. The
 * change has left the permitted set as it was (PR_SET_KEEPCAPS).
 */
void
caps_finish(const struct lock *lock)
{
	const struct caps *c = &lock->caps;
	uint64_t keep, listed;
	struct sets s;
	int cap;

	if (!c->given)
		return;
	get_sets(&s);
	keep = kept(c, s.permitted);
	/* With + and -, capabilities without a name are left to user ID 0. */
	listed = c->add;
	s.effective = s.permitted;
	s.inheritable = listed;
	set_sets(&s);
	/* What is no longer inheritable is no longer ambient, either. */
	for (cap = 0; cap < CAPS; cap++)
		if ((listed & BIT(cap)) != 0 && prctl(PR_CAP_AMBIENT,
			PR_CAP_AMBIENT_IS_SET, cap, 0, 0) != 1 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) ==
			-1)
			err(EXIT_LINK, "caps: ambient set");
	if ((s.permitted & BIT(CAP_SETPCAP)) != 0)
		lock_securebits(c);
	s.effective = s.permitted = keep;
	s.inheritable = listed;
	set_sets(&s);
}
