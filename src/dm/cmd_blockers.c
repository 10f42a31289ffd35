/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "cmd.h"
#include "dm/blockers.h"
#include "dm/explain.h"
#include "pve/session.h"
#include "util/jsonw.h"
#include "util/str.h"
#include "util/term.h"

#define SCHEMA "pvewarden.dm-blockers/1"

/* How many ids --next looks at: as many as an evening's new guests. */
enum { NEXT_IDS = 5 };

const struct cli_option dm_blockers_options[] = {
	{ "next", NULL, "answer for the ids that Proxmox would give next" },
	{},
};

struct answer {
	const struct cli *cli;
	const struct dm_check *check;
	struct buf out;
	struct jsonw json;
	enum dm_severity worst;
};

/* What one blocker is, and what to do about it. */
static void describe(const struct dm_check *c, const struct dm_blocker *b,
		     struct dm_explanation *ret, struct arena *a)
{
	*ret = (struct dm_explanation){};
	switch (b->kind) {
	case DM_BLOCKER_TAKEN:
		ret->reason = arena_fmt(a, "the id is taken by %s",
					dm_guest_phrase(b->guest->vmid, b->guest, a));
		break;
	case DM_BLOCKER_WORK:
		ret->reason =
			"somebody works on that id at this moment (a task, a lock or a process)";
		ret->remedy = "wait until it has ended";
		break;
	case DM_BLOCKER_VOLUME:
		ret->reason = arena_fmt(a, "volume %s/%s exists, no guest refers to it",
					b->lv->vg->name, b->lv->name);
		ret->impact =
			"Proxmox takes the next free disk number; a cloud-init or state volume "
			"of that name cannot be made";
		ret->remedy = "look at what it is; pvesm list STORAGE shows it";
		break;
	case DM_BLOCKER_MAPPING:
		dm_explain(ret, &c->look->model, &c->look->model.mappings[b->mapping],
			   &c->look->verdicts[b->mapping], a);
		break;
	default:
		break;
	}
}

static const char *mapping_name(const struct dm_check *c, const struct dm_blocker *b)
{
	return b->kind == DM_BLOCKER_MAPPING ? c->look->model.mappings[b->mapping].dev->name : NULL;
}

static const char *kind_name(enum dm_blocker_kind k)
{
	static const char *const names[] = { "taken", "mapping", "volume", "work" };

	return names[k];
}

static void write_json(struct answer *w, const struct dm_blocker *b,
		       const struct dm_explanation *text)
{
	jsonw_object(&w->json, NULL);
	jsonw_str(&w->json, "kind", kind_name(b->kind));
	jsonw_str(&w->json, "severity", dm_severity_name(b->severity));
	jsonw_str(&w->json, "name", mapping_name(w->check, b));
	if (b->kind == DM_BLOCKER_MAPPING)
		jsonw_str(&w->json, "class",
			  dm_class_name(w->check->look->verdicts[b->mapping].class));
	jsonw_str(&w->json, "reason", text->reason);
	jsonw_str(&w->json, "impact", text->impact);
	jsonw_str(&w->json, "remedy", text->remedy);
	jsonw_close(&w->json);
}

static void write_text(struct answer *w, const struct dm_blocker *b,
		       const struct dm_explanation *text)
{
	static const char *const marks[] = {
		[DM_SEVERITY_NONE] = "ok",	    [DM_SEVERITY_NOTICE] = "notice",
		[DM_SEVERITY_WARNING] = "WARNING",  [DM_SEVERITY_UNKNOWN] = "UNKNOWN",
		[DM_SEVERITY_CRITICAL] = "BLOCKED",
	};
	const char *name = mapping_name(w->check, b);

	buf_adds(&w->out, "  ");
	term_add(&w->out, w->cli->color,
		 b->severity == DM_SEVERITY_CRITICAL ? TERM_RED : TERM_YELLOW, marks[b->severity]);
	buf_addc(&w->out, ' ');
	if (name) {
		term_add(&w->out, w->cli->color, TERM_BOLD, name);
		buf_adds(&w->out, ": ");
	}
	term_add(&w->out, false, TERM_PLAIN, text->reason);
	if (text->remedy) {
		buf_adds(&w->out, "\n    fix: ");
		term_add(&w->out, w->cli->color, TERM_CYAN, text->remedy);
	}
	buf_addc(&w->out, '\n');
}

static enum dm_severity worst_of(const struct dm_blockers *list, const struct dm_check *c)
{
	enum dm_severity worst =
		dm_blind(&c->look->model) || c->unseen.n ? DM_SEVERITY_UNKNOWN : DM_SEVERITY_NONE;

	vec_each (b, list)
		if (b->severity > worst)
			worst = b->severity;
	return worst;
}

static void answer_for(struct answer *w, uint32_t vmid)
{
	CLEANUP(dm_blockers_done) struct dm_blockers list = {};
	enum dm_severity worst;

	dm_blockers_find(&list, w->check, vmid);
	worst = worst_of(&list, w->check);
	if (worst > w->worst)
		w->worst = worst;
	if (w->cli->json) {
		jsonw_object(&w->json, NULL);
		jsonw_u64(&w->json, "vmid", vmid);
		jsonw_str(&w->json, "answer", dm_answer_name(worst));
		jsonw_array(&w->json, "blockers");
	} else {
		buf_addf(&w->out, "VMID %u: %s\n", vmid,
			 worst == DM_SEVERITY_CRITICAL	? "blocked"
			 : worst == DM_SEVERITY_UNKNOWN ? "could not tell"
			 : worst == DM_SEVERITY_WARNING ? "free, but look at this"
							: "free");
	}
	vec_each (b, &list) {
		CLEANUP(arena_done) struct arena scratch = {};
		struct dm_explanation text;

		describe(w->check, b, &text, &scratch);
		if (w->cli->json)
			write_json(w, b, &text);
		else
			write_text(w, b, &text);
	}
	if (w->cli->json) {
		jsonw_close(&w->json);
		jsonw_close(&w->json);
	}
}

static void answer_for_next(struct answer *w)
{
	uint32_t id = 0;

	for (int i = 0; i < NEXT_IDS; i++) {
		id = dm_next_vmid(w->check, id);
		if (!id) {
			if (!w->cli->json)
				buf_adds(&w->out,
					 "No id is free in the range of datacenter.cfg.\n");
			return;
		}
		answer_for(w, id++);
	}
}

/* All that keeps the answer from being whole; a group may be among both. */
static void collect_reasons(const struct dm_check *c, struct dm_texts *ret)
{
	vec_each (text, &c->blind)
		*vec_push(ret) = *text;
	vec_each (text, &c->unseen) {
		bool said = false;

		vec_each (old, ret)
			said |= strcmp(*old, *text) == 0;
		if (!said)
			*vec_push(ret) = *text;
	}
}

static void begin(struct answer *w)
{
	const struct node *node = &w->check->look->scan.cluster.node;
	struct dm_texts reasons = {};

	collect_reasons(w->check, &reasons);
	if (!w->cli->json) {
		vec_each (text, &reasons) {
			buf_adds(&w->out, "could not tell everything: ");
			term_add(&w->out, false, TERM_PLAIN, *text);
			buf_addc(&w->out, '\n');
		}
		vec_free(&reasons);
		return;
	}
	jsonw_begin(&w->json, &w->out);
	jsonw_str(&w->json, "schema", SCHEMA);
	jsonw_str(&w->json, "node", node->name);
	jsonw_time(&w->json, "time", node->now);
	jsonw_array(&w->json, "blind");
	vec_each (text, &reasons)
		jsonw_str(&w->json, NULL, *text);
	vec_free(&reasons);
	jsonw_close(&w->json);
	jsonw_array(&w->json, "ids");
}

static int answer(const struct cli *cli, const struct root *root, uint32_t vmid)
{
	struct dm_options options = { .min_age = 24 * 3600 };
	struct answer w = { .cli = cli };
	struct dm_check c;
	struct err e = {};
	int status;

	if (dm_check_run(&c, root, &options, &e) < 0)
		return session_could_not_tell(cli, SCHEMA, e.text);
	w.check = &c;
	begin(&w);
	if (vmid)
		answer_for(&w, vmid);
	else
		answer_for_next(&w);
	if (cli->json) {
		jsonw_close(&w.json);
		jsonw_str(&w.json, "answer", dm_answer_name(w.worst));
		jsonw_end(&w.json);
	}
	status = session_answer(&w.out, dm_answer_exit(w.worst));
	buf_done(&w.out);
	dm_check_done(&c);
	return status;
}

int cmd_dm_blockers(const struct cli *cli)
{
	bool next = cli_has(cli, "next");
	uint32_t vmid = 0;
	struct root root;
	int r;

	if (next == (cli->n_operands == 1))
		return cli_usage(cli, "expected either a VMID or --next");
	if (!next && !dm_parse_vmid(cli->operands[0], &vmid))
		return cli_usage(cli, "'%s': expected a guest's id, 100 to 999999999",
				 cli->operands[0]);
	r = session_begin(cli, SCHEMA, &root);
	if (r)
		return r;
	r = answer(cli, &root, vmid);
	session_end(&root);
	return r;
}
