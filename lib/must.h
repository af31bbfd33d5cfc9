/* Return values that report a failure: the compiler warns if they are not used. */
#ifndef VOLT_MUST_H
#define VOLT_MUST_H

#ifndef MUST_CHECK /* fuzzers ignore them, and define it as empty */
#define MUST_CHECK __attribute__((warn_unused_result))
#endif

/* For a return value that is ignored on purpose; a comment says why. */
static inline void
may_fail(long rc)
{
	(void)rc;
}

#endif
