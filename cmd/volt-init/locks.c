/*
 * lock= and hold=: locks and descriptors that show others that the command runs. Only
 * volt-init has them. They end with volt-init, whatever the command or its children do.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "chain.h"
#include "words.h"

#include "init.h"

/* lock=FILE */
void
locks_add(void *init, const char *key, const char *value)
{
	struct init *in = init;

	if (*value == '\0')
		word_bad(key, value, "empty");
	/* The room doubles: 1, 2, 4, 8 ... */
	if ((in->nlocks & (in->nlocks - 1)) == 0 && (in->locks = realloc(in->locks,
	    (in->nlocks == 0 ? 1 : in->nlocks * 2) * sizeof(*in->locks))) == NULL)
		err(EXIT_LINK, "%s=", key);
	in->locks[in->nlocks++] = value;
}

/* hold=FD: the descriptor closes on exec. This process does not exec. */
void
locks_hold(void *init, const char *key, const char *value)
{
	struct init *in = init;

	(void)word_fd(key, value);
	in->nholds++;
}

/*
 * In the parent that waits: take a shared lock of each file, by fcntl(2). A child does
 * not inherit such locks. An error ends the program.
 */
void
locks_take(const struct init *in)
{
	struct flock shared = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
	size_t i;
	int fd;

	for (i = 0; i < in->nlocks; i++) {
		fd = open(in->locks[i], O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
		if (fd == -1)
			err(EXIT_LINK, "lock=%s", in->locks[i]);
		while (fcntl(fd, F_SETLK, &shared) == -1)
			if (errno != EINTR)
				err(EXIT_LINK, "lock=%s", in->locks[i]);
	}
}
