/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "agent/conf.h"
#include "agent/delivery.h"
#include "agent/wire.h"
#include "cmd.h"
#include "pve/session.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/str.h"
#include "util/table.h"

/* Of a value that may not be there. */
static const char *text_of(const json_t *v, char buf[32])
{
	if (json_is_string(v))
		return json_string_value(v);
	if (!json_is_number(v))
		return NULL;
	(void)snprintf(buf, 32, "%.0f", json_number_value(v));
	return buf;
}

static void add(struct table *t, const json_t *row, const char *key)
{
	char number[32];

	table_add(t, text_of(json_object_get(row, key), number));
}

static void add_share(struct table *t, const json_t *row, const char *part, const char *whole)
{
	const json_t *p = json_object_get(row, part), *w = json_object_get(row, whole);

	if (json_is_number(p) && json_is_number(w) && json_number_value(w) > 0)
		table_addf(t, "%.0f%%", 100 * json_number_value(p) / json_number_value(w));
	else
		table_add(t, NULL);
}

static void show_guests(const json_t *doc, struct buf *out, bool color)
{
	CLEANUP(table_done) struct table t = {};
	json_t *rows = json_arr(doc, "guests"), *row;
	size_t i;

	if (!json_array_size(rows))
		return;
	table_column(&t, "VMID", TABLE_RIGHT);
	table_column(&t, "TYPE", 0);
	table_column(&t, "NODE", 0);
	table_column(&t, "NAME", TABLE_ELASTIC);
	table_column(&t, "STATUS", 0);
	table_column(&t, "MEMORY", TABLE_RIGHT);
	table_column(&t, "SNAPSHOTS", TABLE_RIGHT);
	json_array_foreach(rows, i, row)
	{
		add(&t, row, "vmid");
		add(&t, row, "type");
		add(&t, row, "node");
		add(&t, row, "name");
		add(&t, row, "status");
		add_share(&t, row, "mem", "maxmem");
		add(&t, row, "snapshots");
	}
	buf_addc(out, '\n');
	table_write(&t, out, 0, term_width(), color);
}

static void show_storages(const json_t *doc, struct buf *out, bool color)
{
	CLEANUP(table_done) struct table t = {};
	json_t *rows = json_arr(doc, "storages"), *row;
	size_t i;

	if (!json_array_size(rows))
		return;
	table_column(&t, "STORAGE", 0);
	table_column(&t, "TYPE", 0);
	table_column(&t, "USED", TABLE_RIGHT);
	json_array_foreach(rows, i, row)
	{
		add(&t, row, "name");
		add(&t, row, "type");
		add_share(&t, row, "used", "total");
	}
	buf_addc(out, '\n');
	table_write(&t, out, 0, term_width(), color);
}

static const char *yes_no(const json_t *v)
{
	return json_is_boolean(v) ? (json_is_true(v) ? "yes" : "no") : "not known";
}

static void add_escaped(struct buf *out, const char *text)
{
	char shown[1024];

	str_printable(shown, sizeof(shown), slice_of(text ? text : "?"));
	buf_adds(out, shown);
}

static void show(const struct collect_answer *a, const json_t *doc, struct buf *out, bool color)
{
	json_t *blind = json_arr(doc, "blind"), *row;
	size_t i;

	add_escaped(out, a->node);
	if (a->clustered) {
		buf_adds(out, ", cluster ");
		add_escaped(out, a->cluster);
		buf_addf(out, ", %zu nodes, quorate: %s", json_array_size(json_arr(doc, "nodes")),
			 yes_no(json_object_get(doc, "quorate")));
	} else {
		buf_adds(out, ", no cluster");
	}
	buf_addf(out, "; %zu guests in all, %zu here; collected in %u ms (%u us of processor)\n",
		 json_array_size(json_arr(doc, "vmids")), (size_t)a->guests, a->milliseconds,
		 a->cpu_microseconds);
	json_array_foreach(blind, i, row)
	{
		buf_adds(out, "Not read: ");
		add_escaped(out, json_string_value(row));
		buf_addc(out, '\n');
	}
	show_guests(doc, out, color);
	show_storages(doc, out, color);
}

static int answer(const struct cli *cli, const struct collect_answer *a)
{
	CLEANUP(buf_done) struct buf out = {};
	json_t *doc = NULL;
	struct err e = {};

	if (a->error == -ENODEV)
		return session_could_not_tell(cli, WIRE_SCHEMA, "Proxmox VE not detected here");
	if (a->error)
		return session_could_not_tell(cli, WIRE_SCHEMA, a->why);
	if (cli->json) {
		buf_add(&out, a->document.data, a->document.len);
		if (out.len && out.data[out.len - 1] != '\n')
			buf_addc(&out, '\n');
		return session_answer(&out, CLI_OK);
	}
	if (json_parse_bulk(buf_slice(&a->document), "the document", &doc, &e) < 0)
		return session_could_not_tell(cli, WIRE_SCHEMA, e.text);
	show(a, doc, &out, cli->color);
	json_decref(doc);
	return session_answer(&out, CLI_OK);
}

int cmd_agent_once(const struct cli *cli)
{
	struct collect_ask *ask = xcalloc(1, sizeof(*ask));
	struct collect_answer a = {};
	struct root root;
	int r = session_begin_as_anyone(cli, WIRE_SCHEMA, &root);

	if (r == 0) {
		ask->hub = ask->all_configs = true;
		ask->interval = WIRE_INTERVAL_S;
		(void)snprintf(ask->instance, sizeof(ask->instance), "%032d", 0);
		collect_once(&root, ask, &a);
		r = answer(cli, &a);
		collect_answer_done(&a);
		session_end(&root);
	}
	free(ask);
	return r;
}
