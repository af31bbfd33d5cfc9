#include <errno.h>

#include "ours.h"

/*
 * What a check answers in which a call failed, errno saying why: 0 if that is
 * because the descriptor is closed or of another kind; else -1.
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
