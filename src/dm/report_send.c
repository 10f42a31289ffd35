/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/report_send.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "pve/deliver.h"
#include "pve/node.h"
#include "pve/outbox.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/log.h"
#include "util/shellvars.h"
#include "util/str.h"

enum { SCRIPT_BYTES_MAX = 4 * 1024 * 1024 };

/* What a run of sending works with. */
struct sender {
	const struct root *root;
	struct arena arena;
	struct mail_config config;
};

static const char *node_name(const struct root *root, struct arena *a)
{
	struct utsname host;
	struct node node;

	if (node_read(&node, root, a, NULL) == 0)
		return node.name;
	if (uname(&host) < 0 || !*host.nodename)
		return "localhost";
	return arena_strndup(a, host.nodename, strcspn(host.nodename, "."));
}

static void sender_open(struct sender *s, const struct root *root)
{
	*s = (struct sender){ .root = root };
	mail_config_read(&s->config, root, node_name(root, &s->arena), &s->arena);
	for (size_t i = 0; i < s->config.diags.n; i++) {
		const struct diag *d = &s->config.diags.items[i];

		log_warn("/%s, line %u: %s", d->file, d->line, d->text);
	}
}

static void sender_done(struct sender *s)
{
	mail_config_done(&s->config);
	arena_done(&s->arena);
}

static const char *new_id(struct arena *a)
{
	char when[CLOCK_TEXT_MAX];
	CLEANUP(buf_done) struct buf id = {};

	for (const char *p = clock_rfc3339(clock_now(), when); *p; p++)
		if (*p != '-' && *p != ':')
			buf_addc(&id, *p);
	buf_addf(&id, "-%ld", (long)getpid());
	return arena_str(a, buf_slice(&id));
}

static int refuse_recorded(const struct cli *cli)
{
	return cli_usage(cli, "a recorded node sends no mail: without --root");
}

static int keep(struct sender *s, const struct mail *m, const char *id, int code,
		const struct err *why)
{
	char path[256];
	size_t dropped = 0;
	struct err e = {};

	log_error("the report was not sent by %s: %s", mail_transport_name(s->config.transport),
		  why->text);
	if (outbox_keep(s->root, m, id, why->text, clock_now(), path, &dropped, &e) < 0) {
		log_error("and it could not be kept: %s", e.text);
		return CLI_UNDELIVERED;
	}
	if (delivery_is_hopeless(code))
		log_error("it is kept in %s; trying again will not help until that is mended",
			  path);
	else
		log_error("it is kept in %s and will be tried again (pvewarden dm report --retry)",
			  path);
	if (dropped)
		log_error("%zu older reports that were never sent were dropped", dropped);
	return CLI_UNDELIVERED;
}

int dm_report_send(const struct cli *cli, const struct root *root, const struct mail *m)
{
	struct err e = {};
	struct sender s;
	const char *id;
	int r, status = CLI_OK;

	if (!root->live)
		return refuse_recorded(cli);
	sender_open(&s, root);
	id = new_id(&s.arena);
	r = deliver(&s.config, m, id, &e);
	if (r < 0)
		status = keep(&s, m, id, r, &e);
	sender_done(&s);
	return status;
}

static int send_again(void *ctx, const struct mail *m, const char *id, struct err *e)
{
	const struct sender *s = ctx;

	return deliver(&s->config, m, id, e);
}

int dm_report_retry(const struct cli *cli, const struct root *root)
{
	struct outbox_result result;
	struct err e = {};
	struct sender s;
	int r;

	if (!root->live)
		return refuse_recorded(cli);
	sender_open(&s, root);
	r = outbox_retry(root, clock_now(), send_again, &s, &result, &s.arena, &e);
	if (r < 0)
		log_error("%s", e.text);
	else if (result.failed)
		log_error("%zu reports could not be sent again: %s", result.failed, result.error);
	if (r == 0 && result.put_aside)
		log_error("%zu reports were given up: /" OUTBOX_FAILED_DIR, result.put_aside);
	if (r == 0)
		log_info("%zu reports sent, %zu wait", result.sent, result.waiting);
	sender_done(&s);
	return r < 0 || result.failed || result.put_aside ? CLI_UNDELIVERED : CLI_OK;
}

/* --- the old scripts' settings -------------------------------------------------------------- */

enum { SETTINGS = 5 };

static bool is_placeholder(const char *value)
{
	return !*value || *value == '<' || strncmp(value, "your-", 5) == 0 ||
	       strcmp(value, "your_api_key") == 0;
}

static int check_settings(const struct cli *cli, const char *script, const struct shellvar *vars,
			  const struct diags *diags)
{
	for (size_t i = 0; i < diags->n; i++)
		log_error("%s, line %u: %s", diags->items[i].file, diags->items[i].line,
			  diags->items[i].text);
	for (size_t i = 0; i < SETTINGS; i++) {
		if (!vars[i].value)
			return cli_usage(cli, "%s sets no %s: is it the script with your settings?",
					 script, vars[i].name);
		if (is_placeholder(vars[i].value))
			return cli_usage(cli, "%s, line %u: %s still has the example's value",
					 script, vars[i].line, vars[i].name);
	}
	return CLI_OK;
}

static void add_setting(struct buf *out, const struct shellvar *v)
{
	buf_addf(out, "%s='", v->name);
	for (const char *p = v->value; *p; p++) {
		if (*p == '\'')
			buf_adds(out, "'\\''");
		else
			buf_addc(out, *p);
	}
	buf_adds(out, "'\n");
}

static int write_settings(const struct cli *cli, const struct root *root,
			  const struct shellvar *vars)
{
	CLEANUP(buf_done) struct buf text = {};
	struct stat st;
	int r;

	if (root_lstat(root, MAIL_ENV_PATH, &st) == 0)
		return cli_usage(cli,
				 "/" MAIL_ENV_PATH
				 " is there already, and is not overwritten: move it away first");
	buf_adds(&text,
		 "# Settings of the old health check script, for pvewarden dm report --mail.\n");
	for (size_t i = 0; i < SETTINGS; i++)
		add_setting(&text, &vars[i]);
	r = file_mkdirs(root->fd, "etc/pvewarden", 0755);
	if (r == 0)
		r = file_write_atomic(root->fd, MAIL_ENV_PATH, buf_slice(&text), 0600);
	explicit_bzero(text.data, text.cap);
	if (r < 0) {
		log_error("/" MAIL_ENV_PATH ": %s", strerror(-r));
		return CLI_INTERNAL;
	}
	return CLI_OK;
}

static int import(const struct cli *cli, const struct root *root, const char *script,
		  struct slice text, struct arena *a)
{
	struct shellvar vars[SETTINGS] = { { "MAILJET_API_KEY" },
					   { "MAILJET_API_SECRET" },
					   { "FROM_EMAIL" },
					   { "FROM_NAME" },
					   { "TO_EMAIL" } };
	struct diags diags = { .arena = a };
	char from[256], to[256];
	int status;

	shellvars_read(text, script, true, vars, SETTINGS, a, &diags);
	status = check_settings(cli, script, vars, &diags);
	diags_done(&diags);
	if (status == CLI_OK)
		status = write_settings(cli, root, vars);
	if (status != CLI_OK)
		return status;
	str_printable(from, sizeof(from), slice_of(vars[2].value));
	str_printable(to, sizeof(to), slice_of(vars[4].value));
	printf("Taken from %s: mails go from %s to %s by Mailjet (/" MAIL_ENV_PATH ", mode 0600).\n"
	       "Next: pvewarden dm report --mail sends one now;\n"
	       "      systemctl enable --now pvewarden-dm-report.timer sends one each day at 08:00.\n"
	       "Then take the old script out of cron; its API secret stands in it for all to read:\n"
	       "      chmod 600 %s, or delete it.\n",
	       script, from, to, script);
	return CLI_OK;
}

int dm_report_import(const struct cli *cli, const struct root *root, const char *script)
{
	CLEANUP(arena_done) struct arena a = {};
	CLEANUP(buf_done) struct buf text = {};
	int r = file_read_at(AT_FDCWD, script, SCRIPT_BYTES_MAX, &text);
	int status;

	if (r < 0)
		return cli_usage(cli, "%s: %s", script, strerror(-r));
	status = import(cli, root, script, buf_slice(&text), &a);
	explicit_bzero(text.data, text.cap);
	return status;
}
