/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/watchd.h"

#include <errno.h>
#include <unistd.h>

#include "util/clock.h"
#include "watch/guestsocket.h"

/*
 * QMP is power over a QEMU that runs as root. It is asked by a prober that speaks with no guest, so
 * that what a guest says to its own prober can never end there. One guest after the other: most
 * answer within a millisecond, and none is waited for longer than PROBE_QMP_HOLD_MS.
 */

enum { ASKER_SLACK_MS = 2000 };

static void next(struct watchd *d);

static void answered(struct watchd *d, uint32_t vmid, enum probe_qmp found)
{
	struct watch_guest *g = watch_guests_find(&d->guests, vmid);

	if (!g || !g->qmp_awaited)
		return;
	g->qmp = found;
	g->qmp_awaited = false;
	if (g->answered)
		watchd_end_round(d, g);
}

static int on_asker(sd_event_source *s, int fd, uint32_t events, void *ctx)
{
	struct watchd *d = ctx;
	struct probe_answer a;
	struct err e = {};
	uint32_t vmid = d->asking;
	int r = prober_answer(&d->asker, &a);

	(void)s;
	(void)fd;
	(void)events;
	if (r == -EAGAIN)
		return 0;
	d->asking = 0;
	if (r < 0 && watchd_start_asker(d, &e) < 0)
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "QMP cannot be asked: %s", e.text);
	if (vmid)
		answered(d, vmid, r == 0 ? (enum probe_qmp)a.qmp : QMP_NOT_ASKED);
	next(d);
	return 0;
}

int watchd_start_asker(struct watchd *d, struct err *e)
{
	const struct prober_limits limits = { .uid = d->prober_uid, .gid = d->prober_gid };
	int r;

	d->asker_io = sd_event_source_disable_unref(d->asker_io);
	prober_end(&d->asker);
	r = prober_start(&d->asker, &limits, e);
	if (r < 0)
		return r;
	r = sd_event_add_io(d->loop, &d->asker_io, d->asker.fd, EPOLLIN, on_asker, d);
	return r < 0 ? err_set(e, r, "the event loop: %s", strerror(-r)) : 0;
}

/* A full backlog: somebody else has it, or QEMU takes nobody any more. */
static enum probe_qmp without_socket(int code)
{
	return code == -EAGAIN ? QMP_SILENT : QMP_NONSENSE;
}

/* True: the question is on its way. */
static bool begin(struct watchd *d, uint32_t vmid)
{
	static struct probe_ask ask = { .timeout_ms = PROBE_QMP_HOLD_MS,
					.n_targets = 1,
					.targets = { { .kind = PROBE_QMP } } };
	int fd = guest_socket(vmid, "qmp"), r;

	if (fd < 0) {
		answered(d, vmid, without_socket(fd));
		return false;
	}
	ask.serial = ++d->serial;
	r = prober_ask(&d->asker, &ask, &fd, 1);
	(void)close(fd);
	if (r < 0) {
		answered(d, vmid, QMP_NOT_ASKED);
		return false;
	}
	d->asking = vmid;
	d->asked_by = clock_boot_ms() + PROBE_QMP_HOLD_MS + ASKER_SLACK_MS;
	return true;
}

static void next(struct watchd *d)
{
	while (!d->asking && d->queue.n) {
		uint32_t vmid = d->queue.items[0];

		memmove(d->queue.items, d->queue.items + 1, --d->queue.n * sizeof(uint32_t));
		(void)begin(d, vmid);
	}
}

void watchd_ask_qmp(struct watchd *d, struct watch_guest *g)
{
	g->qmp_awaited = true;
	for (size_t i = 0; i < d->queue.n; i++)
		if (d->queue.items[i] == g->vmid)
			return;
	*vec_push(&d->queue) = g->vmid;
	next(d);
}

void watchd_check_asker(struct watchd *d, int64_t now)
{
	struct err e = {};

	if (!d->asking || now < d->asked_by)
		return;
	watchd_log(d, NULL, LOG_LEVEL_WARN, "who asks QMP does not answer and is replaced");
	d->asking = 0;
	if (watchd_start_asker(d, &e) < 0)
		watchd_log(d, NULL, LOG_LEVEL_ERROR, "QMP cannot be asked: %s", e.text);
	next(d);
}
