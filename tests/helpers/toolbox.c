/*
 * A link that checks the toolbox: its ".." must stay in it, and nothing can be written
 * to it. Prints the result of openat(2). Exits with 1 or 2 if we could leave it.
 */
#include <sys/stat.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int
main(void)
{
	const char *value = getenv("VOLT_TOOLBOX");
	int i, fd = value != NULL ? atoi(value) : -1;
	char up[] = "../../../../../../..", c;
	struct stat a, b;

	if (fstat(fd, &a) == -1)
		return 3;
	for (i = 2; i <= 20; i += 3) {
		c = up[i];
		up[i] = '\0';
		if (fstatat(fd, up, &b, 0) == -1 || a.st_ino != b.st_ino ||
		    a.st_dev != b.st_dev) {
			printf("%s leaves it\n", up);
			return 1;
		}
		up[i] = c;
	}
	if (openat(fd, "x", O_CREAT | O_WRONLY, 0600) != -1)
		return 2;
	perror("x");
	return 0;
}
