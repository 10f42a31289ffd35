/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * `array token`: where a storage's API token stands, and its way out of storage.cfg. A plugin that
 * looks for it only there loses the storage, so every node of the cluster is asked first, and one
 * that does not answer is one that may not go without.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "array/cmd_ctx.h"
#include "array/ready.h"
#include "array/secret.h"
#include "array/storages.h"
#include "array/tokenline.h"
#include "cmd.h"
#include "pve/cfslock.h"
#include "pve/storagecfg.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"
#include "util/term.h"

enum { CFG_MAX = 4 * 1024 * 1024, LOCK_MS = 10000 };

const struct cli_option array_token_options[] = {
	{ "move", NULL, "take it out of storage.cfg, if every node finds it elsewhere" },
	{ "here", NULL, "only say whether this node would (what other nodes ask)" },
	ARRAY_CTX_OPTIONS,
	{},
};

struct moving {
	const struct cli *cli;
	const char *id, *node;
	struct root root;
	struct members members;
	struct array_storages storages;
	struct buf out, kept; /* kept: what the token's own file has */
	struct arena arena;
};

static PRINTF_LIKE(4, 5) void line(struct moving *m, enum term_style style, const char *word,
				   const char *fmt, ...)
{
	char text[700], shown[900];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	str_printable(shown, sizeof(shown), slice_of(text));
	term_add(&m->out, m->cli->color, style, word);
	buf_addf(&m->out, "  %s\n", shown);
}

static int read_cfg(const struct moving *m, struct buf *ret, struct err *e)
{
	int r = root_read(&m->root, ARRAY_STORAGE_CFG, CFG_MAX, ret);

	return r < 0 ? err_set(e, r, "/" ARRAY_STORAGE_CFG ": %s", strerror(-r)) : 0;
}

static int find_line(const struct moving *m, struct tokenline *ret, struct arena *a, struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = {};
	int r = read_cfg(m, &text, e);

	return r < 0 ? r : tokenline_find(ret, buf_slice(&text), m->id, a, e);
}

static void show_place(struct moving *m, const struct tokenline *found)
{
	if (found->line)
		line(m, TERM_YELLOW, "token ",
		     "in line %u of /" ARRAY_STORAGE_CFG
		     ", which whoever may see the configuration of storages can read",
		     found->line);
	if (m->kept.len)
		line(m, TERM_GREEN, "token ", "in /etc/pve/priv/storage/%s.purestorage-token%s",
		     m->id, found->line ? ", which goes before the one of storage.cfg" : "");
	if (!found->line && !m->kept.len)
		line(m, TERM_RED, "token ", "nowhere: pvesm set %s --token TOKEN", m->id);
}

/* ---- every node ---- */

static bool show_ready(struct moving *m, const struct ready *one)
{
	line(m, one->ok ? TERM_GREEN : TERM_RED, one->ok ? "ready " : "NOT   ", "%s%s%s", one->node,
	     *one->why ? ": " : "", one->why);
	return one->ok;
}

static bool ask_node(struct moving *m, const struct member *member, const struct tokenline *found)
{
	struct storage for_nodes = { .nodes = found->nodes };
	struct ready one = { .node = member->name, .ok = true };
	struct err e = {};

	if (strcmp(member->name, m->node) != 0)
		ready_ask(&one, &m->root, array_session_path(m->cli, "/usr/bin/ssh", &m->arena),
			  member, m->id, storage_on_node(&for_nodes, member->name));
	else if (ready_here(&m->root, &e) < 0)
		one = (struct ready){ .node = member->name, .ok = false };
	if (*e.text)
		str_printable(one.why, sizeof(one.why), slice_of(e.text));
	return show_ready(m, &one);
}

static bool ask_all(struct moving *m, const struct tokenline *found)
{
	const struct member self = { .name = m->node, .online = true };
	bool ok = true;

	if (!m->members.clustered)
		return ask_node(m, &self, found);
	for (size_t i = 0; i < m->members.n_nodes; i++)
		ok = ask_node(m, &m->members.nodes[i], found) && ok;
	return ok;
}

/* ---- the move ---- */

/* With the file as it is now. */
static int cut(const struct moving *m, const char *token, struct err *e)
{
	CLEANUP(buf_wipe) struct buf before = {};
	CLEANUP(buf_wipe) struct buf after = {};
	CLEANUP(arena_done) struct arena arena = {};
	struct stat st;
	int r = read_cfg(m, &before, e);

	if (r == 0)
		r = tokenline_cut(buf_slice(&before), m->id, token, &after, &arena, e);
	if (r < 0)
		return r;
	r = root_stat(&m->root, ARRAY_STORAGE_CFG, &st);
	if (r == 0)
		r = file_write_atomic(m->root.fd, ARRAY_STORAGE_CFG, buf_slice(&after),
				      st.st_mode & 0777);
	if (r < 0)
		return err_set(e, r, "/" ARRAY_STORAGE_CFG " could not be written: %s",
			       strerror(-r));
	return 0;
}

/* While the nodes were asked somebody may have set a new token, which goes there. */
static int check_kept(const struct moving *m, struct err *e)
{
	CLEANUP(buf_wipe) struct buf now = {};
	int r = secret_read(&m->root, m->id, &now, e);

	if (r < 0)
		return r;
	if (strcmp(buf_str(&now), buf_str(&m->kept)) != 0)
		return err_set(e, -ESTALE, "the token of storage %s was changed meanwhile", m->id);
	return 0;
}

/* Only where storage.cfg certainly has one, which the one that was put would go before. */
static void take_back(const struct moving *m)
{
	CLEANUP(arena_done) struct arena arena = {};
	struct tokenline found;

	if (find_line(m, &found, &arena, NULL) == 0 && found.line)
		(void)secret_remove(&m->root, m->id, NULL);
}

/* First the new place, then the old one goes; what did not come to its end leaves the old one. */
static int move_locked(const struct moving *m, const struct array_storage *s, const char *token,
		       struct err *e)
{
	int r = check_kept(m, e);

	if (r == 0 && !m->kept.len)
		r = secret_write(&m->root, &s->conf, e);
	if (r < 0)
		return r;
	r = cut(m, token, e);
	if (r < 0 && !m->kept.len)
		take_back(m);
	return r;
}

/* `pvesm set` has the same lock. */
static int move(const struct moving *m, const struct array_storage *s, const char *token,
		struct err *e)
{
	struct cfs_lock lock;
	int r = cfs_lock_take(&lock, &m->root, "storage.cfg", LOCK_MS, e);

	if (r == 0)
		r = move_locked(m, s, token, e);
	cfs_lock_done(&lock);
	return r;
}

static int may_move(const struct moving *m, const struct array_storage **ret, struct err *e)
{
	if (!m->members.quorate)
		return err_set(e, -EROFS, "the cluster has no quorum: pvecm status");
	*ret = array_storages_find(&m->storages, m->id);
	if (!*ret)
		return err_set(
			e, -EINVAL,
			"storage %s is disabled, or not for node %s: run this on a node that "
			"has it",
			m->id, m->node);
	if ((*ret)->problem)
		return err_set(e, -EINVAL, "storage %s: %s", m->id, (*ret)->problem);
	return 0;
}

static int work(struct moving *m, struct err *e)
{
	const struct array_storage *s = NULL;
	struct tokenline found;
	bool all_ready;
	int r = find_line(m, &found, &m->arena, e);

	if (r < 0)
		return r;
	show_place(m, &found);
	if (!found.line)
		return m->kept.len ? 0 : -ENODATA;
	all_ready = ask_all(m, &found);
	if (cli_has(m->cli, "move") && !all_ready)
		return err_set(e, -EBUSY, "nothing was changed: every node has to be ready first");
	if (!cli_has(m->cli, "move")) {
		if (all_ready)
			buf_addf(&m->out, "Next: pvewarden array token %s --move\n", m->id);
		return 1;
	}
	r = may_move(m, &s, e);
	if (r == 0)
		r = move(m, s, found.token, e);
	if (r == 0)
		line(m, TERM_GREEN, "moved ",
		     "to /etc/pve/priv/storage/%s.purestorage-token; a new one is set as before: "
		     "pvesm set %s --token TOKEN",
		     m->id, m->id);
	return r;
}

/* ---- the beginning ---- */

static int here(const struct root *root)
{
	struct err e = {};

	if (ready_here(root, &e) == 0)
		return CLI_OK;
	log_error("%s", e.text);
	return CLI_CRITICAL;
}

static int look(struct moving *m, struct err *e)
{
	int r = members_read(&m->members, &m->root, &m->arena, e);

	if (r < 0)
		return r;
	m->node = cli_has(m->cli, "node") ? cli_value(m->cli, "node") : m->members.nodename;
	r = secret_read(&m->root, m->id, &m->kept, e);
	if (r < 0)
		return r;
	return array_storages_read(&m->storages, &m->root, m->node, e);
}

static int run(struct moving *m)
{
	struct err e = {};
	int r = look(m, &e);

	if (r >= 0)
		r = work(m, &e);
	(void)file_write_all(STDOUT_FILENO, buf_slice(&m->out));
	if (r < 0 && *e.text)
		log_error("%s", e.text);
	return r < 0 ? CLI_CRITICAL : r ? CLI_WARNING : CLI_OK;
}

int cmd_array_token(const struct cli *cli)
{
	struct moving m = { .cli = cli, .id = cli->operands[0] };
	struct err e = {};
	int r;

	if (!array_storage_ok(m.id))
		return cli_usage(cli, "'%s' is no id of a storage", m.id);
	if (geteuid() != 0 && !cli_has(cli, "root")) {
		log_error("this is for root");
		return CLI_NOPERM;
	}
	r = root_open(&m.root, cli_value(cli, "root"), &e);
	if (r < 0) {
		log_error("%s", e.text);
		return CLI_UNKNOWN;
	}
	r = cli_has(cli, "here") ? here(&m.root) : run(&m);
	array_storages_done(&m.storages);
	buf_wipe(&m.kept);
	buf_done(&m.out);
	arena_done(&m.arena);
	root_close(&m.root);
	return r;
}
