/*
 * The host's other rule sets. Often one of their nftables chains drops every
 * packet that no rule matches. Then a chain reaches the host and nothing else.
 */
#include <arpa/inet.h>	/* before the kernel's own <linux/in.h> */

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <errno.h>
#include <string.h>

#include <libmnl/libmnl.h>

#include "say.h"

#include "net.h"
#include "nft.h"

#define FOREIGN 32

/* The nftables chains of other programs between the bridge and the outside. */
struct foreign {
	struct {
		uint8_t family;
		char table[NFT_NAME_LEN], name[NFT_NAME_LEN];
		bool drops;	/* its policy */
	} item[FOREIGN];
	size_t n;
	bool last_drops;	/* the last rule seen drops or rejects all */
};

static void
see_nft_chain(const struct nlmsghdr *msg, void *ctx)
{
	const struct nfgenmsg *nf = nl_header(msg, sizeof(*nf));
	const void *hook, *num, *name, *table, *policy;
	struct foreign *f = ctx;
	size_t hlen, len, nlen, tlen;
	uint32_t n, p = htonl(NF_ACCEPT);

	if (nf == NULL)
		return;
	hook = nl_find(msg, sizeof(*nf), NFTA_CHAIN_HOOK, &hlen);
	name = nl_find(msg, sizeof(*nf), NFTA_CHAIN_NAME, &nlen);
	table = nl_find(msg, sizeof(*nf), NFTA_CHAIN_TABLE, &tlen);
	if (hook == NULL || name == NULL || table == NULL || f->n == FOREIGN ||
	    (nf->nfgen_family != NFPROTO_INET &&
	    nf->nfgen_family != NFPROTO_IPV4 &&
	    nf->nfgen_family != NFPROTO_IPV6))
		return;
	num = nl_inside(hook, hlen, NFTA_HOOK_HOOKNUM, &len);
	if (num == NULL || len != sizeof(n))
		return;
	memcpy(&n, num, sizeof(n));
	if (ntohl(n) != NF_INET_FORWARD)
		return;
	policy = nl_find(msg, sizeof(*nf), NFTA_CHAIN_POLICY, &len);
	if (policy != NULL && len == sizeof(p))
		memcpy(&p, policy, sizeof(p));
	f->item[f->n].family = nf->nfgen_family;
	f->item[f->n].drops = ntohl(p) == NF_DROP;
	nl_string(table, tlen, f->item[f->n].table, NFT_NAME_LEN);
	nl_string(name, nlen, f->item[f->n].name, NFT_NAME_LEN);
	if (strncmp(f->item[f->n].table, "volt", 4) != 0)
		f->n++;
}

/* Does the data of an immediate expression say drop? */
static bool
is_drop(const void *data, size_t len)
{
	uint32_t code;

	data = nl_inside(data, len, NFTA_IMMEDIATE_DATA, &len);
	if (data != NULL)
		data = nl_inside(data, len, NFTA_DATA_VERDICT, &len);
	if (data != NULL)
		data = nl_inside(data, len, NFTA_VERDICT_CODE, &len);
	if (data == NULL || len != sizeof(code))
		return false;
	memcpy(&code, data, sizeof(code));
	return ntohl(code) == NF_DROP;
}

/* Does the rule drop or reject all packets? */
static void
see_verdict(const struct nlmsghdr *msg, void *ctx)
{
	struct foreign *f = ctx;
	const struct nlattr *a;
	const void *name, *data;
	char buf[32];
	size_t size, nlen, dlen;
	int left;

	f->last_drops = false;
	a = nl_find(msg, sizeof(struct nfgenmsg), NFTA_RULE_EXPRESSIONS, &size);
	if (a == NULL)
		return;
	for (left = (int)size; mnl_attr_ok(a, left);
	    left -= (int)MNL_ALIGN(a->nla_len), a = mnl_attr_next(a)) {
		name = nl_inside(mnl_attr_get_payload(a),
		    mnl_attr_get_payload_len(a), NFTA_EXPR_NAME, &nlen);
		data = nl_inside(mnl_attr_get_payload(a),
		    mnl_attr_get_payload_len(a), NFTA_EXPR_DATA, &dlen);
		nl_string(name, name == NULL ? 0 : nlen, buf, sizeof(buf));
		if (strcmp(buf, "counter") == 0 || strcmp(buf, "log") == 0)
			continue;
		f->last_drops = strcmp(buf, "reject") == 0 ||
		    (strcmp(buf, "immediate") == 0 && data != NULL &&
		    is_drop(data, dlen));
		return;
	}
}

/* With -v, say which of them drop or reject packets that no rule matches. */
void
foreign_tell(const char *bridge, struct nl *nft)
{
	static struct foreign f;
	struct nfgenmsg *nf;
	struct nlreq r;
	size_t i;

	if (!say_on)
		return;
	nf = nlreq_init(&r, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN,
	    NLM_F_DUMP, sizeof(*nf));
	nf->nfgen_family = NFPROTO_UNSPEC;
	if (nl_dump(nft, &r, see_nft_chain, &f) == -1) {
		say("cannot read the host's rule sets: %s", strerror(errno));
		return;
	}
	if (f.n == FOREIGN)
		say("the host has more nftables chains than volt-net looks at");
	for (i = 0; i < f.n; i++) {
		f.last_drops = false;
		if (!f.item[i].drops && nft_dump_rules(nft, f.item[i].family,
		    f.item[i].table, f.item[i].name, see_verdict, &f) == -1) {
			say("cannot read the nftables chain %s %s: %s",
			    f.item[i].table, f.item[i].name, strerror(errno));
			continue;
		}
		if (!f.item[i].drops && !f.last_drops)
			continue;
		say("nftables chain %s %s %s %s what it has no rule for: it "
		    "must accept iifname and oifname %s", f.item[i].family ==
		    NFPROTO_INET ? "inet" : f.item[i].family ==
		    NFPROTO_IPV4 ? "ip" : "ip6", f.item[i].table,
		    f.item[i].name, f.item[i].drops ? "drops" :
		    "refuses", bridge);
	}
}
