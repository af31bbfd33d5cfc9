#include "config.h"
#include "devices.h"

void
net_init(struct vm *vm, const struct config *cfg)
{
	(void)vm;
	(void)cfg;
}
