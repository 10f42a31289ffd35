/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/picture_guests.h"

#include <errno.h>
#include <stdio.h>

#include "agent/wire.h"
#include "util/str.h"

/* --- the list ----------------------------------------------------------------------------------
 */

/* False: it cannot be read, and nothing is known of any guest. */
static bool read_list(struct picture *p, bool anew)
{
	struct arena arena = {};
	struct vmlist list;
	struct err e = {};
	uint64_t counter = 0;
	bool counted = cfs_version_of(&p->version, "vmlist", &counter);

	if (!anew && p->listed && counted && p->list_counted && p->list_version == counter)
		return true;
	if (vmlist_read(&list, p->root, &arena, &e) < 0) {
		picture_blind(p, "the list of guests cannot be read: %s", e.text);
		arena_done(&arena);
		p->listed = false;
		p->vmlist = (struct vmlist){};
		return false;
	}
	/* The guests' names of nodes lie in the old one until they are matched. */
	arena_done(&p->vmlist_arena);
	p->vmlist_arena = arena;
	p->vmlist = list;
	p->listed = true;
	p->list_counted = counted;
	p->list_version = counter;
	return true;
}

static bool is_wanted(const struct picture *p, const struct picture_want *want, const char *node)
{
	if (strcmp(node, p->node.name) == 0)
		return true;
	for (size_t i = 0; p->reporter && i < want->n_unheard; i++)
		if (strcmp(node, want->unheard[i]) == 0)
			return true;
	return false;
}

/* --- one guest ---------------------------------------------------------------------------------
 */

/* 0, or what reading its config said: -ENOENT while it moves to another node or is destroyed. */
static int load(struct picture *p, struct picture_guest *g, const struct vmlist_entry *v)
{
	const struct guesttexts_of of = {
		.vmid = v->vmid,
		.type = v->type,
		.node = v->node,
		.processors = strcmp(v->node, p->node.name) == 0 ? p->fixed.cpu.threads : 0,
	};
	uint64_t digest = g->texts.digest;
	char path[400];
	int code;

	(void)snprintf(path, sizeof(path), "etc/pve/nodes/%.255s/%s/%u.conf", v->node,
		       v->type == GUEST_QEMU ? "qemu-server" : "lxc", v->vmid);
	code = root_read(p->root, path, GUEST_CONFIG_MAX, &p->text);
	guesttexts_done(&g->texts);
	g->loaded = code == 0;
	if (code < 0) {
		guesttexts_bare(&g->texts, &of, &p->out);
		return code;
	}
	guesttexts_make(&g->texts, &of, buf_slice(&p->text), &p->scratch, &p->out);
	g->version = v->version;
	if (g->texts.digest != digest)
		g->told = false;
	return 0;
}

static void say_unread(struct picture *p, const struct vmlist_entry *v, int code)
{
	p->complete = false;
	picture_blind(p, "the config of guest %u on %s cannot be read: %s", v->vmid, v->node,
		      code == -ENOENT ? "it is in .vmlist, and is not there" : strerror(-code));
}

static bool is_of(const struct picture_guest *g, const struct vmlist_entry *v)
{
	return g->vmid == v->vmid && g->type == v->type;
}

/*
 * Puts the guests in the order of the list; what was known of one stays. A guest that came from
 * another node is read again: its text says where it stands.
 */
static bool match(struct picture *p, const struct picture_want *want, bool last_try)
{
	typeof(p->guests) was = p->guests;
	bool gone = false;
	size_t at = 0;

	memset(&p->guests, 0, sizeof(p->guests));
	for (size_t i = 0; i < p->vmlist.n && p->guests.n < WIRE_GUESTS_MAX; i++) {
		const struct vmlist_entry *v = &p->vmlist.guests[i];
		struct picture_guest *g;
		int code = 0;

		if (!is_wanted(p, want, v->node))
			continue;
		g = vec_push(&p->guests);
		while (at < was.n && was.items[at].vmid < v->vmid)
			guesttexts_done(&was.items[at++].texts);
		if (at < was.n && is_of(&was.items[at], v))
			*g = was.items[at++];
		g->vmid = v->vmid;
		g->type = v->type;
		if (!g->loaded || !p->list_counted || g->version != v->version)
			code = load(p, g, v);
		g->node = v->node;
		gone = gone || code == -ENOENT;
		if (code < 0 && (code != -ENOENT || last_try))
			say_unread(p, v, code);
	}
	while (at < was.n)
		guesttexts_done(&was.items[at++].texts);
	vec_free(&was);
	return gone;
}

static void check_limit(struct picture *p, const struct picture_want *want)
{
	size_t n = 0;

	for (size_t i = 0; i < p->vmlist.n; i++)
		n += is_wanted(p, want, p->vmlist.guests[i].node);
	if (n <= WIRE_GUESTS_MAX && p->vmlist.n <= WIRE_VMIDS_MAX)
		return;
	picture_blind(p, "%zu guests, %zu of them told: a document has room for %d of %d", n,
		      p->guests.n, WIRE_GUESTS_MAX, WIRE_VMIDS_MAX);
	p->complete = false;
}

static void know_nothing(struct picture *p)
{
	p->complete = false;
	picture_guests_forget(p);
}

void picture_guests_read(struct picture *p, const struct picture_want *want)
{
	size_t said = p->n_blind;

	if (!read_list(p, false)) {
		know_nothing(p);
		return;
	}
	/* One that vanished meanwhile is on its way, and the next list says where to. */
	if (match(p, want, false)) {
		p->n_blind = said;
		if (!read_list(p, true)) {
			know_nothing(p);
			return;
		}
		(void)match(p, want, true);
	}
	check_limit(p, want);
}

void picture_guests_forget(struct picture *p)
{
	vec_each (g, &p->guests)
		guesttexts_done(&g->texts);
	p->guests.n = 0;
}

/* --- samples -----------------------------------------------------------------------------------
 */

static struct picture_guest *guest_of(struct picture *p, uint32_t vmid)
{
	size_t low = 0, high = p->guests.n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (p->guests.items[middle].vmid == vmid)
			return &p->guests.items[middle];
		if (p->guests.items[middle].vmid < vmid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Of two samples of one thing the younger one is true. */
static void take_line(struct picture *p, struct slice line, const struct rrd_line *l)
{
	struct picture_guest *g;

	if (l->kind == RRD_NODE && slice_eq(l->node, p->node.name) &&
	    (!p->own_known || l->ctime > p->own.ctime)) {
		p->own = *l;
		p->own_known = true;
	}
	g = l->kind == RRD_GUEST ? guest_of(p, l->vmid) : NULL;
	if (!g || (g->sample.n && g->sampled_at >= l->ctime))
		return;
	g->sample = line;
	g->sampled_at = l->ctime;
}

void picture_samples_read(struct picture *p)
{
	struct rrd_line l = {};
	struct slice rest, line;
	struct err e = {};
	int code = rrd_read_text(&p->rrd, p->root, &e);

	vec_each (g, &p->guests)
		g->sample.n = 0;
	if (code < 0) {
		if (code != -ENOENT)
			picture_blind(p, "samples cannot be read: %s", e.text);
		buf_reset(&p->rrd);
		return;
	}
	rest = buf_slice(&p->rrd);
	(void)rrd_whole(&rest, NULL);
	while (slice_split(&rest, '\n', &line))
		if (rrd_line_parse(line, &l))
			take_line(p, line, &l);
}
