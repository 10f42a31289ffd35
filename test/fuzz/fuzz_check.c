/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as a document: no crash; what is accepted jansson accepts as well, and the other way
 * round but for what no database holds; and an accepted envelope says what jansson reads. */

#include "hub/scan.h"

#include "fuzz_pve.h"
#include "hub/check.h"
#include "util/json.h"
#include "util/str.h"

enum { NOW = 1795269600 };

static bool scans(struct slice text, struct scan *s)
{
	scan_begin(s, text);
	while (scan_next(s) > SCAN_DONE)
		;
	return !s->fault;
}

static void compare_acceptance(struct slice text)
{
	json_t *doc = json_loadb(text.p, text.n, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	struct scan s;
	char path[64];

	if (scans(text, &s)) {
		CHECK(doc);
		CHECK(s.depth == 0);
	} else {
		scan_path(&s, s.depth, path, sizeof(path));
		CHECK(path[0] == '$');
		/* jansson takes a NUL between two tokens for the end. */
		CHECK(!doc || s.limit || strcmp(s.fault, "a string holds a NUL") == 0 ||
		      memchr(text.p, 0, text.n));
	}
	json_decref(doc);
}

static void compare_envelope(struct slice text)
{
	struct check_texts texts;
	struct store_document d = {};
	struct check_fault fault = {};
	json_t *doc = NULL;

	if (check_document(text, NOW, &texts, &d, &fault) < 0) {
		CHECK(fault.status == 400 || fault.status == 413 || fault.status == 422);
		CHECK(fault.path[0] == '$' && fault.why[0]);
		return;
	}
	CHECK(json_parse_bulk(text, "document", &doc, NULL) == 0);
	CHECK(strcmp(json_str(doc, "node"), d.node) == 0);
	CHECK(strcmp(json_str(doc, "instance"), d.instance) == 0);
	CHECK(strcmp(json_str(json_obj(doc, "cluster"), "uuid"), d.cluster) == 0);
	CHECK(json_integer_value(json_object_get(doc, "sequence")) == (json_int_t)d.sequence);
	CHECK(d.collected_at > 0 && d.collected_at <= NOW + 300);
	json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct slice text = { copy, n };

	compare_acceptance(text);
	compare_envelope(text);
	return 0;
}
