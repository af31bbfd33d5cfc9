#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "identity.h"
#include "kfile.h"
#include "path.h"
#include "value.h"
#include "words.h"

#define FILE_MOST ((off_t)16 << 20)
#define NAME_SIZE 256	/* at least LOGIN_NAME_MAX, with the NUL */
#define PASSWD "/etc/passwd"
#define GROUP "/etc/group"

/*
 * Read a file of the root, which may be hostile: refuse a device, a pipe, and a
 * symlink out of the root. Returns the text, which the caller frees, or NULL and
 * errno.
 */
static char *
read_file(int root, const char *path)
{
	struct stat st;
	char *text = NULL;
	int fd, saved;

	if ((fd = path_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY)) ==
	    -1)
		return NULL;
	if (fstat(fd, &st) == -1)
		goto out;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		goto out;
	}
	if (st.st_size > FILE_MOST) {
		errno = EFBIG;
		goto out;
	}
	if ((text = malloc((size_t)st.st_size + 1)) != NULL &&
	    kfile_slurp(fd, text, (size_t)st.st_size + 1) == -1) {
		saved = errno;
		free(text);
		text = NULL;
		errno = saved;
	}
out:
	saved = errno;
	close(fd);
	errno = saved;
	return text;
}

/* Cut the next line out of text. Returns NULL at the end. */
static char *
next_line(char **text)
{
	char *line = *text, *end;

	if (line == NULL || *line == '\0')
		return NULL;
	if ((end = strchr(line, '\n')) != NULL)
		*end++ = '\0';
	*text = end;
	return line;
}

/* Cut a line at its colons. Returns the number of fields, at most "most". */
static size_t
split(char *line, char **field, size_t most)
{
	size_t n = 0;

	while (n < most) {
		field[n++] = line;
		if ((line = strchr(line, ':')) == NULL)
			break;
		*line++ = '\0';
	}
	return n;
}

static bool
get_id(const char *s, id_t *id)
{
	uint64_t n;

	if (value_uint(s, UINT32_MAX - 1, &n) == -1)
		return false;
	*id = (id_t)n;
	return true;
}

/*
 * Look up name in the root's passwd file: the first user of that name or number. login
 * gets the user's name. Returns 0, or -1 and errno: ESRCH if the user is not in the
 * file.
 */
int
identity_user(int root, const char *name, uid_t *uid, gid_t *gid, char *login,
    size_t size)
{
	char *text, *rest, *line, *field[4];
	id_t number = (id_t)-1, u, g;
	bool found = false;

	if ((rest = text = read_file(root, PASSWD)) == NULL)
		return -1;
	(void)get_id(name, &number);
	while (!found && (line = next_line(&rest)) != NULL) {
		if (split(line, field, 4) < 4 || !get_id(field[2], &u) ||
		    !get_id(field[3], &g) || strlen(field[0]) >= size)
			continue;
		if (strcmp(field[0], name) != 0 && u != number)
			continue;
		*uid = u;
		*gid = g;
		strcpy(login, field[0]);
		found = true;
	}
	free(text);
	errno = ESRCH;
	return found ? 0 : -1;
}

/* Look up the number of a group in the root's group file, likewise. */
int
identity_group(int root, const char *name, gid_t *gid)
{
	char *text, *rest, *line, *field[3];
	bool found = false;

	if ((rest = text = read_file(root, GROUP)) == NULL)
		return -1;
	while (!found && (line = next_line(&rest)) != NULL)
		found = split(line, field, 3) == 3 &&
		    strcmp(field[0], name) == 0 && get_id(field[2], gid);
	free(text);
	errno = ESRCH;
	return found ? 0 : -1;
}

static bool
is_member(char *list, const char *login)
{
	const char *cursor = list;
	char name[NAME_SIZE];

	while (value_field(&cursor, ',', name, sizeof(name)) == 1)
		if (strcmp(name, login) == 0)
			return true;
	return false;
}

/*
 * The groups of login: first, and those in the root's group file that have login as a
 * member. Returns their number, or -1 and errno: E2BIG if there are more than most.
 */
ssize_t
identity_groups(int root, const char *login, gid_t first, gid_t *list,
    size_t most)
{
	char *text, *rest, *line, *field[4];
	size_t n = 0;
	gid_t gid;

	list[n++] = first;
	if ((rest = text = read_file(root, GROUP)) == NULL)
		return errno == ENOENT ? (ssize_t)n : -1;
	while ((line = next_line(&rest)) != NULL) {
		if (split(line, field, 4) < 4 || !get_id(field[2], &gid) ||
		    gid == first || !is_member(field[3], login))
			continue;
		if (n == most) {
			free(text);
			errno = E2BIG;
			return -1;
		}
		list[n++] = gid;
	}
	free(text);
	return (ssize_t)n;
}

static bool
is_number(const char *s)
{
	return *s != '\0' && s[strspn(s, "0123456789")] == '\0';
}

/* Refuse a value that can be neither a name nor a number. */
static void
check(const char *key, const char *value, const char *name)
{
	const char *s;

	if (*name >= '0' && *name <= '9') {
		(void)word_id(key, name);
		return;
	}
	if (strchr("_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
		*name) == NULL || *name == '\0' || strlen(name) >= NAME_SIZE)
		word_bad(key, value, "not a number or a name");
	for (s = name; *s != '\0'; s++)
		if (*s <= ' ' || *s == ':' || *s == ',' || *s == '/' ||
		    *s == 127)
			word_bad(key, value, "not a number or a name");
}

/* user=, uid= or gid=: word is the member for the value. */
void
identity_name(void *word, const char *key, const char *value)
{
	check(key, value, value);
	*(const char **)word = value;
}

/* groups= */
void
identity_list(void *word, const char *key, const char *value)
{
	const char *cursor = *value != '\0' ? value : NULL;
	char name[NAME_SIZE];
	size_t n = 0;

	while (value_field(&cursor, ',', name, sizeof(name)) == 1) {
		if (n++ == IDENTITY_GROUPS)
			word_bad(key, value, "too many groups");
		check(key, value, name);
	}
	if (errno != 0)
		word_bad(key, value, "not a number or a name");
	*(const char **)word = value;
}

/* End the program: name could not be looked up in file, for the reason in errno. */
static _Noreturn void
unknown(const char *key, const char *value, const char *what, const char *file)
{
	if (errno == ESRCH)
		errx(EXIT_LINK, "%s=%s: no %s of that name in %s", key, value,
		    what, file);
	err(EXIT_LINK, "%s=%s: %s", key, value, file);
}

static gid_t
group(int root, const char *key, const char *name)
{
	gid_t gid;

	if (is_number(name))
		return word_id(key, name);
	if (identity_group(root, name, &gid) == -1)
		unknown(key, name, "group", GROUP);
	return gid;
}

static void
resolve_user(struct identity *id, int root)
{
	char login[NAME_SIZE];
	ssize_t n;

	if (identity_user(root, id->user_word, &id->uid, &id->gid, login,
		sizeof(login)) == -1)
		unknown("user", id->user_word, "user", PASSWD);
	n = identity_groups(root, login, id->gid, id->groups, IDENTITY_GROUPS);
	if (n == -1)
		err(EXIT_LINK, "user=%s: " GROUP, id->user_word);
	id->ngroups = (size_t)n;
	id->uid_given = id->gid_given = id->groups_given = true;
	id->groups_implied = n == 1;
}

/*
 * Fill in what the words mean in the current root, or end the program. uid=, gid= and
 * groups= override user=.
 */
void
identity_resolve(struct identity *id)
{
	char login[NAME_SIZE], name[NAME_SIZE];
	const char *cursor;
	gid_t gid;
	int root;

	if ((root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(EXIT_LINK, "/");
	if (id->user_word != NULL)
		resolve_user(id, root);
	if (id->uid_word != NULL) {
		if (is_number(id->uid_word))
			id->uid = word_id("uid", id->uid_word);
		else if (identity_user(root, id->uid_word, &id->uid, &gid,
		    login, sizeof(login)) == -1)
			unknown("uid", id->uid_word, "user", PASSWD);
		id->uid_given = true;
	}
	if (id->gid_word != NULL) {
		id->gid = group(root, "gid", id->gid_word);
		id->gid_given = true;
	}
	if (id->groups_word != NULL) {
		cursor = *id->groups_word != '\0' ? id->groups_word : NULL;
		for (id->ngroups = 0;
		     value_field(&cursor, ',', name, sizeof(name)) == 1;)
			id->groups[id->ngroups++] = group(root, "groups", name);
		id->groups_given = true;
		id->groups_implied = false;
	}
	close(root);
}
