/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/brake.h"

#include <stdio.h>

bool watch_correlated(uint32_t failing, uint32_t watched, const struct watch_node *node)
{
	/* One guest alone is never "all of them", whatever its share. */
	if (failing < 2)
		return false;
	return failing >= node->correlate ||
	       (uint64_t)failing * 100 >= (uint64_t)watched * node->correlate_percent;
}

static enum watch_brake of_maintenance(const struct watch_facts *f)
{
	if (f->maintenance_cluster)
		return BRAKE_MAINTENANCE_CLUSTER;
	if (f->maintenance_node)
		return BRAKE_MAINTENANCE_NODE;
	return f->maintenance_guest ? BRAKE_MAINTENANCE_GUEST : BRAKE_NONE;
}

/* Whether a start would be refused, or would be somebody else's business. */
static enum watch_brake of_config(const struct watch_facts *f)
{
	if (f->here == TRI_UNKNOWN || f->quorate == TRI_UNKNOWN)
		return BRAKE_BLIND;
	if (f->here == TRI_NO)
		return BRAKE_ELSEWHERE;
	if (f->quorate == TRI_NO)
		return BRAKE_QUORUM;
	if (f->template)
		return BRAKE_TEMPLATE;
	return f->lock[0] ? BRAKE_LOCKED : BRAKE_NONE;
}

static enum watch_brake of_node(const struct watch_facts *f)
{
	if (f->stopping == TRI_YES)
		return BRAKE_NODE_STOPPING;
	if (f->stopping == TRI_UNKNOWN)
		return BRAKE_BLIND;
	return f->node_task ? BRAKE_NODE_TASK : BRAKE_NONE;
}

/* What our own request to stop leads to, and the wanted state: anything else is somebody else's
 * will, or HA at work. */
static enum watch_brake of_ha_start(const struct watch_facts *f)
{
	static const char *const fine[] = { "stopped", "request_stop", "started", "request_start" };

	for (size_t i = 0; i < ARRAY_SIZE(fine); i++)
		if (strcmp(f->ha_state, fine[i]) == 0)
			return BRAKE_NONE;
	return BRAKE_HA_STATE;
}

static enum watch_brake of_ha(enum watch_op op, const struct watch_facts *f,
			      const struct watch_settings *s)
{
	if (!f->ha_managed)
		return BRAKE_NONE;
	if (op == WATCH_OP_START)
		return of_ha_start(f);
	if (s->ha == WATCH_HA_LEAVE)
		return BRAKE_HA_LEFT;
	/* Between our shutdown and our stop HA is stopping it because we asked. */
	if (op == WATCH_OP_STOP && strcmp(f->ha_state, "request_stop") == 0 && f->ha_awake)
		return BRAKE_NONE;
	return f->ha_awake && strcmp(f->ha_state, "started") == 0 ? BRAKE_NONE : BRAKE_HA_STATE;
}

static enum watch_brake of_others(const struct watch_facts *f, const struct watch_node *node)
{
	if (watch_correlated(f->failing_at_once, f->watched, node))
		return BRAKE_CORRELATED;
	if (f->gateway == TRI_NO)
		return BRAKE_GATEWAY;
	return f->acting >= node->actions ? BRAKE_SLOTS : BRAKE_NONE;
}

static enum watch_brake of_work(const struct watch_facts *f)
{
	if (f->task[0] || f->flocked)
		return BRAKE_TASK;
	return f->frozen ? BRAKE_FROZEN : BRAKE_NONE;
}

static enum watch_brake before_start(const struct watch_facts *f, const struct watch_settings *s)
{
	enum watch_brake b;

	/* The person first: what else holds does not matter any more. */
	if (f->person)
		return BRAKE_PERSON;
	if ((b = of_config(f)) || (b = of_node(f)) || (b = of_work(f)))
		return b;
	return of_ha(WATCH_OP_START, f, s);
}

static enum watch_brake before_stop(enum watch_op op, const struct watch_facts *f,
				    const struct watch_settings *s, const struct watch_node *node)
{
	enum watch_brake b;

	if ((b = of_maintenance(f)) || (b = of_config(f)) || (b = of_node(f)))
		return b;
	if (f->onboot_no)
		return BRAKE_ONBOOT;
	if ((b = of_ha(op, f, s)) || (b = of_work(f)))
		return b;
	if (f->person)
		return BRAKE_PERSON;
	/* Once its shutdown was asked for, what the others do does not count any more. */
	return op == WATCH_OP_STOP ? BRAKE_NONE : of_others(f, node);
}

enum watch_brake watch_brake(enum watch_op op, const struct watch_facts *f,
			     const struct watch_settings *s, const struct watch_node *node)
{
	enum watch_brake b;

	if (f->mvmm)
		return BRAKE_MVMM;
	if (op == WATCH_OP_START)
		b = before_start(f, s);
	else
		b = before_stop(op, f, s, node);
	/* Last, so that a dry run says what would have held. */
	return b == BRAKE_NONE && f->dry_run ? BRAKE_DRY_RUN : b;
}
static const char *const plain[BRAKE_MAX] = {
	[BRAKE_NONE] = "nothing",
	[BRAKE_MVMM] = "mvmm runs on this node: stop it first (systemctl disable --now mvmm)",
	[BRAKE_DRY_RUN] = "dry run: it would be restarted now",
	[BRAKE_MAINTENANCE_CLUSTER] = "maintenance mode of the cluster",
	[BRAKE_MAINTENANCE_NODE] = "maintenance mode",
	[BRAKE_MAINTENANCE_GUEST] = "maintenance mode of this guest",
	[BRAKE_BLIND] = "/etc/pve or systemd does not answer",
	[BRAKE_QUORUM] = "the cluster has no quorum: it could be stopped but not started",
	[BRAKE_NODE_STOPPING] = "this node or the watch is shutting down",
	[BRAKE_NODE_TASK] = "this node starts, stops or migrates all guests",
	[BRAKE_ELSEWHERE] = "its config is not on this node any more",
	[BRAKE_TEMPLATE] = "it is a template now and could not be started",
	[BRAKE_ONBOOT] = "its config says onboot: 0",
	[BRAKE_FROZEN] = "it is frozen",
	[BRAKE_HA_LEFT] = "HA manages it, and ha = leave",
	[BRAKE_PERSON] = "somebody stopped it",
	[BRAKE_GATEWAY] = "the gateway does not answer: the trouble may be this node's network",
	[BRAKE_SLOTS] = "other guests are being restarted: one after the other",
	[BRAKE_PAUSED] = "QEMU says that it is paused",
	[BRAKE_IO_ERROR] = "QEMU stopped it after an I/O error: look at its storage",
	[BRAKE_QMP_UNSURE] = "QEMU has not yet said what state it is in",
	[BRAKE_BACK_OFF] = "it was restarted a short while ago",
	[BRAKE_BUDGET] = "its restarts are used up",
};

const char *watch_brake_text(enum watch_brake b, const struct watch_facts *f, char *buf, size_t n)
{
	if (b == BRAKE_LOCKED)
		(void)snprintf(buf, n, "its config is locked (%s)", f->lock);
	else if (b == BRAKE_TASK && f->task[0])
		(void)snprintf(buf, n, "a task is running on it (%s)", f->task);
	else if (b == BRAKE_TASK)
		(void)snprintf(buf, n, "Proxmox holds its lock file");
	else if (b == BRAKE_HA_STATE)
		(void)snprintf(buf, n, "HA says that it is %s%s",
			       f->ha_state[0] ? f->ha_state : "not known",
			       f->ha_awake ? "" : ", and has not written its status lately");
	else if (b == BRAKE_CORRELATED)
		(void)snprintf(buf, n,
			       "%u of %u guests fail at once: the trouble is more likely here or "
			       "in between",
			       f->failing_at_once, f->watched);
	else
		(void)snprintf(buf, n, "%s", plain[b]);
	return buf;
}
