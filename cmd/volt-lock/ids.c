/* User and group IDs. The names were looked up before (identity.h). */
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
 * Let the command open its standard streams by name. We can do this only before
 * the IDs change. Even root needs it if it loses the capability to open all
 * files.
 */
void
ids_streams(const struct lock *lock)
{
	if ((lock->id.uid_given || lock->caps.given) && lock->give_stdio &&
	    reopen_allow_stdio() == -1)
		say("a standard stream is a pipe that only its owner can "
		    "open: %s", strerror(errno));
}

/*
 * Change to the IDs of the words. Keep the permitted capabilities until
 * caps_finish() if there is a caps=. A new user or group ID also drops the
 * supplementary groups, unless groups= names some.
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
