/* Answers that tell of a failure: the compiler sees to it that they are looked at. */
#ifndef VOLT_MUST_H
#define VOLT_MUST_H

#ifndef MUST_CHECK /* a fuzzer looks at no answer */
#define MUST_CHECK __attribute__((warn_unused_result))
#endif

/* For an answer that is ignored on purpose; a comment says why that is right. */
static inline void
may_fail(long rc)
{
	(void)rc;
}

#endif
