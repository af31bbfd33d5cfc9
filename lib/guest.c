#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest.h"
#include "value.h"

/* The name of a port, as volt-kvm tells it to the guest's kernel. */
void
guest_port_name(char name[GUEST_PORT_NAME], unsigned int lane,
    enum guest_port port)
{
	static const char *const names[GUEST_PORTS] = { "stdin", "stdout",
		"stderr", "control" };

	if (lane == 0)
		snprintf(name, GUEST_PORT_NAME, "volt.%s", names[port]);
	else
		snprintf(name, GUEST_PORT_NAME, "volt.%u.%s", lane, names[port]);
}

/*
 * How many bytes follow a request. Returns -1 and errno, E2BIG, if they are too many.
 */
int64_t
guest_request_size(const struct guest_request *r)
{
	uint64_t size = (uint64_t)r->words + r->argv + r->env;

	if (size <= GUEST_REQUEST_MOST)
		return (int64_t)size;
	errno = E2BIG;
	return -1;
}

/* Is the text of that length whole strings? Then *n is how many. */
bool
guest_strings(const char *text, size_t len, size_t *n)
{
	size_t i;

	*n = 0;
	for (i = 0; i < len; i++)
		*n += text[i] == '\0';
	return len == 0 || text[len - 1] == '\0';
}

#define WORD(name) { #name "=", offsetof(struct guest_words, name) }
static const struct {
	const char *key;
	size_t offset;
} words[] = {
	WORD(pmems), WORD(root), WORD(overlay), WORD(hostname), WORD(chdir), WORD(console),
	WORD(size), WORD(mac), WORD(ip), WORD(gw), WORD(ip6), WORD(gw6),
	WORD(dns), WORD(search), WORD(options),
};
#undef WORD
#define SHARE "share="
#define VERITY "verity="
#define WORDS (sizeof(words) / sizeof(words[0]))

/* Add a line to the len bytes of buf. Returns 0, or -1 and errno. */
static int
print_word(char *buf, size_t size, size_t *len, const char *key, const char *value)
{
	if (strchr(value, '\n') != NULL) {
		errno = EINVAL;
		return -1;
	}
	*len += (size_t)snprintf(buf + *len, size - *len, "%s%s\n", key, value);
	if (*len < size)
		return 0;
	errno = E2BIG;
	return -1;
}

/*
 * Write the words to buf, one on each line, and a NUL. Returns the length without the
 * NUL; or -1 and errno: EINVAL for a value with a newline, E2BIG if size is too small.
 */
int
guest_words_print(const struct guest_words *w, char *buf, size_t size)
{
	const char *value;
	size_t i, len = 0;

	if (size > 0)
		buf[0] = '\0';
	for (i = 0; i < WORDS; i++) {
		memcpy(&value, (const char *)w + words[i].offset,
		    sizeof(value));
		if (value != NULL &&
		    print_word(buf, size, &len, words[i].key, value) == -1)
			return -1;
	}
	for (i = 0; i < w->nshares; i++)
		if (print_word(buf, size, &len, SHARE, w->share[i]) == -1)
			return -1;
	for (i = 0; i < w->nverity; i++)
		if (print_word(buf, size, &len, VERITY, w->verity[i]) == -1)
			return -1;
	return (int)len;
}

/* Set the word of that line, if there is one. */
static void
parse_line(struct guest_words *w, const char *line)
{
	const char *value;
	size_t i;

	for (i = 0; i < WORDS; i++) {
		if (strncmp(line, words[i].key, strlen(words[i].key)) != 0)
			continue;
		value = line + strlen(words[i].key);
		memcpy((char *)w + words[i].offset, &value, sizeof(value));
	}
	if (strncmp(line, SHARE, strlen(SHARE)) == 0 &&
	    w->nshares < GUEST_SHARES)
		w->share[w->nshares++] = line + strlen(SHARE);
	if (strncmp(line, VERITY, strlen(VERITY)) == 0 &&
	    w->nverity < GUEST_DISKS)
		w->verity[w->nverity++] = line + strlen(VERITY);
}

/* Parse text. It is changed, and w keeps pointers into it. */
void
guest_words_parse(struct guest_words *w, char *text)
{
	char *line, *save;

	memset(w, 0, sizeof(*w));
	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		parse_line(w, line);
}

/*
 * Parse the word for a disk. The last type counts, and so does the last of ro and rw.
 * Returns 0, or -1 and errno: ENAMETOOLONG.
 */
int
guest_disk_parse(struct guest_disk *d, const char *word)
{
	const char *cursor = word;
	char field[sizeof(d->type)];
	int rc;

	*d = (struct guest_disk){ .type = "" };
	if (value_field(&cursor, ':', d->dev, sizeof(d->dev)) == -1)
		return -1;
	while ((rc = value_field(&cursor, ':', field, sizeof(field))) == 1) {
		if (strcmp(field, "ro") == 0)
			d->ro = true;
		else if (strcmp(field, "rw") == 0)
			d->ro = false;
		else if (*field != '\0')
			strcpy(d->type, field);
	}
	return rc;
}

/*
 * Write the word for a share to buf. Returns 0, or -1 and E2BIG if size is too small.
 */
int
guest_share_print(const struct guest_share *s, char *buf, size_t size)
{
	const char *p;
	size_t len;

	len = (size_t)snprintf(buf, size, "%s:", s->tag);
	for (p = s->dst; *p != '\0' && len + 2 < size; p++) {
		if (*p == ':' || *p == '\\')
			buf[len++] = '\\';
		buf[len++] = *p;
	}
	if (*p == '\0' && len < size && (size_t)snprintf(buf + len, size - len, "%s",
	    s->ro ? ":ro" : "") < size - len)
		return 0;
	errno = E2BIG;
	return -1;
}

/* Parse the word for a share. Returns 0, or -1 and errno: EINVAL, ENAMETOOLONG. */
int
guest_share_parse(struct guest_share *s, const char *word)
{
	const char *cursor = word;
	char field[4];
	int rc;

	*s = (struct guest_share){ .ro = false };
	if (value_field(&cursor, ':', s->tag, sizeof(s->tag)) == -1 ||
	    (rc = value_field(&cursor, ':', s->dst, sizeof(s->dst))) == -1)
		return -1;
	if (rc == 0 || s->dst[0] != '/') {
		errno = EINVAL;
		return -1;
	}
	while ((rc = value_field(&cursor, ':', field, sizeof(field))) == 1)
		if (strcmp(field, "ro") == 0)
			s->ro = true;
	return rc;
}

/*
 * Write the word for a disk with dm-verity to buf. Returns 0, or -1 and E2BIG if size is
 * too small.
 */
int
guest_verity_print(const struct guest_verity *v, char *buf, size_t size)
{
	char hash[DIGEST_TEXT], hashes[32] = "";

	digest_print(&v->trust.verity, hash);
	if (v->trust.hashes_given)
		snprintf(hashes, sizeof(hashes), ":hashes=%llu",
		    (unsigned long long)v->trust.hashes);
	if ((size_t)snprintf(buf, size, "%s:verity=%s%s%s%s", v->dev, hash, hashes,
		v->trust.sig != NULL ? ":sig=" : "",
		v->trust.sig != NULL ? v->trust.sig : "") < size)
		return 0;
	errno = E2BIG;
	return -1;
}

/*
 * Parse the word for a disk with dm-verity. Returns 0, or -1 and errno: EINVAL,
 * ENAMETOOLONG.
 */
int
guest_verity_parse(struct guest_verity *v, const char *word)
{
	char field[sizeof("fsverity=") + DIGEST_TEXT];
	const char *cursor = word;
	int rc;

	*v = (struct guest_verity){ .dev = "" };
	if (value_field(&cursor, ':', v->dev, sizeof(v->dev)) == -1)
		return -1;
	while ((rc = value_field(&cursor, ':', field, sizeof(field))) == 1)
		if (!trust_is_option(field) || trust_set(&v->trust, field) != NULL)
			break;
	if (rc == 0 && v->trust.verity.len > 0)
		return 0;
	if (rc != -1)
		errno = EINVAL;
	return -1;
}
