/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/watchd.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "pve/power_run.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/jsonw.h"
#include "watch/alerts.h"
#include "watch/note.h"

/* While nothing can be delivered no more than these are kept: the log has them all. */
enum { ALERTS_KEPT = 500 };

int watchd_queue_mail(struct watchd *d, const char *subject, const char *text, struct err *e)
{
	CLEANUP(buf_done) struct buf out = {};
	struct jsonw w;
	char name[64];
	int r;

	if (d->dry_run)
		return 0;
	jsonw_begin(&w, &out);
	jsonw_str(&w, "schema", ALERT_SCHEMA);
	jsonw_time(&w, "time", clock_now());
	jsonw_str(&w, "subject", subject);
	jsonw_str(&w, "text", text);
	jsonw_end(&w);
	r = file_mkdirs(d->state_fd, "alerts", 0700);
	/* Names sort by time, and within one second by their number. */
	(void)snprintf(name, sizeof(name), "alerts/%lld-%010u.json", (long long)clock_now(),
		       ++d->serial);
	if (r == 0 && d->mail_tries && d->kept >= ALERTS_KEPT)
		return err_set(e, -ENOSPC, "%d wait already and cannot be sent", ALERTS_KEPT);
	d->kept = d->mail_tries ? d->kept + 1 : 0;
	if (r == 0)
		r = file_write_atomic(d->state_fd, name, buf_slice(&out), 0600);
	if (r < 0)
		return err_set(e, r, "%s: %s", name, strerror(-r));
	d->mail_due = true;
	return 0;
}

/* --- sending --------------------------------------------------------------------------------- */

enum { MAIL_GATHER_MS = 5000, MAIL_AGAIN_MS = 300 * 1000, MAIL_S = 120 };

static void on_sent(void *ctx, const char *unit, const char *error, enum bus_end end)
{
	struct watchd *d = ctx;
	int64_t pause = (int64_t)MAIL_AGAIN_MS << (d->mail_tries < 6 ? d->mail_tries : 6);
	char buf[32];

	(void)unit;
	(void)end;
	d->mailing = false;
	if (!error) {
		d->mail_tries = 0;
		return;
	}
	d->mail_due = true;
	d->mail_tries++;
	d->mail_at = clock_boot_ms() + pause;
	watchd_log(d, NULL, LOG_LEVEL_WARN, "alerts could not be mailed (%s): again in %s", error,
		   watch_note_duration(pause, buf));
}

/* Ourselves: the program that this process was started from. */
static bool own_path(char *buf, size_t n)
{
	char *gone;
	ssize_t got = readlink("/proc/self/exe", buf, n - 1);

	if (got <= 0)
		return false;
	buf[got] = '\0';
	/* After an upgrade the file of that name is the new program. */
	gone = strstr(buf, " (deleted)");
	if (gone)
		*gone = '\0';
	return true;
}

void watchd_find_mails(struct watchd *d)
{
	CLEANUP(arena_done) struct arena a = {};
	struct alert_list waiting;

	if (d->dry_run || alerts_read(&waiting, &d->root, &a, NULL) < 0)
		return;
	d->mail_due = waiting.n > 0;
	vec_free(&waiting);
}

void watchd_send_mails(struct watchd *d, int64_t now)
{
	char program[256], unit[64];
	const char *const argv[] = { program, "watch", "mail", NULL };
	struct err e = {};

	if (!d->mail_due || d->mailing)
		return;
	/* What happens together is one mail. */
	if (!d->mail_at)
		d->mail_at = now + MAIL_GATHER_MS;
	if (now < d->mail_at)
		return;
	d->mail_at = 0;
	d->mail_due = false;
	(void)snprintf(unit, sizeof(unit), "pvewarden-watch-mail-%lld.service", (long long)now);
	if (!d->mailer && power_runner_open(&d->mailer, d->loop, on_sent, d, &e) < 0) {
		on_sent(d, unit, e.text, BUS_REFUSED);
		return;
	}
	d->mailing = true;
	if (!own_path(program, sizeof(program)) ||
	    power_runner_start(d->mailer, unit, "pvewarden watch: mails of alerts", argv, MAIL_S,
			       &e) < 0)
		on_sent(d, unit, e.text, BUS_REFUSED);
}
