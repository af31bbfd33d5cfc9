/*
 * A guest that uses its disk while a system call of volt-kvm fails (tests/faults). A
 * request may fail; but one that is answered as done has been done, and each is
 * answered. It prints how each ended.
 */
#include "disk.h"

#define LEN 4096u

static uint8_t data[LEN];

static uint8_t
tell(const char *what, uint8_t answer)
{
	say(what);
	say(answer == 0 ? " done\n" : answer == 1 ? " failed\n" : " lost\n");
	if (answer == 0xee)
		say("volt-disk: no answer\n");
	return answer;
}

static void
fill_with(uint8_t byte)
{
	uint32_t i;

	for (i = 0; i < LEN; i++)
		w8(data + i, byte);
}

static void
read_back(uint8_t byte)
{
	uint32_t i;
	bool same = true;

	fill_with(0xee);
	if (tell("read", disk_ask(IN, 8, data, LEN, WRITE)) != 0)
		return;
	for (i = 0; i < LEN; i++)
		same = same && r8(data + i) == byte;
	if (!same)
		say("volt-disk: the data is other\n");
}

int
main(void)
{
	device_want(&d, 2, "there is a disk");
	device_start(&d, 1u << 13 | 1u << 14, &q, 1, QUEUE);
	fill_with(0x5a);
	if (tell("write", disk_ask(OUT, 8, data, LEN, 0)) == 0)
		read_back(0x5a);
	(void)tell("flush", disk_ask(FLUSH, 0, data, 0, 0));
	if (tell("zeroes", disk_ask_range(ZEROES, 8, LEN / 512, 0)) == 0)
		read_back(0);
	(void)tell("discard", disk_ask_range(DISCARD, 8, LEN / 512, 0));
	(void)tell("serial", disk_ask(GET_ID, 0, data, 20, WRITE));
	done();
}
