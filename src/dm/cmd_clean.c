/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "dm/blockers.h"
#include "dm/clean_cli.h"
#include "dm/clean_log.h"
#include "dm/dialogue.h"
#include "dm/explain.h"
#include "dm/publish.h"
#include "dm/runlock.h"
#include "dm/show.h"
#include "pve/session.h"
#include "util/file.h"
#include "util/guard.h"
#include "util/jsonw.h"
#include "util/log.h"
#include "util/str.h"
#include "util/term.h"

#define SCHEMA "pvewarden.dm-clean/1"

const struct cli_option dm_clean_options[] = {
	{ "dry-run", NULL, "print every step, do none" },
	{ "yes", NULL, "clean all that is safe without asking" },
	{ "only", "CLASS[,CLASS]", "only these classes; unreferenced needs to be asked for" },
	{ "vmid", "N", "only what concerns guest N" },
	{ "policy", "configured|running",
	  "running: volumes of stopped guests as well (default: configured)" },
	{ "min-age", "DURATION", "younger unreferenced volumes are left alone (default: 24h)" },
	{ "lock-time", "MS",
	  "how long a guest's lock may be held (default: 800; Proxmox waits "
	  "1000 for it when it makes a guest)" },
	{ "wait", "DURATION", "wait for another run to end (default: 0s)" },
	{},
};

/* One run, from the check to the closing line. */
struct run {
	const struct cli *cli;
	bool dry_run, yes;
	int64_t wait;
	struct root root;
	struct dm_options options;
	struct dm_plan_options plan_options;
	struct dm_cleaner cleaner;
	struct dm_seen seen;
	struct dm_check check;
	struct dm_plan plan;
	struct dm_dialogue dialogue;
	struct dm_clean_counts counts;
	struct dm_outcome *outcomes; /* by plan item */
	bool *tried;
	const char *journal;
};

/* --- options ------------------------------------------------------------------------------- */

static int parse_only(struct run *r, const char *text)
{
	struct slice rest = slice_of(text), name;

	/* A script with an unset variable does not mean everything. */
	if (slice_empty(rest) || slice_ends(rest, ","))
		return cli_usage(r->cli, "--only '%s': a class is missing", text);
	while (slice_split(&rest, ',', &name)) {
		size_t class = DM_CLASS_MAX;

		for (size_t i = 0; i < DM_CLASS_MAX; i++)
			if (slice_eq(name, dm_class_name((enum dm_class)i)))
				class = i;
		if (class == DM_CLASS_MAX || class == DM_OK || class == DM_INFRASTRUCTURE)
			return cli_usage(r->cli,
					 "--only '" SLICE_FMT "': expected ghost, renamed, "
					 "stale-table, duplicate, manual, foreign, unreferenced or "
					 "leftover",
					 SLICE_ARG(name));
		r->plan_options.only[class] = true;
	}
	if (r->plan_options.only[DM_LEFTOVER] && !r->options.policy_running)
		return cli_usage(r->cli, "--only leftover: needs --policy running");
	return 0;
}

static int parse_options(struct run *r)
{
	const struct cli *cli = r->cli;
	const char *policy = cli_value(cli, "policy"), *vmid = cli_value(cli, "vmid");
	const char *only = cli_value(cli, "only");
	int code;

	r->dry_run = cli_has(cli, "dry-run");
	r->yes = cli_has(cli, "yes");
	r->options.min_age = 24 * 3600;
	if (policy && strcmp(policy, "running") == 0)
		r->options.policy_running = true;
	else if (policy && strcmp(policy, "configured") != 0)
		return cli_usage(cli, "--policy '%s': expected configured or running", policy);
	if (vmid && !dm_parse_vmid(vmid, &r->plan_options.vmid))
		return cli_usage(cli, "--vmid '%s': expected a guest's id, 100 to 999999999", vmid);
	if (!cli_duration(cli, "min-age", &r->options.min_age) ||
	    !cli_duration(cli, "wait", &r->wait))
		return CLI_USAGE;
	if (cli->json && !r->dry_run && !r->yes)
		return cli_usage(cli, "--format json: needs --yes or --dry-run");
	code = dm_parse_lock_time(r->cli, &r->cleaner.lock_ms);
	if (code == 0 && only)
		code = parse_only(r, only);
	r->plan_options.policy_running = r->options.policy_running;
	r->plan_options.min_age = r->options.min_age;
	return code;
}

/* --- what is said -------------------------------------------------------------------------- */

static void show_headline(struct run *r)
{
	const struct dm_summary *s = &r->check.summary;
	struct buf *out = &r->dialogue.out;
	CLEANUP(buf_done) struct buf text = {};

	buf_addf(&text, "%s: ", r->check.look->scan.cluster.node.name);
	if (s->graded)
		buf_addf(&text, "grade %s, score %d of 100, ", s->grade, s->score);
	else
		buf_adds(&text, "not graded, ");
	buf_addf(&text, "%zu critical, %zu orphan%s, %zu in use", s->critical, s->orphans,
		 s->orphans == 1 ? "" : "s", s->in_use);
	term_add(out, r->cli->color, TERM_BOLD, buf_str(&text));
	buf_addc(out, '\n');
	vec_each (why, &r->check.blind) {
		buf_adds(out, "Could not tell everything: ");
		term_add(out, false, TERM_PLAIN, *why);
		buf_addc(out, '\n');
	}
	if (s->by_class[DM_BUSY])
		buf_addf(out, "%zu entries that somebody works on are left alone.\n",
			 s->by_class[DM_BUSY]);
}

static size_t doable(const struct run *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->plan.n; i++)
		n += !r->plan.items[i].why_not;
	return n;
}

static void show_closing(struct run *r)
{
	const struct dm_clean_counts *c = &r->counts;
	struct buf *out = &r->dialogue.out;

	if (r->dry_run) {
		buf_addf(out, "\n%zu would be cleaned, %zu skipped.\n", c->left, c->skipped);
		return;
	}
	buf_addf(out, "\n%zu cleaned, %zu skipped, %zu failed, %zu left.\n", c->cleaned, c->skipped,
		 c->failed, c->left);
	if (r->journal && r->counts.cleaned)
		buf_addf(out, "To bring back what was taken away: pvewarden dm restore %s\n",
			 r->journal);
}

static void write_item(struct jsonw *w, const struct run *r, size_t at)
{
	const struct dm_plan_item *item = &r->plan.items[at];
	const struct dm_mapping *map = &r->check.look->model.mappings[item->mapping];
	const struct dm_verdict *v = &r->check.look->verdicts[item->mapping];
	const struct dm_outcome *o = &r->outcomes[at];
	CLEANUP(arena_done) struct arena scratch = {};
	const char *result = r->tried[at]    ? dm_result_name(o->result)
			     : item->why_not ? "skipped"
					     : "left";

	jsonw_object(w, NULL);
	jsonw_str(w, "name", map->dev->name);
	jsonw_str(w, "uuid", *map->dev->uuid ? map->dev->uuid : NULL);
	jsonw_fmt(w, "device", DEVNO_FMT, DEVNO_ARG(map->dev->dev));
	jsonw_str(w, "class", dm_class_name(v->class));
	jsonw_str(w, "severity", dm_severity_name(v->severity));
	jsonw_u64(w, "vmid", v->vmid ? v->vmid : map->shape.vmid);
	jsonw_str(w, "step", dm_step_name(item->step));
	jsonw_array(w, "commands");
	for (size_t i = 0; !item->why_not && i < item->n_children; i++)
		jsonw_str(w, NULL,
			  dm_command_remove(&r->check.look->model.mappings[item->children[i]],
					    &scratch));
	if (!item->why_not)
		jsonw_str(w, NULL, dm_step_command(item->step, map, &scratch));
	jsonw_close(w);
	jsonw_str(w, "result", result);
	jsonw_str(w, "reason", r->tried[at] ? o->text : item->why_not);
	jsonw_u64(w, "children", o->children);
	jsonw_close(w);
}

static void write_json(struct run *r)
{
	const struct node *node = &r->check.look->scan.cluster.node;
	struct jsonw w;

	jsonw_begin(&w, &r->dialogue.out);
	jsonw_str(&w, "schema", SCHEMA);
	jsonw_str(&w, "node", node->name);
	jsonw_time(&w, "time", node->now);
	jsonw_bool(&w, "dry_run", r->dry_run);
	jsonw_str(&w, "policy", r->options.policy_running ? "running" : "configured");
	jsonw_array(&w, "blind");
	vec_each (why, &r->check.blind)
		jsonw_str(&w, NULL, *why);
	jsonw_close(&w);
	jsonw_array(&w, "items");
	for (size_t i = 0; i < r->plan.n; i++)
		write_item(&w, r, i);
	jsonw_close(&w);
	jsonw_u64(&w, "cleaned", r->counts.cleaned);
	jsonw_u64(&w, "skipped", r->counts.skipped);
	jsonw_u64(&w, "failed", r->counts.failed);
	jsonw_u64(&w, "left", r->counts.left);
	jsonw_str(&w, "undo", r->journal);
	jsonw_end(&w);
}

/* --- the run ------------------------------------------------------------------------------- */

static void clean_item(struct run *r, size_t at)
{
	const struct dm_plan_item *item = &r->plan.items[at];
	const struct dm_verdict *v = &r->check.look->verdicts[item->mapping];
	const struct dm_dev *dev = r->check.look->model.mappings[item->mapping].dev;
	struct dm_target_shown shown = { dev, v->class, v->cause, item->step };
	struct dm_outcome *o = &r->outcomes[at];

	dm_clean_one(&r->cleaner, &shown, o);
	r->tried[at] = true;
	if (o->journal)
		r->journal = o->journal;
	r->counts.cleaned += o->result == DM_CLEANED;
	r->counts.skipped += o->result == DM_SKIPPED;
	r->counts.failed += o->result == DM_FAILED;
	dm_log_outcome(DM_LOG_CLEAN, dev, dm_class_name(v->class), item->step, v->vmid, o);
}

/* Item by item, each shown before it is asked for and before it is done. */
static void go_through(struct run *r)
{
	bool all = r->yes, quit = false;

	for (size_t i = 0; i < r->plan.n; i++) {
		const struct dm_plan_item *item = &r->plan.items[i];
		enum dm_reply reply = DM_REPLY_YES;

		if (dm_told_to_stop())
			quit = true;
		if (item->why_not)
			r->counts.skipped++;
		else if (quit)
			r->counts.left++;
		if (quit)
			continue;
		if (!r->cli->json)
			dm_dialogue_entry(&r->dialogue, i);
		if (item->why_not || r->dry_run) {
			r->counts.left += !item->why_not;
			continue;
		}
		if (!all)
			reply = dm_dialogue_ask(&r->dialogue,
						"    Clean this one? (y/n/a=all/q=quit) [n]");
		all |= reply == DM_REPLY_ALL;
		quit |= reply == DM_REPLY_QUIT || dm_told_to_stop();
		if (quit || reply == DM_REPLY_NO) {
			r->counts.left++;
			continue;
		}
		clean_item(r, i);
		if (!r->cli->json) {
			dm_dialogue_outcome(&r->dialogue, &r->outcomes[i]);
			(void)dm_dialogue_flush(&r->dialogue);
		}
	}
}

static bool may_begin(struct run *r)
{
	CLEANUP(buf_done) struct buf question = {};
	size_t n = doable(r);

	if (r->dry_run || r->yes || !n)
		return true;
	if (!isatty(STDIN_FILENO)) {
		buf_addf(&r->dialogue.out,
			 "%zu can be cleaned, and there is no terminal to ask on: nothing is done "
			 "(--yes or --dry-run).\n",
			 n);
		r->counts.left = n;
		return false;
	}
	buf_addf(&question, "%zu can be cleaned; each is asked for. Begin? (y/n) [n]", n);
	if (dm_dialogue_ask(&r->dialogue, buf_str(&question)) == DM_REPLY_YES)
		return true;
	buf_adds(&r->dialogue.out, "Cleanup cancelled. No changes made.\n");
	r->counts.left = n;
	return false;
}

static int run_check(struct run *r, enum dm_phase phase)
{
	struct err e = {};
	int code;

	(void)guard_start(SESSION_DEADLINE_MS, dm_clean_late, &phase);
	code = dm_check_run(&r->check, &r->root, &r->options, &e);
	guard_stop();
	return code < 0 ? session_could_not_tell(r->cli, SCHEMA, e.text) : 0;
}

static void check_again(struct run *r)
{
	struct dm_view view = { .color = r->cli->color,
				.terminal = true,
				.width = r->dialogue.width,
				.vmid = r->plan_options.vmid };

	dm_check_done(&r->check);
	r->check = (struct dm_check){};
	if (run_check(r, DM_PHASE_LAST))
		return;
	dm_publish_check(&r->root, &r->check);
	dm_show_text(&r->check, &view, &r->dialogue.out);
}

static int exit_status(const struct run *r)
{
	if (r->counts.failed)
		return CLI_CRITICAL;
	if (dm_blind(&r->check.look->model))
		return CLI_UNKNOWN;
	if (r->dry_run)
		return CLI_OK;
	return r->counts.skipped || r->counts.left ? CLI_WARNING : CLI_OK;
}

static int act(struct run *r)
{
	bool begun;
	int status;

	r->outcomes = xcalloc(r->plan.n, sizeof(*r->outcomes));
	r->tried = xcalloc(r->plan.n, sizeof(*r->tried));
	if (!r->cli->json)
		show_headline(r);
	begun = may_begin(r);
	if (begun)
		go_through(r);
	status = begun || r->counts.left == 0 ? exit_status(r) : CLI_WARNING;
	if (begun && !r->dry_run && r->plan.n)
		dm_log_run(DM_LOG_CLEAN, &r->counts, r->journal);
	if (r->cli->json) {
		write_json(r);
	} else if (!r->plan.n) {
		buf_adds(&r->dialogue.out, "\nNothing to clean.\n");
	} else if (begun) {
		show_closing(r);
		if (r->counts.cleaned) {
			(void)dm_dialogue_flush(&r->dialogue);
			buf_addc(&r->dialogue.out, '\n');
			check_again(r);
		}
	}
	return session_answer(&r->dialogue.out, status);
}

static int with_check(struct run *r)
{
	static enum dm_phase acting = DM_PHASE_ACT; /* outlives every guard */
	int code = run_check(r, DM_PHASE_FIRST);

	if (code) {
		dm_check_done(&r->check);
		return code;
	}
	dm_publish_check(&r->root, &r->check);
	dm_seen_read(&r->seen, &r->root);
	r->plan_options.seen = &r->seen;
	dm_plan_make(&r->plan, r->check.look, &r->plan_options);
	r->dialogue = (struct dm_dialogue){
		.check = &r->check, .plan = &r->plan, .color = r->cli->color, .width = term_width()
	};
	r->cleaner.root = &r->root;
	r->cleaner.judge = r->options;
	r->cleaner.plan = r->plan_options;
	r->cleaner.late = dm_clean_late;
	r->cleaner.late_arg = &acting;
	code = act(r);
	free(r->outcomes);
	free(r->tried);
	dm_plan_done(&r->plan);
	dm_cleaner_done(&r->cleaner);
	dm_seen_done(&r->seen);
	buf_done(&r->dialogue.out);
	dm_check_done(&r->check);
	return code;
}

static int locked(struct run *r)
{
	CLEANUP(dm_run_unlock) int lock = -1;
	struct err e = {};

	/* A person may take as long as they like; each look has a guard of its own. */
	guard_stop();
	if (r->dry_run)
		return with_check(r);
	if (!r->root.live)
		return cli_usage(r->cli, "a recorded node cannot be cleaned: --dry-run shows what "
					 "would be done");
	lock = dm_run_lock(&r->root, r->wait, &e);
	if (lock < 0) {
		log_error("%s", e.text);
		return lock == -EBUSY ? CLI_WARNING : CLI_INTERNAL;
	}
	dm_catch_signals();
	return with_check(r);
}

int cmd_dm_clean(const struct cli *cli)
{
	struct run r = { .cli = cli };
	int code = parse_options(&r);

	if (code == 0)
		code = session_begin(cli, SCHEMA, &r.root);
	if (code)
		return code;
	code = locked(&r);
	session_end(&r.root);
	return code;
}
