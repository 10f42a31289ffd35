/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "store_docs.h"

#include <stdio.h>

#include "util/clock.h"

enum { GUESTS = 9, NODES_MAX = 8, BEGIN = 1795269600 };

struct sim_guest {
	bool there;
	int node, generation, digest;
	bool runs;
};

struct sim {
	struct sim_guest guests[GUESTS];
	int nodes, n_members, version;
	bool quorate, up[NODES_MAX];
	int boots[NODES_MAX], instances[NODES_MAX];
	unsigned int rnd;
};

static int chance(struct sim *w, int n)
{
	return rand_r(&w->rnd) % n;
}

static void change(struct sim *w)
{
	struct sim_guest *g = &w->guests[chance(w, GUESTS)];

	switch (chance(w, 10)) {
	case 0:
	case 1:
		g->there = !g->there;
		break;
	case 2:
	case 3:
		g->node = chance(w, w->nodes);
		break;
	case 4:
		g->runs = !g->runs;
		break;
	case 5:
		g->digest++;
		break;
	case 6:
		g->generation++;
		break;
	case 7:
		w->quorate = !w->quorate;
		break;
	case 8:
		w->boots[chance(w, w->nodes)]++;
		w->version += chance(w, 3) == 0;
		break;
	default:
		w->up[chance(w, w->nodes)] ^= true;
	}
}

static void write_nodes(const struct sim *w, bool lost, struct buf *b)
{
	buf_adds(b, "\"nodes\": [");
	for (int i = 0; i < w->nodes; i++)
		buf_addf(
			b,
			"%s{\"name\": \"pve%d\", \"id\": %d, \"ip\": \"10.0.0.%d\", \"online\": %s}",
			i ? ", " : "", i, i + 1, i + 1, w->up[i] ? "true" : "false");
	buf_adds(b, "], \"vmids\": [");
	for (int i = 0, n = 0; i < GUESTS && !lost; i++)
		if (w->guests[i].there)
			buf_addf(b, "%s[%d, \"qemu\", \"pve%d\"]", n++ ? ", " : "", 100 + i,
				 w->guests[i].node);
	buf_adds(b, "]");
}

/* The reporter speaks for nodes that are silent. */
static void write_guests(struct sim *w, int node, bool lost, struct buf *b)
{
	int n = 0;

	buf_adds(b, ", \"guests\": [");
	for (int i = 0; i < GUESTS && !lost; i++) {
		const struct sim_guest *g = &w->guests[i];

		if (!g->there || (g->node != node && (node != 0 || w->up[g->node])))
			continue;
		buf_addf(b, "%s{\"vmid\": %d, \"type\": \"qemu\", \"node\": \"pve%d\", ",
			 n++ ? ", " : "", 100 + i, g->node);
		buf_addf(b, "\"name\": \"web%d\", \"status\": \"%s\", \"cpu\": 0.%d, ", i,
			 g->runs ? "running" : "stopped", chance(w, 100));
		buf_addf(b, "\"mem\": %d, \"tags\": \"a;b\", \"backup\": true, ", chance(w, 1000));
		buf_addf(b, "\"identity\": \"%d/x\", \"digest\": \"d%d\"}", g->generation,
			 g->digest);
	}
	buf_adds(b, "], \"configs\": [");
	n = 0;
	for (int i = 0; i < GUESTS; i++)
		if (w->guests[i].there && w->guests[i].node == node && chance(w, 3) == 0)
			buf_addf(b, "%s{\"vmid\": %d, \"digest\": \"d%d\", \"cores\": 2}",
				 n++ ? ", " : "", 100 + i, w->guests[i].digest);
	buf_adds(b, "]");
}

static void write_host(struct sim *w, int node, struct buf *b)
{
	char boot[CLOCK_TEXT_MAX];

	clock_rfc3339(BEGIN - 100000 + w->boots[node] * 1000, boot);
	buf_addf(b, ", \"host\": {\"boot_time\": \"%s\", \"pveversion\": \"8.%d\", \"cpu\": 0.%d, ",
		 boot, w->version, chance(w, 100));
	buf_addf(b, "\"loadavg\": [0.%d, 1, 2], \"memory\": {\"total\": 100, \"used\": %d}}",
		 chance(w, 10), chance(w, 100));
	if (chance(w, 6))
		buf_addf(b,
			 ", \"storages\": [{\"name\": \"local\", \"type\": \"dir\", \"active\": "
			 "true, \"total\": 100, \"used\": %d}]",
			 chance(w, 100));
	buf_addf(b,
		 ", \"parts\": {\"dm\": {\"findings\": [{\"class\": \"ghost\", \"severity\": "
		 "\"critical\", \"vmid\": %d}]}}",
		 100 + chance(w, 3));
}

static void write_document(struct sim *w, int node, int64_t at, uint64_t sequence,
			   struct document *d)
{
	bool complete = w->quorate && chance(w, 6);
	bool hung = chance(w, 12) == 0, lost = (at / 20 + node) % 11 == 0;

	(void)snprintf(d->org, sizeof(d->org), "acme");
	(void)snprintf(d->cluster, sizeof(d->cluster), "uuid-1");
	(void)snprintf(d->node, sizeof(d->node), "pve%d", node);
	(void)snprintf(d->instance, sizeof(d->instance), "i%d", w->instances[node]);
	d->at = at;
	d->sequence = sequence;
	buf_addf(&d->body, "{\"cluster\": {\"name\": \"prod\", \"config_version\": %d, ",
		 w->version);
	buf_addf(&d->body, "\"clustered\": true}, \"interval\": 60, \"quorate\": %s, ",
		 hung	      ? "null"
		 : w->quorate ? "true"
			      : "false");
	buf_addf(&d->body, "\"complete\": %s, \"reporter\": %s, ",
		 complete && !hung ? "true" : "false",
		 node == 0 || chance(w, 10) == 0 ? "true" : "false");
	if (!hung) {
		write_nodes(w, lost, &d->body);
		write_guests(w, node, lost, &d->body);
		write_host(w, node, &d->body);
	} else {
		buf_adds(&d->body, "\"pmxcfs\": {\"state\": \"hung\"}");
	}
	buf_adds(&d->body, "}");
}

void history_make(struct history *h, unsigned int seed, int nodes, int rounds)
{
	struct sim w = { .nodes = nodes, .quorate = true, .rnd = seed };

	for (int i = 0; i < GUESTS; i++)
		w.guests[i] = (struct sim_guest){ i % 3 != 2, i % nodes, 1, 1, i % 2 };
	for (int i = 0; i < nodes; i++)
		w.up[i] = true;
	for (int t = 0; t < rounds; t++)
		for (int i = 0; i < nodes; i++) {
			for (int k = chance(&w, 3); k > 0; k--)
				change(&w);
			if (chance(&w, 20) == 0)
				w.instances[i]++;
			if (!w.up[i] && i)
				continue;
			/* Ties on purpose. */
			write_document(&w, i, BEGIN + t * 60 + chance(&w, 3) * 20,
				       (uint64_t)(t + 1), vec_push(h));
		}
}

void history_shuffle(struct history *h, unsigned int *rnd, bool interleave)
{
	for (size_t i = h->n - 1; i > 0; i--) {
		size_t k = (size_t)rand_r(rnd) % (i + 1);
		struct document d = h->items[i];

		h->items[i] = h->items[k];
		h->items[k] = d;
	}
	for (size_t i = 0; interleave && i < h->n; i++)
		for (size_t k = i + 1; k < h->n; k++) {
			struct document d = h->items[i];

			if (strcmp(d.node, h->items[k].node) || d.sequence < h->items[k].sequence)
				continue;
			h->items[i] = h->items[k];
			h->items[k] = d;
		}
}

void history_done(struct history *h)
{
	vec_each (d, h)
		buf_done(&d->body);
	vec_free(h);
}

struct store_document document_row(const struct document *d)
{
	return (struct store_document){
		.org = d->org,
		.agent = "agent-1",
		.cluster = d->cluster,
		.node = d->node,
		.instance = d->instance,
		.sequence = d->sequence,
		.collected_at = d->at,
		.received_at = d->at + 1,
		.body = buf_slice(&d->body),
	};
}
