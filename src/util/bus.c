/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/bus.h"

#include <errno.h>
#include <stdio.h>
#include <systemd/sd-bus.h>

#define SYSTEMD	  "org.freedesktop.systemd1"
#define OBJECT	  "/org/freedesktop/systemd1"
#define MANAGER	  "org.freedesktop.systemd1.Manager"
#define SECOND	  1000000ULL /* in microseconds */
#define UNITS_MAX 64

struct bus {
	sd_bus *bus;
	struct sd_event *loop;
	void (*done)(void *ctx, const char *unit, const char *error, enum bus_end end);
	void *ctx;
	struct waiting {
		struct bus *owner;
		char unit[64]; /* "" : free */
	} waiting[UNITS_MAX];
};

static struct waiting *waiting_for(struct bus *b, const char *unit)
{
	for (size_t i = 0; i < UNITS_MAX; i++)
		if (strcmp(b->waiting[i].unit, unit) == 0)
			return &b->waiting[i];
	return NULL;
}

static void finish(struct waiting *w, const char *error, enum bus_end end)
{
	char unit[sizeof(w->unit)];

	(void)snprintf(unit, sizeof(unit), "%s", w->unit);
	w->unit[0] = '\0';
	w->owner->done(w->owner->ctx, unit, error, end);
}

static int on_job_removed(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
	struct bus *b = ctx;
	const char *job, *unit, *result;
	struct waiting *w;
	uint32_t id;

	(void)error;
	if (sd_bus_message_read(m, "uoss", &id, &job, &unit, &result) < 0)
		return 0;
	w = unit[0] ? waiting_for(b, unit) : NULL;
	if (w)
		finish(w, strcmp(result, "done") == 0 ? NULL : result, BUS_ENDED);
	return 0;
}

/* No answer came, which is not the answer no: systemd may do it all the same. */
static bool is_silence(const sd_bus_error *e)
{
	static const char *const names[] = { SD_BUS_ERROR_NO_REPLY, SD_BUS_ERROR_TIMEOUT,
					     SD_BUS_ERROR_DISCONNECTED,
					     "org.freedesktop.DBus.Error.TimedOut" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (sd_bus_error_has_name(e, names[i]))
			return true;
	return strncmp(e->name, "System.Error.", strlen("System.Error.")) == 0;
}

static int on_reply(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
	struct waiting *w = ctx;
	const sd_bus_error *refused = sd_bus_message_get_error(m);

	(void)error;
	if (refused && w->unit[0])
		finish(w, refused->message ? refused->message : refused->name,
		       is_silence(refused) ? BUS_LOST : BUS_REFUSED);
	return 0;
}

/* The bus went away: how the commands end will never be told. */
static int on_disconnected(sd_bus_message *m, void *ctx, sd_bus_error *error)
{
	struct bus *b = ctx;

	(void)m;
	(void)error;
	b->bus = sd_bus_flush_close_unref(b->bus);
	for (size_t i = 0; i < UNITS_MAX; i++)
		if (b->waiting[i].unit[0])
			finish(&b->waiting[i], "the connection to systemd was lost", BUS_LOST);
	return 0;
}

static int subscribe(struct bus *b)
{
	/* Asynchronous: a message bus that hangs must not hold up the loop. */
	int r = sd_bus_match_signal_async(b->bus, NULL, SYSTEMD, OBJECT, MANAGER, "JobRemoved",
					  on_job_removed, NULL, b);

	if (r >= 0)
		r = sd_bus_match_signal_async(b->bus, NULL, "org.freedesktop.DBus.Local", NULL,
					      "org.freedesktop.DBus.Local", "Disconnected",
					      on_disconnected, NULL, b);
	/* Without a subscriber systemd sends no signals; its answer does not matter. */
	if (r >= 0)
		r = sd_bus_call_method_async(b->bus, NULL, SYSTEMD, OBJECT, MANAGER, "Subscribe",
					     NULL, NULL, NULL);
	return r;
}

static int connect_bus(struct bus *b, struct err *e)
{
	int r = sd_bus_open_system(&b->bus);

	if (r >= 0)
		r = sd_bus_set_method_call_timeout(b->bus, 10 * SECOND);
	if (r >= 0)
		r = sd_bus_attach_event(b->bus, b->loop, SD_EVENT_PRIORITY_NORMAL);
	if (r >= 0)
		r = subscribe(b);
	if (r >= 0)
		return 0;
	b->bus = sd_bus_flush_close_unref(b->bus);
	return err_set(e, r, "systemd does not answer by D-Bus: %s", strerror(-r));
}

int bus_open(struct bus **ret, struct sd_event *loop,
	     void (*done)(void *ctx, const char *unit, const char *error, enum bus_end end),
	     void *ctx, struct err *e)
{
	struct bus *b = xcalloc(1, sizeof(*b));
	int r;

	b->loop = loop;
	b->done = done;
	b->ctx = ctx;
	for (size_t i = 0; i < UNITS_MAX; i++)
		b->waiting[i].owner = b;
	r = connect_bus(b, e);
	if (r < 0) {
		free(b);
		return r;
	}
	*ret = b;
	return 0;
}

void bus_close(struct bus *b)
{
	if (!b)
		return;
	(void)sd_bus_flush_close_unref(b->bus);
	free(b);
}

static int append_command(sd_bus_message *m, const char *const argv[])
{
	int r = sd_bus_message_open_container(m, 'r', "sv");

	if (r >= 0)
		r = sd_bus_message_append(m, "s", "ExecStart");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'v', "a(sasb)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sasb)");
	if (r >= 0)
		r = sd_bus_message_open_container(m, 'r', "sasb");
	if (r >= 0)
		r = sd_bus_message_append(m, "s", argv[0]);
	if (r >= 0)
		r = sd_bus_message_append_strv(m, (char **)argv);
	if (r >= 0)
		r = sd_bus_message_append(m, "b", 0);
	for (int i = 0; r >= 0 && i < 4; i++)
		r = sd_bus_message_close_container(m);
	return r;
}

static int append_unit(sd_bus_message *m, const struct bus_unit *u)
{
	int r = sd_bus_message_append(m, "ss", u->name, "fail");

	if (r >= 0)
		r = sd_bus_message_open_container(m, 'a', "(sv)");
	/* The job of a oneshot unit ends when its command has. What the command leaves behind is
	 * somebody else's: QEMU has a scope of its own, but not all that is started beside it. */
	if (r >= 0)
		r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)(sv)", "Description", "s",
					  u->description, "Type", "s", "oneshot", "KillMode", "s",
					  "process", "CollectMode", "s", "inactive-or-failed",
					  "TimeoutStartUSec", "t", (uint64_t)u->timeout_s * SECOND);
	if (r >= 0)
		r = append_command(m, u->argv);
	if (r >= 0)
		r = sd_bus_message_close_container(m);
	if (r >= 0)
		r = sd_bus_message_append(m, "a(sa(sv))", 0);
	return r;
}

int bus_start(struct bus *b, const struct bus_unit *u, struct err *e)
{
	struct waiting *w = waiting_for(b, "");
	sd_bus_message *m = NULL;
	int r;

	if (!w || strlen(u->name) >= sizeof(w->unit))
		return err_set(e, -EBUSY, "too many commands at once");
	if (!b->bus && (r = connect_bus(b, e)) < 0)
		return r;
	r = sd_bus_message_new_method_call(b->bus, &m, SYSTEMD, OBJECT, MANAGER,
					   "StartTransientUnit");
	if (r >= 0)
		r = append_unit(m, u);
	if (r >= 0)
		r = sd_bus_call_async(b->bus, NULL, m, on_reply, w, 0);
	if (r >= 0)
		(void)snprintf(w->unit, sizeof(w->unit), "%s", u->name);
	(void)sd_bus_message_unref(m);
	return r >= 0 ? 0
		      : err_set(e, r, "systemd was not asked for %s: %s", u->name, strerror(-r));
}

int bus_system_state(char *buf, size_t n)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus *bus = NULL;
	char *state = NULL;
	int r = sd_bus_open_system(&bus);

	if (r >= 0)
		r = sd_bus_set_method_call_timeout(bus, SECOND);
	if (r >= 0)
		r = sd_bus_get_property_string(bus, SYSTEMD, OBJECT, MANAGER, "SystemState", &error,
					       &state);
	if (r >= 0)
		(void)snprintf(buf, n, "%s", state);
	free(state);
	sd_bus_error_free(&error);
	(void)sd_bus_flush_close_unref(bus);
	return r < 0 ? r : 0;
}
