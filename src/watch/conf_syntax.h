/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The syntax of mvmm's files, which is that of Perl's AppConfig 1.71 (AppConfig::File::parse), item
 * by item: "key=value" or "key value", '#' comments at the start of a line or behind a blank, '\'
 * continues a line, one pair of quotes is taken off, "[block]" goes before keys with a '_', here-
 * documents, "-key" for a default. What a key means is the caller's business.
 */

#include "util/buf.h"

enum conf_kind {
	CONF_SET,   /* key and value, which may be empty */
	CONF_RESET, /* "-key" */
	CONF_BAD,   /* problem says what was expected */
};

struct conf_item {
	enum conf_kind kind;
	unsigned int line; /* where it begins */
	struct slice key, value;
	const char *problem;
};

/* Begin with the text in rest and everything else zeroed. */
struct conf_reader {
	struct slice rest;
	unsigned int line;
	struct buf text, block, key, value;
};

/* The next item, valid until the next call; false at the end. */
bool conf_next(struct conf_reader *r, struct conf_item *ret);
void conf_reader_done(struct conf_reader *r);
