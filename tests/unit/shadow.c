/* shadow.c of volt-kvm: queues in the memory of a daemon that lies. */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../cmd/volt-kvm/shadow.h"
#include "unit.h"

static struct shadow s;
static unsigned int slot;
static uint32_t length;

static void
begin(void)
{
	memset(&s, 0, sizeof(s));
	CHECK_INT(shadow_init(&s), 0);
}

static void
end(void)
{
	unsigned int i;

	munmap(s.base, SHADOW_BYTES);
	close(s.fd);
	for (i = 0; i < SHADOW_QUEUES; i++) {
		close(s.q[i].kick);
		close(s.q[i].call);
	}
}

static void
use(uint32_t id, uint32_t len)
{
	struct vused *used = (void *)(uintptr_t)s.q[1].used;
	uint16_t i = used->idx;

	used->ring[i % SHADOW_SIZE].id = id;
	used->ring[i % SHADOW_SIZE].len = len;
	used->idx = (uint16_t)(i + 1);
}

static void
descriptors(void)
{
	struct vdesc *d;
	int i;

	begin();
	d = s.q[1].desc;
	CHECK_INT(i = shadow_take(&s, 1, 100, 50), 0);
	shadow_post(&s, 1, 0, 40, 80);
	CHECK_INT(d[0].len, 40);
	CHECK_INT(d[0].addr, shadow_address(&s, shadow_out(&s, 1, 0)));
	CHECK_INT(d[0].flags, VRING_DESC_F_NEXT);
	CHECK_INT(d[1].addr, d[0].addr + 40);
	CHECK_INT(d[1].len, 40);
	CHECK_INT(d[2].len, 20);
	CHECK_INT(d[2].next, 3);
	CHECK_INT(d[3].len, 50);
	CHECK_INT(d[3].addr, shadow_address(&s, shadow_in(&s, 1, 0)));
	CHECK_INT(d[3].flags, VRING_DESC_F_WRITE);
	CHECK_INT(s.q[1].avail->idx, 1);
	CHECK_INT(s.q[1].avail->ring[0], 0);
	/* Cuts beyond the end, and no answer. */
	CHECK_INT(i = shadow_take(&s, 1, 30, 0), 1);
	shadow_post(&s, 1, 1, 40, 80);
	CHECK_INT(d[4].len, 30);
	CHECK_INT(d[4].flags, 0);
	CHECK_INT(s.q[1].avail->ring[1], 4);
	end();
}

static void
room(void)
{
	unsigned int n = 0, i;

	begin();
	while (shadow_take(&s, 1, 4096, 1 << 20) != -1)
		n++;
	CHECK_INT(n, 7);
	CHECK_INT(shadow_take(&s, 0, 4096, 0), 0); /* there is room for a small one */
	shadow_free(&s, 1, 3);
	CHECK_INT(shadow_take(&s, 1, 4096, 1 << 20), 3);
	for (i = 0; i < n; i++)
		shadow_free(&s, 1, i);
	shadow_free(&s, 0, 0);
	for (n = 0; n < SHADOW_SLOTS; n++)
		CHECK_INT(shadow_take(&s, 1, 40, 16), n);
	CHECK_INT(shadow_take(&s, 1, 40, 16), -1); /* no slot */
	CHECK_INT(shadow_take(&s, 0, 40, 16), 0);
	CHECK_INT(shadow_take(&s, 0, (uint32_t)SHADOW_BYTES, 0), -1);
	end();
}

static void
lies(void)
{
	begin();
	CHECK_INT(shadow_next(&s, 1, &slot, &length), 0);
	use(0, 0);
	CHECK_INT(shadow_next(&s, 1, &slot, &length), -1); /* nothing is out */
	end();
	begin();
	CHECK_INT(shadow_take(&s, 1, 40, 100), 0);
	shadow_post(&s, 1, 0, 40, 40);
	use(0, 100);
	CHECK_INT(shadow_next(&s, 1, &slot, &length), 1);
	CHECK_INT(slot, 0);
	CHECK_INT(length, 100);
	shadow_free(&s, 1, 0);
	CHECK_INT(shadow_next(&s, 1, &slot, &length), 0);
	CHECK_INT(shadow_take(&s, 1, 40, 100), 0);
	use(0, 101);
	CHECK_INT(shadow_next(&s, 1, &slot, &length), -1); /* more than the room */
	end();
	begin();
	CHECK_INT(shadow_take(&s, 1, 40, 100), 0);
	use(1, 0);
	CHECK_INT(shadow_next(&s, 1, &slot, &length), -1);
	end();
	begin();
	CHECK_INT(shadow_take(&s, 1, 40, 100), 0);
	use(4 * SHADOW_SLOTS, 0);
	CHECK_INT(shadow_next(&s, 1, &slot, &length), -1);
	end();
	begin();
	CHECK_INT(shadow_take(&s, 1, 40, 100), 0);
	use(4, 0);
	CHECK_INT(shadow_next(&s, 1, &slot, &length), -1); /* it is not out */
	end();
}

static void
sealed(void)
{
	begin();
	CHECK_ERRNO(ftruncate(s.fd, 0), EPERM);
	CHECK_ERRNO(ftruncate(s.fd, (off_t)SHADOW_BYTES * 2), EPERM);
	CHECK_ERRNO(fcntl(s.fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
	end();
}

static const struct unit tests[] = {
	UNIT(descriptors), UNIT(room), UNIT(lies), UNIT(sealed),
};
UNIT_MAIN(tests)
