/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* What keeps a guest from being acted on: each brake alone, their order, and what does not hold the
 * start of a guest that is off because of us. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "watch/brake.h"

static struct watch_facts fine(void)
{
	return (struct watch_facts){ .quorate = TRI_YES,
				     .here = TRI_YES,
				     .failing_at_once = 1,
				     .watched = 10,
				     .gateway = TRI_UNKNOWN };
}

struct trial {
	const char *what;
	void (*set)(struct watch_facts *f);
	enum watch_brake before_shutdown, before_stop, before_start;
};

#define SETS(name, code)                              \
	static void set_##name(struct watch_facts *f) \
	{                                             \
		code;                                 \
	}
SETS(nothing, (void)f)
SETS(mvmm, f->mvmm = true)
SETS(dry_run, f->dry_run = true)
SETS(cluster, f->maintenance_cluster = true)
SETS(node, f->maintenance_node = true)
SETS(guest, f->maintenance_guest = true)
SETS(no_quorum, f->quorate = TRI_NO)
SETS(quorum_unknown, f->quorate = TRI_UNKNOWN)
SETS(unreadable, f->here = TRI_UNKNOWN)
SETS(elsewhere, f->here = TRI_NO)
SETS(stopping, f->stopping = TRI_YES)
SETS(stopping_unknown, f->stopping = TRI_UNKNOWN)
SETS(ha_disabled, f->ha_managed = f->ha_awake = true; (void)snprintf(f->ha_state, 32, "disabled"))
SETS(node_task, f->node_task = true)
SETS(template, f->template = true)
SETS(onboot, f->onboot_no = true)
SETS(locked, (void)snprintf(f->lock, sizeof(f->lock), "backup"))
SETS(task, (void)snprintf(f->task, sizeof(f->task), "vzdump"))
SETS(flocked, f->flocked = true)
SETS(frozen, f->frozen = true)
SETS(person, f->person = true)
SETS(crowd, f->failing_at_once = 3)
SETS(gateway, f->gateway = TRI_NO)
SETS(gateway_fine, f->gateway = TRI_YES)
SETS(slots, f->acting = 3)
SETS(two_acting, f->acting = 2)
SETS(ha_unread, f->ha_managed = true)
SETS(ha_started, f->ha_managed = f->ha_awake = true; (void)snprintf(f->ha_state, 32, "started"))
SETS(ha_asleep, f->ha_managed = true; (void)snprintf(f->ha_state, 32, "started"))
SETS(ha_stopping, f->ha_managed = f->ha_awake = true;
     (void)snprintf(f->ha_state, 32, "request_stop"))
SETS(ha_error, f->ha_managed = f->ha_awake = true; (void)snprintf(f->ha_state, 32, "error"))
SETS(ha_migrate, f->ha_managed = f->ha_awake = true; (void)snprintf(f->ha_state, 32, "migrate"))

static const struct trial trials[] = {
	{ "nothing", set_nothing, BRAKE_NONE, BRAKE_NONE, BRAKE_NONE },
	{ "mvmm", set_mvmm, BRAKE_MVMM, BRAKE_MVMM, BRAKE_MVMM },
	{ "dry run", set_dry_run, BRAKE_DRY_RUN, BRAKE_DRY_RUN, BRAKE_DRY_RUN },
	{ "maintenance of the cluster", set_cluster, BRAKE_MAINTENANCE_CLUSTER,
	  BRAKE_MAINTENANCE_CLUSTER, BRAKE_NONE },
	{ "maintenance of the node", set_node, BRAKE_MAINTENANCE_NODE, BRAKE_MAINTENANCE_NODE,
	  BRAKE_NONE },
	{ "maintenance of the guest", set_guest, BRAKE_MAINTENANCE_GUEST, BRAKE_MAINTENANCE_GUEST,
	  BRAKE_NONE },
	{ "no quorum", set_no_quorum, BRAKE_QUORUM, BRAKE_QUORUM, BRAKE_QUORUM },
	{ "quorum not known", set_quorum_unknown, BRAKE_BLIND, BRAKE_BLIND, BRAKE_BLIND },
	{ "config unreadable", set_unreadable, BRAKE_BLIND, BRAKE_BLIND, BRAKE_BLIND },
	{ "elsewhere", set_elsewhere, BRAKE_ELSEWHERE, BRAKE_ELSEWHERE, BRAKE_ELSEWHERE },
	{ "node stopping", set_stopping, BRAKE_NODE_STOPPING, BRAKE_NODE_STOPPING,
	  BRAKE_NODE_STOPPING },
	{ "node stopping not known", set_stopping_unknown, BRAKE_BLIND, BRAKE_BLIND, BRAKE_BLIND },
	{ "stopall", set_node_task, BRAKE_NODE_TASK, BRAKE_NODE_TASK, BRAKE_NODE_TASK },
	{ "template", set_template, BRAKE_TEMPLATE, BRAKE_TEMPLATE, BRAKE_TEMPLATE },
	{ "onboot: 0", set_onboot, BRAKE_ONBOOT, BRAKE_ONBOOT, BRAKE_NONE },
	{ "lock:", set_locked, BRAKE_LOCKED, BRAKE_LOCKED, BRAKE_LOCKED },
	{ "task", set_task, BRAKE_TASK, BRAKE_TASK, BRAKE_TASK },
	{ "lock file", set_flocked, BRAKE_TASK, BRAKE_TASK, BRAKE_TASK },
	{ "frozen", set_frozen, BRAKE_FROZEN, BRAKE_FROZEN, BRAKE_FROZEN },
	{ "person", set_person, BRAKE_PERSON, BRAKE_PERSON, BRAKE_PERSON },
	{ "three at once", set_crowd, BRAKE_CORRELATED, BRAKE_NONE, BRAKE_NONE },
	{ "gateway lost", set_gateway, BRAKE_GATEWAY, BRAKE_NONE, BRAKE_NONE },
	{ "gateway fine", set_gateway_fine, BRAKE_NONE, BRAKE_NONE, BRAKE_NONE },
	{ "three others", set_slots, BRAKE_SLOTS, BRAKE_NONE, BRAKE_NONE },
	{ "two others", set_two_acting, BRAKE_NONE, BRAKE_NONE, BRAKE_NONE },
	{ "HA unreadable", set_ha_unread, BRAKE_HA_STATE, BRAKE_HA_STATE, BRAKE_HA_STATE },
	{ "HA started", set_ha_started, BRAKE_NONE, BRAKE_NONE, BRAKE_NONE },
	{ "HA asleep", set_ha_asleep, BRAKE_HA_STATE, BRAKE_HA_STATE, BRAKE_NONE },
	{ "HA stopping, as we asked", set_ha_stopping, BRAKE_HA_STATE, BRAKE_NONE, BRAKE_NONE },
	{ "HA error", set_ha_error, BRAKE_HA_STATE, BRAKE_HA_STATE, BRAKE_HA_STATE },
	{ "HA moves it", set_ha_migrate, BRAKE_HA_STATE, BRAKE_HA_STATE, BRAKE_HA_STATE },
	{ "HA has it disabled", set_ha_disabled, BRAKE_HA_STATE, BRAKE_HA_STATE, BRAKE_HA_STATE },
};

static struct watch_node node(void)
{
	struct watch_node n;

	watch_node_default(&n);
	return n;
}

static void each_alone(void **state)
{
	struct watch_node n = node();
	struct watch_settings s;

	(void)state;
	watch_settings_default(&s);
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		const struct trial *t = &trials[i];
		struct watch_facts f = fine();
		char text[200];

		t->set(&f);
		if (watch_brake(WATCH_OP_SHUTDOWN, &f, &s, &n) != t->before_shutdown ||
		    watch_brake(WATCH_OP_STOP, &f, &s, &n) != t->before_stop ||
		    watch_brake(WATCH_OP_START, &f, &s, &n) != t->before_start)
			fail_msg("%s: %s", t->what,
				 watch_brake_text(watch_brake(WATCH_OP_SHUTDOWN, &f, &s, &n), &f,
						  text, sizeof(text)));
		assert_true(*watch_brake_text(t->before_shutdown, &f, text, sizeof(text)));
	}
}

/* Two brakes at once hold at least as much as each of them: nothing is released by another fact. */
static void two_hold_as_well(void **state)
{
	struct watch_node n = node();
	struct watch_settings s;

	(void)state;
	watch_settings_default(&s);
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(trials); k++) {
			struct watch_facts f = fine();

			/* These speak of the same fact in two ways. */
			if (strncmp(trials[i].what, "HA", 2) == 0 &&
			    strncmp(trials[k].what, "HA", 2) == 0)
				continue;
			if (strncmp(trials[k].what, "gateway", 7) == 0 ||
			    strstr(trials[k].what, "others") || strstr(trials[k].what, "known") ||
			    strstr(trials[k].what, "unreadable"))
				continue;
			trials[i].set(&f);
			trials[k].set(&f);
			for (enum watch_op op = WATCH_OP_SHUTDOWN; op < WATCH_OP_MAX; op++) {
				enum watch_brake alone =
					op == WATCH_OP_SHUTDOWN ? trials[i].before_shutdown
					: op == WATCH_OP_STOP	? trials[i].before_stop
								: trials[i].before_start;

				if (alone && !watch_brake(op, &f, &s, &n))
					fail_msg("%s is released by %s", trials[i].what,
						 trials[k].what);
			}
		}
	}
}

static void ha_may_be_left_alone(void **state)
{
	struct watch_node n = node();
	struct watch_facts f = fine();
	struct watch_settings s;

	(void)state;
	watch_settings_default(&s);
	s.ha = WATCH_HA_LEAVE;
	set_ha_started(&f);
	assert_int_equal(watch_brake(WATCH_OP_SHUTDOWN, &f, &s, &n), BRAKE_HA_LEFT);
}

static void what_is_a_crowd(void **state)
{
	struct watch_node n = node();

	(void)state;
	assert_false(watch_correlated(1, 1, &n));
	assert_false(watch_correlated(1, 2, &n));
	assert_true(watch_correlated(2, 2, &n));
	assert_true(watch_correlated(2, 6, &n));
	assert_false(watch_correlated(2, 7, &n));
	assert_true(watch_correlated(3, 7, &n));
	assert_true(watch_correlated(3, 1000, &n));
	assert_false(watch_correlated(2, 1000, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_alone),
		cmocka_unit_test(two_hold_as_well),
		cmocka_unit_test(ha_may_be_left_alone),
		cmocka_unit_test(what_is_a_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
