/*
 * The host's other rule sets: whose forward chains end what they do not know,
 * which is the common reason why a chain reaches the host and nobody else.
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

/* Chains that others hang into the way from the bridge to the outside. */
struct foreign {
	struct {
		uint8_t family;
		char table[NFT_NAME_LEN], chain[NFT_NAME_LEN];
		bool drops;
	} chain[FOREIGN];
	size_t n;
	bool last;	/* of a chain's rules seen: drops or rejects all */
};

static void
see_chain(const struct nlmsghdr *msg, void *ctx)
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
	f->chain[f->n].family = nf->nfgen_family;
	f->chain[f->n].drops = ntohl(p) == NF_DROP;
	nl_string(table, tlen, f->chain[f->n].table, NFT_NAME_LEN);
	nl_string(name, nlen, f->chain[f->n].chain, NFT_NAME_LEN);
	if (strncmp(f->chain[f->n].table, "volt", 4) != 0)
		f->n++;
}

/* Does an immediate's data say drop? */
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

/* Does a rule end everything that reaches it? The last one seen counts. */
static void
see_verdict(const struct nlmsghdr *msg, void *ctx)
{
	struct foreign *f = ctx;
	const struct nlattr *a;
	const void *name, *data;
	char buf[32];
	size_t size, nlen, dlen;
	int left;

	f->last = false;
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
		f->last = strcmp(buf, "reject") == 0 ||
		    (strcmp(buf, "immediate") == 0 && data != NULL &&
		    is_drop(data, dlen));
		return;
	}
}

/* With -v, say which of them drop or reject what they do not know. */
void
foreign_tell(struct net *net)
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
	if (nl_dump(&net->nft, &r, see_chain, &f) == -1) {
		say("the host's rule sets cannot be looked at: %s",
		    strerror(errno));
		return;
	}
	if (f.n == FOREIGN)
		say("the host has more chains on the way than are looked at");
	for (i = 0; i < f.n; i++) {
		f.last = false;
		if (!f.chain[i].drops && nft_dump_rules(&net->nft,
		    f.chain[i].family, f.chain[i].table, f.chain[i].chain,
		    see_verdict, &f) == -1) {
			say("chain %s %s cannot be looked at: %s",
			    f.chain[i].table, f.chain[i].chain,
			    strerror(errno));
			continue;
		}
		if (!f.chain[i].drops && !f.last)
			continue;
		say("chain %s %s %s %s what it does not know: it must "
		    "accept iifname and oifname %s", f.chain[i].family ==
		    NFPROTO_INET ? "inet" : f.chain[i].family ==
		    NFPROTO_IPV4 ? "ip" : "ip6", f.chain[i].table,
		    f.chain[i].chain, f.chain[i].drops ? "drops" :
		    "refuses", net->bridge.name);
	}
}
