/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <stdio.h>

#include "hub/store_engine.h"
#include "util/clock.h"

/* hub_store WHERE [CLUSTERS]: documents of 40 guests in batches of 32, then lists. */

enum { GUESTS = 40, NODES = 4, BATCH = 32, ROUNDS = 6, BEGIN = 1795269600 };

static void write_body(struct buf *b, int node, int round)
{
	buf_adds(b, "{\"cluster\":{\"name\":\"prod\",\"config_version\":3,\"clustered\":true},");
	buf_addf(b,
		 "\"interval\":60,\"quorate\":true,\"complete\":true,\"reporter\":%s,\"nodes\":[",
		 node ? "false" : "true");
	for (int i = 0; i < NODES; i++)
		buf_addf(b, "%s{\"name\":\"pve%d\",\"id\":%d,\"online\":true}", i ? "," : "", i,
			 i + 1);
	buf_adds(b, "],\"vmids\":[");
	for (int i = 0; i < NODES * GUESTS; i++)
		buf_addf(b, "%s[%d,\"qemu\",\"pve%d\"]", i ? "," : "", 100 + i, i / GUESTS);
	buf_addf(
		b,
		"],\"host\":{\"boot_time\":\"2026-11-01T00:00:00Z\",\"pveversion\":\"8.2\","
		"\"cpu\":0.%d,\"loadavg\":[0.1,0.2,0.3],\"memory\":{\"total\":9,\"used\":%d}},\"guests\":[",
		round, round);
	for (int i = 0; i < GUESTS; i++) {
		int vmid = 100 + node * GUESTS + i;

		buf_addf(b,
			 "%s{\"vmid\":%d,\"type\":\"qemu\",\"node\":\"pve%d\",\"name\":\"web%d\",",
			 i ? "," : "", vmid, node, vmid * 7919 % 10007);
		buf_addf(b,
			 "\"status\":\"running\",\"uptime\":%d,\"template\":false,\"lock\":null,"
			 "\"tags\":\"prod;web\",\"cpus\":4,\"cpu\":0.%d,\"maxmem\":8589934592,",
			 1000 + round * 60, (round * 31 + i) % 97);
		buf_addf(b,
			 "\"mem\":%d,\"maxdisk\":34359738368,\"disk\":0,\"netin\":%d,\"netout\":%d,"
			 "\"diskread\":%d,\"diskwrite\":%d,",
			 429496 + round, round * 1000 + i, round * 2000, round * 3000, round * 400);
		buf_addf(
			b,
			"\"sampled_at\":\"2026-11-21T14:00:00Z\",\"backup\":true,\"snapshots\":2,"
			"\"pending\":false,\"identity\":\"1677654321/%08x-aaaa\",\"digest\":\"%040x\"}",
			vmid, vmid);
	}
	buf_adds(b, "],\"configs\":[],\"storages\":[");
	for (int i = 0; i < 4; i++)
		buf_addf(b,
			 "%s{\"name\":\"store%d\",\"type\":\"lvm\",\"shared\":true,\"active\":true,"
			 "\"total\":1000,\"used\":%d}",
			 i ? "," : "", i, round);
	buf_adds(b, "],\"parts\":{\"dm\":{\"findings\":[]}}}");
}

static double lists(struct store *s, const char *sort, const char *key, const char *value)
{
	struct store_query q = {
		.org = "bench", .list = STORE_LIST_GUESTS, .sort = sort, .limit = 50
	};
	int64_t began = clock_boot_us();

	if (key)
		q.filters[q.n_filters++] = (struct store_filter){ key, value };
	for (int i = 0; i < 20; i++) {
		CLEANUP(buf_done) struct buf items = {}, cursor = {};
		struct err e = {};

		if (store_list(s, &q, &items, &cursor, &e) < 0 || items.len < 1000)
			(void)printf("list: %s\n", e.text);
	}
	return (double)(clock_boot_us() - began) / 20000;
}

static int send_round(struct store *s, int clusters, int round, int64_t *us)
{
	struct store_document docs[BATCH], *list[BATCH];
	char names[BATCH][3][32];
	struct buf bodies[BATCH] = {};
	struct err e = {};
	int64_t began;
	int r = 0;

	for (int i = 0; i < clusters * NODES; i += BATCH) {
		for (int k = 0; k < BATCH; k++) {
			int node = (i + k) / clusters % NODES;

			(void)snprintf(names[k][0], 32, "cluster-%d", (i + k) % clusters);
			(void)snprintf(names[k][1], 32, "pve%d", node);
			buf_reset(&bodies[k]);
			write_body(&bodies[k], node, round);
			docs[k] = (struct store_document){ .org = "bench",
							   .agent = "a",
							   .cluster = names[k][0],
							   .node = names[k][1],
							   .instance = "0123456789abcdef",
							   .sequence = (uint64_t)round,
							   .collected_at = BEGIN + round * 60,
							   .received_at = BEGIN + round * 60,
							   .body = buf_slice(&bodies[k]) };
			list[k] = &docs[k];
		}
		began = clock_boot_us();
		r = store_ingest(s, list, BATCH, &e);
		*us += clock_boot_us() - began;
		if (r < 0 || docs[0].error)
			(void)printf("%s%s\n", e.text, r < 0 ? "" : docs[0].why);
		for (int k = 0; k < BATCH; k++)
			buf_done(&docs[k].unheard);
	}
	for (int k = 0; k < BATCH; k++)
		buf_done(&bodies[k]);
	return r;
}

int main(int argc, char **argv)
{
	int clusters = argc > 2 ? atoi(argv[2]) : 256;
	struct store *s;
	struct err e = {};

	if (argc < 2 || store_open(&s, argv[1], STORE_CREATE | STORE_ANY_VERSION, &e) < 0 ||
	    store_migrate(s, NULL, NULL, &e) < 0) {
		(void)printf("%s\n", e.text);
		return 1;
	}
	for (int round = 1; round <= ROUNDS; round++) {
		int64_t us = 0;

		if (send_round(s, clusters, round, &us) < 0)
			return 1;
		(void)printf("round %d: %.0f documents/s\n", round,
			     clusters * NODES * 1e6 / (double)us);
	}
	(void)printf(
		"50 of %d guests: by vmid %.2f ms, by name %.2f ms, of a cluster %.2f ms, of a node "
		"%.2f ms, running by name %.2f ms, named %.2f ms\n",
		clusters * NODES * GUESTS, lists(s, NULL, NULL, NULL), lists(s, "name", NULL, NULL),
		lists(s, NULL, "cluster", "cluster-7"), lists(s, "name", "node", "pve1"),
		lists(s, "name", "status", "running"), lists(s, "name", "q", "web1"));
	store_close(s);
	return 0;
}
