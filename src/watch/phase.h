/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What a watched guest can be in: for the state machine, in watch.json, and for who reads that. */

enum watch_state {
	WATCH_ABSENT, /* not running here */
	WATCH_DISABLED,
	WATCH_MISCONFIGURED,
	WATCH_BOOTING, /* runs, has not served yet, and is not yet expected to */
	WATCH_SERVING,
	WATCH_FAILING,
	WATCH_HELD, /* failing for long enough, and something forbids a restart */
	WATCH_STOPPING,
	WATCH_STARTING,
	WATCH_EXHAUSTED, /* failing, and its restarts are used up: left alone, alerted */
	WATCH_STUCK,	 /* it did not end, or a command does not come back: left alone, alerted */
	WATCH_OFF,	 /* only in what is published: STARTING that waits, so it is off */
	WATCH_STATE_MAX, /* when read: a word of another version */
};

/* "absent", "disabled", ...; "unknown" for what is none. */
const char *watch_state_name(enum watch_state s);

/* WATCH_STATE_MAX when it is none of them. */
enum watch_state watch_state_of(const char *name);
