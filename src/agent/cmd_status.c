/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <unistd.h>

#include "agent/show_status.h"
#include "cmd.h"
#include "pve/session.h"
#include "util/clock.h"
#include "util/term.h"

static int answer(const struct cli *cli, const struct agent_state *s, int64_t now)
{
	struct agent_view view = { .width = term_width(),
				   .color = cli->color,
				   .terminal = isatty(STDOUT_FILENO),
				   .now = now };
	CLEANUP(buf_done) struct buf out = {};

	if (cli->prometheus)
		agent_show_prometheus(s, now, &out);
	else if (s->absent)
		return session_could_not_tell(cli, AGENT_STATE_SCHEMA, s->absent);
	else if (cli->json)
		buf_add(&out, s->text.data, s->text.len);
	else
		agent_show_status(s, &view, &out);
	return session_answer(&out, agent_state_exit(s, now));
}

int cmd_agent_status(const struct cli *cli)
{
	CLEANUP(agent_state_done) struct agent_state s = {};
	int64_t now = clock_now();
	struct root root;
	int r = session_begin_as_anyone(cli, AGENT_STATE_SCHEMA, &root);

	if (r)
		return r;
	agent_state_read(&s, &root, now);
	r = answer(cli, &s, now);
	session_end(&root);
	return r;
}
