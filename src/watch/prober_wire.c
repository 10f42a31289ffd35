/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/prober_child.h"

size_t prober_ask_size(const struct probe_ask *ask)
{
	return offsetof(struct probe_ask, targets) + ask->n_targets * sizeof(ask->targets[0]);
}

size_t prober_answer_size(const struct probe_answer *answer)
{
	return offsetof(struct probe_answer, targets) +
	       answer->n_targets * sizeof(answer->targets[0]);
}

/* Text that can stand in a request without ending its line or its word. */
static bool is_word(const char *text, size_t size)
{
	size_t n = strnlen(text, size);

	for (size_t i = 0; i < n; i++)
		if (text[i] <= ' ' || text[i] > '~')
			return false;
	return n < size;
}

static bool target_is_valid(const struct probe_target *t)
{
	if (t->kind >= PROBE_KIND_MAX)
		return false;
	if ((t->kind == PROBE_TCP || t->kind == PROBE_HTTP) && t->port == 0)
		return false;
	return t->kind != PROBE_HTTP || (t->path[0] == '/' && is_word(t->path, sizeof(t->path)) &&
					 is_word(t->host, sizeof(t->host)));
}

bool prober_ask_is_valid(const struct probe_ask *ask)
{
	if (ask->n_targets > PROBE_TARGETS_MAX || ask->n_addresses > PROBE_ADDRESSES_MAX)
		return false;
	for (size_t i = 0; i < ask->n_addresses; i++)
		if (ask->addresses[i].family != AF_INET && ask->addresses[i].family != AF_INET6)
			return false;
	for (size_t i = 0; i < ask->n_targets; i++)
		if (!target_is_valid(&ask->targets[i]))
			return false;
	return true;
}

/* Ranges, and that good ones need no reason and others have one. */
bool prober_answer_is_valid(const struct probe_answer *answer)
{
	if (answer->n_targets > PROBE_TARGETS_MAX || answer->qmp >= QMP_STATE_MAX)
		return false;
	for (size_t i = 0; i < answer->n_targets; i++) {
		typeof(answer->targets[0]) t = answer->targets[i];

		if (t.result >= PROBE_RESULT_MAX || t.why >= PROBE_WHY_MAX || t.value > 999)
			return false;
		if ((t.result == PROBE_GOOD) != (t.why == PROBE_WHY_NONE))
			return false;
	}
	return true;
}
