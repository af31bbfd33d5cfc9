/*
 * rate=in: a token bucket where the host sends to the chain. (rate=out is in
 * guard.c: the chain's own queue is the chain's to remove.)
 */
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include "net.h"

#define BURST 131072	/* two of the largest packets with offloads */

void
rate_attach(struct net *net)
{
	uint32_t rate = (uint32_t)net->rate_in;
	uint32_t burst = rate / 50 > BURST ? rate / 50 : BURST;
	struct tc_tbf_qopt opt = { .rate = { .rate = rate,
		.linklayer = TC_LINKLAYER_ETHERNET } };
	struct nlattr *options;
	struct tcmsg *tc;
	struct nlreq r;

	if (net->rate_in == 0)
		return;
	opt.limit = burst + rate / 10; /* wait for 100 ms at most */
	tc = nlreq_init(&r, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE,
	    sizeof(*tc));
	tc->tcm_ifindex = net->lease.index;
	tc->tcm_parent = TC_H_ROOT;
	tc->tcm_handle = TC_H_MAKE(1U << 16, 0);
	nlreq_str(&r, TCA_KIND, "tbf");
	options = nlreq_nest(&r, TCA_OPTIONS);
	nlreq_put(&r, TCA_TBF_PARMS, &opt, sizeof(opt));
	nlreq_u32(&r, TCA_TBF_BURST, burst);
	nlreq_end(&r, options);
	if (nl_talk(&net->route, &r) == -1)
		nl_fail(&net->route, "rate=in");
}
