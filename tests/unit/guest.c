/* guest.c: the words of the two sides of a guest. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "guest.h"
#include "unit.h"

static void
words_there_and_back(void)
{
	const struct guest_words w = { .root = "vda:ext4:ro", .chdir = "/a=b c",
		.hostname = "", .options = "ndots:2,timeout:1" };
	struct guest_words back;
	char buf[256];
	int n;

	n = guest_words_print(&w, buf, sizeof(buf));
	CHECK_INT(n, (int)strlen(buf));
	CHECK_STR(buf, "root=vda:ext4:ro\nhostname=\nchdir=/a=b c\n"
		   "options=ndots:2,timeout:1\n");
	guest_words_parse(&back, buf);
	CHECK_STR(back.root, w.root);
	CHECK_STR(back.chdir, w.chdir);
	CHECK_STR(back.hostname, "");
	CHECK_STR(back.options, w.options);
	CHECK(back.overlay == NULL && back.mac == NULL && back.size == NULL);
}

static void
words_none(void)
{
	const struct guest_words w = { .root = NULL };
	char buf[2] = "x";

	CHECK_INT(guest_words_print(&w, buf, sizeof(buf)), 0);
	CHECK_STR(buf, "");
}

static void
words_unknown_are_passed_over(void)
{
	char text[] = "later=1\nrootx=2\nroot=vdb\n\nip";
	struct guest_words w;

	guest_words_parse(&w, text);
	CHECK_STR(w.root, "vdb");
	CHECK(w.ip == NULL);
}

static void
words_that_do_not_fit(void)
{
	struct guest_words w = { .root = "1234567" };
	char buf[13 + 1];

	CHECK_INT(guest_words_print(&w, buf, sizeof(buf)), 13);
	CHECK_ERRNO(guest_words_print(&w, buf, sizeof(buf) - 1), E2BIG);
	w.root = "vda\nhostname=x";
	CHECK_ERRNO(guest_words_print(&w, buf, sizeof(buf)), EINVAL);
}

static void
shares(void)
{
	const struct guest_share one = { .tag = "share0", .dst = "/a:b\\c", .ro = true };
	struct guest_words w = { .root = "root:virtiofs" }, back;
	struct guest_share s;
	char word[64], buf[128];

	CHECK_INT(guest_share_print(&one, word, sizeof(word)), 0);
	CHECK_STR(word, "share0:/a\\:b\\\\c:ro");
	w.share[w.nshares++] = word;
	w.share[w.nshares++] = "share1:/b";
	CHECK(guest_words_print(&w, buf, sizeof(buf)) > 0);
	guest_words_parse(&back, buf);
	CHECK_INT(back.nshares, 2);
	CHECK_INT(guest_share_parse(&s, back.share[0]), 0);
	CHECK_STR(s.tag, "share0");
	CHECK_STR(s.dst, one.dst);
	CHECK(s.ro);
	CHECK_INT(guest_share_parse(&s, back.share[1]), 0);
	CHECK_STR(s.dst, "/b");
	CHECK(!s.ro);
	CHECK_ERRNO(guest_share_parse(&s, "share1"), EINVAL);
	CHECK_ERRNO(guest_share_parse(&s, "share1:relative"), EINVAL);
	CHECK_ERRNO(guest_share_parse(&s, "a tag of sixteen.:/x"), ENAMETOOLONG);
	CHECK_ERRNO(guest_share_print(&one, word, strlen("share0:/a\\:b\\\\c:ro")), E2BIG);
	CHECK_INT(guest_share_print(&one, word, strlen("share0:/a\\:b\\\\c:ro") + 1), 0);
}

static void
disks(void)
{
	char word[160];
	struct guest_disk d;

	CHECK_INT(guest_disk_parse(&d, "vda"), 0);
	CHECK_STR(d.dev, "vda");
	CHECK_STR(d.type, "");
	CHECK(!d.ro);
	CHECK_INT(guest_disk_parse(&d, "/dev/vdb1:xfs:ro"), 0);
	CHECK_STR(d.dev, "/dev/vdb1");
	CHECK_STR(d.type, "xfs");
	CHECK(d.ro);
	CHECK_INT(guest_disk_parse(&d, "vda:ro:ext2:rw:btrfs:"), 0);
	CHECK_STR(d.type, "btrfs");
	CHECK(!d.ro);
	memset(word, 'v', 63);
	strcpy(word + 63, ":ext4");
	CHECK_INT(guest_disk_parse(&d, word), 0);
	CHECK_STR(d.type, "ext4");
	memset(word, 'v', 64);
	strcpy(word + 64, ":ext4");
	CHECK_ERRNO(guest_disk_parse(&d, word), ENAMETOOLONG);
	strcpy(word, "vda:");
	memset(word + 4, 't', 64);
	word[68] = '\0';
	CHECK_ERRNO(guest_disk_parse(&d, word), ENAMETOOLONG);
}

static void
names_of_ports(void)
{
	char name[GUEST_PORT_NAME];

	guest_port_name(name, 0, GUEST_STDIN);
	CHECK_STR(name, "volt.stdin");
	guest_port_name(name, GUEST_JOINS, GUEST_CONTROL);
	CHECK_STR(name, "volt.8.control");
	guest_port_name(name, UINT32_MAX, GUEST_CONTROL); /* cut, at the most */
	CHECK(strlen(name) < GUEST_PORT_NAME);
}

static void
sizes_of_requests(void)
{
	struct guest_request r = { 1, 2, 3 };

	CHECK_INT(guest_request_size(&r), 6);
	r = (struct guest_request){ 0, 0, 0 };
	CHECK_INT(guest_request_size(&r), 0);
	r.env = GUEST_REQUEST_MOST;
	CHECK_INT(guest_request_size(&r), GUEST_REQUEST_MOST);
	r.argv = 1;
	CHECK_ERRNO(guest_request_size(&r), E2BIG);
	r = (struct guest_request){ UINT32_MAX, UINT32_MAX, 2 };
	CHECK_ERRNO(guest_request_size(&r), E2BIG);
}

static void
whole_strings(void)
{
	size_t n = 9;

	CHECK(guest_strings("", 0, &n) && n == 0);
	CHECK(guest_strings("a\0b c\0\0", 7, &n) && n == 3);
	CHECK(!guest_strings("a\0b", 3, &n));
	CHECK(!guest_strings("a", 1, &n));
}

static const struct unit tests[] = {
	UNIT(names_of_ports),
	UNIT(sizes_of_requests),
	UNIT(whole_strings),
	UNIT(disks),
	UNIT(shares),
	UNIT(words_there_and_back),
	UNIT(words_none),
	UNIT(words_unknown_are_passed_over),
	UNIT(words_that_do_not_fit),
};

UNIT_MAIN(tests)
