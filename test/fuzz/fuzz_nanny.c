/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as an object of NannyAPI: no crash; what is accepted comes out as an object in our
 * words with the members that the store needs, and passes the check of objects itself. */

#include "hub/nanny.h"

#include "fuzz_pve.h"
#include "util/json.h"

static void check_guest(const json_t *guest)
{
	json_int_t vmid = json_integer_value(json_object_get(guest, "vmid"));

	CHECK(vmid >= 100 && vmid <= 999999999);
	CHECK(json_str(guest, "node") && *json_str(guest, "node"));
	CHECK(json_str(guest, "name") && json_str(guest, "status") && json_obj(guest, "config"));
}

enum { NOW = 1795269600 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const words[] = { "cluster", "node", "guest", "guest" };
	CLEANUP_FREE char *copy = exact_copy(data, n);

	for (unsigned int kind = 0; kind < 4; kind++) {
		CLEANUP(buf_done) struct buf out = {};
		struct check_fault fault = {};
		json_t *doc = NULL;

		if (nanny_read((enum store_object)kind, (struct slice){ copy, n }, NOW, &out,
			       &fault) < 0) {
			CHECK(fault.status == 400 || fault.status == 413 || fault.status == 422);
			CHECK(fault.path[0] == '$' && fault.why[0] && !out.len);
			continue;
		}
		CHECK(json_parse(buf_slice(&out), "object", &doc, NULL) == 0);
		CHECK(json_obj(doc, words[kind]));
		if (kind >= 2)
			check_guest(json_obj(doc, "guest"));
		else
			CHECK(*json_str(json_obj(doc, words[kind]), "name"));
		json_decref(doc);
	}
	return 0;
}
