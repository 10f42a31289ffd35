/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* bench_check [GUESTS]: how fast a document from outside is checked, beside a parser that makes a
 * tree of it. */

#include <stdio.h>

#include "hub/check.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/str.h"

enum { NOW = 1795269600, BYTES = 400 * 1024 * 1024 };

static void add_guest(struct buf *out, unsigned int i)
{
	buf_addf(
		out,
		"%s{\"vmid\": %u, \"type\": \"qemu\", \"node\": \"pve1\", \"name\": \"web-%u\", "
		"\"status\": \"running\", \"uptime\": 864%u, \"template\": false, \"lock\": null, "
		"\"tags\": \"production;web\", \"cpus\": 4, \"cpu\": 0.0%u, \"maxmem\": 8589934592, "
		"\"mem\": 42949%u, \"maxdisk\": 34359738368, \"disk\": 0, \"netin\": 98765%u, "
		"\"netout\": 1234%u, \"diskread\": 55%u, \"diskwrite\": 66%u, \"memhost\": 4294967, "
		"\"pressure\": {\"cpu_some\": 0.01, \"io_some\": 0.00, \"io_full\": 0.00, "
		"\"memory_some\": 0.00, \"memory_full\": 0.00}, "
		"\"sampled_at\": \"2026-11-21T13:59:51Z\", \"ha\": null, \"backup\": true, "
		"\"snapshots\": 2, \"oldest_snapshot\": \"2026-10-01T00:00:00Z\", "
		"\"pending\": false, \"identity\": \"1677654321/abcdef12-3456-7890-abcd-ef12345678%02u\", "
		"\"digest\": \"6c1dba6a9ce5b95a0cd5b5b2f8e01b4f2a3c4d5e\"}",
		i ? ",\n  " : "", 100 + i, i, i, i % 90, i, i, i, i, i, i % 100);
}

static void make_document(struct buf *out, unsigned int guests)
{
	buf_adds(out,
		 "{\"schema\": \"pvewarden.node/1\", \"cluster\": {\"uuid\": \"0d8a\", \"name\": "
		 "\"prod\", \"config_version\": 3, \"clustered\": true}, \"node\": \"pve1\", "
		 "\"instance\": \"0123456789abcdef0123456789abcdef\", \"sequence\": 17, "
		 "\"collected_at\": \"2026-11-21T14:00:00Z\", \"interval\": 60, \"quorate\": true, "
		 "\"complete\": true, \"reporter\": true,\n \"vmids\": [");
	for (unsigned int i = 0; i < guests; i++)
		buf_addf(out, "%s[%u, \"qemu\", \"pve1\"]", i ? ", " : "", 100 + i);
	buf_adds(out, "],\n \"guests\": [");
	for (unsigned int i = 0; i < guests; i++)
		add_guest(out, i);
	buf_adds(out, "]}");
}

static bool with_check(struct slice text)
{
	struct check_texts texts;
	struct store_document doc = {};
	struct check_fault fault;

	return check_document(text, NOW, &texts, &doc, &fault) == 0;
}

static bool with_jansson(struct slice text)
{
	json_t *doc;
	bool fine = json_parse_bulk(text, "document", &doc, NULL) == 0;

	if (fine)
		json_decref(doc);
	return fine;
}

static double megabytes_a_second(struct slice text, bool (*check)(struct slice text), size_t bytes)
{
	int64_t begin = clock_boot_us(), took;
	size_t rounds = bytes / text.n + 1;

	for (size_t i = 0; i < rounds; i++)
		if (!check(text))
			abort();
	took = clock_boot_us() - begin;
	return (double)(rounds * text.n) / (double)(took ? took : 1);
}

int main(int argc, char *argv[])
{
	CLEANUP(buf_done) struct buf text = {};
	uint32_t guests = 40;

	if (argc > 2 || (argc == 2 && !str_to_u32(slice_of(argv[1]), &guests)))
		return 64;
	make_document(&text, guests);
	(void)printf("document of %u guests, %zu bytes\n", guests, text.len);
	(void)printf("check_document  %7.0f MB/s\n",
		     megabytes_a_second(buf_slice(&text), with_check, BYTES));
	(void)printf("jansson's tree  %7.0f MB/s\n",
		     megabytes_a_second(buf_slice(&text), with_jansson, BYTES / 8));
	return 0;
}
