/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* `array heal` and `array reap`: what stands there and why, then one call of Proxmox' own kind for
 * each volume. */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "array/cmd_ctx.h"
#include "array/reap.h"
#include "cmd.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/log.h"
#include "util/str.h"
#include "util/term.h"

enum { LOOK_MS = 30000 };

#define DRY_RUN                                                           \
	{                                                                 \
		"dry-run", NULL, "say what would be done, and do nothing" \
	}

const struct cli_option array_heal_options[] = {
	DRY_RUN,
	ARRAY_CTX_OPTIONS,
	{},
};

const struct cli_option array_reap_options[] = {
	DRY_RUN,
	{ "yes", NULL, "do not ask: take away all that may be" },
	ARRAY_CTX_OPTIONS,
	{},
};

struct verb {
	const char *would, *nothing;
	bool (*wanted)(const struct finding *f);
	int (*run)(struct array_ctx *ctx, const struct mend *m, struct err *e);
	bool asks;
};

struct mending {
	const struct cli *cli;
	const struct verb *verb;
	const char *storage; /* NULL: all */
	struct array_session session;
	struct survey survey;
	struct findings findings;
	struct mends mends;
	struct buf out;
	size_t done, skipped, failed;
	bool dry, all;
};

/* --- what a person sees ---------------------------------------------------------------------- */

static void flush(struct mending *m)
{
	(void)file_write_all(STDOUT_FILENO, buf_slice(&m->out));
	buf_reset(&m->out);
}

static void escaped(struct mending *m, enum term_style style, const char *text)
{
	char shown[2048];

	str_printable(shown, sizeof(shown), slice_of(text));
	if (style == TERM_PLAIN)
		buf_adds(&m->out, shown);
	else
		term_add(&m->out, m->cli->color, style, shown);
}

static void labelled(struct mending *m, enum term_style style, const char *label, const char *text)
{
	buf_adds(&m->out, "    ");
	term_add(&m->out, m->cli->color, style, label);
	buf_adds(&m->out, "  ");
	escaped(m, TERM_PLAIN, text);
	buf_addc(&m->out, '\n');
}

static void show_entry(struct mending *m, const struct mend *mend)
{
	const struct survey_map *map = mend->finding->map;

	escaped(m, TERM_BOLD, mend->finding->volume);
	buf_adds(&m->out, "  (storage ");
	escaped(m, TERM_PLAIN, mend->storage->id);
	if (map->found)
		buf_addf(&m->out, ", %s, %u of %u paths", map->found->state.device,
			 map->found->state.paths_ok, map->found->state.paths);
	else
		buf_adds(&m->out, ", no device");
	buf_adds(&m->out, ")\n");
	for (size_t i = 0; i < m->findings.n; i++)
		if (m->findings.items[i].map == map && m->verb->wanted(&m->findings.items[i]))
			labelled(m, TERM_YELLOW, "because", m->findings.items[i].what);
}

static void show_blind(struct mending *m)
{
	for (size_t i = 0; i < m->survey.n_blind; i++)
		labelled(m, TERM_YELLOW, "not known", m->survey.blind[i]);
	for (size_t i = 0; i < m->survey.n_arrays; i++)
		if (m->survey.arrays[i].answer < 0)
			labelled(m, TERM_YELLOW, "no answer", m->survey.arrays[i].why);
}

/* Of what was mended the rest may be mended with it: paths, with their connection. */
static bool is_rest(const struct mending *m, const struct finding *f)
{
	vec_each (mend, &m->mends)
		if (mend->finding->map == f->map)
			return false;
	return f->map && f->level != FINDING_NOTICE && finding_is_for_heal(f) != m->verb->asks &&
	       !m->verb->wanted(f) &&
	       (!m->storage || (f->storage && strcmp(f->storage, m->storage) == 0));
}

static const char *why_left(const struct finding *f)
{
	if (!f->map->entry)
		return "not in pvewarden's registry: not touched";
	return f->beyond ? "what leads to it has to be mended"
			 : "its storage is unknown: not touched";
}

/* What nobody but a person can do, of what this verb is about. */
static void show_rest(struct mending *m)
{
	for (size_t i = 0; i < m->findings.n; i++) {
		const struct finding *f = &m->findings.items[i];

		if (!is_rest(m, f))
			continue;
		m->skipped++;
		escaped(m, TERM_BOLD, f->volume);
		buf_addf(&m->out, "  (%s)\n", why_left(f));
		labelled(m, TERM_YELLOW, "because", f->what);
		labelled(m, TERM_CYAN, "by hand", f->remedy);
	}
}

enum reply { REPLY_YES, REPLY_NO, REPLY_QUIT };

static enum reply ask(struct mending *m)
{
	CLEANUP_FREE char *line = NULL;
	struct slice reply;
	size_t size = 0;

	if (m->all)
		return REPLY_YES;
	buf_addf(&m->out, "  Take it away? [y]es, [n]o, [a]ll, [q]uit ");
	flush(m);
	if (getline(&line, &size, stdin) < 0)
		return REPLY_QUIT;
	reply = slice_trim(slice_of(line));
	if (slice_eq(reply, "q") || slice_eq(reply, "quit"))
		return REPLY_QUIT;
	m->all = slice_eq(reply, "a") || slice_eq(reply, "all");
	return m->all || slice_eq(reply, "y") || slice_eq(reply, "yes") ? REPLY_YES : REPLY_NO;
}

/* --- the work -------------------------------------------------------------------------------- */

static void act(struct mending *m, const struct mend *mend)
{
	struct err e = {};
	int r = m->verb->run(&m->session.ctx, mend, &e);

	if (r == 0) {
		m->done++;
		labelled(m, TERM_GREEN, "done", "");
	} else if (r == -ECANCELED || r == -EBUSY || r == -EAGAIN) {
		m->skipped++;
		labelled(m, TERM_YELLOW, "skipped", e.text);
	} else {
		m->failed++;
		labelled(m, TERM_RED, "FAILED", e.text);
	}
}

static const char *would(const struct mending *m, const struct mend *mend)
{
	if (m->verb->asks && *mend->finding->map->entry->snap)
		return "take it away here, and destroy the copy, which nothing else uses";
	if (!m->verb->asks && mend->finding->cut_off)
		return "take that path out of its map, and connect nothing";
	return m->verb->would;
}

/* False: no more. */
static bool take(struct mending *m, const struct mend *mend)
{
	enum reply reply = REPLY_YES;
	char why[256] = "";

	show_entry(m, mend);
	if (m->verb->asks && !finding_may_go(&m->findings, &m->survey, mend->finding, why)) {
		m->skipped++;
		labelled(m, TERM_YELLOW, "skipped", why);
		return true;
	}
	if (m->dry) {
		labelled(m, TERM_CYAN, "would", would(m, mend));
		return true;
	}
	if (m->verb->asks)
		reply = ask(m);
	if (reply == REPLY_YES)
		act(m, mend);
	else
		m->skipped++;
	flush(m);
	return reply != REPLY_QUIT;
}

static int exit_of(const struct mending *m)
{
	if (m->failed)
		return CLI_CRITICAL;
	if (m->survey.n_blind)
		return CLI_UNKNOWN;
	for (size_t i = 0; i < m->survey.n_arrays; i++)
		if (m->survey.arrays[i].answer < 0)
			return CLI_UNKNOWN;
	return m->skipped || (m->dry && m->mends.n) ? CLI_WARNING : CLI_OK;
}

static void work(struct mending *m)
{
	show_blind(m);
	for (size_t i = 0; i < m->mends.n; i++)
		if (!take(m, &m->mends.items[i]))
			break;
	show_rest(m);
	if (!m->mends.n && !m->skipped)
		buf_addf(&m->out, "%s\n", m->verb->nothing);
	else if (m->dry)
		buf_addf(&m->out, "Nothing was done%s.\n",
			 m->verb->asks && m->mends.n && !cli_has(m->cli, "dry-run")
				 ? ": this is no terminal to ask on, and there was no --yes"
				 : "");
	else
		buf_addf(&m->out, "%zu done, %zu skipped, %zu failed.\n", m->done, m->skipped,
			 m->failed);
	flush(m);
}

static int run(const struct cli *cli, const struct verb *verb)
{
	const char *storage = cli->n_operands ? cli->operands[0] : NULL;
	struct mending m = { .cli = cli, .verb = verb, .storage = storage };
	struct err e = {};
	int r;

	if (cli->json)
		return cli_usage(cli, "there is no --format json of this: see array status");
	r = array_session_begin(&m.session, cli, &e);
	if (r < 0) {
		log_error("%s", e.text);
		return r == -EPERM ? CLI_NOPERM : CLI_UNKNOWN;
	}
	m.all = cli_has(cli, "yes");
	m.dry = cli_has(cli, "dry-run") || (verb->asks && !m.all && !isatty(STDIN_FILENO));
	survey_make(&m.survey, &m.session.ctx, NULL, false, clock_mono_ms() + LOOK_MS);
	findings_of(&m.findings, &m.survey);
	mends_of(&m.mends, &m.survey, &m.findings, verb->wanted, storage);
	if (storage && !array_storages_find(&m.survey.storages, storage)) {
		r = cli_usage(cli, "there is no storage '%s' of type purestorage for this node",
			      storage);
	} else {
		work(&m);
		r = exit_of(&m);
	}
	mends_done(&m.mends);
	findings_done(&m.findings);
	survey_done(&m.survey);
	buf_done(&m.out);
	array_session_end(&m.session);
	return r;
}

int cmd_array_heal(const struct cli *cli)
{
	static const struct verb verb = { .would = "connect it on all its arrays, look for its "
						   "paths and size again",
					  .nothing = "Nothing to heal.",
					  .wanted = finding_heals,
					  .run = heal_one };

	return run(cli, &verb);
}

int cmd_array_reap(const struct cli *cli)
{
	static const struct verb verb = { .would = "take its device and its connection away; the "
						   "volume itself stays",
					  .nothing = "Nothing to take away.",
					  .wanted = finding_reaps,
					  .run = reap_one,
					  .asks = true };

	return run(cli, &verb);
}
