/*
 * The tap of the network card: that of volt-net -t, whose VOLT_TAP also has the
 * guest's addresses, or tap=NAME, with words for these. Of a tap with several queues
 * we take one for each vCPU.
 */
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "cidr.h"
#include "config.h"
#include "network.h"
#include "tap.h"

/* Returns a queue of the tap, or -1 and errno: EINVAL, too, if multi is wrong. */
static int
open_queue(const char *name, bool multi)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };
	int fd;

	if (multi)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	memcpy(ifr.ifr_name, name, strlen(name));
	if ((fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "/dev/net/tun");
	if (ioctl(fd, TUNSETIFF, &ifr) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
open_tap(struct net_config *n, const char *name, unsigned int queues)
{
	bool multi = false;
	int fd;

	if (*name == '\0' || strlen(name) >= IFNAMSIZ)
		errx(EXIT_LINK, "tap=%s: not a name", name);
	/* TUNSETIFF would make an interface that leads nowhere. */
	if (if_nametoindex(name) == 0 && errno == ENODEV)
		errx(EXIT_LINK, "tap=%s: no such device", name);
	fd = open_queue(name, multi);
	if (fd == -1 && errno == EINVAL)
		fd = open_queue(name, multi = true);
	for (;;) {
		if (fd == -1)
			err(EXIT_LINK, "tap=%s", name);
		n->tap[n->ntaps++] = fd;
		if (!multi || n->ntaps == queues)
			return;
		fd = open_queue(name, multi);
	}
}

/* Take so many of the queues, and close the others: that detaches them. */
static void
take_queues(struct net_config *n, const struct tap *t, unsigned int queues)
{
	unsigned int i;

	for (i = 0; i < t->nfds; i++)
		if (i < queues)
			n->tap[n->ntaps++] = t->fd[i];
		else
			close(t->fd[i]);
}

/* Turn what volt-net said into the words of the command line. */
static void
from_tap(struct net_config *n, const struct tap *t)
{
	static char ip[CIDR_TEXT], gw[INET_ADDRSTRLEN];
	static char ip6[CIDR_TEXT], gw6[INET6_ADDRSTRLEN];
	static char dns[TAP_LIST], search[TAP_LIST], options[TAP_LIST];

	n->mtu = t->mtu;
	memcpy(n->mac, t->mac, sizeof(n->mac));
	n->ip = cidr_text(AF_INET, &t->ip, t->len, ip);
	n->gw = inet_ntop(AF_INET, &t->gw, gw, sizeof(gw));
	if (t->has6) {
		n->ip6 = cidr_text(AF_INET6, &t->ip6, t->len6, ip6);
		n->gw6 = inet_ntop(AF_INET6, &t->gw6, gw6, sizeof(gw6));
	}
	snprintf(dns, sizeof(dns), "%s", t->dns);
	snprintf(search, sizeof(search), "%s", t->search);
	snprintf(options, sizeof(options), "%s", t->options);
	if (n->dns == NULL) { /* else dns= overrides it */
		n->dns = *dns != '\0' ? dns : NULL;
		n->options = *options != '\0' ? options : NULL;
	}
	n->search = *search != '\0' ? search : NULL;
}

/* Find or open the tap, if there is one, and fill cfg->net. */
void
network_open(struct config *cfg)
{
	static struct tap t;
	struct net_config *n = &cfg->net;
	unsigned int queues = cfg->cpus < TAP_QUEUES ? cfg->cpus : TAP_QUEUES, i;

	if (cfg->tap != NULL && cfg->dry) {
		n->present = true; /* do not open it: that might make it */
		return;
	}
	if (cfg->tap != NULL) {
		open_tap(n, cfg->tap, queues);
		if (getrandom(n->mac, sizeof(n->mac), 0) != sizeof(n->mac))
			err(EXIT_LINK, "random bytes");
		n->mac[0] = 0x02; /* locally administered */
	} else if (tap_find(&t) == 0) {
		from_tap(n, &t);
		take_queues(n, &t, queues);
	} else if (errno == ENOENT) {
		if (n->dns != NULL)
			errx(EXIT_LINK, "dns=: no network");
		return;
	} else {
		err(EXIT_LINK, "%s", TAP_VARIABLE);
	}
	n->present = true;
	for (i = 0; i < n->ntaps; i++)
		if (fcntl(n->tap[i], F_SETFL, fcntl(n->tap[i], F_GETFL) | O_NONBLOCK) ==
		    -1 || fcntl(n->tap[i], F_SETFD, FD_CLOEXEC) == -1)
			err(EXIT_LINK, "tap");
}
