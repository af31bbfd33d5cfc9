#include "config.h"
#include "devices.h"

void
blk_init(struct vm *vm, const struct config *cfg)
{
	(void)vm;
	(void)cfg;
}
