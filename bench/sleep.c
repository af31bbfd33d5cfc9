/* What stays alive in bench/scale: says that it is up, and waits for its end. */
#include <unistd.h>

int
main(void)
{
	if (write(STDOUT_FILENO, "+", 1) != 1)
		return 1;
	for (;;)
		pause();
}
