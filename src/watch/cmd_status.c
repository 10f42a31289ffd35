/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <unistd.h>

#include "cmd.h"
#include "pve/node.h"
#include "pve/session.h"
#include "util/clock.h"
#include "util/term.h"
#include "watch/show_status.h"

typedef void (*show_fn)(const struct watch_document *s, const struct watch_view *view,
			struct buf *out);

/* A recorded node is looked at with its own clock. */
static int64_t now_of(const struct root *root)
{
	CLEANUP(arena_done) struct arena a = {};
	struct node node;

	if (!root->live && node_read(&node, root, &a, NULL) == 0)
		return node.now;
	return clock_now();
}

static int answer(const struct cli *cli, const struct watch_document *s, int64_t now, show_fn show,
		  int status)
{
	struct watch_view view = { .width = term_width(),
				   .color = cli->color,
				   .terminal = isatty(STDOUT_FILENO),
				   .now = now };
	CLEANUP(buf_done) struct buf out = {};

	if (cli->prometheus)
		watch_show_prometheus(s, &out);
	else if (s->absent)
		return session_could_not_tell(cli, WATCH_STATE_SCHEMA, s->absent);
	else if (cli->json)
		buf_add(&out, s->text.data, s->text.len);
	else
		show(s, &view, &out);
	return session_answer(&out, status);
}

static int run(const struct cli *cli, show_fn show, bool graded)
{
	CLEANUP(watch_state_done) struct watch_document s = {};
	struct root root;
	int64_t now;
	int r = session_begin(cli, WATCH_STATE_SCHEMA, &root);

	if (r)
		return r;
	now = now_of(&root);
	watch_state_read(&s, &root, now);
	r = graded || s.absent ? watch_state_exit(&s) : CLI_OK;
	r = answer(cli, &s, now, show, r);
	session_end(&root);
	return r;
}

int cmd_watch_status(const struct cli *cli)
{
	return run(cli, watch_show_status, true);
}

int cmd_watch_stats(const struct cli *cli)
{
	return run(cli, watch_show_stats, false);
}
