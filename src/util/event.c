/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/event.h"

#include <stdio.h>
#include <systemd/sd-journal.h>

enum { FIELDS_MAX = 24 };

static void add(struct iovec *fields, char **texts, size_t *n, const char *name, const char *value)
{
	if (!value || *n == FIELDS_MAX)
		return;
	if (asprintf(&texts[*n], "%s=%s", name, value) < 0)
		return;
	fields[*n] = (struct iovec){ texts[*n], strlen(texts[*n]) };
	(*n)++;
}

void event_log(enum log_level level, const char *message_id, const char *message,
	       const struct event_field *fields, size_t n)
{
	struct iovec sent[FIELDS_MAX];
	char *texts[FIELDS_MAX], priority[12];
	size_t count = 0;

	(void)snprintf(priority, sizeof(priority), "%d", (int)level);
	add(sent, texts, &count, "MESSAGE", message);
	add(sent, texts, &count, "MESSAGE_ID", message_id);
	add(sent, texts, &count, "PRIORITY", priority);
	add(sent, texts, &count, "SYSLOG_IDENTIFIER", "pvewarden");
	for (size_t i = 0; i < n; i++)
		add(sent, texts, &count, fields[i].name, fields[i].value);
	(void)sd_journal_sendv(sent, (int)count);
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
}
