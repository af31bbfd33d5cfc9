#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "carry.h"
#include "value.h"

#define NUMBER 12	/* bytes of a descriptor and its colon, at most */

/* Does text, "NAME" or "NAME=VALUE", name a variable of the chain's own? */
bool
carry_is_variable(const char *text)
{
	return strncmp(text, "VOLT_", 5) == 0;
}

/*
 * The next descriptor of a list, or -1 for a missing one. Returns false at the end of
 * the list, which is also where something else than a number follows.
 */
bool
carry_next(const char **cursor, int *fd)
{
	char field[NUMBER];
	uint64_t n = 0;
	bool missing;

	if (value_field(cursor, ':', field, sizeof(field)) != 1)
		return false;
	missing = strcmp(field, "-") == 0;
	if (!missing && value_uint(field, INT_MAX, &n) == -1)
		return false;
	*fd = missing ? -1 : (int)n;
	return true;
}

/*
 * The only descriptor in a variable. Returns it, or -1 and errno: ENOENT if there is no
 * such variable, EINVAL or ERANGE if it is not a number, EPROTOTYPE if the descriptor
 * is not ours.
 */
int
carry_find(const char *name, int (*is_ours)(int fd))
{
	const char *value = getenv(name);
	uint64_t fd;
	int ours;

	errno = ENOENT;
	if (value == NULL || value_uint(value, INT_MAX, &fd) == -1 ||
	    (ours = is_ours((int)fd)) == -1)
		return -1;
	errno = EPROTOTYPE;
	return ours == 1 ? (int)fd : -1;
}

/*
 * Does this errno of carry_find() mean that there is no descriptor of ours? After any
 * other error, that is unknown.
 */
bool
carry_is_none(int error)
{
	return error == ENOENT || error == EINVAL || error == ERANGE ||
	    error == EPROTOTYPE;
}

/*
 * Name n descriptors in a variable, and leave them open over exec. more follows the
 * last colon of the list, unless it is NULL. Returns 0, or -1 and errno: E2BIG for a
 * text that is too long.
 */
int
carry_announce(const char *name, const int *fd, size_t n, const char *more)
{
	char value[4096], *end = value;
	size_t i;

	if (n * NUMBER + (more != NULL ? strlen(more) : 0) >= sizeof(value)) {
		errno = E2BIG;
		return -1;
	}
	for (i = 0; i < n; i++) {
		if (fd[i] == -1)
			end += sprintf(end, "-:");
		else if (fcntl(fd[i], F_SETFD, 0) == -1)
			return -1;
		else
			end += sprintf(end, "%d:", fd[i]);
	}
	if (more != NULL)
		strcpy(end, more);
	else
		end[-1] = '\0';
	return setenv(name, value, 1);
}

/*
 * The result of a check in which a call failed: 0 if errno says that the descriptor is
 * closed or of another kind; else -1.
 */
int
carry_unlike(void)
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
