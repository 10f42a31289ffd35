/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <unistd.h>

#include "array/cmd_ctx.h"
#include "array/diagnose.h"
#include "array/show_status.h"
#include "blk/mpathd.h"
#include "cmd.h"
#include "pve/session.h"
#include "util/clock.h"
#include "util/log.h"
#include "util/term.h"

enum { DIAGNOSE_MS = 25000, MPATHD_MS = 4500 };

const struct cli_option array_status_options[] = {
	{ "diagnose", "STORAGE", "look at everything that a storage needs, with what to do" },
	ARRAY_CTX_OPTIONS,
	{},
};

static int answer(const struct cli *cli, const struct array_status *s, int64_t now)
{
	struct array_view view = { .width = term_width(),
				   .color = cli->color,
				   .terminal = isatty(STDOUT_FILENO),
				   .now = now };
	CLEANUP(buf_done) struct buf out = {};

	if (cli->prometheus)
		array_show_prometheus(s, &out);
	else if (s->absent)
		return session_could_not_tell(cli, ARRAY_STATUS_SCHEMA, s->absent);
	else if (cli->json)
		buf_add(&out, s->text.data, s->text.len);
	else
		array_show_status(s, &view, &out);
	return session_answer(&out, array_status_exit(s));
}

/* --- --diagnose ------------------------------------------------------------------------------ */

static int look(struct diagnosis *d, struct array_session *s, const char *id,
		struct array_storages *storages, struct err *e)
{
	const struct array_storage *storage;
	CLEANUP(buf_done) struct buf running = {};
	struct initiators own;
	int r = array_storages_read(storages, &s->root, s->ctx.node, e);

	if (r < 0)
		return r;
	storage = array_storages_find(storages, id);
	if (!storage)
		return err_set(e, -ENOENT,
			       "storage.cfg has no storage %s of type purestorage that is enabled "
			       "for node %s",
			       id, s->ctx.node);
	if (storage->problem) {
		diagnosis_add(d, DIAGNOSIS_BAD, "config",
			      "correct it: pvesm set STORAGE, or /etc/pve/storage.cfg", "%s",
			      storage->problem);
		return 0;
	}
	diagnose_secret(d, &storage->conf);
	initiators_read(&s->root, storage->conf.protocol, &own);
	diagnose_arrays(d, s->ctx.pool, &storage->conf, &own, clock_mono_ms() + DIAGNOSE_MS);
	diagnose_links(d, &s->root, &storage->conf);
	(void)mpathd_ask(MPATHD_ADDRESS, "show config", MPATHD_MS, &running, NULL);
	diagnose_multipath(d, &s->root, &storage->conf, running.len ? buf_str(&running) : NULL);
	diagnose_lvm(d, &s->root, storage->conf.protocol);
	return 0;
}

static int diagnose(const struct cli *cli, const char *id)
{
	CLEANUP(diagnosis_done) struct diagnosis d = { .storage = id };
	CLEANUP(buf_done) struct buf out = {};
	struct array_storages storages = {};
	struct array_session session;
	struct err e = {};
	int r = array_session_begin(&session, cli, &e);

	if (r == -EPERM) {
		log_error("--diagnose: %s", e.text);
		return CLI_NOPERM;
	}
	if (r >= 0) {
		r = look(&d, &session, id, &storages, &e);
		array_storages_done(&storages);
		array_session_end(&session);
	}
	if (r < 0)
		return session_could_not_tell(cli, DIAGNOSIS_SCHEMA, e.text);
	if (cli->json)
		diagnosis_json(&d, &out);
	else
		diagnosis_show(&d, term_width(), cli->color, &out);
	return session_answer(&out, diagnosis_exit(&d));
}

int cmd_array_status(const struct cli *cli)
{
	CLEANUP(array_status_done) struct array_status s = {};
	const char *storage = cli_value(cli, "diagnose");
	int64_t now = clock_now();
	struct root root;
	int r;

	if (storage && cli->prometheus)
		return cli_usage(cli, "--diagnose answers as text or json");
	if (storage)
		return diagnose(cli, storage);
	r = session_begin_as_anyone(cli, ARRAY_STATUS_SCHEMA, &root);
	if (r)
		return r;
	array_status_read(&s, &root, now);
	r = answer(cli, &s, now);
	session_end(&root);
	return r;
}
