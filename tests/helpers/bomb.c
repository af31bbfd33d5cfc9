/*
 * bomb: fork for ever, in every process that this makes. A process ends only when
 * 10000 were made, because then nothing limits them.
 */
#define _GNU_SOURCE
#include <sys/mman.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

int
main(void)
{
	atomic_int *made = mmap(NULL, sizeof *made, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (made == MAP_FAILED) {
		perror("mmap");
		return 1;
	}
	while (atomic_load(made) < 10000) {
		if (fork() < 0)
			usleep(1000);
		else
			atomic_fetch_add(made, 1);
	}
	return 0;
}
