/* kfile.c: small files, written at once and read whole. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kfile.h"
#include "unit.h"

static void
reads_whole_files(void)
{
	char buf[8];
	int dir;

	CHECK((dir = open(unit_tmpdir(), O_PATH | O_CLOEXEC)) != -1);
	CHECK_INT(chdir(unit_tmpdir()), 0);
	unit_write("seven", "1234567");
	unit_write("eight", "12345678");
	unit_write("empty", "");
	CHECK_INT(kfile_read(dir, "seven", buf, sizeof(buf)), 7);
	CHECK_STR(buf, "1234567");
	CHECK_INT(kfile_read(AT_FDCWD, "empty", buf, sizeof(buf)), 0);
	CHECK_STR(buf, "");
	CHECK_INT(kfile_read(dir, "empty", buf, 1), 0);
	CHECK_ERRNO(kfile_read(dir, "eight", buf, sizeof(buf)), EFBIG);
	CHECK_ERRNO(kfile_read(dir, "seven", buf, 1), EFBIG);
	CHECK_ERRNO(kfile_read(dir, "none", buf, sizeof(buf)), ENOENT);
	CHECK_ERRNO(kfile_read(dir, ".", buf, sizeof(buf)), EISDIR);
	close(dir);
}

static void
slurps_what_comes_in_pieces(void)
{
	char buf[16];
	int p[2];

	CHECK(pipe2(p, O_CLOEXEC) == 0);
	if (fork() == 0) {
		for (int i = 0; i < 5; i++) {
			CHECK_INT(write(p[1], "ab", 2), 2);
			unit_sleep_ms(5);
		}
		_exit(0);
	}
	close(p[1]);
	CHECK_INT(kfile_slurp(p[0], buf, sizeof(buf)), 10);
	CHECK_STR(buf, "ababababab");
	close(p[0]);
	CHECK_ERRNO(kfile_slurp(p[0], buf, sizeof(buf)), EBADF);
}

static void
writes_in_one_piece(void)
{
	char buf[16];

	CHECK_INT(chdir(unit_tmpdir()), 0);
	unit_write("file", "old text");
	CHECK_INT(kfile_write(AT_FDCWD, "file", "new"), 0);
	/* As in the kernel's files, nothing is cut off. */
	CHECK_INT(kfile_read(AT_FDCWD, "file", buf, sizeof(buf)), 8);
	CHECK_STR(buf, "new text");
	CHECK_ERRNO(kfile_write(AT_FDCWD, "none", "x"), ENOENT);
	CHECK_ERRNO(kfile_write(AT_FDCWD, ".", "x"), EISDIR);
	CHECK_ERRNO(kfile_write(AT_FDCWD, "/dev/full", "x"), ENOSPC);
}

/* What the kernel refuses comes back as its errno. */
static void
tells_the_errors_of_write(void)
{
	CHECK_ERRNO(kfile_write(AT_FDCWD, "/proc/self/oom_score_adj", "9999"),
	    EINVAL);
	CHECK_INT(kfile_write(AT_FDCWD, "/proc/self/oom_score_adj", "1000"), 0);
}

static const struct unit tests[] = {
	UNIT(reads_whole_files),
	UNIT(slurps_what_comes_in_pieces),
	UNIT(writes_in_one_piece),
	UNIT(tells_the_errors_of_write),
};

UNIT_MAIN(tests)
