/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/summary.h"

#include "util/cli.h"

bool dm_is_orphan(const struct dm_verdict *v, const struct dm_options *o)
{
	if (v->severity != DM_SEVERITY_WARNING)
		return false;
	switch (v->class) {
	case DM_GHOST:
	case DM_FOREIGN:
	case DM_UNREFERENCED:
	case DM_MANUAL:
		return true;
	case DM_STALE_TABLE:
		return v->cause == DM_CAUSE_GROWN;
	case DM_LEFTOVER:
		return o->policy_running;
	case DM_INFRASTRUCTURE:
	case DM_UNKNOWN:
	case DM_BUSY:
	case DM_RENAMED:
	case DM_DUPLICATE:
	case DM_COPY:
	case DM_ARRAY_GONE:
	case DM_OK:
	case DM_CLASS_MAX:
	default:
		return false;
	}
}

static void count(struct dm_summary *s, const struct dm_mapping *map, const struct dm_verdict *v,
		  const struct dm_options *o)
{
	s->by_class[v->class]++;
	s->guest_mappings += v->class != DM_INFRASTRUCTURE;
	if (!dm_is_finding(v))
		return;
	s->critical += v->severity == DM_SEVERITY_CRITICAL;
	s->warnings += v->severity == DM_SEVERITY_WARNING;
	s->notices += v->severity == DM_SEVERITY_NOTICE;
	s->unknowns += v->severity == DM_SEVERITY_UNKNOWN;
	s->orphans += dm_is_orphan(v, o);
	s->duplicates += v->duplicate || v->class == DM_DUPLICATE;
	s->in_use += map->dev->open_count > 0;
	if (v->severity > s->answer)
		s->answer = v->severity;
}

static void count_guests(struct dm_summary *s, const struct dm_model *m)
{
	const struct cluster *c = &m->scan->cluster;

	for (size_t i = 0; i < c->n_guests; i++) {
		const struct guest *g = &c->guests[i];
		const struct running_guest *r = running_find(&m->scan->running, g->vmid);
		bool runs = r && r->type == g->type;

		if (strcmp(g->node, m->node) != 0)
			continue;
		if (g->type == GUEST_QEMU) {
			s->vms++;
			s->vms_running += runs;
		} else {
			s->cts++;
			s->cts_running += runs;
		}
	}
}

static const char *grade_of(const struct dm_summary *s)
{
	if (s->critical || s->orphans > 50)
		return "F";
	if (s->orphans > 20)
		return "D";
	if (s->orphans > 5)
		return "C";
	return s->orphans ? "B" : "A+";
}

static int penalty(size_t n, int each, int most)
{
	return n >= (size_t)(most / each) ? most : (int)n * each;
}

void dm_summarize(struct dm_summary *ret, const struct dm_model *m, const struct dm_verdict *v,
		  const struct dm_options *o)
{
	*ret = (struct dm_summary){ .mappings = m->n };
	for (size_t i = 0; i < m->n; i++)
		count(ret, &m->mappings[i], &v[i], o);
	count_guests(ret, m);
	ret->issues = ret->critical + ret->warnings;
	if (dm_blind(m) && ret->answer < DM_SEVERITY_UNKNOWN)
		ret->answer = DM_SEVERITY_UNKNOWN;
	if (dm_blind(m) || ret->unknowns)
		return;
	ret->graded = true;
	ret->score = 100 - penalty(ret->critical, 20, 60) - penalty(ret->orphans, 5, 40);
	ret->grade = grade_of(ret);
}

const char *dm_answer_name(enum dm_severity answer)
{
	return answer == DM_SEVERITY_NOTICE ? "ok" : dm_severity_name(answer);
}

int dm_answer_exit(enum dm_severity answer)
{
	switch (answer) {
	case DM_SEVERITY_CRITICAL:
		return CLI_CRITICAL;
	case DM_SEVERITY_UNKNOWN:
		return CLI_UNKNOWN;
	case DM_SEVERITY_WARNING:
		return CLI_WARNING;
	case DM_SEVERITY_NOTICE:
	case DM_SEVERITY_NONE:
	default:
		return CLI_OK;
	}
}
