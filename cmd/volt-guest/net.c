/*
 * The guest's network card: its addresses, the gateway as the default route, and a
 * resolv.conf that covers the root's own.
 */
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <arpa/inet.h>
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <net/route.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "cidr.h"
#include "inside.h"
#include "kfile.h"
#include "netns.h"
#include "value.h"

#define CLASS "/sys/class/net"
#define RESOLV "/etc/resolv.conf"
#define RESOLV_OURS "/run/volt-resolv.conf"

/* <linux/ipv6.h> conflicts with the C library's headers. */
struct in6_ifreq {
	struct in6_addr addr;
	uint32_t prefixlen;
	int ifindex;
};

struct card {
	const char *mac;
	char name[IF_NAMESIZE];
};

/* Find the interface with that MAC address. Returns whether it is there. */
static bool
look_for_card(void *arg)
{
	struct card *card = arg;
	char path[300], address[32];
	struct dirent *e;
	bool found = false;
	DIR *dir;

	if ((dir = opendir(CLASS)) == NULL)
		return false;
	/* cppcheck-suppress readdirCalled ; there are no threads */
	while (!found && (e = readdir(dir)) != NULL) {
		if (strlen(e->d_name) >= IF_NAMESIZE)
			continue;
		snprintf(path, sizeof(path), CLASS "/%s/address", e->d_name);
		if (kfile_read(AT_FDCWD, path, address, sizeof(address)) ==
		    -1 || strncmp(address, card->mac, 17) != 0)
			continue;
		strcpy(card->name, e->d_name);
		found = true;
	}
	closedir(dir);
	return found;
}

/* Parse "ADDRESS/LENGTH", or if len is NULL "ADDRESS". */
static void
parse(const char *s, int family, void *addr, unsigned int *len)
{
	if (len != NULL ? !cidr_parse(s, family, addr, len) :
	    inet_pton(family, s, addr) != 1)
		errx(EXIT_LINK, "network: %s: not an address", s);
}

static void
set_v4(const struct guest_words *w, const char *name)
{
	struct ifreq ifr = { 0 };
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct rtentry rt = { .rt_flags = RTF_UP | RTF_GATEWAY };
	unsigned int len;
	int s;

	if ((s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		err(EXIT_LINK, "network: socket");
	strcpy(ifr.ifr_name, name);
	if (w->ip != NULL) {
		parse(w->ip, AF_INET, &sin.sin_addr, &len);
		memcpy(&ifr.ifr_addr, &sin, sizeof(sin));
		if (ioctl(s, SIOCSIFADDR, &ifr) == -1)
			err(EXIT_LINK, "network: %s", w->ip);
		sin.sin_addr.s_addr = len == 0 ? 0 :
		    htonl(UINT32_MAX << (32 - len));
		memcpy(&ifr.ifr_netmask, &sin, sizeof(sin));
		if (ioctl(s, SIOCSIFNETMASK, &ifr) == -1)
			err(EXIT_LINK, "network: %s", w->ip);
	}
	ifr.ifr_flags = IFF_UP | IFF_RUNNING;
	if (ioctl(s, SIOCSIFFLAGS, &ifr) == -1)
		err(EXIT_LINK, "network: %s up", name);
	if (w->gw != NULL) {
		sin.sin_addr.s_addr = 0;
		memcpy(&rt.rt_dst, &sin, sizeof(sin));
		memcpy(&rt.rt_genmask, &sin, sizeof(sin));
		parse(w->gw, AF_INET, &sin.sin_addr, NULL);
		memcpy(&rt.rt_gateway, &sin, sizeof(sin));
		if (ioctl(s, SIOCADDRT, &rt) == -1)
			err(EXIT_LINK, "network: gateway %s", w->gw);
	}
	close(s);
}

/* The address is this guest's alone: disable duplicate address detection. */
static void
no_probing(const char *name)
{
	static const char *const files[] = { "accept_dad", "accept_ra",
		"dad_transmits" };
	char path[128];
	size_t i;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s",
		    name, files[i]);
		if (kfile_write(AT_FDCWD, path, "0") == -1 && errno != ENOENT)
			warn("network: %s", path);
	}
}

static void
set_v6(const struct guest_words *w, const char *name)
{
	struct in6_ifreq ifr = { .ifindex = (int)if_nametoindex(name) };
	struct in6_rtmsg rt = { .rtmsg_flags = RTF_UP | RTF_GATEWAY,
		.rtmsg_metric = 1024, .rtmsg_ifindex = ifr.ifindex };
	int s;

	if (w->ip6 == NULL)
		return;
	if ((s = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		err(EXIT_LINK, "network: IPv6");
	parse(w->ip6, AF_INET6, &ifr.addr, &ifr.prefixlen);
	if (ioctl(s, SIOCSIFADDR, &ifr) == -1)
		err(EXIT_LINK, "network: %s", w->ip6);
	if (w->gw6 != NULL) {
		parse(w->gw6, AF_INET6, &rt.rtmsg_gateway, NULL);
		if (ioctl(s, SIOCADDRT, &rt) == -1)
			err(EXIT_LINK, "network: gateway %s", w->gw6);
	}
	close(s);
}

/*
 * Mount our file over the root's. In many images that is a symlink to a file that
 * only a running system has. Then cover the symlink itself, by a descriptor:
 * mount(2) on a path would follow it.
 */
static int
cover(void)
{
	char path[32];
	int fd, rc, saved;

	if ((fd = open(RESOLV, O_PATH | O_NOFOLLOW | O_CLOEXEC)) == -1) {
		/* There is none: make one to cover. */
		(void)mkdir("/etc", 0755);
		fd = open(RESOLV, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		    0644);
	}
	if (fd == -1)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	rc = mount(RESOLV_OURS, path, NULL, MS_BIND, NULL);
	saved = errno;
	close(fd);
	errno = saved;
	return rc;
}

/* Write a line with the word and the items of a list, if there is a list. */
static void
put_list(FILE *f, const char *word, const char *list)
{
	char field[256];

	if (list == NULL)
		return;
	fputs(word, f);
	while (value_field(&list, ',', field, sizeof(field)) == 1)
		fprintf(f, " %s", field);
	putc('\n', f);
}

/* Go on with a warning if the root has no place for that file; else fail. */
static void
cannot(const char *path)
{
	if (errno != ENOENT && errno != ENOTDIR && errno != EROFS)
		err(EXIT_LINK, "network: %s", path);
	warn("network: %s", path);
}

/* Make a resolv.conf(5). The root's own file is covered and not changed. */
static void
set_dns(const struct guest_words *w)
{
	const char *cursor = w->dns;
	char field[256];
	FILE *f;
	int fd;

	if (w->dns == NULL)
		return;
	fd = open(RESOLV_OURS, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC |
	    O_NOFOLLOW, 0644);
	if (fd == -1) {
		cannot(RESOLV_OURS);
		return;
	}
	if ((f = fdopen(fd, "w")) == NULL)
		err(EXIT_LINK, "network: %s", RESOLV_OURS);
	while (value_field(&cursor, ',', field, sizeof(field)) == 1)
		fprintf(f, "nameserver %s\n", field);
	put_list(f, "search", w->search);
	put_list(f, "options", w->options);
	if (ferror(f) || fclose(f) != 0)
		err(EXIT_LINK, "network: %s", RESOLV_OURS);
	if (cover() == -1)
		cannot(RESOLV);
}

void
net_up(const struct guest_words *w)
{
	struct card card = { .mac = w->mac };
	const char *path;

	if (netns_settings(&path) == -1)
		warn("%s stays as it is", path);
	if (!boot_wait(look_for_card, &card))
		errx(EXIT_LINK, "network: no card %s", w->mac);
	no_probing(card.name);
	set_v4(w, card.name);
	set_v6(w, card.name);
	set_dns(w);
}
