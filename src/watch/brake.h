/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What keeps a guest from being acted on. Pure: the facts are gathered afresh before every single
 * action, and the first reason that holds is the answer. What is not known holds.
 */

#include "watch/conf.h"

enum watch_op { WATCH_OP_NONE, WATCH_OP_SHUTDOWN, WATCH_OP_STOP, WATCH_OP_START, WATCH_OP_MAX };

enum watch_brake {
	BRAKE_NONE,
	BRAKE_MVMM, /* an mvmm process lives on this node: decisions 34 */
	BRAKE_DRY_RUN,
	BRAKE_MAINTENANCE_CLUSTER,
	BRAKE_MAINTENANCE_NODE,
	BRAKE_MAINTENANCE_GUEST,
	BRAKE_BLIND,  /* /etc/pve does not answer, or the config could not be read */
	BRAKE_QUORUM, /* a start would be refused */
	BRAKE_NODE_STOPPING,
	BRAKE_NODE_TASK, /* stopall, startall, migrateall */
	BRAKE_ELSEWHERE, /* its config is on another node, or gone */
	BRAKE_TEMPLATE,
	BRAKE_ONBOOT,	  /* its config says that it is not to run: onboot: 0 */
	BRAKE_LOCKED,	  /* lock: in its config */
	BRAKE_TASK,	  /* Proxmox is at work on it */
	BRAKE_HA_LEFT,	  /* managed by HA, and we were told to leave those alone */
	BRAKE_HA_STATE,	  /* HA is moving, stopping or fencing it, or in an error, or not awake */
	BRAKE_FROZEN,	  /* container, frozen */
	BRAKE_PERSON,	  /* somebody has stopped it meanwhile */
	BRAKE_CORRELATED, /* too many at once: the trouble is here or in between */
	BRAKE_GATEWAY,	  /* our own gateway does not answer any more */
	BRAKE_SLOTS,	  /* as many others are being acted on as may be */
	/* These the state machine finds itself. */
	BRAKE_PAUSED,	  /* QEMU is paused, suspended, migrating or not yet started */
	BRAKE_IO_ERROR,	  /* a disk's error stopped it: a restart would not mend the disk */
	BRAKE_QMP_UNSURE, /* QEMU did not say what state it is in */
	BRAKE_BACK_OFF,
	BRAKE_BUDGET,
	BRAKE_MAX,
};

struct watch_facts {
	/* the node */
	bool mvmm, dry_run, node_task;
	enum tri stopping;
	enum tri quorate;
	bool maintenance_cluster, maintenance_node, maintenance_guest;
	/* the guest's config */
	enum tri here; /* its config is on this node */
	bool template, onboot_no;
	char lock[32]; /* "" without */
	/* who is at work */
	char task[32]; /* type of a running task that is not ours, "" without */
	bool flocked;  /* somebody holds Proxmox' lock file */
	bool frozen;
	bool person; /* a stop that is not ours since the intent was written */
	/* HA */
	bool ha_managed;
	char ha_state[32]; /* "" : not known */
	bool ha_awake;	   /* its manager wrote its status lately */
	/* the others */
	uint32_t failing_at_once, watched; /* guests; this one is among the first */
	uint32_t acting;		   /* other guests that are being acted on */
	enum tri gateway;		   /* TRI_NO: it did answer once and does not now */
};

/* The first brake that holds before @op, BRAKE_NONE to go on. A start that we owe a guest is held
 * by less: it is off because of us. */
enum watch_brake watch_brake(enum watch_op op, const struct watch_facts *f,
			     const struct watch_settings *s, const struct watch_node *node);

/* So many failing guests of so many that it cannot be the guests. */
bool watch_correlated(uint32_t failing, uint32_t watched, const struct watch_node *node);

/* A sentence for the log: "its config is locked (backup)". */
const char *watch_brake_text(enum watch_brake b, const struct watch_facts *f, char *buf, size_t n);
