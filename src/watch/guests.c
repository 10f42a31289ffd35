/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/guests.h"

static size_t place_of(const struct watch_guests *g, uint32_t vmid)
{
	size_t low = 0, high = g->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (g->items[middle]->vmid < vmid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct watch_guest *watch_guests_find(const struct watch_guests *g, uint32_t vmid)
{
	size_t i = place_of(g, vmid);

	return i < g->n && g->items[i]->vmid == vmid ? g->items[i] : NULL;
}

struct watch_guest *watch_guests_get(struct watch_guests *g, uint32_t vmid)
{
	struct watch_guest *found = watch_guests_find(g, vmid);
	size_t i = place_of(g, vmid);

	if (found)
		return found;
	(void)vec_push(g);
	memmove(g->items + i + 1, g->items + i, (g->n - 1 - i) * sizeof(g->items[0]));
	g->items[i] = xcalloc(1, sizeof(*g->items[i]));
	g->items[i]->vmid = vmid;
	return g->items[i];
}

void watch_guests_remove(struct watch_guests *g, uint32_t vmid)
{
	size_t i = place_of(g, vmid);

	if (i == g->n || g->items[i]->vmid != vmid)
		return;
	free(g->items[i]->text);
	free(g->items[i]);
	memmove(g->items + i, g->items + i + 1, (g->n - 1 - i) * sizeof(g->items[0]));
	g->n--;
}

const char *watch_guest_name(const struct watch_guest *g)
{
	if (g->settings.name[0])
		return g->settings.name;
	return g->config.name[0] ? g->config.name : "VM";
}

const char *watch_guest_held(const struct watch_guest *g, char *buf, size_t n)
{
	if (g->fsm.held == BRAKE_NONE)
		return NULL;
	/* What the state machine found itself needs no facts. */
	return g->fsm.held >= BRAKE_PAUSED ? watch_brake_text(g->fsm.held, NULL, buf, n)
					   : g->held_by;
}

/* Also one that is being restarted for it, or boots after that. */
static bool is_failing(const struct watch_fsm *f)
{
	return f->failed_at != 0 && f->state != WATCH_ABSENT && f->state != WATCH_DISABLED &&
	       f->state != WATCH_MISCONFIGURED;
}

uint32_t watch_guests_failing_with(const struct watch_guests *all, const struct watch_guest *g,
				   int64_t window)
{
	uint32_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		const struct watch_fsm *f = &all->items[i]->fsm;
		int64_t apart = f->failed_at - g->fsm.failed_at;

		n += is_failing(f) && apart <= window && -apart <= window;
	}
	return n;
}

uint32_t watch_guests_acting(const struct watch_guests *all, const struct watch_guest *but)
{
	uint32_t n = 0;

	for (size_t i = 0; i < all->n; i++)
		n += all->items[i] != but && watch_fsm_restarting(&all->items[i]->fsm);
	return n;
}

uint32_t watch_guests_watched(const struct watch_guests *all)
{
	uint32_t n = 0;

	for (size_t i = 0; i < all->n; i++) {
		enum watch_state s = all->items[i]->fsm.state;

		n += s != WATCH_ABSENT && s != WATCH_DISABLED && s != WATCH_MISCONFIGURED;
	}
	return n;
}

void watch_guest_count_time(struct watch_guest *g, int64_t now)
{
	int64_t passed = g->stats_at ? now - g->stats_at : 0;

	g->stats_at = now;
	switch (g->fsm.state) {
	case WATCH_SERVING:
		g->stats.up_ms += passed;
		break;
	case WATCH_FAILING:
	case WATCH_HELD:
	case WATCH_STOPPING:
	case WATCH_STARTING:
	case WATCH_EXHAUSTED:
	case WATCH_STUCK:
		g->stats.down_ms += passed;
		if (g->fsm.bad_since && now - g->fsm.bad_since > g->stats.longest_outage_ms)
			g->stats.longest_outage_ms = now - g->fsm.bad_since;
		break;
	case WATCH_ABSENT:
	case WATCH_DISABLED:
	case WATCH_MISCONFIGURED:
	case WATCH_BOOTING:
	case WATCH_OFF:
	case WATCH_STATE_MAX:
		break;
	}
}
