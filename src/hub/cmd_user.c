/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "hub/auth.h"
#include "hub/cmd_store.h"
#include "hub/cmds.h"
#include "hub/password.h"
#include "util/clock.h"
#include "util/jsonw.h"
#include "util/table.h"

/* clang-format off */
const struct cli_option hub_user_options[] = {
	{ "org", "NAME", "of this organisation (" CMD_STORE_DEFAULT_ORG "; list: all of them)" },
	HUB_CONF_OPTIONS,
	{ NULL },
};
/* clang-format on */

/* --- the password: from the terminal without an echo, or one line of stdin; never of argv --- */

static int read_line(char ret[PASSWORD_MAX + 2], struct err *e)
{
	size_t n = 0;
	char c = 0;
	ssize_t got;

	while ((got = read(STDIN_FILENO, &c, 1)) == 1 && c != '\n') {
		if (n > PASSWORD_MAX)
			return err_set(e, -EINVAL, "the password is too long");
		ret[n++] = c;
	}
	ret[n] = '\0';
	if (got < 0)
		return err_set(e, -errno, "stdin: %s", strerror(errno));
	return n ? 0 : err_set(e, -EINVAL, "no password was given");
}

static int ask_once(const char *prompt, char ret[PASSWORD_MAX + 2], struct err *e)
{
	struct termios before, quiet;
	int r;

	if (tcgetattr(STDIN_FILENO, &before) < 0)
		return err_set(e, -errno, "the terminal: %s", strerror(errno));
	quiet = before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	(void)fputs(prompt, stderr);
	r = read_line(ret, e);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	(void)fputc('\n', stderr);
	return r;
}

static int ask_password(char ret[PASSWORD_MAX + 2], struct err *e)
{
	char again[PASSWORD_MAX + 2];
	int r;

	if (!isatty(STDIN_FILENO))
		return read_line(ret, e);
	r = ask_once("Password: ", ret, e);
	if (r == 0)
		r = ask_once("Once more: ", again, e);
	if (r == 0 && strcmp(ret, again) != 0)
		r = err_set(e, -EINVAL, "the two are not the same");
	explicit_bzero(again, sizeof(again));
	return r;
}

/* --- add, passwd --- */

static int put_user(struct store *s, const char *org, const char *name, bool must_be_new,
		    struct err *e)
{
	char password[PASSWORD_MAX + 2];
	struct store_user known;
	int r = must_be_new ? 0 : store_user_find(s, org, name, &known, e);

	if (r == 0)
		r = ask_password(password, e);
	if (r == 0)
		r = auth_user_put(s, org, name, slice_of(password), must_be_new, e);
	explicit_bzero(password, sizeof(password));
	return r;
}

static int put(const struct cli *cli, struct cmd_store *c, bool must_be_new, struct buf *out)
{
	char org[STORE_ORG_MAX];
	const char *org_name;
	struct err e = {};
	int r;

	if (cli->n_operands != 2)
		return cli_usage(cli, "user %s needs a NAME", cli->operands[0]);
	r = cmd_store_org(cli, c, must_be_new, org, &org_name);
	if (r != CLI_OK)
		return r;
	r = put_user(c->store, org, cli->operands[1], must_be_new, &e);
	if (r < 0)
		return cmd_store_failed(cli, r, &e);
	if (!cli->json)
		buf_addf(out, "%s of %s.\n",
			 must_be_new ? "Made a user" : "Changed the password of a user", org_name);
	else
		buf_adds(out, "{\"schema\": \"pvewarden.hub-user/1\", \"success\": true}\n");
	return CLI_OK;
}

static int add(const struct cli *cli, struct cmd_store *c, struct buf *out)
{
	return put(cli, c, true, out);
}

static int passwd(const struct cli *cli, struct cmd_store *c, struct buf *out)
{
	return put(cli, c, false, out);
}

/* --- remove --- */

static int remove_user(const struct cli *cli, struct cmd_store *c, struct buf *out)
{
	char org[STORE_ORG_MAX];
	const char *org_name;
	struct err e = {};
	int r;

	if (cli->n_operands != 2)
		return cli_usage(cli, "user remove needs a NAME");
	r = cmd_store_org(cli, c, false, org, &org_name);
	if (r != CLI_OK)
		return r;
	r = store_user_remove(c->store, org, cli->operands[1], clock_now(), &e);
	if (r < 0)
		return cmd_store_failed(cli, r, &e);
	if (!cli->json)
		buf_addf(out, "Removed a user of %s; their sessions are over.\n", org_name);
	else
		buf_adds(out, "{\"schema\": \"pvewarden.hub-user/1\", \"success\": true}\n");
	return CLI_OK;
}

/* --- list --- */

struct listing {
	bool json;
	struct table table;
	struct jsonw w;
};

static void take_user(void *ctx, const struct store_user *u, const char *org_name)
{
	struct listing *l = ctx;
	char made[CLOCK_TEXT_MAX];

	if (!l->json) {
		table_add(&l->table, u->name);
		table_add(&l->table, org_name);
		table_add(&l->table, clock_rfc3339(u->created_at, made));
		return;
	}
	jsonw_row(&l->w, NULL);
	jsonw_str(&l->w, "name", u->name);
	jsonw_str(&l->w, "org", org_name);
	jsonw_time(&l->w, "created_at", u->created_at);
	jsonw_close(&l->w);
}

static int write_users(const struct cli *cli, struct store *s, const char *org, struct buf *out,
		       struct err *e)
{
	struct listing l = { .json = cli->json };
	int r;

	if (l.json) {
		jsonw_begin(&l.w, out);
		jsonw_str(&l.w, "schema", "pvewarden.hub-users/1");
		jsonw_array(&l.w, "users");
	}
	table_column(&l.table, "NAME", 0);
	table_column(&l.table, "ORGANISATION", TABLE_ELASTIC);
	table_column(&l.table, "CREATED", 0);
	r = store_user_each(s, org, take_user, &l, e);
	if (l.json) {
		jsonw_close(&l.w);
		jsonw_end(&l.w);
	} else {
		table_write(&l.table, out, 0, term_width(), cli->color);
	}
	table_done(&l.table);
	return r;
}

static int list(const struct cli *cli, struct cmd_store *c, struct buf *out)
{
	char org[STORE_ORG_MAX];
	const char *name;
	struct err e = {};
	int r;

	if (cli->n_operands > 1)
		return cli_usage(cli, "user list takes options only");
	if (cli_has(cli, "org")) {
		r = cmd_store_org(cli, c, false, org, &name);
		if (r != CLI_OK)
			return r;
	}
	r = write_users(cli, c->store, cli_has(cli, "org") ? org : NULL, out, &e);
	return r < 0 ? cmd_store_failed(cli, r, &e) : CLI_OK;
}

int cmd_hub_user(const struct cli *cli)
{
	static const struct {
		const char *name;
		int (*run)(const struct cli *cli, struct cmd_store *c, struct buf *out);
	} actions[] = {
		{ "add", add }, { "passwd", passwd }, { "remove", remove_user }, { "list", list }
	};
	CLEANUP(buf_done) struct buf out = {};
	struct cmd_store c;

	for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
		int r;

		if (strcmp(actions[i].name, cli->operands[0]) != 0)
			continue;
		r = cmd_store_open(cli, 0, &c);
		if (r != CLI_OK)
			return r;
		r = actions[i].run(cli, &c, &out);
		cmd_store_close(&c);
		return r == CLI_OK ? cmd_store_print(&out) : r;
	}
	return cli_usage(cli, "'%s': expected add, passwd, remove or list", cli->operands[0]);
}
