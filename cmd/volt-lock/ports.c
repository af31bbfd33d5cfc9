/*
 * Landlock's rights on ports: their words, their rules, and filters beside
 * them.
 */
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "lock.h"
#include "say.h"
#include "uapi/landlock.h"
#include "value.h"

#define TCP (LANDLOCK_ACCESS_NET_BIND_TCP | LANDLOCK_ACCESS_NET_CONNECT_TCP)
#define UDP (LANDLOCK_ACCESS_NET_BIND_UDP | \
	LANDLOCK_ACCESS_NET_CONNECT_SEND_UDP)
#define BAD_PORT "not a port, a range, any or none"

/* Does a rule grant a port for this right? */
bool
ports_granted(const struct landlock *ll, uint64_t right)
{
	size_t i;

	for (i = 0; i < ll->nports; i++)
		if (ll->ports[i].access == right)
			return true;
	return false;
}

/* Does a rule grant this port? */
bool
ports_allow(const struct landlock *ll, uint64_t right, uint16_t port)
{
	const struct port_rule *p;

	for (p = ll->ports; p < ll->ports + ll->nports; p++)
		if (p->access == right && port >= p->first && port <= p->last)
			return true;
	return false;
}

/* PORT[-PORT] */
static void
add_port(struct landlock *ll, const struct right *r, const char *value,
    const char *field)
{
	const char *cursor = field;
	char number[8];
	uint64_t first, last;

	if (value_field(&cursor, '-', number, sizeof(number)) != 1 ||
	    value_uint(number, UINT16_MAX, &first) == -1)
		word_bad(r->key, value, BAD_PORT);
	last = first;
	if (cursor != NULL && (value_uint(cursor, UINT16_MAX, &last) == -1 ||
	    last < first))
		word_bad(r->key, value, "not a range of ports");
	if (ll->nports == ll->ports_size) {
		ll->ports_size = ll->ports_size == 0 ? 16 : 2 * ll->ports_size;
		ll->ports = realloc(ll->ports,
		    ll->ports_size * sizeof(*ll->ports));
		if (ll->ports == NULL)
			err(EXIT_LINK, "%s=%s", r->key, value);
	}
	ll->ports[ll->nports++] = (struct port_rule){ r->key, (uint16_t)first,
		(uint16_t)last, r->bit };
}

/* none revokes what earlier words grant. */
static void
take_back(struct landlock *ll, uint64_t right)
{
	size_t i, n = 0;

	ll->net_any &= ~right;
	for (i = 0; i < ll->nports; i++)
		if (ll->ports[i].access != right)
			ll->ports[n++] = ll->ports[i];
	ll->nports = n;
}

/*
 * Parse any, none, or ports. If this kernel does not know the right, ports are
 * an error. any is not: then the right is not restricted anyway. none is not: a
 * filter may enforce it (ports_plan()).
 */
void
ports_word(struct lock *lock, const struct right *r, const char *value)
{
	struct landlock *ll = &lock->ll;
	const char *cursor = value;
	char field[16];

	ll->net_named |= r->bit;
	if (strcmp(value, "any") == 0) {
		if ((ll->net_none & r->bit) != 0 || ports_granted(ll, r->bit))
			word_bad(r->key, value, WORD_UNDOES);
		ll->net_any |= r->bit;
	} else if (strcmp(value, "none") == 0) {
		take_back(ll, r->bit);
		ll->net_none |= r->bit;
		ll->net_try = lock->optional ? ll->net_try | r->bit :
		    ll->net_try & ~r->bit;
	} else if ((ll->net_any & r->bit) != 0) {
		word_bad(r->key, value, WORD_ADDS_NOTHING);
	} else if (landlock_has(lock, r, r->key, value)) {
		ll->net_none &= ~r->bit;
		while (value_field(&cursor, ',', field, sizeof(field)) == 1)
			add_port(ll, r, value, field);
		if (errno != 0)
			word_bad(r->key, value, BAD_PORT);
	}
}

/* The filters that close the ways around the rights on ports. */
static unsigned int
filters(const struct landlock *ll)
{
	bool tcp = (ll->net_none & TCP) == TCP;
	bool udp = (ll->net_none & UDP) == UDP;
	unsigned int f = 0;

	if (tcp && udp)
		return FILTER(NO_NET);
	if (ll->handled_net != 0 || tcp || udp)
		f |= FILTER(PORTS);
	if (udp)
		f |= FILTER(NO_UDP);
	/*
	 * Deny all TCP sockets, unless a word permits to connect: that needs
	 * them.
	 */
	if ((ll->net_none & LANDLOCK_ACCESS_NET_BIND_TCP) == 0)
		return f;
	if ((ll->net_any & LANDLOCK_ACCESS_NET_CONNECT_TCP) == 0 &&
	    !ports_granted(ll, LANDLOCK_ACCESS_NET_CONNECT_TCP))
		return f | FILTER(NO_TCP);
	return f | FILTER(NO_LISTEN);
}

/*
 * Adapt the words to this kernel. If both rights of a protocol are none, a
 * filter enforces that. If only one of them is none, Landlock must know the
 * right.
 */
void
ports_plan(struct lock *lock)
{
	struct landlock *ll = &lock->ll;
	const struct right *r;
	uint64_t pair;

	for (r = rights; r->key != NULL; r++) {
		pair = (r->bit & TCP) != 0 ? TCP : UDP;
		if (r->kind != RIGHT_NET || (ll->net_none & r->bit) == 0 ||
		    (ll->net_none & pair) == pair)
			continue;
		lock->optional = (ll->net_try & r->bit) != 0;
		if (!landlock_has(lock, r, r->key, "none"))
			ll->net_none &= ~r->bit;
		lock->optional = false;
	}
	ll->filters |= filters(ll);
	if ((ll->net_named & TCP & ~ll->net_any) != 0 &&
	    (ll->net_named & UDP) == 0 && (rights_known(RIGHT_NET, ll->abi) &
	    UDP) != UDP)
		warnx("UDP is not restricted: this kernel's Landlock cannot do "
		    "that; udp.bind=none udp.connect=none denies UDP, any "
		    "leaves it alone");
}

/* Add the rules to the ruleset. */
void
ports_fill(const struct landlock *ll)
{
	const struct port_rule *p;
	struct landlock_net_port_attr attr;
	unsigned int port;

	for (p = ll->ports; p < ll->ports + ll->nports; p++) {
		attr.allowed_access = p->access & ll->handled_net;
		if (attr.allowed_access == 0)
			continue;
		for (port = p->first; port <= p->last; port++) {
			attr.port = port;
			if (syscall(SYS_landlock_add_rule, ll->ruleset,
				LANDLOCK_RULE_NET_PORT, &attr, 0) == -1)
				err(EXIT_LINK, "%s=%u", p->key, port);
		}
	}
}
