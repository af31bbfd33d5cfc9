/* <linux/stat.h> conflicts with <sys/stat.h>, so this file is on its own. */
#include <linux/stat.h>

#include <string.h>

#include "mountid.h"
#include "sys.h"

/* The ID of the mount that fd is on, as in mountinfo. Returns -1 and errno on failure. */
int
mountid_get(int fd, uint64_t *id)
{
	struct statx st;

	memset(&st, 0, sizeof(st));
	if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) == -1)
		return -1;
	*id = st.stx_mnt_id;
	return 0;
}
