/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/probe_qmp.h"

static const struct {
	const char *name;
	enum probe_qmp state;
} states[] = {
	{ "running", QMP_RUNNING },
	{ "paused", QMP_PAUSED },
	{ "suspended", QMP_PAUSED },
	{ "debug", QMP_PAUSED },
	{ "colo", QMP_PAUSED },
	{ "save-vm", QMP_PAUSED },
	{ "restore-vm", QMP_PAUSED },
	{ "inmigrate", QMP_MIGRATING },
	{ "postmigrate", QMP_MIGRATING },
	{ "finish-migrate", QMP_MIGRATING },
	{ "prelaunch", QMP_PRELAUNCH },
	{ "io-error", QMP_IO_ERROR },
	{ "internal-error", QMP_INTERNAL_ERROR },
	{ "guest-panicked", QMP_PANICKED },
	{ "shutdown", QMP_SHUTDOWN },
	{ "watchdog", QMP_WATCHDOG },
};

enum probe_qmp probe_qmp_state(const struct probe_word *status)
{
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (probe_word_is(status, states[i].name))
			return states[i].state;
	return QMP_OTHER;
}

/* Ids that no other client of this socket uses; the digit is the step. */
void probe_qmp_command(enum probe_qmp_step step, struct probe_text *ret)
{
	if (step == PROBE_QMP_NEGOTIATE)
		probe_text_add(ret, "{\"execute\":\"qmp_capabilities\",\"id\":\"pvewarden-1\"}\n");
	else if (step == PROBE_QMP_QUERY)
		probe_text_add(ret, "{\"execute\":\"query-status\",\"id\":\"pvewarden-2\"}\n");
}

static void end(struct probe_qmp_talk *q, enum probe_qmp found)
{
	q->step = PROBE_QMP_END;
	q->found = (uint8_t)found;
}

/* A whole message came. */
static void message(struct probe_qmp_talk *q)
{
	const struct probe_reply *r = &q->reply;
	const char *id = q->step == PROBE_QMP_NEGOTIATE ? "pvewarden-1" : "pvewarden-2";

	if (q->step == PROBE_QMP_GREETING) {
		if (r->greeting)
			q->step = PROBE_QMP_NEGOTIATE;
		else
			end(q, QMP_NONSENSE);
	} else if (r->event && !r->returns && !r->error) {
		return;
	} else if (!probe_word_is(&r->id, id) || !r->returns_object || r->error) {
		end(q, QMP_NONSENSE);
	} else if (q->step == PROBE_QMP_NEGOTIATE) {
		q->step = PROBE_QMP_QUERY;
	} else {
		end(q, r->status.n ? probe_qmp_state(&r->status) : QMP_NONSENSE);
	}
}

size_t probe_qmp_feed(struct probe_qmp_talk *q, const void *data, size_t n)
{
	enum probe_qmp_step before = q->step;
	const char *p = data;
	size_t i = 0;

	while (i < n && q->step == before && before != PROBE_QMP_END) {
		enum probe_reply_state state = probe_reply_byte(&q->reply, p[i++]);

		if (state == PROBE_REPLY_BAD)
			end(q, QMP_NONSENSE);
		if (state != PROBE_REPLY_DONE)
			continue;
		message(q);
		q->reply = (struct probe_reply){};
	}
	return i;
}
