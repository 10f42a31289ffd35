/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/session.h"

#include <stdio.h>
#include <unistd.h>

#include "util/file.h"
#include "util/guard.h"
#include "util/jsonw.h"
#include "util/log.h"
#include "util/str.h"

void session_unknown_metric(const char *schema, const char *why, struct buf *out)
{
	CLEANUP(buf_done) struct buf name = {};
	char shown[1024];

	/* "pvewarden.dm/1" is the metric pvewarden_dm_answer. */
	for (; *schema && *schema != '/'; schema++)
		buf_addc(&name, *schema == '.' ? '_' : *schema);
	str_printable(shown, sizeof(shown), slice_of(why));
	buf_addf(out,
		 "# could not tell: %s\n# HELP %s_answer 3: could not tell.\n"
		 "# TYPE %s_answer gauge\n%s_answer 3\n",
		 shown, buf_str(&name), buf_str(&name), buf_str(&name));
}

static void write_unknown(const struct cli *cli, const char *schema, const char *why,
			  struct buf *out)
{
	struct jsonw w;

	if (cli->prometheus) {
		session_unknown_metric(schema, why, out);
		return;
	}
	if (!cli->json) {
		char shown[1024];

		str_printable(shown, sizeof(shown), slice_of(why));
		buf_addf(out, "UNKNOWN - could not tell: %s\n", shown);
		return;
	}
	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", schema);
	jsonw_str(&w, "answer", "unknown");
	jsonw_array(&w, "blind");
	jsonw_str(&w, NULL, why);
	jsonw_close(&w);
	jsonw_end(&w);
}

/* Runs beside the stuck thread: only what was prepared is written. */
static int too_late(void *arg)
{
	const struct buf *text = arg;

	(void)file_write_all(STDOUT_FILENO, buf_slice(text));
	return CLI_UNKNOWN;
}

int session_begin_as_anyone(const struct cli *cli, const char *schema, struct root *ret)
{
	static struct buf late; /* lives as long as the guard */
	struct err e = {};

	if (root_open(ret, cli_value(cli, "root"), &e) < 0)
		return cli_usage(cli, "--root: %s", e.text);
	buf_reset(&late);
	write_unknown(cli, schema,
		      "the node did not answer within 30 s (does /etc/pve hang? try: timeout 5 ls "
		      "/etc/pve; systemctl status pve-cluster)",
		      &late);
	if (guard_start(SESSION_DEADLINE_MS, too_late, &late) < 0)
		log_warn("no deadline could be set for this check");
	return 0;
}

int session_begin(const struct cli *cli, const char *schema, struct root *ret)
{
	int r = session_begin_as_anyone(cli, schema, ret);

	if (r == 0 && ret->live && geteuid() != 0) {
		log_error("only root may look at device-mapper, LVM and all guests: try sudo, or a "
			  "recorded node with --root DIR");
		session_end(ret);
		return CLI_NOPERM;
	}
	return r;
}

void session_end(struct root *r)
{
	guard_stop();
	root_close(r);
}

int session_could_not_tell(const struct cli *cli, const char *schema, const char *why)
{
	CLEANUP(buf_done) struct buf out = {};

	write_unknown(cli, schema, why, &out);
	return session_answer(&out, CLI_UNKNOWN);
}

int session_answer(const struct buf *out, int status)
{
	int r = file_write_all(STDOUT_FILENO, buf_slice(out));

	if (r < 0) {
		log_error("cannot write the answer: %s", strerror(-r));
		return CLI_INTERNAL;
	}
	return status;
}
