/* User and group IDs. What a name means was looked up before (identity.h). */
#include <sys/prctl.h>

#include <err.h>
#include <errno.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "death.h"
#include "lock.h"
#include "reopen.h"
#include "say.h"

/*
 * While we still can: let the command open its standard streams by their names.
 * Without the capability to open all files root needs that, too.
 */
void
ids_streams(const struct lock *lock)
{
	if ((lock->id.uid_given || lock->caps.given) && lock->give_stdio &&
	    reopen_allow_stdio() == -1)
		say("a standard stream is a pipe that its owner alone can "
		    "open: %s", strerror(errno));
}

/*
 * Change to the IDs that were asked for, and keep the permitted capabilities
 * where caps= still has to decide about them. With a new user or group ID the
 * supplementary groups go too, unless groups= says which.
 */
void
ids_change(const struct lock *lock)
{
	gid_t gid = lock->id.gid_given ? lock->id.gid : getgid();
	uid_t uid = lock->id.uid_given ? lock->id.uid : getuid();
	struct death death = { 0 };

	if (lock->caps.given && lock->id.uid_given &&
	    prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == -1)
		err(EXIT_LINK, "keep capabilities");
	if (death_hold(&death, -1) == -1)
		err(EXIT_LINK, "death signal");

	if ((lock->id.groups_given || lock->id.uid_given || lock->id.gid_given) &&
	    setgroups(lock->id.ngroups, lock->id.groups) == -1 &&
	    !(errno == EPERM && !lock->id.groups_given &&
		getgroups(0, NULL) == 0))
		err(EXIT_LINK, "setgroups");
	if (lock->id.gid_given && setresgid(gid, gid, gid) == -1)
		err(EXIT_LINK, "gid=%u", gid);
	if (lock->id.uid_given && setresuid(uid, uid, uid) == -1)
		err(EXIT_LINK, "uid=%u", uid);

	caps_finish(lock);
	if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == -1 && errno != EPERM)
		err(EXIT_LINK, "keep capabilities");
	if (death_release(&death) == -1)
		err(EXIT_LINK, "death signal");
}
