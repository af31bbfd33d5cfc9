/* A guest that prints the configuration of its disks. */
#include "disk.h"

static uint8_t data[32];

static void
number(const char *name, uint64_t n)
{
	char s[24];
	unsigned int i = sizeof(s);

	s[--i] = '\0';
	do
		s[--i] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	say(name);
	say(s + i);
}

static void
serial(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = '#';
	check(disk_ask(GET_ID, 0, data, 20, WRITE) == 0 &&
	    q.used.ring[(q.used.idx - 1) % QUEUE].len == 21 &&
	    r8(data + 20) == '#', "a serial number of 20 bytes");
	for (i = 0; i < 20 && data[i] != '\0'; i++)
		outb(0x3f8, data[i]);
	for (; i < 20; i++)
		if (data[i] != '\0')
			say(" not filled with zeroes");
}

static void
space(void)
{
	volatile uint8_t *c = d.bar + DEVICE_CONFIG;
	uint32_t features;

	w32(d.bar + C_DFSELECT, 0);
	features = r32(d.bar + C_DF);
	number(" sectors ", r64(c));
	number(" block ", r32(c + 20));
	if ((features & 1 << 10) != 0) {
		number(" physical 2^", r8(c + 24));
		number(" offset ", r8(c + 25));
		number(" least ", r16(c + 26));
		number(" best ", r32(c + 28));
	}
	if ((features & 1 << 13) != 0)
		number(" discard ", r32(c + 44));
	say("\n");
	if ((features & 1 << 13) != 0) {
		check(disk_ask_range(DISCARD, 0, r32(c + 44), 0) == 0,
		    "it discards that");
		check(disk_ask_range(DISCARD, 0, 1, 0) == 0 &&
		    disk_ask_range(ZEROES, 0, 1, 0) != 1,
		    "a sector, if it can, and else without an error");
	}
}

int
main(void)
{
	unsigned int i;

	for (i = 0; device_find(&d, 2, i); i++) {
		device_start(&d, 0, &q, 1, QUEUE);
		serial();
		space();
		w8(d.bar + C_STATUS, 0);
	}
	done();
}
