/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/note.h"

#include <stdio.h>
#include <time.h>

const char *watch_note_duration(int64_t ms, char buf[32])
{
	long s = ms > 0 ? (long)(ms / 1000) : 0, m;

	if (s < 60) {
		(void)snprintf(buf, 32, "%lds", s);
	} else if (s < 3600) {
		if (s % 60)
			(void)snprintf(buf, 32, "%ldm%lds", s / 60, s % 60);
		else
			(void)snprintf(buf, 32, "%ldm", s / 60);
	} else {
		m = (s + 59) / 60;
		if (m < 24L * 60)
			(void)snprintf(buf, 32, "%ldh%ldm", m / 60, m % 60);
		else
			(void)snprintf(buf, 32, "%ldd%ldh%ldm", m / 1440, m / 60 % 24, m % 60);
	}
	return buf;
}

static const char *uptime(const struct watch_guest *g, int64_t now, char buf[32])
{
	return watch_note_duration(g->fsm.started ? now - g->fsm.started : 0, buf);
}

static const char *of_guest(const struct watch_guest *g)
{
	return g->config.optin.type == GUEST_QEMU ? "VM" : "CT";
}

static const char *const reasons[WATCH_REASON_MAX] = {
	[WATCH_FOR_NOTHING] = "unhealthy",
	[WATCH_FOR_FAILURE] = "unhealthy",
	[WATCH_FOR_CRASH] = "crashed (QEMU says so), unhealthy",
	[WATCH_FOR_HANG] = "hung (QEMU does not answer), unhealthy",
};

static void restart_text(const struct watch_guest *g, int64_t now, struct note_text *t)
{
	char down[32], up[32];
	int at = g->settings.restart_at;

	(void)uptime(g, now, up);
	if (g->fsm.reason == WATCH_FOR_SCHEDULE) {
		t->level = LOG_LEVEL_INFO;
		(void)snprintf(t->text, sizeof(t->text),
			       "Scheduled restart at %02d:%02d triggered.", at / 60 % 24, at % 60);
	} else if (g->fsm.reason == WATCH_FOR_AGE) {
		t->level = LOG_LEVEL_INFO;
		(void)snprintf(t->text, sizeof(t->text), "Restarting - uptime %s", up);
	} else {
		t->level = LOG_LEVEL_ERROR;
		t->alert = true;
		(void)snprintf(
			t->text, sizeof(t->text), "%s %s for %s, uptime %s - rebooting now!",
			of_guest(g), reasons[g->fsm.reason],
			watch_note_duration(g->fsm.bad_since ? now - g->fsm.bad_since : 0, down),
			up);
	}
}

static void failed_text(const struct watch_guest *g, int64_t now, struct note_text *t)
{
	int64_t left = g->settings.fail_threshold - g->fsm.bad_for;
	char buf[32];

	(void)now;
	t->level = LOG_LEVEL_WARN;
	(void)snprintf(t->text, sizeof(t->text), "Failed health check; reboot in %s",
		       watch_note_duration(left, buf));
}

static bool is_maintenance(enum watch_brake b)
{
	return b == BRAKE_MAINTENANCE_CLUSTER || b == BRAKE_MAINTENANCE_NODE ||
	       b == BRAKE_MAINTENANCE_GUEST;
}

static void held_text(const struct watch_guest *g, struct note_text *t)
{
	char why[200];

	t->level = LOG_LEVEL_WARN;
	t->alert = g->fsm.held == BRAKE_QUORUM || g->fsm.held == BRAKE_BLIND;
	if (is_maintenance(g->fsm.held))
		(void)snprintf(t->text, sizeof(t->text),
			       "Failed health check; %s active, no reboot will occur.",
			       watch_guest_held(g, why, sizeof(why)));
	else
		(void)snprintf(t->text, sizeof(t->text), "Failed health check; no reboot: %s",
			       watch_guest_held(g, why, sizeof(why)));
}

static void still_text(const struct watch_guest *g, int64_t now, struct note_text *t)
{
	char buf[32], next[40] = "";
	struct tm tm;
	time_t due = (time_t)g->due_at;
	int64_t left = g->settings.restart_after - (now - g->fsm.started);

	if (due && localtime_r(&due, &tm))
		(void)strftime(next, sizeof(next), "; restarting at %a %H:%M", &tm);
	else if (g->settings.restart_after && g->fsm.started)
		(void)snprintf(next, sizeof(next), "; restarting in %.20s",
			       watch_note_duration(left, buf));
	(void)snprintf(t->text, sizeof(t->text), "Monitoring - online for %s%s",
		       watch_note_duration(now - g->fsm.online_since, buf), next);
}

static void start_alert(const struct watch_guest *g, struct note_text *t)
{
	char why[200];

	if (g->fsm.held)
		(void)snprintf(t->text, sizeof(t->text),
			       "%s %u is off, and its start is held back: %s", of_guest(g), g->vmid,
			       watch_guest_held(g, why, sizeof(why)));
	else
		(void)snprintf(t->text, sizeof(t->text),
			       "%s %u is off, and its start failed: %s. It is tried again.",
			       of_guest(g), g->vmid, g->error[0] ? g->error : "no reason given");
}

static void alert_text(enum watch_note n, const struct watch_guest *g, struct note_text *t)
{
	char window[32];

	t->level = LOG_LEVEL_ERROR;
	t->alert = true;
	if (n == WATCH_NOTE_ALERT_BUDGET)
		(void)snprintf(t->text, sizeof(t->text),
			       "%s %u still does not serve after %u restarts in %s: no further "
			       "restart. Look at it.",
			       of_guest(g), g->vmid, g->settings.budget,
			       watch_note_duration(g->settings.budget_window, window));
	else if (n == WATCH_NOTE_ALERT_IO_ERROR)
		(void)snprintf(t->text, sizeof(t->text),
			       "QEMU stopped %s %u after an I/O error: look at its storage; it is "
			       "not restarted.",
			       of_guest(g), g->vmid);
	else if (n == WATCH_NOTE_ALERT_STUCK)
		(void)snprintf(t->text, sizeof(t->text),
			       "%s %u does not end: it survived its stop, or the command hangs. "
			       "Nothing more is done.",
			       of_guest(g), g->vmid);
	else if (n == WATCH_NOTE_ALERT_LEFT)
		(void)snprintf(t->text, sizeof(t->text),
			       "The restart of %s %u was begun and is given up: it is not this "
			       "node's any more, or a brake held for too long.",
			       of_guest(g), g->vmid);
	else
		start_alert(g, t);
}

static void disabled_text(const struct watch_guest *g, struct note_text *t)
{
	(void)snprintf(t->text, sizeof(t->text),
		       "Section [%u] (%s) is disabled. No monitoring performed.", g->vmid,
		       watch_guest_name(g));
}

static void plain_text(enum watch_note n, const struct watch_guest *g, int64_t now,
		       struct note_text *t)
{
	char a[32], b[32];

	switch ((int)n) {
	case WATCH_NOTE_APPEARED:
		(void)snprintf(t->text, sizeof(t->text),
			       "%s %u is running, uptime %s, starting monitor.", of_guest(g),
			       g->vmid, uptime(g, now, a));
		break;
	case WATCH_NOTE_GONE:
		(void)snprintf(t->text, sizeof(t->text),
			       "%sID %u is no longer available or not running. Exiting monitor.",
			       of_guest(g), g->vmid);
		break;
	case WATCH_NOTE_ONLINE:
		(void)snprintf(t->text, sizeof(t->text), "Online after %s, uptime %s.",
			       watch_note_duration(now - g->left_since, a), uptime(g, now, b));
		break;
	case WATCH_NOTE_COMMAND:
		t->level = LOG_LEVEL_WARN;
		(void)snprintf(t->text, sizeof(t->text), "The shutdown did not end it: stop.");
		break;
	case WATCH_NOTE_STARTED:
		(void)snprintf(t->text, sizeof(t->text), "Started again.");
		break;
	case WATCH_NOTE_CANCELLED:
		t->level = LOG_LEVEL_WARN;
		(void)snprintf(t->text, sizeof(t->text),
			       "The restart is given up: somebody else has stopped, started or "
			       "moved it, or its command could not be run.");
		break;
	case WATCH_NOTE_SKIPPED:
		t->level = LOG_LEVEL_WARN;
		(void)snprintf(t->text, sizeof(t->text),
			       "The scheduled restart was held for an hour and is left out.");
		break;
	default:
		break;
	}
}

bool watch_note_text(enum watch_note n, const struct watch_guest *g, int64_t now,
		     struct note_text *ret)
{
	*ret = (struct note_text){ .level = LOG_LEVEL_INFO };
	if (n >= WATCH_NOTE_ALERT_BUDGET)
		alert_text(n, g, ret);
	else if (n == WATCH_NOTE_RESTART)
		restart_text(g, now, ret);
	else if (n == WATCH_NOTE_FAILED)
		failed_text(g, now, ret);
	else if (n == WATCH_NOTE_HELD)
		held_text(g, ret);
	else if (n == WATCH_NOTE_STILL)
		still_text(g, now, ret);
	else if (n == WATCH_NOTE_DISABLED)
		disabled_text(g, ret);
	else
		plain_text(n, g, now, ret);
	return ret->text[0] != '\0';
}
