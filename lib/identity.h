/*
 * The user and the groups of the command: the words user=, uid=, gid= and groups=.
 * Names are looked up in /etc/passwd and /etc/group of the root, which are trusted.
 * No other database is used.
 */
#ifndef VOLT_IDENTITY_H
#define VOLT_IDENTITY_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "must.h"

#define IDENTITY_GROUPS 64

struct identity {
	/* The words; NULL: not given. */
	const char *user_word, *uid_word, *gid_word, *groups_word;

	/* What they mean; identity_resolve() fills this in. */
	bool uid_given, gid_given, groups_given;
	bool groups_implied;	/* user= is in no group but its own */
	uid_t uid;
	gid_t gid;
	gid_t groups[IDENTITY_GROUPS];
	size_t ngroups;
};

MUST_CHECK int identity_user(int root, const char *name, uid_t *uid, gid_t *gid,
    char *login, size_t size);
MUST_CHECK int identity_group(int root, const char *name, gid_t *gid);
MUST_CHECK ssize_t identity_groups(int root, const char *login, gid_t first,
    gid_t *list, size_t most);
void identity_name(void *word, const char *key, const char *value);
void identity_list(void *word, const char *key, const char *value);
void identity_resolve(struct identity *id);

/* The rows of a table of words (words.h). */
#define IDENTITY_WORDS(s, m) \
	CALL_WORD("user", identity_name, s, m.user_word, "NAME", \
	    "user, group and groups of the command"), \
	CALL_WORD("uid", identity_name, s, m.uid_word, "N|NAME", \
	    "user ID of the command"), \
	CALL_WORD("gid", identity_name, s, m.gid_word, "N|NAME", \
	    "group ID of the command"), \
	CALL_WORD("groups", identity_list, s, m.groups_word, "N|NAME,...", \
	    "supplementary groups of the command")

#endif
