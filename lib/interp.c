#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "interp.h"
#include "value.h"

/* Open a command that exec would find: a path, or a name along PATH. */
static int
open_command(const char *command)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	const char *cursor = getenv("PATH");
	char dir[PATH_MAX], path[PATH_MAX];
	int fd;

	if (strchr(command, '/') != NULL)
		return open(command, flags);
	while (value_field(&cursor, ':', dir, sizeof(dir)) == 1) {
		if (snprintf(path, sizeof(path), "%s/%s",
			dir[0] != '\0' ? dir : ".", command) >=
		    (int)sizeof(path))
			continue;
		if ((fd = open(path, flags)) != -1 || errno != ENOENT)
			return fd;
	}
	return -1;
}

/* The dynamic loader of an ELF file: the string in its PT_INTERP segment. */
static bool
of_elf(int fd, const char *head, size_t len, char interp[static PATH_MAX])
{
	union {
		Elf32_Phdr p32;
		Elf64_Phdr p64;
	} p;
	const Elf64_Ehdr *e64 = (const void *)head;
	const Elf32_Ehdr *e32 = (const void *)head;
	bool wide = head[EI_CLASS] == ELFCLASS64;
	off_t offset = wide ? (off_t)e64->e_phoff : (off_t)e32->e_phoff;
	size_t each = wide ? sizeof(p.p64) : sizeof(p.p32), size;
	unsigned int n = wide ? e64->e_phnum : e32->e_phnum;

	if (len < sizeof(*e64))
		return false;
	for (; n > 0; n--, offset += (off_t)each) {
		if (pread(fd, &p, each, offset) != (ssize_t)each)
			return false;
		if ((wide ? p.p64.p_type : p.p32.p_type) == PT_INTERP)
			break;
	}
	if (n == 0)
		return false;
	size = wide ? (size_t)p.p64.p_filesz : p.p32.p_filesz;
	offset = wide ? (off_t)p.p64.p_offset : (off_t)p.p32.p_offset;
	if (size == 0 || size > PATH_MAX ||
	    pread(fd, interp, size, offset) != (ssize_t)size)
		return false;
	return interp[size - 1] == '\0';
}

/* The interpreter of a script: the first word after "#!". */
static bool
of_script(char *head, size_t len, char interp[static PATH_MAX])
{
	size_t n;

	head[len] = '\0';
	head += 2 + strspn(head + 2, " \t");
	n = strcspn(head, " \t\n");
	if (n == 0 || n >= PATH_MAX)
		return false;
	memcpy(interp, head, n);
	interp[n] = '\0';
	return true;
}

/*
 * Find the interpreter of the program that is open for reading at fd: interp gets its
 * name. Returns false if it has none, or is no program.
 */
bool
interp_find(int fd, char interp[static PATH_MAX])
{
	_Alignas(Elf64_Ehdr) char head[256 + 1] = "";
	ssize_t len = pread(fd, head, sizeof(head) - 1, 0);

	if (len >= 2 && memcmp(head, "#!", 2) == 0)
		return of_script(head, (size_t)len, interp);
	if (len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
		return of_elf(fd, head, (size_t)len, interp);
	return false;
}

/*
 * exec(2) fails with ENOENT also if the command exists and its interpreter does not.
 * Returns whether that is the case; then interp gets the interpreter's name.
 */
bool
interp_missing(const char *command, char interp[static PATH_MAX])
{
	int fd = open_command(command);
	bool found;

	if (fd == -1)
		return false;
	found = interp_find(fd, interp);
	close(fd);
	return found && access(interp, F_OK) == -1 && errno == ENOENT;
}
