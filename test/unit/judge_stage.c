/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "judge_stage.h"

static bool judged_as(const struct trial *t, const struct dm_verdict *v)
{
	return v->class == t->class && v->severity == t->severity && v->cause == t->cause &&
	       v->counts == !!(t->flags & COUNTS) && v->running == !!(t->flags & RUNS) &&
	       v->duplicate == !!(t->flags & DUPLICATE) && (!t->vmid || v->vmid == t->vmid);
}

static bool run_trial(const struct trial *t)
{
	struct dm_options o = fixture_options;
	const struct dm_verdict *v;
	struct stage s;
	bool good;

	if (t->flags & POLICY_RUNNING)
		o.policy_running = true;
	if (t->flags & ANY_AGE)
		o.min_age = 0;
	stage_make(&s);
	t->make(&s);
	(void)fixture_check(&s.f, &o);
	v = fixture_verdict(&s.f, s.map);
	good = judged_as(t, v);
	if (!good)
		print_error("%s: judged %s, %s, cause %d,%s%s%s vmid %u\n", t->what,
			    dm_class_name(v->class), dm_severity_name(v->severity), v->cause,
			    v->counts ? " counts," : "", v->running ? " running," : "",
			    v->duplicate ? " duplicate," : "", v->vmid);
	if (v->counts && s.f.check.summary.answer < UNKNOWN) {
		print_error("%s: an unknown that counts did not reach the answer\n", t->what);
		good = false;
	}
	fixture_done(&s.f);
	return good;
}

void judge_try_all(const struct trial *trials, size_t n)
{
	size_t bad = 0;

	for (size_t i = 0; i < n; i++)
		bad += !run_trial(&trials[i]);
	if (bad)
		fail_msg("%zu of %zu trials", bad, n);
}
