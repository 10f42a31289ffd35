/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "cmd.h"
#include "dm/cmd_options.h"
#include "dm/publish.h"
#include "dm/report_mail.h"
#include "dm/report_send.h"
#include "dm/show.h"
#include "pve/session.h"
#include "util/event.h"
#include "util/file.h"
#include "util/guard.h"
#include "util/log.h"

#include <fcntl.h>
#include <unistd.h>

#define SCHEMA "pvewarden.dm/1"

/* Whatever the transports wait for: by then the timer must have its process back. */
enum { MAIL_DEADLINE_MS = 5 * 60 * 1000 };

const struct cli_option dm_report_options[] = {
	{ "html", "FILE", "write the page to FILE; - is stdout" },
	{ "text", NULL, "write it as text to stdout (the default without any other output)" },
	{ "mail", NULL, "send it as the configuration says; exit status 75 if that fails" },
	{ "prometheus", "FILE", "write metrics to FILE for node_exporter's textfile collector" },
	{ "retry", NULL, "only send again what could not be sent, if its time has come" },
	{ "import-mail", "SCRIPT", "only take the mail settings out of an old script" },
	DM_OPTION_POLICY,
	DM_OPTION_MIN_AGE,
	{},
};

struct outputs {
	const char *html, *prometheus; /* files; NULL: not wanted */
	bool html_stdout, answer;      /* on stdout: the page, or the answer in its --format */
	bool mail;
};

/* Only one document fits on stdout, and with files alone it stays empty: cron mails what is not. */
static int parse_outputs(const struct cli *cli, struct outputs *o)
{
	bool text = cli_has(cli, "text");

	*o = (struct outputs){ .html = cli_value(cli, "html"),
			       .prometheus = cli_value(cli, "prometheus"),
			       .mail = cli_has(cli, "mail") };
	if (text && (cli->json || cli->prometheus))
		return cli_usage(cli, "--text and --format '%s': expected one of them",
				 cli_value(cli, "format"));
	if (o->html && strcmp(o->html, "-") == 0)
		o->html_stdout = true;
	o->answer = text || cli_has(cli, "format") || (!o->html && !o->prometheus && !o->mail);
	if (o->html_stdout && o->answer)
		return cli_usage(cli,
				 "--html=- and another answer on stdout: expected one of them");
	if ((o->html && !*o->html) || (o->prometheus && !*o->prometheus))
		return cli_usage(cli, "--html and --prometheus: expected the name of a file");
	return 0;
}

/* A name that is no ordinary file is refused: renaming over /dev/null would replace it. */
static int write_file(const char *path, struct slice data, mode_t mode)
{
	struct stat st;
	int r;

	if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		log_error("%s is not a regular file: nothing was written", path);
		return CLI_INTERNAL;
	}
	r = file_write_atomic(AT_FDCWD, path, data, mode);
	if (r == 0)
		return 0;
	log_error("%s: %s", path, strerror(-r));
	return CLI_INTERNAL;
}

static int write_html(const struct dm_report *r, const struct outputs *o)
{
	CLEANUP(buf_done) struct buf out = {};

	dm_report_html(r, &out);
	return o->html_stdout ? session_answer(&out, 0)
			      : write_file(o->html, buf_slice(&out), 0640);
}

static int write_metrics(const struct dm_report *r, const char *path)
{
	const struct dm_view view = { .report = r };
	CLEANUP(buf_done) struct buf out = {};

	dm_show_prometheus(r->check, &view, &out);
	return write_file(path, buf_slice(&out), 0644);
}

static int write_answer(const struct cli *cli, const struct dm_report *r)
{
	const struct dm_view view = { .report = r };
	CLEANUP(buf_done) struct buf out = {};

	if (cli->prometheus)
		dm_show_prometheus(r->check, &view, &out);
	else if (cli->json)
		dm_report_json(r, &out);
	else
		dm_report_text(r, true, &out);
	return session_answer(&out, 0);
}

static int too_late(void *arg)
{
	static const char text[] = "pvewarden dm report: sending did not end within 5 minutes\n";

	(void)arg;
	(void)file_write_all(STDERR_FILENO, SLICE(text));
	return CLI_UNDELIVERED;
}

/* Looking at the node has its own, shorter deadline. */
static void give_time_for_mail(void)
{
	guard_stop();
	if (guard_start(MAIL_DEADLINE_MS, too_late, NULL) < 0)
		log_warn("no deadline could be set for sending");
}

static int send_report(const struct cli *cli, const struct root *root, const struct dm_report *r)
{
	struct dm_report_mail m;
	int status;

	dm_report_mail_make(&m, r);
	give_time_for_mail();
	status = dm_report_send(cli, root, &m.mail);
	dm_report_mail_done(&m);
	return status;
}

static void publish(const struct root *root, const struct dm_report *r)
{
	CLEANUP(buf_done) struct buf out = {};

	if (!root->live)
		return;
	dm_publish_check(root, r->check);
	dm_report_json(r, &out);
	dm_publish(root, buf_slice(&out));
}

/* One line in the system's journal for each report of a live node. */
static void log_run(const struct root *root, const struct outputs *o, const struct dm_report *r,
		    int status)
{
	const struct dm_summary *s = &r->check->summary;
	CLEANUP(buf_done) struct buf message = {};
	const struct event_field fields[] = {
		{ "PVEWARDEN_ANSWER", dm_answer_name(s->answer) },
		{ "PVEWARDEN_GRADE", s->grade },
		{ "PVEWARDEN_HOST_GRADE", r->grade.grade },
		{ "PVEWARDEN_MAIL", !o->mail ? NULL
				    : status ? "not sent"
					     : "sent" },
	};

	if (!root->live)
		return;
	buf_addf(&message, "dm report: %s", r->subject);
	event_log(LOG_LEVEL_INFO, "b8e775087c084b45baf8fddc0caa43eb", buf_str(&message), fields,
		  ARRAY_SIZE(fields));
}

static int put_out(const struct cli *cli, const struct root *root, const struct outputs *o,
		   const struct dm_report *r)
{
	int status = 0, last;

	publish(root, r);
	if (o->html)
		status = write_html(r, o);
	if (o->prometheus) {
		last = write_metrics(r, o->prometheus);
		status = status ? status : last;
	}
	if (o->answer) {
		last = write_answer(cli, r);
		status = status ? status : last;
	}
	if (!o->mail)
		log_run(root, o, r, 0);
	if (!o->mail)
		return status ? status : dm_answer_exit(r->check->summary.answer);
	/* Sending is an act: 0 when it is done, whatever the report says. */
	last = send_report(cli, root, r);
	log_run(root, o, r, last);
	return status ? status : last;
}

/* The node could not be read: the metrics say so too, or an old answer would stand there. */
static int could_not_tell(const struct cli *cli, const struct outputs *o, const char *why)
{
	CLEANUP(buf_done) struct buf metrics = {};

	if (o->prometheus) {
		session_unknown_metric(SCHEMA, why, &metrics);
		(void)write_file(o->prometheus, buf_slice(&metrics), 0644);
	}
	return session_could_not_tell(cli, SCHEMA, why);
}

static int report(const struct cli *cli, const struct root *root, const struct dm_options *options,
		  const struct outputs *o)
{
	struct err e = {};
	struct dm_report r;
	struct dm_check c;
	int status;

	if (dm_check_run(&c, root, options, &e) < 0)
		return could_not_tell(cli, o, e.text);
	dm_report_make(&r, &c, root);
	status = put_out(cli, root, o, &r);
	dm_report_done(&r);
	dm_check_done(&c);
	return status;
}

/* --retry and --import-mail look at no device at all. */
static int mail_only(const struct cli *cli, const struct root *root)
{
	give_time_for_mail();
	if (cli_has(cli, "import-mail"))
		return dm_report_import(cli, root, cli_value(cli, "import-mail"));
	return dm_report_retry(cli, root);
}

/* With everything else there would be two exit statuses to give. */
static bool is_mail_only(const struct cli *cli, bool *ret_alone)
{
	static const char *const others[] = { "html",	"text",	  "mail",   "prometheus",
					      "format", "policy", "min-age" };
	bool retry = cli_has(cli, "retry"), import = cli_has(cli, "import-mail");

	*ret_alone = !(retry && import);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		*ret_alone = *ret_alone && !cli_has(cli, others[i]);
	return retry || import;
}

int cmd_dm_report(const struct cli *cli)
{
	struct dm_options options;
	struct outputs outputs;
	struct root root;
	bool alone, mail = is_mail_only(cli, &alone);
	int r = dm_parse_options(cli, &options);

	if (r == 0)
		r = parse_outputs(cli, &outputs);
	if (r == 0 && mail && !alone)
		r = cli_usage(cli, "--retry and --import-mail stand alone");
	if (r == 0)
		r = session_begin(cli, SCHEMA, &root);
	if (r)
		return r;
	r = mail ? mail_only(cli, &root) : report(cli, &root, &options, &outputs);
	session_end(&root);
	return r;
}
