/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "dm/clean_cli.h"
#include "dm/clean_log.h"
#include "dm/dialogue.h"
#include "dm/restore.h"
#include "dm/runlock.h"
#include "dm/undo_record.h"
#include "pve/session.h"
#include "util/clock.h"
#include "util/guard.h"
#include "util/jsonw.h"
#include "util/log.h"
#include "util/str.h"
#include "util/table.h"

#define SCHEMA "pvewarden.dm-restore/1"

const struct cli_option dm_restore_options[] = {
	{ "dry-run", NULL, "say what would come back, bring nothing" },
	{ "yes", NULL, "bring back all that can be, without asking" },
	{ "only", "NAME", "only the entry of that name" },
	{ "yes-restore-ghost", NULL, "ghosts as well: they endanger data while they are there" },
	{ "lock-time", "MS", "how long a guest's lock may be held (default: 800)" },
	{ "wait", "DURATION", "wait for another run to end (default: 0s)" },
	{},
};

struct run {
	const struct cli *cli;
	bool dry_run, yes;
	int64_t wait;
	struct root root;
	struct dm_cleaner cleaner;
	struct dm_undo_run undo;
	struct dm_dialogue dialogue; /* its check and plan are not used here */
	struct dm_clean_counts counts;
	struct jsonw json;
	bool *coming; /* of a dry run, by entry: it would come back, or is there */
};

/* --- the list ------------------------------------------------------------------------------ */

static void count_states(const struct dm_undo_run *run, size_t ret[DM_UNDO_RESTORED + 1])
{
	for (size_t i = 0; i < run->n; i++)
		ret[run->items[i].state]++;
}

static void list_one(struct run *r, struct table *t, const char *id)
{
	struct dm_undo_run run;
	size_t n[DM_UNDO_RESTORED + 1] = {};
	char when[CLOCK_TEXT_MAX];
	struct err e = {};

	if (dm_undo_read(&run, &r->root, id, &e) < 0) {
		if (r->cli->json) {
			jsonw_row(&r->json, NULL);
			jsonw_str(&r->json, "run", id);
			jsonw_str(&r->json, "error", e.text);
			jsonw_close(&r->json);
		}
		for (size_t i = 0; !r->cli->json && i < 5; i++)
			table_add(t, i == 0 ? id : i == 1 ? "cannot be read" : NULL);
		log_warn("%s", e.text);
		return;
	}
	count_states(&run, n);
	if (r->cli->json) {
		jsonw_row(&r->json, NULL);
		jsonw_str(&r->json, "run", id);
		jsonw_time(&r->json, "time", run.time);
		for (size_t i = 0; i < ARRAY_SIZE(n); i++)
			jsonw_u64(&r->json, dm_undo_state_name((enum dm_undo_state)i), n[i]);
		jsonw_u64(&r->json, "torn", run.torn);
		jsonw_close(&r->json);
	} else {
		table_add(t, id);
		table_add(t, clock_rfc3339(run.time, when));
		table_addf(t, "%zu", n[DM_UNDO_DONE] + n[DM_UNDO_RESTORING]);
		table_addf(t, "%zu", n[DM_UNDO_INTENDED] + run.torn);
		table_addf(t, "%zu", n[DM_UNDO_RESTORED]);
	}
	dm_undo_done(&run);
}

static int list_runs(struct run *r)
{
	CLEANUP(dm_undo_ids_done) struct dm_undo_ids ids = {};
	CLEANUP(table_done) struct table t = {};
	struct buf *out = &r->dialogue.out;
	struct err e = {};

	if (dm_undo_list(&ids, &r->root, &e) < 0)
		return session_could_not_tell(r->cli, SCHEMA, e.text);
	table_column(&t, "RUN", 0);
	table_column(&t, "TIME", 0);
	table_column(&t, "TAKEN AWAY", TABLE_RIGHT);
	table_column(&t, "UNCLEAR", TABLE_RIGHT);
	table_column(&t, "RESTORED", TABLE_RIGHT);
	if (r->cli->json) {
		jsonw_begin(&r->json, out);
		jsonw_str(&r->json, "schema", SCHEMA);
		jsonw_array(&r->json, "runs");
	}
	vec_each (id, &ids)
		list_one(r, &t, *id);
	if (r->cli->json) {
		jsonw_close(&r->json);
		jsonw_end(&r->json);
	} else if (!ids.n) {
		buf_adds(out, "Nothing was cleaned on this node yet.\n");
	} else {
		table_write(&t, out, 0, r->dialogue.width, r->cli->color);
		buf_addf(out, "\nNext: pvewarden dm restore %s --dry-run\n", ids.items[ids.n - 1]);
	}
	return session_answer(out, CLI_OK);
}

/* --- one run ------------------------------------------------------------------------------- */

static void show_entry(struct run *r, const struct dm_undo_entry *entry)
{
	struct buf *out = &r->dialogue.out;

	buf_adds(out, "\n  ");
	term_add(out, false, TERM_PLAIN, entry->class);
	buf_addc(out, ' ');
	term_add(out, r->cli->color, TERM_BOLD, entry->dev.name);
	buf_addf(out, ", %s", entry->step == DM_STEP_REMOVE ? "removed" : "deactivated");
	if (entry->vmid)
		buf_addf(out, ", guest %u", entry->vmid);
	buf_addc(out, '\n');
	for (size_t i = 0; i < entry->dev.n_targets; i++) {
		buf_addf(out, "    table   %llu %llu ",
			 (unsigned long long)entry->dev.targets[i].start,
			 (unsigned long long)entry->dev.targets[i].length);
		term_add(out, false, TERM_PLAIN, entry->dev.targets[i].type);
		buf_addc(out, ' ');
		term_add(out, false, TERM_PLAIN, entry->dev.targets[i].params);
		buf_addc(out, '\n');
	}
}

static void write_entry(struct run *r, const struct dm_undo_entry *entry, const char *result,
			const char *text)
{
	jsonw_object(&r->json, NULL);
	jsonw_u64(&r->json, "n", entry->n);
	jsonw_str(&r->json, "name", entry->dev.name);
	jsonw_str(&r->json, "uuid", *entry->dev.uuid ? entry->dev.uuid : NULL);
	jsonw_str(&r->json, "class", entry->class);
	jsonw_str(&r->json, "step", dm_step_name(entry->step));
	jsonw_str(&r->json, "result", result);
	jsonw_str(&r->json, "reason", text);
	jsonw_close(&r->json);
}

/* Its disk is not there yet, and would be brought back in this run before it. */
static bool follows_its_disk(const struct run *r, const struct dm_undo_entry *entry,
			     const struct dm_restore_facts *f)
{
	if (!entry->of || entry->of > r->undo.n || !r->coming[entry->of - 1])
		return false;
	for (size_t i = 0; i < entry->n_parents; i++)
		if (!f->found[i])
			return true;
	return false;
}

static void plan_only(struct run *r, const struct dm_undo_entry *entry, struct dm_outcome *ret)
{
	struct dm_cleaner *c = &r->cleaner;
	struct dm_restore_facts facts = { .boot_id = dm_boot_id(&r->root, &c->arena),
					  .ghosts_allowed = c->ghosts_allowed };
	struct dm_restore_plan plan;

	dm_restore_find_parents(&facts, entry, c->look, &r->root, &c->arena);
	dm_restore_plan(&plan, c->look, &r->undo, entry, &facts, &c->arena);
	*ret = (struct dm_outcome){ .result = plan.why_not ? DM_SKIPPED : DM_CLEANED,
				    .text = plan.why_not };
	if (plan.why_not && follows_its_disk(r, entry, &facts))
		*ret = (struct dm_outcome){ .result = DM_CLEANED, .text = "after its disk" };
	else if (plan.there)
		ret->text = "it is there already";
	else if (!plan.why_not)
		ret->text = "it would come back just as it was";
	r->coming[entry->n - 1] = ret->result == DM_CLEANED;
}

static void count(struct run *r, const struct dm_outcome *o)
{
	if (r->dry_run) {
		r->counts.left += o->result == DM_CLEANED;
		r->counts.skipped += o->result != DM_CLEANED;
		return;
	}
	r->counts.cleaned += o->result == DM_CLEANED;
	r->counts.skipped += o->result == DM_SKIPPED;
	r->counts.failed += o->result == DM_FAILED;
}

static void show_outcome(struct run *r, const struct dm_undo_entry *entry,
			 const struct dm_outcome *o)
{
	static const char *const words[] = {
		[DM_CLEANED] = "back", [DM_SKIPPED] = "refused", [DM_FAILED] = "FAILED"
	};
	const char *word = r->dry_run && o->result == DM_CLEANED ? "plan" : words[o->result];
	struct buf *out = &r->dialogue.out;
	char shown[1024];

	if (r->cli->json) {
		write_entry(r, entry,
			    r->dry_run && o->result == DM_CLEANED ? "possible"
			    : o->result == DM_CLEANED		  ? "restored"
								  : dm_result_name(o->result),
			    o->text);
		return;
	}
	str_printable(shown, sizeof(shown), slice_of(o->text ? o->text : "just as it was"));
	buf_addf(out, "    %-8s", word);
	term_wrap(out, shown, 12, r->dialogue.width);
	buf_addc(out, '\n');
	(void)dm_dialogue_flush(&r->dialogue);
}

static void restore_entry(struct run *r, const struct dm_undo_entry *entry)
{
	struct dm_outcome o;

	if (r->dry_run) {
		plan_only(r, entry, &o);
	} else {
		dm_restore_one(&r->cleaner, &r->undo, entry, &o);
		dm_log_outcome(DM_LOG_RESTORE, &entry->dev, entry->class, entry->step, entry->vmid,
			       &o);
	}
	count(r, &o);
	show_outcome(r, entry, &o);
}

static bool is_selected(const struct run *r, const struct dm_undo_entry *entry)
{
	const char *only = cli_value(r->cli, "only");

	if (entry->state == DM_UNDO_SKIPPED || entry->state == DM_UNDO_RESTORED)
		return false;
	return !only || strcmp(only, entry->dev.name) == 0;
}

/* Backwards: a disk before what stood on it. */
static void go_through(struct run *r)
{
	bool all = r->yes || r->dry_run, quit = false;

	for (size_t i = r->undo.n; i > 0; i--) {
		const struct dm_undo_entry *entry = &r->undo.items[i - 1];
		enum dm_reply reply = DM_REPLY_YES;

		if (!is_selected(r, entry))
			continue;
		if (!quit && !r->cli->json)
			show_entry(r, entry);
		if (!quit && !all)
			reply = dm_dialogue_ask(&r->dialogue,
						"    Bring it back? (y/n/a=all/q=quit) [n]");
		all |= reply == DM_REPLY_ALL;
		quit |= reply == DM_REPLY_QUIT || dm_told_to_stop();
		if (quit || reply == DM_REPLY_NO)
			r->counts.left++;
		else
			restore_entry(r, entry);
	}
}

static size_t candidates(const struct run *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->undo.n; i++)
		n += is_selected(r, &r->undo.items[i]);
	return n;
}

static int exit_status(const struct run *r)
{
	if (r->counts.failed)
		return CLI_CRITICAL;
	return !r->dry_run && (r->counts.skipped || r->counts.left) ? CLI_WARNING : CLI_OK;
}

static int closing(struct run *r)
{
	struct buf *out = &r->dialogue.out;

	if (r->cli->json) {
		jsonw_close(&r->json);
		jsonw_u64(&r->json, "restored", r->counts.cleaned);
		jsonw_u64(&r->json, "skipped", r->counts.skipped);
		jsonw_u64(&r->json, "failed", r->counts.failed);
		jsonw_end(&r->json);
	} else if (r->dry_run) {
		buf_addf(out, "\n%zu would be restored, %zu refused.\n", r->counts.left,
			 r->counts.skipped);
	} else {
		buf_addf(out, "\n%zu restored, %zu refused, %zu failed, %zu left.\n",
			 r->counts.cleaned, r->counts.skipped, r->counts.failed, r->counts.left);
	}
	if (!r->dry_run)
		dm_log_run(DM_LOG_RESTORE, &r->counts, r->undo.id);
	return session_answer(out, exit_status(r));
}

static int act(struct run *r)
{
	struct err e = {};

	if (r->cli->json) {
		jsonw_begin(&r->json, &r->dialogue.out);
		jsonw_str(&r->json, "schema", SCHEMA);
		jsonw_str(&r->json, "run", r->undo.id);
		jsonw_bool(&r->json, "dry_run", r->dry_run);
		jsonw_array(&r->json, "entries");
	} else if (!candidates(r)) {
		buf_addf(&r->dialogue.out, "Nothing of run %s is left to restore.\n", r->undo.id);
		return session_answer(&r->dialogue.out, CLI_OK);
	}
	if (r->dry_run) {
		(void)guard_start(SESSION_DEADLINE_MS, r->cleaner.late, r->cleaner.late_arg);
		if (dm_look_take(&r->cleaner.look, &r->root, &r->cleaner.judge, &e) < 0)
			return session_could_not_tell(r->cli, SCHEMA, e.text);
		guard_stop();
		r->coming = xcalloc(r->undo.n, sizeof(*r->coming));
	} else if (dm_undo_append(&r->cleaner.journal, &r->root, r->undo.id, &e) < 0) {
		log_error("%s", e.text);
		return CLI_INTERNAL;
	}
	go_through(r);
	return closing(r);
}

static bool has_named(const struct run *r)
{
	const char *only = cli_value(r->cli, "only");

	for (size_t i = 0; only && i < r->undo.n; i++)
		if (strcmp(only, r->undo.items[i].dev.name) == 0)
			return true;
	return !only;
}

static int restore_run(struct run *r, const char *id)
{
	CLEANUP(dm_run_unlock) int lock = -1;
	struct err e = {};
	int code;

	if (!r->dry_run && !r->root.live)
		return cli_usage(r->cli, "nothing can be restored on a recorded node");
	if (!r->dry_run && !r->yes && !isatty(STDIN_FILENO)) {
		log_error("there is no terminal to ask on: nothing is done (--yes or --dry-run)");
		return CLI_WARNING;
	}
	if (!r->dry_run) {
		lock = dm_run_lock(&r->root, r->wait, &e);
		if (lock < 0) {
			log_error("%s", e.text);
			return lock == -EBUSY ? CLI_WARNING : CLI_INTERNAL;
		}
		dm_catch_signals();
	}
	code = dm_undo_read(&r->undo, &r->root, id, &e);
	if (code == -ENOENT)
		return cli_usage(r->cli, "%s", e.text);
	if (code < 0)
		return session_could_not_tell(r->cli, SCHEMA, e.text);
	if (!has_named(r))
		return cli_usage(r->cli, "--only '%s': the run has no entry of that name",
				 cli_value(r->cli, "only"));
	return act(r);
}

static int parse_options(struct run *r)
{
	int code = dm_parse_lock_time(r->cli, &r->cleaner.lock_ms);

	r->dry_run = cli_has(r->cli, "dry-run");
	r->yes = cli_has(r->cli, "yes");
	r->cleaner.ghosts_allowed = cli_has(r->cli, "yes-restore-ghost");
	if (code == 0 && r->cli->json && r->cli->n_operands && !r->dry_run && !r->yes)
		return cli_usage(r->cli, "--format json: needs --yes or --dry-run");
	if (code == 0 && !cli_duration(r->cli, "wait", &r->wait))
		return CLI_USAGE;
	return code;
}

int cmd_dm_restore(const struct cli *cli)
{
	static enum dm_phase acting = DM_PHASE_ACT; /* outlives every guard */
	struct run r = { .cli = cli };
	int code = parse_options(&r);

	if (code == 0)
		code = session_begin(cli, SCHEMA, &r.root);
	if (code)
		return code;
	guard_stop();
	r.dialogue.color = cli->color;
	r.dialogue.width = term_width();
	r.cleaner.root = &r.root;
	r.cleaner.late = dm_clean_late;
	r.cleaner.late_arg = &acting;
	code = cli->n_operands ? restore_run(&r, cli->operands[0]) : list_runs(&r);
	dm_cleaner_done(&r.cleaner);
	dm_undo_done(&r.undo);
	free(r.coming);
	buf_done(&r.dialogue.out);
	session_end(&r.root);
	return code;
}
