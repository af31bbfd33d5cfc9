/* words.c: the grammar, as a program with flags and words of its own. */
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit.h"
#include "words.h"

static struct unit_result r;

enum colour { RED, GREEN, BLUE };

static struct ctx {
	bool dry, a, b, no;
	int bits;
	const char *text, *line;
	unsigned int number;
	enum colour colour;
	uint64_t time;
	uid_t id;
	int stop_signal, status_fd;
} said;

/* Each setter says what it was called with; then the flags; then the command. */
static void
set_word(void *ctx, const char *key, const char *value)
{
	(void)ctx;
	printf("%s=%s\n", key, value);
}

static void
set_number(void *ctx, const char *key, const char *value)
{
	(void)ctx;
	if (strcmp(key, "size") == 0)
		printf("%ju\n", (uintmax_t)word_size(key, value));
	else if (strcmp(key, "time") == 0)
		printf("%ju\n", (uintmax_t)word_time(key, value));
	else if (strcmp(key, "id") == 0)
		printf("%ju\n", (uintmax_t)word_id(key, value));
	else if (strcmp(key, "signal") == 0)
		printf("%d\n", word_signal(key, value));
	else
		printf("%ju\n", (uintmax_t)word_uint(key, value, 100));
}

static const struct flag flags[] = {
	FLAG('a', struct ctx, a, "the first"),
	FLAG('b', struct ctx, b, "the second"),
	FLAG_END,
};

static const struct word words[] = {
	CTX_WORD("name", set_word, "NAME", "a name"),
	CTX_WORD("number", set_number, "N", "to 100"),
	CTX_WORD("size", set_number, "SIZE", "a size"),
	CTX_WORD("time", set_number, "TIME", "a time"),
	CTX_WORD("id", set_number, "N", "an ID"),
	CTX_WORD("signal", set_number, "SIGNAL", "a signal"),
	WORD_END,
};

static const struct word dotted[] = {
	CTX_WORD("name", set_word, "NAME", "a name"),
	CTX_WORD("cpu.max", set_number, "N", "named"),
	CTX_WORD("*.*", set_word, "TEXT", "any with a dot"),
	WORD_END,
};

static const struct word nothing[] = { WORD_END };

static const struct flag typed_flags[] = {
	FLAG_DRY(struct ctx),
	FLAG_BITS('x', struct ctx, bits, 1, "one"),
	FLAG_BITS('y', struct ctx, bits, 6, "six"),
	FLAG_SAY,
	FLAG_END,
};

static const struct word typed[] = {
	STRING_WORD("text", struct ctx, text, "TEXT", "some text"),
	LINE_WORD("line", struct ctx, line, "TEXT", "a line"),
	UINT_WORD("number", struct ctx, number, 2, 9, "N", "2 to 9"),
	TIME_WORD("time", struct ctx, time, 60000, "TIME", "to a minute"),
	ID_WORD("id", struct ctx, id, "N", "an ID"),
	BOOL_WORD("not", struct ctx, no, "yes|no", "whether not"),
	CHOICE_WORD("colour", struct ctx, colour, enum colour,
	    "red|green|blue", "a colour"),
	STOP_WORD(struct ctx),
	STATUS_WORD(struct ctx),
	WORD_END,
};

static const struct grammar grammar = { "Test words.", flags, words };
static const struct grammar dotted_grammar = { "Test words.", flags, dotted };
static const struct grammar typed_grammar = { "Test words.", typed_flags, typed };
static const struct grammar empty_grammar = { "Test words.", flags, nothing };
static const struct grammar *current = &grammar;

/* Returns what words_parse() leaves of argv. */
static char **
parse(char **argv)
{
	int argc = 0;

	while (argv[argc] != NULL)
		argc++;
	return words_parse(argc, argv, current, &said);
}

static void
child(void *arg)
{
	char **argv = parse(arg);

	if (said.a || said.b)
		printf("%s%s", said.a ? "-a\n" : "", said.b ? "-b\n" : "");
	for (; *argv != NULL; argv++)
		printf("[%s]", *argv);
}

/* The program's name is volt-x, and the messages begin with our own. */
#define ARGV(...) ((void *)(const char *[]){ __VA_ARGS__ })
#define PARSE(...) unit_run(&r, child, ARGV("volt-x", __VA_ARGS__))

#define GIVES(text, ...) \
	do { \
		PARSE(__VA_ARGS__); \
		CHECK_STR(r.err, ""); \
		CHECK_STR(r.out, text); \
		CHECK_INT(r.wstatus, 0); \
	} while (0)

/* One line on stderr, status 125. */
#define REFUSES(text, ...) \
	do { \
		PARSE(__VA_ARGS__); \
		CHECK(strchr(r.err, ' ') != NULL); \
		CHECK_STR(strchr(r.err, ' ') + 1, text "\n"); \
		CHECK(WIFEXITED(r.wstatus)); \
		CHECK_INT(WEXITSTATUS(r.wstatus), 125); \
	} while (0)

static void
splits_words_from_the_command(void)
{
	GIVES("", NULL);
	GIVES("[true]", "true", NULL);
	GIVES("name=x\n-a\n-b\n[cmd][name=y][-b]", "-ab", "name=x", "cmd",
	    "name=y", "-b", NULL);
	GIVES("name=x\n-a\n[cmd]", "name=x", "-a", "cmd", NULL);
	GIVES("name=1\nname=2\n", "name=1", "name=2", NULL);
	GIVES("name=\n", "name=", NULL);
	GIVES("name=a=b\n", "name=a=b", NULL);
	GIVES("name=two words\n", "name=two words", NULL);
	GIVES("name=\n\n", "name=\n", NULL);
	GIVES("[]", "", NULL);
	GIVES("[-]", "-", NULL);
}

static void
double_dash_ends_the_words(void)
{
	GIVES("name=x\n[name=y]", "name=x", "--", "name=y", NULL);
	GIVES("[-a]", "--", "-a", NULL);
	GIVES("[--]", "--", "--", NULL);
	GIVES("[@none]", "--", "@none", NULL);
	GIVES("", "--", NULL);
}

/* What looks like a word but cannot be one is the command. */
static void
keys_are_of_the_letters_allowed(void)
{
	GIVES("[Name=x]", "Name=x", NULL);
	GIVES("[=x]", "=x", NULL);
	GIVES("[./a=x]", "./a=x", NULL);
	GIVES("[a b=x]", "a b=x", NULL);
	GIVES("[\xc3\xa4=x]", "\xc3\xa4=x", NULL);
	REFUSES("a_b-c.9=: unknown word; -h lists them", "a_b-c.9=x",
	    NULL);
}

static void
mistakes_name_the_nearest(void)
{
	char key[400];

	REFUSES("nmae=: unknown word; the nearest is name=", "nmae=x", NULL);
	REFUSES("siz=: unknown word; the nearest is size=", "siz=1", NULL);
	REFUSES("numbers=: unknown word; the nearest is number=", "numbers=1",
	    NULL);
	/* Two that changed places are one mistake; half of the letters are too many. */
	REFUSES("sizse=: unknown word; the nearest is size=", "sizse=1", NULL);
	REFUSES("seiz=: unknown word; -h lists them", "seiz=1", NULL);
	CHECK_INT(words_distance("nmae", "name"), 1);
	CHECK_INT(words_distance("user", "unset"), 2);
	CHECK_INT(words_distance("", "name"), 4);
	CHECK_INT(words_distance("name", ""), 4);
	CHECK_INT(words_distance("ca", "abc"), 3);
	CHECK_INT(words_distance("hostname", "hostname"), 0);
	REFUSES("-c: unknown flag; -h lists them", "-c", NULL);
	REFUSES("-c: unknown flag; -h lists them", "-abc", NULL);
	REFUSES("--: unknown flag; -h lists them", "--name=x", NULL);
	memset(key, 'k', sizeof(key));
	strcpy(key + 300, "=x");
	PARSE(key, NULL);
	CHECK_INT(WEXITSTATUS(r.wstatus), 125);
	CHECK(strlen(r.err) < 128);
	current = &empty_grammar;
	REFUSES("name=: unknown word; -h lists them", "name=x", NULL);
}

static void
typed_child(void *arg)
{
	current = &typed_grammar;
	(void)parse(arg);
	printf("%d %d %s %s %u %d %ju %u %d %d %d", said.dry, said.bits,
	    said.text != NULL ? said.text : "-",
	    said.line != NULL ? said.line : "-", said.number, (int)said.colour,
	    (uintmax_t)said.time, said.id, said.no, said.stop_signal,
	    said.status_fd);
}

static void
typed_words_set_their_members(void)
{
	unit_run(&r, typed_child, ARGV("volt-x", "-xyN", "text=a b", "line=c",
	    "number=9", "colour=blue", "time=1m", "id=7", "not=yes",
	    "stop=INT", "status=2", NULL));
	CHECK_STR(r.err, "");
	CHECK_STR(r.out, "1 7 a b c 9 2 60000 7 1 2 2");
	unit_run(&r, typed_child, ARGV("volt-x", "not=yes", "not=no",
	    "colour=green", "colour=red", "number=2", NULL));
	CHECK_STR(r.out, "0 0 - - 2 0 0 0 0 0 0");
}

static void
typed_words_refuse_other_values(void)
{
	current = &typed_grammar;
	REFUSES("text=: empty", "text=", NULL);
	REFUSES("line=: empty", "line=", NULL);
	REFUSES("line=a\\012b: more than one line", "line=a\nb", NULL);
	REFUSES("number=1: at least 2", "number=1", NULL);
	REFUSES("number=10: number too large", "number=10", NULL);
	REFUSES("time=0: the time must not be 0", "time=0", NULL);
	REFUSES("time=2m: time too long", "time=2m", NULL);
	REFUSES("not=maybe: not yes or no", "not=maybe", NULL);
	REFUSES("not=: not yes or no", "not=", NULL);
	REFUSES("not=yes|no: not yes or no", "not=yes|no", NULL);
	REFUSES("colour=gree: not red, green or blue", "colour=gree", NULL);
	REFUSES("stop=X: not a signal", "stop=X", NULL);
}

static void
any_key_with_a_dot(void)
{
	current = &dotted_grammar;
	GIVES("memory.max=1G\n", "memory.max=1G", NULL);
	GIVES("50\n", "cpu.max=50", NULL);
	GIVES(".=x\n", ".=x", NULL);
	REFUSES("memory=: unknown word; -h lists them", "memory=1", NULL);
}

static void
numbers_are_exact(void)
{
	GIVES("100\n", "number=100", NULL);
	REFUSES("number=101: number too large", "number=101", NULL);
	REFUSES("number=01: not a number", "number=01", NULL);
	REFUSES("number=: not a number", "number=", NULL);
	REFUSES("number=-1: not a number", "number=-1", NULL);
	GIVES("1048576\n", "size=1M", NULL);
	GIVES("1048576\n", "size=1m", NULL);
	REFUSES("size=1.5G: not a size (4096, 512K, 16M, 2G, 1T)", "size=1.5G",
	    NULL);
	REFUSES("size=50%: not a size (4096, 512K, 16M, 2G, 1T)", "size=50%", NULL);
	REFUSES("size=1Q: not a size (4096, 512K, 16M, 2G, 1T)", "size=1Q", NULL);
	REFUSES("size=99999999T: size too large", "size=99999999T", NULL);
	GIVES("2000\n", "time=2s", NULL);
	REFUSES("time=2: not a time (500ms, 10s, 2m)", "time=2", NULL);
	REFUSES("time=999999999999999999m: time too long",
	    "time=999999999999999999m", NULL);
	GIVES("4294967294\n", "id=4294967294", NULL);
	REFUSES("id=4294967295: number too large", "id=4294967295", NULL);
	REFUSES("id=-1: not a number", "id=-1", NULL);
	REFUSES("id=1x: not a number", "id=1x", NULL);
}

static void
signals_by_name_and_number(void)
{
	GIVES("15\n", "signal=TERM", NULL);
	GIVES("15\n", "signal=SIGTERM", NULL);
	GIVES("37\n", "signal=RTMIN+3", NULL);
	GIVES("37\n", "signal=SIGRTMIN+3", NULL);
	GIVES("64\n", "signal=64", NULL);
	REFUSES("signal=0: not a signal", "signal=0", NULL);
	REFUSES("signal=65: not a signal", "signal=65", NULL);
	REFUSES("signal=RTMIN+31: not a signal", "signal=RTMIN+31", NULL);
	REFUSES("signal=term: not a signal", "signal=term", NULL);
	REFUSES("signal=SIG15: not a signal", "signal=SIG15", NULL);
	REFUSES("signal=: not a signal", "signal=", NULL);
}

static void
includes(void)
{
	CHECK_INT(chdir(unit_tmpdir()), 0);
	unit_write("a", "# a comment\n\n  name=one \r\n\tname=two\nname=a b");
	GIVES("name=one\nname=two\nname=a b\n[cmd]", "@./a", "cmd", NULL);
	unit_write("b", "name=1\n@./a\nname=3\n");
	GIVES("name=0\nname=1\nname=one\nname=two\nname=a b\nname=3\n",
	    "name=0", "@./b", NULL);
	unit_write("empty", "");
	GIVES("[cmd]", "@./empty", "cmd", NULL);
	unit_write("hash", "name=x # no comment\n");
	GIVES("name=x # no comment\n", "@./hash", NULL);
}

static void
includes_that_are_wrong(void)
{
	CHECK_INT(chdir(unit_tmpdir()), 0);
	REFUSES("@./none: No such file or directory", "@./none", NULL);
	REFUSES("@none-such: No such file or directory", "@none-such", NULL);
	REFUSES("@: no file name", "@", NULL);
	REFUSES("@/: Is a directory", "@/", NULL);
	unit_write("loop", "@./loop\n");
	REFUSES("@./loop: includes are more than 8 deep", "@./loop", NULL);
	unit_write("flag", "name=x\n\n-a\n");
	REFUSES("@./flag:3: not a word: -a", "@./flag", NULL);
	unit_write("key", "nmae=x\n");
	REFUSES("nmae=: unknown word; the nearest is name=", "@./key", NULL);
	if (getuid() != 0) {
		CHECK_INT(chmod("key", 0), 0);
		REFUSES("@./key: Permission denied", "@./key", NULL);
	}
}

static void
includes_of_hostile_files(void)
{
	static char big[(1 << 20) + 1];
	int fd;

	CHECK_INT(chdir(unit_tmpdir()), 0);
	CHECK((fd = open("nul", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) != -1);
	CHECK_INT(write(fd, "name=x\0y\n", 9), 9);
	close(fd);
	REFUSES("@./nul: not a text file", "@./nul", NULL);
	memset(big, '#', sizeof(big) - 1);
	unit_write("big", big);
	REFUSES("@./big: File too large", "@./big", NULL);
	big[sizeof(big) - 2] = '\0';
	unit_write("big", big);
	GIVES("", "@./big", NULL);
	REFUSES("@/dev/zero: File too large", "@/dev/zero", NULL);
	/* Eight deep is well. */
	for (char name[] = "1", text[] = "@./2\n"; name[0] < '8';
	     name[0]++, text[3]++)
		unit_write(name, text);
	unit_write("8", "name=deep\n");
	GIVES("name=deep\n", "@./1", NULL);
	unit_write("8", "@./9\n");
	unit_write("9", "name=deep\n");
	REFUSES("@./9: includes are more than 8 deep", "@./1", NULL);
}

static void
help_and_version(void)
{
	PARSE("-h", NULL);
	CHECK_INT(r.wstatus, 0);
	CHECK_STR(r.err, "");
	CHECK(strncmp(r.out, "usage: volt-x [-abhV] [key=value ...] [@file ...] "
	    "[--] [command [arg ...]]\nTest words.\n", 78) == 0);
	CHECK(strstr(r.out, "\n  number=N ") != NULL);
	GIVES("volt-x " VOLT_VERSION "\n", "-V", NULL);
	GIVES("volt-x " VOLT_VERSION "\n", "-aVh", NULL);
	unit_run(&r, child, ARGV("/usr/bin/volt-x", "-V", NULL));
	CHECK_STR(r.out, "volt-x " VOLT_VERSION "\n");
}

static void
full_output(void *ctx)
{
	CHECK_INT(dup2(open("/dev/full", O_WRONLY), STDOUT_FILENO),
	    STDOUT_FILENO);
	child(ctx);
}

static void
help_that_cannot_be_written_fails(void)
{
	unit_run(&r, full_output, ARGV("volt-x", "-h", NULL));
	CHECK_INT(WEXITSTATUS(r.wstatus), 125);
	unit_run(&r, full_output, ARGV("volt-x", "-V", NULL));
	CHECK_INT(WEXITSTATUS(r.wstatus), 125);
}

static void
no_argv(void *ctx)
{
	(void)ctx;
	words_parse(0, (char *[]){ NULL }, &grammar, NULL);
}

static void
without_argv(void)
{
	unit_run(&r, no_argv, NULL);
	CHECK_INT(WEXITSTATUS(r.wstatus), 125);
}

static void
set_user_id(void *ctx)
{
	CHECK_INT(setresuid(12345, 0, 0), 0);
	child(ctx);
}

static void
refuses_to_run_set_user_id(void)
{
	if (getuid() != 0)
		unit_skip("needs root");
	unit_run(&r, set_user_id, ARGV("volt-x", "true", NULL));
	CHECK_INT(WEXITSTATUS(r.wstatus), 125);
	CHECK(strstr(r.err, "refusing to run set-user-ID") != NULL);
}

static const struct unit tests[] = {
	UNIT(splits_words_from_the_command),
	UNIT(double_dash_ends_the_words),
	UNIT(keys_are_of_the_letters_allowed),
	UNIT(typed_words_set_their_members),
	UNIT(typed_words_refuse_other_values),
	UNIT(mistakes_name_the_nearest),
	UNIT(any_key_with_a_dot),
	UNIT(numbers_are_exact),
	UNIT(signals_by_name_and_number),
	UNIT(includes),
	UNIT(includes_that_are_wrong),
	UNIT(includes_of_hostile_files),
	UNIT(help_and_version),
	UNIT(help_that_cannot_be_written_fails),
	UNIT(without_argv),
	UNIT(refuses_to_run_set_user_id),
};

UNIT_MAIN(tests)
