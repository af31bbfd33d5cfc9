/* The settings of a new network namespace. */
#ifndef VOLT_NETNS_H
#define VOLT_NETNS_H

int netns_loopback(void);
int netns_settings(const char **failed);

#endif
