/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/probe_words.h"

#include <stdio.h>

static const char *const kinds[PROBE_KIND_MAX] = {
	[PROBE_TCP] = "tcp",
	[PROBE_HTTP] = "http",
	[PROBE_AGENT] = "agent",
	[PROBE_QMP] = "qmp",
};

static const char *const results[PROBE_RESULT_MAX] = {
	[PROBE_UNKNOWN] = "unknown",
	[PROBE_GOOD] = "good",
	[PROBE_BAD] = "bad",
};

static const char *const whys[PROBE_WHY_MAX] = {
	[PROBE_WHY_REFUSED] = "refused",
	[PROBE_WHY_TIMEOUT] = "no answer in time",
	[PROBE_WHY_UNREACHABLE] = "unreachable",
	[PROBE_WHY_STATUS] = "another status",
	[PROBE_WHY_NONSENSE] = "not understood",
	[PROBE_WHY_CLOSED] = "closed",
	[PROBE_WHY_NO_SOCKET] = "nothing to ask on",
	[PROBE_WHY_OURS] = "our own limits",
};

static const char *const qmp_states[QMP_STATE_MAX] = {
	[QMP_SILENT] = "silent",
	[QMP_NONSENSE] = "not understood",
	[QMP_CLOSED] = "closed",
	[QMP_RUNNING] = "running",
	[QMP_PAUSED] = "paused",
	[QMP_MIGRATING] = "migrating",
	[QMP_PRELAUNCH] = "prelaunch",
	[QMP_IO_ERROR] = "io-error",
	[QMP_INTERNAL_ERROR] = "internal-error",
	[QMP_PANICKED] = "guest-panicked",
	[QMP_SHUTDOWN] = "shutdown",
	[QMP_WATCHDOG] = "watchdog",
	[QMP_OTHER] = "another state",
};

const char *probe_kind_name(enum probe_kind k)
{
	return kinds[k];
}

const char *probe_result_name(enum probe_result r)
{
	return results[r];
}

const char *probe_why_text(enum probe_why w)
{
	return whys[w];
}

const char *probe_qmp_name(enum probe_qmp q)
{
	return qmp_states[q];
}

const char *probe_target_text(const struct probe_target *t, char *buf, size_t n)
{
	if (t->kind == PROBE_HTTP)
		(void)snprintf(buf, n, "http://%s:%u%s", t->host, t->port, t->path);
	else if (t->kind == PROBE_TCP)
		(void)snprintf(buf, n, "port %u", t->port);
	else
		(void)snprintf(buf, n, "%s", t->kind == PROBE_AGENT ? "guest agent" : "QMP");
	return buf;
}
