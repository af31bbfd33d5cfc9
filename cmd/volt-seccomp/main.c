/*
 * volt-seccomp: compile a profile of system calls to a seccomp filter.
 *
 * volt-lock runs it for seccomp=FILE. The build runs it for the profiles that
 * volt-lock and volt-kvm have built in. It runs no command and changes nothing.
 */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "seccomp.h"
#include "toolbox.h"
#include "words.h"

#define GROUPS_FILE "seccomp.groups"

struct job {
	const char *profile, *groups;
	bool array, list, names, reference;
};

static const struct flag flags[] = {
	FLAG('c', struct job, array, "print the filter as a C array"),
	FLAG('l', struct job, list, "list the filter's instructions"),
	FLAG('n', struct job, names, "print the numbers and names of all system calls"),
	FLAG('r', struct job, reference, "let libseccomp generate it, for comparison"),
	FLAG_END,
};

static const struct word words[] = {
	STRING_WORD("profile", struct job, profile, "FILE", "the profile"),
	STRING_WORD("groups", struct job, groups, "FILE",
	    "the groups of calls; default: " GROUPS_FILE),
	WORD_END,
};

static const struct grammar grammar = {
	.purpose = "Compile a profile of system calls to a seccomp filter.",
	.flags = flags,
	.words = words,
};

static void
finish(void)
{
	if (fflush(stdout) == EOF)
		err(EXIT_LINK, "standard output");
}

static void
print_names(void)
{
	char *name;
	int nr;

	for (nr = 0; nr < CALLS; nr++) {
		if ((name = name_of(nr)) != NULL)
			printf("%d %s\n", nr, name);
		free(name);
	}
}

static void
print_array(const struct code *c)
{
	size_t i;

	for (i = 0; i < c->n; i++)
		printf("\t{ 0x%02x, %u, %u, 0x%08" PRIx32 " },\n",
		    c->insn[i].code, c->insn[i].jt, c->insn[i].jf,
		    (uint32_t)c->insn[i].k);
}

static void
print_list(const struct code *c)
{
	static const struct {
		unsigned int code;
		const char *name;
	} ops[] = {
		{ BPF_LD | BPF_W | BPF_ABS, "ld" },
		{ BPF_ALU | BPF_AND | BPF_K, "and" },
		{ BPF_JMP | BPF_JA, "ja" },
		{ BPF_JMP | BPF_JEQ | BPF_K, "jeq" },
		{ BPF_JMP | BPF_JGT | BPF_K, "jgt" },
		{ BPF_JMP | BPF_JGE | BPF_K, "jge" },
		{ BPF_RET | BPF_K, "ret" },
	};
	const struct sock_filter *f;
	size_t i, j;

	for (i = 0; i < c->n; i++) {
		f = &c->insn[i];
		for (j = 0; j + 1 < sizeof(ops) / sizeof(ops[0]); j++)
			if (ops[j].code == f->code)
				break;
		printf("%zu\t%s\t0x%" PRIx32, i, ops[j].name, (uint32_t)f->k);
		if (BPF_CLASS(f->code) == BPF_JMP && BPF_OP(f->code) != BPF_JA)
			printf("\t%zu\t%zu", i + 1 + f->jt, i + 1 + f->jf);
		else if (f->code == (BPF_JMP | BPF_JA))
			printf("\t%zu", i + 1 + f->k);
		putchar('\n');
	}
}

static void
print_filter(const struct job *job, const struct code *c)
{
	if (job->array)
		print_array(c);
	else if (job->list)
		print_list(c);
	else if (isatty(STDOUT_FILENO))
		errx(EXIT_LINK, "the filter is binary: -c or -l, or into a "
		    "file");
	else if (fwrite(c->insn, sizeof(c->insn[0]), c->n, stdout) != c->n)
		err(EXIT_LINK, "standard output");
}

int
main(int argc, char *argv[])
{
	static struct profile profile;
	static struct code code;
	struct job job = { .groups = GROUPS_FILE };
	int fd;

	argv = words_parse(argc, argv, &grammar, &job);
	if (*argv != NULL)
		errx(EXIT_LINK, "%s: takes no command", *argv);
	if (job.names) {
		print_names();
		finish();
		return 0;
	}
	if (job.profile == NULL)
		errx(EXIT_LINK, "no profile=; -h shows the words");
	if ((fd = toolbox_open_words(job.groups)) == -1)
		err(EXIT_LINK, "%s", job.groups);
	parse_groups(&profile, job.groups, fd);
	close(fd);
	if ((fd = toolbox_open_words(job.profile)) == -1)
		err(EXIT_LINK, "%s", job.profile);
	parse_profile(&profile, job.profile, fd);
	close(fd);
	if ((job.reference ? gen_reference(&code, &profile) :
		gen_filter(&code, &profile)) == -1)
		err(EXIT_LINK, "%s", job.profile);
	print_filter(&job, &code);
	finish();
	return 0;
}
