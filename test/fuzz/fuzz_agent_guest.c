/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any text as a config, of a VM and of a container: what is made of it is JSON, and not too much.
 */

#include "agent/guestparts.h"
#include "agent/guesttexts.h"

#include "fuzz_pve.h"
#include "util/json.h"

enum { TEXT_MAX = 4 * 1024 * 1024 };

static void check_object(struct slice members)
{
	CLEANUP(buf_done) struct buf text = {};
	struct err e = {};
	json_t *doc = NULL;

	CHECK(members.n <= TEXT_MAX);
	buf_addc(&text, '{');
	buf_add(&text, members.p, members.n);
	buf_addc(&text, '}');
	if (json_parse(buf_slice(&text), "texts", &doc, &e) < 0)
		(void)fprintf(stderr, "%s\n%s\n", e.text, text.data);
	CHECK(doc && json_is_object(doc));
	json_decref(doc);
}

/* Both halves are one object: no member may be in both. */
static void check_whole(struct slice head, struct slice tail)
{
	CLEANUP(buf_done) struct buf text = {};

	buf_add(&text, head.p, head.n);
	buf_adds(&text, ", ");
	buf_add(&text, tail.p, tail.n);
	check_object(buf_slice(&text));
}

/* The same with numbers in it: nothing but those has changed. */
static void check_typed(struct slice raw)
{
	CLEANUP(buf_done) struct buf texts = {}, typed = {};
	json_t *was = NULL, *is = NULL, *value;
	const char *key;

	buf_addc(&texts, '{');
	buf_add(&texts, raw.p, raw.n);
	buf_addc(&texts, '}');
	buf_addc(&typed, '{');
	guestparts_config_typed(raw, &typed);
	buf_addc(&typed, '}');
	CHECK(json_parse(buf_slice(&texts), "texts", &was, NULL) == 0);
	CHECK(json_parse(buf_slice(&typed), "typed", &is, NULL) == 0);
	json_object_foreach(json_obj(is, "config"), key, value)
	{
		const char *text = json_str(json_obj(was, "config"), key);
		char number[32] = "";

		if (json_is_integer(value))
			(void)snprintf(number, sizeof(number), "%lld",
				       (long long)json_integer_value(value));
		CHECK(text && strcmp(text, json_is_integer(value) ? number
								  : json_string_value(value)) == 0);
	}
	CHECK(json_object_size(json_obj(was, "config")) ==
	      json_object_size(json_obj(is, "config")));
	json_decref(was);
	json_decref(is);
}

static void check(enum guest_type type, struct slice text)
{
	const struct guesttexts_of of = { .vmid = 100, .type = type, .node = "pve1" };
	CLEANUP(guestconfig_done) struct guestconfig scratch = {};
	CLEANUP(buf_done) struct buf out = {};
	struct guesttexts t, again;

	guesttexts_make(&t, &of, text, &scratch, &out);
	check_object(t.row);
	check_whole(t.head, t.tail);
	check_whole(t.nanny, t.tail);
	check_whole(t.tail, t.raw);
	check_typed(t.raw);
	/* What is used again has nothing of the one before. */
	guesttexts_make(&again, &of, text, &scratch, &out);
	CHECK(t.tail.n == again.tail.n && memcmp(t.tail.p, again.tail.p, t.tail.n) == 0);
	CHECK(t.row.n == again.row.n && memcmp(t.row.p, again.row.p, t.row.n) == 0);
	guesttexts_done(&t);
	guesttexts_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);

	check(GUEST_QEMU, (struct slice){ copy, n });
	check(GUEST_LXC, (struct slice){ copy, n });
	return 0;
}
