/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* A guest's probes tried once, for people who want to know whether their configuration does what
 * they think. */

#include "util/jsonw.h"
#include "util/table.h"
#include "watch/conf.h"

struct trial {
	uint32_t vmid;
	const char *name, *node;
	const char *problem; /* why it would not be watched, NULL if it would */
	bool by_file, here, runs;
	struct watch_settings settings;
	/* what came of it */
	bool tried;
	bool resolved;
	struct probe_answer answer;
	enum probe_result verdict;
	const char *failed; /* why it could not be tried */
};

/* Tries those that run here, many at once. */
void trials_run(struct trial *trials, size_t n);

void trials_table(const struct trial *trials, size_t n, struct table *t);
void trials_json(const struct trial *trials, size_t n, struct jsonw *w);
