/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * One message of QMP or of the guest agent, which speak the same JSON: strict, a byte at a time and
 * without memory, so that only what a probe asks for is kept of it.
 */

#include "util/base.h"

enum { PROBE_WORD_MAX = 24, PROBE_DEPTH_MAX = 32 };

enum probe_reply_state {
	PROBE_REPLY_MORE,
	PROBE_REPLY_DONE, /* the object that was begun has ended with this byte */
	PROBE_REPLY_BAD,  /* not JSON, not an object, or deeper than anybody nests it */
};

/* Text up to a length; what is longer equals nothing. */
struct probe_word {
	uint8_t n;
	char text[PROBE_WORD_MAX];
};

/* Zeroed at first. The fields of the second group hold once it is DONE. */
struct probe_reply {
	uint8_t state;		 /* enum probe_reply_state */
	uint8_t at, depth, left; /* of the scanner */
	bool in_key;
	const char *literal;
	uint32_t objects; /* a bit for each depth: an object, not a list */
	struct probe_word keys[2], value;

	bool greeting, event, error;  /* has the key "QMP", "event", "error" */
	bool returns, returns_object; /* has the key "return"; its value is an object */
	struct probe_word number;     /* "return", when it is a number */
	struct probe_word id;	      /* "id", when it is a string or a number */
	struct probe_word status;     /* "status" inside "return", when it is a string */
};

enum probe_reply_state probe_reply_byte(struct probe_reply *r, char c);

bool probe_word_is(const struct probe_word *w, const char *text);
