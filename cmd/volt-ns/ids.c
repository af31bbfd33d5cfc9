/* The IDs with which we make files, and the IDs of the command. */
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <grp.h>
#include <unistd.h>

#include "chain.h"
#include "death.h"
#include "ns.h"

/*
 * In a user namespace, become its root, so that the files that we make belong
 * to it. What comes from outside was opened before, with the caller's IDs.
 */
void
ids_become_root(const struct ns *ns)
{
	struct death death = { 0 };

	if (death_hold(&death, ns->parent) == -1)
		err(EXIT_LINK, "death signal");
	if (idmap_has(&ns->gidmap, 0) && setresgid(0, 0, 0) == -1)
		err(EXIT_LINK, "setresgid");
	if (idmap_has(&ns->uidmap, 0) && setresuid(0, 0, 0) == -1)
		err(EXIT_LINK, "setresuid");
	if (death_release(&death) == -1)
		err(EXIT_LINK, "death signal");
}

/*
 * As the host's root, make files that belong to the container's root: on a
 * mount whose IDs are mapped, the kernel makes no others. When the file system
 * ID changes from 0, the kernel drops the effective capabilities over files. We
 * set them again.
 */
void
ids_act_as_root(const struct ns *ns)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	struct death death = { 0 };
	uint32_t uid, gid;
	size_t i;

	if (!idmap_outside(&ns->uidmap, 0, &uid) ||
	    !idmap_outside(&ns->gidmap, 0, &gid))
		return;
	if (death_hold(&death, ns->parent) == -1)
		err(EXIT_LINK, "death signal");
	/*
	 * They report no error, and return the ID that was set before. So ask.
	 */
	(void)setfsgid(gid);
	(void)setfsuid(uid);
	if (setfsgid(gid) != (int)gid || setfsuid(uid) != (int)uid)
		errx(EXIT_LINK, "cannot make files as user %u, group %u", uid,
		    gid);
	if (death_release(&death) == -1)
		err(EXIT_LINK, "death signal");
	if (syscall(SYS_capget, &header, data) == -1)
		err(EXIT_LINK, "capget");
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].effective = data[i].permitted;
	if (syscall(SYS_capset, &header, data) == -1)
		err(EXIT_LINK, "capset");
}

/*
 * Make our files in /proc ours again, the ID maps among them. They belong to
 * root while we are not dumpable, and the parent that waits made us so. This is
 * safe only while no other process is in our namespaces: so never after join=.
 */
void
ids_be_writable(const struct ns *ns)
{
	if (!join_wanted(ns) && prctl(PR_SET_DUMPABLE, 1) == -1)
		err(EXIT_LINK, "dumpable");
}

/*
 * Set the groups of groups=. Without that word, a change of identity drops all
 * groups of the caller, unless the user namespace denies setgroups(2).
 */
static void
set_groups(const struct ns *ns)
{
	bool userns = ((ns->flags | ns->join_flags) & CLONE_NEWUSER) != 0;

	if (!ns->id.groups_given && !ns->id.uid_given && !ns->id.gid_given && !userns)
		return;
	if (setgroups(ns->id.ngroups, ns->id.groups) == 0)
		return;
	/*
	 * A user namespace's root gets EPERM only if setgroups(2) is denied
	 * there.
	 */
	if ((ns->id.groups_given && !ns->id.groups_implied) || !userns ||
	    errno != EPERM)
		err(EXIT_LINK, "groups");
}

/*
 * caps=keep: let the next command keep the permitted capabilities, even if its user ID
 * is not 0. They become the ambient set (capabilities(7)).
 */
static void
keep_caps(const struct ns *ns)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
	unsigned int i;

	if (!ns->keep_caps)
		return;
	if (syscall(SYS_capget, &header, data) == -1)
		err(EXIT_LINK, "capget");
	for (i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		data[i].effective = data[i].inheritable = data[i].permitted;
	if (syscall(SYS_capset, &header, data) == -1)
		err(EXIT_LINK, "capset");
	for (i = 0; i < 32 * _LINUX_CAPABILITY_U32S_3; i++)
		if ((data[i / 32].permitted & 1U << i % 32) != 0 &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) == -1)
			err(EXIT_LINK, "caps=keep");
}

/* Take the identity that uid=, gid= and groups= give. */
void
ids_set(const struct ns *ns)
{
	struct death death = { 0 };

	if (ns->keep_caps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1)
		err(EXIT_LINK, "caps=keep");
	if (death_hold(&death, ns->parent) == -1)
		err(EXIT_LINK, "death signal");
	set_groups(ns);
	if (ns->id.gid_given && setresgid(ns->id.gid, ns->id.gid, ns->id.gid) == -1)
		err(EXIT_LINK, "gid=%u", ns->id.gid);
	if (ns->id.uid_given && setresuid(ns->id.uid, ns->id.uid, ns->id.uid) == -1)
		err(EXIT_LINK, "uid=%u", ns->id.uid);
	keep_caps(ns);
	if (death_release(&death) == -1)
		err(EXIT_LINK, "death signal");
}
