/* A guest that reports the end that follows "end=" in its command line. */
#include "guest.h"

static struct device d;
static struct queue q[10];

static void
control(const char *s, uint32_t n)
{
	uint16_t idx = q[9].used.idx;

	q[9].desc[0] = (struct desc){ (uintptr_t)s, n, 0, 0 };
	submit(&d, 9, &q[9], 0);
	(void)wait_used(&q[9], (uint16_t)(idx + 1));
}

int
main(void)
{
	char *s = (char *)0x20000; /* X86_CMDLINE */
	uint32_t n;

	while (!(s[0] == 'e' && s[1] == 'n' && s[2] == 'd' && s[3] == '='))
		s++;
	s += 4;
	for (n = 0; s[n] != '\0'; n++)
		;
	s[n] = '\n';
	device_want(&d, 3, "there is a console");
	device_start(&d, 2, q, 10, QUEUE);
	control("up\n", 3);
	control(s, n + 1);
	for (;;)
		;
}
