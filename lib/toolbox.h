/*
 * The toolbox (volt(7)): where the volt programs and the files of words are found, also
 * after the root has changed. Files of words are the user's own (~/.config/volt), the
 * administrator's (/etc/volt), and those that come with volt.
 *
 * volt-ns calls toolbox_pack() while it still sees the host. It clones the directory of
 * the programs and those of the files of words into detached mounts, which are
 * read-only, nosuid and nodev. It names their descriptors in VOLT_TOOLBOX as
 * "programs:own:etc:share", with "-" for a missing one. A detached mount has no parent,
 * so ".." stays at its root.
 *
 * If a user namespace follows, the clones must be locked (mount_namespaces(7)):
 * otherwise root there could make them writable, by the descriptors of any process. So
 * they are attached, the mount namespace is copied into one of the new user namespace,
 * and the copies are cloned.
 */
#ifndef VOLT_TOOLBOX_H
#define VOLT_TOOLBOX_H

#include <limits.h>
#include <stdbool.h>

#include "must.h"

#define TOOLBOX_VARIABLE "VOLT_TOOLBOX"
#define TOOLBOX_PARTS 4	/* programs, one's own, /etc/volt, share/volt */

/* The place of a program: AT_FDCWD and a path, or the toolbox and a name. */
struct toolbox_program {
	int dir, flags;
	char path[PATH_MAX];
};

/* The names of the mount points of toolbox_attach(). */
#define TOOLBOX_PLACES "toolbox0", "toolbox1", "toolbox2", \
	"toolbox3"

MUST_CHECK int toolbox_begin(void);
MUST_CHECK int toolbox_clone(int part[TOOLBOX_PARTS]);
MUST_CHECK int toolbox_attach(const int part[TOOLBOX_PARTS], int dir);
MUST_CHECK int toolbox_reopen(int part[TOOLBOX_PARTS], const char *dir);
MUST_CHECK int toolbox_lock(void);
MUST_CHECK int toolbox_announce(const int part[TOOLBOX_PARTS]);
MUST_CHECK int toolbox_pack(void);
MUST_CHECK int toolbox_parts(int part[TOOLBOX_PARTS]);
MUST_CHECK int toolbox_here(void);
MUST_CHECK int toolbox_is_ours(int fd);
MUST_CHECK int toolbox_open_program(const char *name);
MUST_CHECK int toolbox_open_words(const char *name);
MUST_CHECK int toolbox_find(const char *name, struct toolbox_program *p);
void toolbox_exec(const struct toolbox_program *p, char *const argv[]);

#endif
