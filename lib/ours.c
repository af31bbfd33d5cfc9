#include <errno.h>

#include "ours.h"

/*
 * The result of a check in which a call failed: 0 if errno says that the descriptor is
 * closed or of another kind; else -1.
 */
int
ours_unlike(void)
{
	switch (errno) {
	case EBADF:
	case EBADFD:
	case EINVAL:
	case ENODEV:
	case ENOPROTOOPT:
	case ENOTCONN:
	case ENOTDIR:
	case ENOTSOCK:
	case ENOTTY:
	case EOPNOTSUPP:
		return 0;
	default:
		return -1;
	}
}
