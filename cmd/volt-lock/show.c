/*
 * Print the policy after all includes, and what this kernel can do: as "key value"
 * lines or JSON on standard output, or as lines of -v.
 */
#include <sys/prctl.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "chain.h"
#include "json.h"
#include "kfile.h"
#include "lock.h"
#include "say.h"
#include "uapi/landlock.h"

#define ACTIONS_FILE "/proc/sys/kernel/seccomp/actions_avail"

struct out {
	const struct lock *lock;
	enum { OUT_TEXT, OUT_JSON, OUT_SAY } form;
	const char *separator;	/* before the next item of JSON */
};

__attribute__((format(printf, 3, 4))) static void
item(struct out *out, const char *key, const char *fmt, ...)
{
	char value[2 * LOCK_PATH], *c;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	if (out->form == OUT_JSON) {
		printf("%s{\"key\":", out->separator);
		json_string(stdout, key);
		printf(",\"value\":");
		json_string(stdout, value);
		putchar('}');
		out->separator = ",\n ";
		return;
	}
	for (c = value; *c != '\0'; c++)
		if ((unsigned char)*c < ' ')
			*c = '?'; /* one line an item */
	if (out->form == OUT_SAY)
		say("%s=%s", key, value);
	else
		printf("%s %s\n", key, value);
}

static void
list_add(char *list, size_t size, const char *name)
{
	size_t len = strlen(list);

	snprintf(list + len, size - len, "%s%s", len > 0 ? "," : "", name);
}

/* Print one path: with the word that grants exactly its rights, or with several. */
static void
show_path(struct out *out, const struct path_rule *p)
{
	const char *key = rights_group(p->access);
	const char *prefix = p->prefix != NULL ? p->prefix : "";
	const struct right *r;

	if (key != NULL)
		item(out, key, "%s%s", prefix, p->path);
	for (r = rights; key == NULL && r->key != NULL; r++)
		if (r->kind == RIGHT_FS && (p->access & r->bit) != 0)
			item(out, r->key, "%s%s", prefix, p->path);
}

/* Print the paths, and any, and none for each right that no path has. */
static void
show_paths(struct out *out)
{
	const uint64_t sockets = LANDLOCK_ACCESS_FS_RESOLVE_UNIX;
	const struct landlock *ll = &out->lock->ll;
	const struct right *r;
	const char *except = NULL;
	size_t i;

	for (i = 0; i < ll->npaths; i++) {
		if (ll->paths[i].except != except) {
			except = ll->paths[i].except;
			item(out, "except", "%s", except != NULL ? except : "");
		}
		show_path(out, &ll->paths[i]);
	}
	if ((ll->fs_any & ~sockets) != 0)
		item(out, "fs", "any");
	else if (!paths_granted(ll, ~sockets))
		item(out, "fs", "none");
	for (r = rights; r->key != NULL; r++) {
		if (r->kind != RIGHT_FS || paths_granted(ll, r->bit))
			continue;
		if (r->bit == sockets && (ll->fs_any & sockets) != 0)
			item(out, r->key, "any");
		else if (r->bit == sockets ? ((ll->handled_fs | ll->fs_none) &
			sockets) != 0 : (ll->fs_any & ~sockets) != 0 &&
			(ll->handled_fs & r->bit) != 0)
			item(out, r->key, "none");
	}
}

static void
show_ports(struct out *out)
{
	const struct landlock *ll = &out->lock->ll;
	const struct port_rule *p;
	const struct right *r;

	for (r = rights; r->key != NULL; r++) {
		if (r->kind != RIGHT_NET)
			continue;
		if ((ll->net_any & r->bit) != 0)
			item(out, r->key, "any");
		else if (((ll->handled_net | ll->net_none) & r->bit) != 0 &&
		    !ports_granted(ll, r->bit))
			item(out, r->key, "none");
	}
	for (p = ll->ports; p < ll->ports + ll->nports; p++) {
		if (p->first == p->last)
			item(out, p->key, "%u", p->first);
		else
			item(out, p->key, "%u-%u", p->first, p->last);
	}
}

static void
show_landlock(struct out *out)
{
	const struct landlock *ll = &out->lock->ll;
	const struct right *r;
	char list[256] = "";
	unsigned int i;

	if (!ll->wanted)
		return;
	if (ll->min_abi != 0)
		item(out, "abi", "%d", ll->min_abi);
	show_paths(out);
	show_ports(out);
	for (r = rights; r->key != NULL; r++)
		if (r->kind == RIGHT_SCOPE && ((ll->scope_given ? ll->scoped :
			rights_known(RIGHT_SCOPE, ll->abi)) & r->bit) != 0)
			list_add(list, sizeof(list), r->key);
	item(out, "scope", "%s", list[0] != '\0' ? list : "none");
	list[0] = '\0';
	for (r = rights; r->key != NULL; r++)
		if (r->kind == RIGHT_LOG && (ll->flags & r->bit) != 0)
			list_add(list, sizeof(list), r->key);
	if (list[0] != '\0')
		item(out, "log", "%s", list);
	list[0] = '\0';
	for (i = 0; i < FILTERS; i++)
		if ((ll->filters & 1U << i) != 0)
			list_add(list, sizeof(list), seccomp_filter_name(i));
	if (list[0] != '\0')
		item(out, "filters", "%s", list);
}

static void
show_limit(struct out *out, const struct limit *l)
{
	char soft[24] = "unlimited", hard[24] = "unlimited";

	if (l->soft != UINT64_MAX)
		snprintf(soft, sizeof(soft), "%llu",
		    (unsigned long long)l->soft);
	if (l->hard != UINT64_MAX)
		snprintf(hard, sizeof(hard), "%llu",
		    (unsigned long long)l->hard);
	item(out, l->key, "%s:%s", soft, hard);
}

static void
show_rest(struct out *out)
{
	static const char *const actions[] = { "errno", "kill", "log" };
	const struct lock *lock = out->lock;
	char list[1024] = "", number[16];
	const char *name;
	unsigned int bit, n;
	size_t i;

	if (lock->seccomp != NULL) {
		item(out, "seccomp", "%s", lock->seccomp);
		item(out, "seccomp.action", "%s", actions[lock->action]);
	}
	if (lock->caps.given) {
		caps_describe(&lock->caps, list, sizeof(list));
		item(out, "caps", "%s", list);
	}
	if (lock->id.uid_given)
		item(out, "uid", "%u", lock->id.uid);
	if (lock->id.gid_given)
		item(out, "gid", "%u", lock->id.gid);
	list[0] = '\0';
	for (i = 0; i < lock->id.ngroups; i++) {
		snprintf(number, sizeof(number), "%u", lock->id.groups[i]);
		list_add(list, sizeof(list), number);
	}
	if (lock->id.groups_given)
		item(out, "groups", "%s", list);
	for (i = 0; i < lock->nlimits; i++)
		show_limit(out, &lock->limits[i]);
	list[0] = '\0';
	for (n = 0; (name = spec_name(n, &bit)) != NULL; n++)
		if ((lock->spec & bit) != 0)
			list_add(list, sizeof(list), name);
	if (list[0] != '\0')
		item(out, "spec", "%s", list);
	if (lock->id.uid_given)
		item(out, "stdio", "%s", lock->give_stdio ? "give" : "keep");
	item(out, "fds", "%s", lock->close_fds ? "close" : "keep");
	item(out, "keyring", "%s", lock->new_keyring ? "new" : "keep");
	if (!lock->dumpable)
		item(out, "dumpable", "no");
}

static void
show_kernel(struct out *out, int abi)
{
	const struct right *r;
	char buf[256], key[64], *end;
	int cap;

	item(out, "kernel.landlock", "ABI %d, Linux %s", abi, abi_linux(abi));
	for (r = rights; r->key != NULL; r++) {
		snprintf(key, sizeof(key), "kernel.%s%s",
		    r->kind == RIGHT_SCOPE ? "scope." :
		    r->kind == RIGHT_LOG ? "log." : "", r->key);
		if (r->abi <= abi)
			item(out, key, "yes");
		else
			item(out, key, "no, needs ABI %d, Linux %s", r->abi,
			    abi_linux(r->abi));
	}
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == -1)
		item(out, "kernel.seccomp", "%s", errno == EINVAL ? "no" :
		    strerror(errno));
	else if (kfile_read(AT_FDCWD, ACTIONS_FILE, buf, sizeof(buf)) > 0) {
		if ((end = strchr(buf, '\n')) != NULL)
			*end = '\0';
		item(out, "kernel.seccomp", "%s", buf);
	} else {
		item(out, "kernel.seccomp", "yes");
	}
	for (cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != -1; cap++)
		;
	if (errno == EINVAL && cap > 0)
		item(out, "kernel.caps", "%d", cap);
	else
		item(out, "kernel.caps", "unknown: %s", strerror(errno));
}

/* Without a command: print the policy and the kernel. Returns the exit status. */
int
show(struct lock *lock)
{
	struct out out = { .lock = lock, .separator = "",
		.form = lock->json ? OUT_JSON : OUT_TEXT };
	bool policy = lock->ll.wanted;

	/* A missing path or profile must be an error here, too. */
	if (policy)
		landlock_plan(lock, NULL);
	else
		landlock_word(lock, "abi", "0");
	seccomp_plan(lock);
	if (lock->json)
		printf("{\"policy\":[");
	if (policy)
		show_landlock(&out);
	show_rest(&out);
	if (lock->json)
		printf("],\n\"kernel\":[");
	out.separator = "";
	show_kernel(&out, lock->ll.abi);
	if (lock->json)
		printf("]}\n");
	if (fflush(stdout) == EOF)
		err(EXIT_LINK, "standard output");
	return 0;
}

/* With -v and -N: say what is about to be done. */
void
show_plan(struct lock *lock)
{
	struct out out = { .lock = lock, .form = OUT_SAY };

	show_landlock(&out);
	show_rest(&out);
}
