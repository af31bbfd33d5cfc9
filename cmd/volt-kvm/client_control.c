/* control= without a guest to start: change a living guest, or print its state. */
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "client.h"
#include "json.h"
#include "say.h"
#include "talk.h"

/* Send an order and read the answer, as a string. A failure ends the program. */
static void
ask(int fd, const char *path, const char *order, char *answer, size_t size)
{
	ssize_t n;

	if (send(fd, order, strlen(order), MSG_NOSIGNAL) == -1)
		err(EXIT_LINK, "control=%s", path);
	while ((n = recv(fd, answer, size - 1, 0)) == -1 && errno == EINTR)
		;
	if (n <= 0)
		errx(EXIT_LINK, "control=%s: no answer: the guest has ended", path);
	answer[n] = '\0';
	if (strncmp(answer, TALK_ERROR, strlen(TALK_ERROR)) == 0)
		errx(EXIT_LINK, "control=%s: %s", path, answer + strlen(TALK_ERROR));
}

/* Print lines of "key value", also as JSON. */
static void
print(char *text, bool json)
{
	char *line, *save, *value;
	const char *before = "{";

	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (!json) {
			puts(line);
			continue;
		}
		if ((value = strchr(line, ' ')) == NULL)
			continue;
		*value++ = '\0';
		fputs(before, stdout);
		json_string(stdout, line);
		putchar(':');
		json_value(stdout, value);
		before = ",";
	}
	if (json)
		puts("}");
	if (fflush(stdout) == EOF)
		err(EXIT_LINK, "standard output");
}

void
client_control(const struct config *cfg)
{
	static char text[TALK_ANSWER];
	char order[TALK_LINE];
	unsigned int i;
	int fd;

	for (i = 0; i < cfg->norders; i++)
		say("%s: %s", cfg->control, cfg->orders[i]);
	if (cfg->dry)
		_exit(0);
	fd = client_connect("control", cfg->control);
	for (i = 0; i < cfg->norders; i++) {
		snprintf(order, sizeof(order), "%s", cfg->orders[i]);
		ask(fd, cfg->control, order, text, sizeof(text));
	}
	if (cfg->norders == 0) {
		ask(fd, cfg->control, "state", text, sizeof(text));
		print(text, cfg->json);
	}
	_exit(0);
}
