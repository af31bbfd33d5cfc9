/*
 * rate=in: a token bucket at the host's end, for what goes to the chain.
 * rate=out is in guard.c, because the chain's root could remove a queue at the
 * chain's own end.
 */
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "net.h"

#define BURST 131072	/* two of the largest packets with offloads */

void
rate_attach(int index, uint64_t rate_in, struct nl *route)
{
	uint32_t rate = (uint32_t)rate_in;
	uint32_t burst = rate / 50 > BURST ? rate / 50 : BURST;
	struct tc_tbf_qopt opt = { .rate = { .rate = rate,
		.linklayer = TC_LINKLAYER_ETHERNET } };
	struct nlattr *options;
	struct tcmsg *tc;
	struct nlreq r;

	if (rate_in == 0)
		return;
	opt.limit = burst + rate / 10; /* a packet waits for 100 ms at most */
	tc = nlreq_init(&r, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE,
	    sizeof(*tc));
	tc->tcm_ifindex = index;
	tc->tcm_parent = TC_H_ROOT;
	tc->tcm_handle = TC_H_MAKE(1U << 16, 0);
	nlreq_str(&r, TCA_KIND, "tbf");
	options = nlreq_nest(&r, TCA_OPTIONS);
	nlreq_put(&r, TCA_TBF_PARMS, &opt, sizeof(opt));
	nlreq_u32(&r, TCA_TBF_BURST, burst);
	nlreq_end(&r, options);
	if (nl_talk(route, &r) == -1)
		nl_fail(route, "rate=in");
}
