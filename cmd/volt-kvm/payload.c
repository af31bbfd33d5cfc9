#include "config.h"
#include "payload.h"

void
payload_make(struct config *cfg, const char *version)
{
	(void)cfg;
	(void)version;
}
