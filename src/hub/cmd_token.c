/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "hub/auth.h"
#include "hub/cmd_store.h"
#include "hub/cmds.h"
#include "hub/token.h"
#include "util/clock.h"
#include "util/jsonw.h"
#include "util/str.h"
#include "util/table.h"

/* clang-format off */
const struct cli_option hub_token_options[] = {
	{ "org", "NAME", "of this organisation (" CMD_STORE_DEFAULT_ORG "; list and revoke: all of them)" },
	{ "kind", "agent|read", "what a new token is for: sending, or only reading (agent)" },
	{ "label", "TEXT", "what a person calls it" },
	{ "for", "TIME", "how long it is good: 90d, 12h (for ever)" },
	{ "all", NULL, "list: also what registrations and logins made, and what is over" },
	HUB_CONF_OPTIONS,
	{ NULL },
};
/* clang-format on */

static const char *const kind_names[] = {
	[STORE_TOKEN_AGENT] = "agent",	   [STORE_TOKEN_ACCESS] = "access",
	[STORE_TOKEN_REFRESH] = "refresh", [STORE_TOKEN_READ] = "read",
	[STORE_TOKEN_SESSION] = "session",
};

/* --- add --- */

static void show_new(const struct cli *cli, const struct store_token *t, const char *text,
		     struct buf *out)
{
	struct jsonw w;

	if (!cli->json) {
		buf_addf(out, "%s\n", text);
		(void)fprintf(stderr, "Token %s. It is shown this once only.\n", t->id);
		return;
	}
	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", "pvewarden.hub-token/1");
	jsonw_str(&w, "id", t->id);
	jsonw_str(&w, "kind", kind_names[t->kind]);
	jsonw_str(&w, "token", text);
	jsonw_time(&w, "expires_at", t->expires_at);
	jsonw_end(&w);
}

static bool read_kind(const char *word, enum store_token_kind *ret)
{
	*ret = word && strcmp(word, "read") == 0 ? STORE_TOKEN_READ : STORE_TOKEN_AGENT;
	return !word || strcmp(word, kind_names[*ret]) == 0;
}

static int add(const struct cli *cli, struct cmd_store *c, struct buf *out)
{
	const char *label = cli_value(cli, "label"), *name;
	char org[STORE_ORG_MAX], text[TOKEN_TEXT_MAX];
	enum store_token_kind kind;
	struct store_token t;
	int64_t lifetime = 0;
	struct err e = {};
	int r;

	if (cli->n_operands > 1)
		return cli_usage(cli, "token add takes options only");
	if (!read_kind(cli_value(cli, "kind"), &kind))
		return cli_usage(cli, "--kind '%s': expected agent or read",
				 cli_value(cli, "kind"));
	if (!cli_duration(cli, "for", &lifetime))
		return CLI_USAGE;
	/* In the store 0 is for ever. */
	if (cli_has(cli, "for") && lifetime <= 0)
		return cli_usage(cli, "--for '%s': expected more than nothing",
				 cli_value(cli, "for"));
	if (label && (strlen(label) >= STORE_NAME_MAX || !str_utf8_valid(slice_of(label))))
		return cli_usage(cli, "--label: a text of at most %d bytes", STORE_NAME_MAX - 1);
	r = cmd_store_org(cli, c, true, org, &name);
	if (r != CLI_OK)
		return r;
	r = auth_token_make(c->store, org, kind, NULL, label, clock_now(), lifetime, &t, text, &e);
	if (r < 0)
		return cmd_store_failed(cli, r, &e);
	show_new(cli, &t, text, out);
	return CLI_OK;
}

/* --- list --- */

struct listing {
	const struct cli *cli;
	struct table table;
	struct jsonw w;
	int64_t now;
	char first_org[STORE_ORG_MAX];
	bool orgs; /* there is more than one */
};

static const char *state_of(const struct store_token *t, int64_t now)
{
	if (t->revoked_at && t->revoked_at <= now)
		return "revoked";
	return t->expires_at && t->expires_at <= now ? "over" : "good";
}

/* What people made, unless all were asked for. */
static bool is_wanted(const struct listing *l, const struct store_token *t)
{
	return cli_has(l->cli, "all") ||
	       ((t->kind == STORE_TOKEN_AGENT || t->kind == STORE_TOKEN_READ ||
		 t->kind == STORE_TOKEN_REFRESH) &&
		strcmp(state_of(t, l->now), "good") == 0);
}

static void json_row(struct listing *l, const struct store_token *t, const char *org_name)
{
	struct jsonw *w = &l->w;

	jsonw_row(w, NULL);
	jsonw_str(w, "id", t->id);
	jsonw_str(w, "org", t->org);
	jsonw_str(w, "org_name", org_name);
	jsonw_str(w, "kind", kind_names[t->kind]);
	jsonw_str(w, "state", state_of(t, l->now));
	jsonw_str(w, "label", t->label[0] ? t->label : NULL);
	jsonw_str(w, "agent", t->agent[0] ? t->agent : NULL);
	jsonw_str(w, "user", t->user[0] ? t->user : NULL);
	jsonw_time(w, "created_at", t->created_at);
	jsonw_time(w, "expires_at", t->expires_at);
	jsonw_time(w, "revoked_at", t->revoked_at);
	jsonw_time(w, "used_at", t->used_at);
	jsonw_close(w);
}

/* The day is enough for people; --format json has the seconds. */
static void add_day(struct table *table, int64_t at, const char *never)
{
	char text[CLOCK_TEXT_MAX];

	if (at)
		table_addf(table, "%.10s", clock_rfc3339(at, text));
	else
		table_add(table, never);
}

static void text_row(struct listing *l, const struct store_token *t, const char *org_name)
{
	struct table *table = &l->table;

	table_add(table, t->id);
	if (l->orgs)
		table_add(table, org_name);
	table_add(table, kind_names[t->kind]);
	table_add_styled(table, strcmp(state_of(t, l->now), "good") ? TERM_DIM : TERM_GREEN,
			 state_of(t, l->now));
	table_add(table, t->label[0] ? t->label : t->user);
	table_add(table, t->agent);
	add_day(table, t->created_at, NULL);
	add_day(table, t->used_at, "never");
	add_day(table, t->expires_at, "never");
}

static void take_token(void *ctx, const struct store_token *t, const char *org_name)
{
	struct listing *l = ctx;

	if (!is_wanted(l, t))
		return;
	if (l->cli->json)
		json_row(l, t, org_name);
	else
		text_row(l, t, org_name);
}

static void count_org(void *ctx, const struct store_token *t, const char *org_name)
{
	struct listing *l = ctx;

	(void)org_name;
	if (!is_wanted(l, t))
		return;
	if (!l->first_org[0])
		memcpy(l->first_org, t->org, sizeof(l->first_org));
	else if (strcmp(l->first_org, t->org) != 0)
		l->orgs = true;
}

static void begin_listing(struct listing *l, struct buf *out)
{
	static const char *const titles[] = { "ID",    "ORG",	  "KIND", "STATE", "LABEL",
					      "AGENT", "CREATED", "USED", "UNTIL" };

	if (l->cli->json) {
		jsonw_begin(&l->w, out);
		jsonw_str(&l->w, "schema", "pvewarden.hub-tokens/1");
		jsonw_array(&l->w, "tokens");
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
		if (i != 1 || l->orgs)
			table_column(&l->table, titles[i], i == 4 ? TABLE_ELASTIC : 0);
}

static void end_listing(struct listing *l, struct buf *out)
{
	if (l->cli->json) {
		jsonw_close(&l->w);
		jsonw_end(&l->w);
	} else {
		table_write(&l->table, out, 0, term_width(), l->cli->color);
	}
	table_done(&l->table);
}

static int list(const struct cli *cli, struct cmd_store *c, struct buf *out)
{
	struct listing l = { .cli = cli, .now = clock_now() };
	char org[STORE_ORG_MAX];
	struct err e = {};
	const char *name;
	int r;

	if (cli->n_operands > 1)
		return cli_usage(cli, "token list takes options only");
	if (cli_has(cli, "org")) {
		r = cmd_store_org(cli, c, false, org, &name);
		if (r != CLI_OK)
			return r;
	}
	r = store_token_each(c->store, cli_has(cli, "org") ? org : NULL, count_org, &l, &e);
	if (r < 0)
		return cmd_store_failed(cli, r, &e);
	begin_listing(&l, out);
	r = store_token_each(c->store, cli_has(cli, "org") ? org : NULL, take_token, &l, &e);
	end_listing(&l, out);
	return r < 0 ? cmd_store_failed(cli, r, &e) : CLI_OK;
}

/* --- revoke --- */

struct search {
	const char *id;
	struct store_token found;
};

static void match_id(void *ctx, const struct store_token *t, const char *org_name)
{
	struct search *s = ctx;

	(void)org_name;
	if (strcmp(t->id, s->id) == 0)
		s->found = *t;
}

/* A refresh token's agent goes with it: its access token would be good for an hour yet. */
static int revoke_found(struct cmd_store *c, const struct store_token *t, struct err *e)
{
	int r = store_token_revoke(c->store, t->org, t->id, clock_now(), e);

	if (r == 0 && (t->kind == STORE_TOKEN_REFRESH || t->kind == STORE_TOKEN_ACCESS))
		r = store_token_revoke_agent(c->store, t->org, t->agent, -1, clock_now(), e);
	return r;
}

static int revoke(const struct cli *cli, struct cmd_store *c, struct buf *out)
{
	struct search s = {};
	struct err e = {};
	int r;

	if (cli->n_operands != 2)
		return cli_usage(cli, "token revoke needs an ID (pvewarden hub token list)");
	s.id = cli->operands[1];
	r = store_token_each(c->store, NULL, match_id, &s, &e);
	if (r == 0 && !s.found.id[0])
		r = err_set(&e, -ENOENT, "there is no token %s", s.id);
	if (r == 0)
		r = revoke_found(c, &s.found, &e);
	if (r < 0)
		return cmd_store_failed(cli, r, &e);
	if (!cli->json)
		buf_adds(out, "Revoked. Running hubs refuse it from now on.\n");
	else
		buf_addf(out,
			 "{\"schema\": \"pvewarden.hub-token/1\", \"id\": \"%s\", "
			 "\"state\": \"revoked\"}\n",
			 s.found.id);
	return CLI_OK;
}

int cmd_hub_token(const struct cli *cli)
{
	static const struct {
		const char *name;
		int (*run)(const struct cli *cli, struct cmd_store *c, struct buf *out);
	} actions[] = { { "add", add }, { "list", list }, { "revoke", revoke } };
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
	return cli_usage(cli, "'%s': expected add, list or revoke", cli->operands[0]);
}
