/* capname.c: names of capabilities. */
#include <linux/capability.h>

#include <errno.h>
#include <stddef.h>

#include "capname.h"
#include "unit.h"

static void
names_and_numbers(void)
{
	CHECK_INT(capname_parse("chown"), CAP_CHOWN);
	CHECK_INT(capname_parse("CAP_NET_ADMIN"), CAP_NET_ADMIN);
	CHECK_INT(capname_parse("cap_Sys_Admin"), CAP_SYS_ADMIN);
	CHECK_INT(capname_parse("0"), 0);
	CHECK_INT(capname_parse("63"), 63);
	CHECK_STR(capname_of(CAP_KILL), "kill");
	CHECK(capname_known() > CAP_AUDIT_READ);
	CHECK(capname_of((unsigned int)capname_known()) == NULL);
}

static void
what_is_none(void)
{
	CHECK_ERRNO(capname_parse(""), EINVAL);
	CHECK_ERRNO(capname_parse("cap_"), EINVAL);
	CHECK_ERRNO(capname_parse("all"), EINVAL);
	CHECK_ERRNO(capname_parse("64"), EINVAL);
	CHECK_ERRNO(capname_parse("-1"), EINVAL);
	CHECK_ERRNO(capname_parse("cap_net_admin_and_more_than_there_is_room_for"), EINVAL);
}

static const struct unit tests[] = {
	UNIT(names_and_numbers),
	UNIT(what_is_none),
};

UNIT_MAIN(tests)
