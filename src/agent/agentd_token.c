/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Which token goes to which server: a ready one of the configuration, ours, or the old agent's. */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "agent/agentd.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/str.h"
#include "util/worker.h"

enum { TOKEN_FILE_MAX = 64 * 1024, TOKEN_READ_MS = 5000 };

static bool take_text(struct agent_server *s, struct slice text, const char *what)
{
	struct token t;
	struct err e = {};

	if (token_of_text(text, &t, &e) < 0) {
		log_error("%s: %s", what, e.text);
		return false;
	}
	token_done(&s->token);
	s->token = t;
	if (s->d->conf.agent_id && !s->is_hub)
		s->token.agent_id = xstrdup(s->d->conf.agent_id);
	return true;
}

/* It may lie in /etc/pve, for all nodes, and that may hang. */
struct ready_text {
	size_t n;
	char text[TOKEN_FILE_MAX];
};

static int read_in_worker(void *arg, void *answer, struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = {};
	struct ready_text *t = answer;
	int r = file_read_at(AT_FDCWD, arg, sizeof(t->text), &text);

	if (r < 0)
		return err_set(e, r, "%s", strerror(-r));
	memcpy(t->text, buf_str(&text), text.len);
	t->n = text.len;
	return 0;
}

static bool take_file(struct agent_server *s, const char *file)
{
	struct ready_text *t = xcalloc(1, sizeof(*t));
	struct err e = {};
	int r = worker_run(read_in_worker, (void *)(uintptr_t)file, t, sizeof(*t), TOKEN_READ_MS,
			   NULL, &e);
	bool good = r == 0 && take_text(s, (struct slice){ t->text, t->n }, file);

	if (r < 0)
		log_error("%s: %s", file, e.text[0] ? e.text : strerror(-r));
	explicit_bzero(t, sizeof(*t));
	free(t);
	return good;
}

/* One that the configuration has. */
static bool take_ready(struct agent_server *s)
{
	const struct agent_conf *c = &s->d->conf;
	const char *file = s->is_hub ? c->hub_token_file : c->static_token_file;

	if (!s->is_hub && c->static_token)
		return take_text(s, slice_of(c->static_token), "the static token");
	return file && take_file(s, file);
}

/* The old agent's, once: from then on it is ours, and refreshed here. */
static void import(struct agent_server *s)
{
	CLEANUP(buf_wipe) struct buf text = {};
	const char *path = s->d->conf.token_path;
	struct err e = {};
	int r = root_read(&s->d->root, path + 1, TOKEN_FILE_MAX, &text);

	if (r == -ENOENT || r == -ENOTDIR)
		return;
	if (r == 0)
		r = token_parse(buf_slice(&text), path, &s->token, &e);
	else
		(void)err_set(&e, r, "%s: %s", path, strerror(-r));
	if (r < 0) {
		log_warn("the old agent's token cannot be taken over: %s; as root: pvewarden agent "
			 "register --import",
			 e.text);
		return;
	}
	log_info("the old agent's token is taken over from %s", path);
	s->token_unsaved = true;
}

static void note_file(struct agent_server *s)
{
	struct stat st = {};

	(void)fstatat(s->d->state_fd, s->file, &st, AT_SYMLINK_NOFOLLOW);
	s->token_mtime = st.st_mtim;
}

void agentd_token_load(struct agent_server *s)
{
	struct err e = {};
	struct token t = {};
	int r;

	/* What is known of the last one says nothing about this one. */
	s->token_told = s->revoked = s->session.rejected = false;
	s->session.next_try = s->session.next_renew = s->session.got = 0;
	s->session.failures = s->session.refusals = s->session.denied = 0;
	note_file(s);
	if (take_ready(s))
		return;
	r = token_load(s->d->state_fd, s->file, &t, &e);
	if (r == 0) {
		token_done(&s->token);
		s->token = t;
		return;
	}
	/* What is in memory may be newer than a file that somebody has broken. */
	if (r != -ENOENT)
		log_error("%s", e.text);
	else if (!s->is_hub && !token_is_there(&s->token))
		import(s);
	agentd_token_save(s);
}

void agentd_token_save(struct agent_server *s)
{
	struct err e = {};

	if (!s->token_unsaved)
		return;
	if (token_save(s->d->state_fd, s->file, &s->token, &e) < 0) {
		/* A disk that is full; it is tried again, the token is in memory meanwhile. */
		log_debug("%s", e.text);
		return;
	}
	s->token_unsaved = false;
	note_file(s);
}

/* `agent register` has written another one. */
void agentd_token_tick(struct agent_server *s, int64_t now)
{
	struct stat st = {};

	if (!s->url)
		return;
	agentd_token_save(s);
	if (s->doing != AGENT_IDLE || s->token_unsaved)
		return;
	(void)fstatat(s->d->state_fd, s->file, &st, AT_SYMLINK_NOFOLLOW);
	if (memcmp(&st.st_mtim, &s->token_mtime, sizeof(st.st_mtim)) == 0)
		return;
	log_info("%s: the token is read anew", s->name);
	agentd_token_load(s);
	s->wait_until = now;
	s->tries = 0;
}
