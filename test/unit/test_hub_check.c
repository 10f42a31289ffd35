/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/check.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "hub/shape.h"
#include "util/clock.h"

enum { NOW = 1795269600 }; /* 2026-11-21T14:00:00Z */

#define INSTANCE "0123456789abcdef0123456789abcdef"

/* The envelope as it must be, before and behind the member at hand. */
#define HEAD                                                               \
	"{\"schema\":\"pvewarden.node/1\",\"cluster\":{\"uuid\":\"u-1\"}," \
	"\"node\":\"pve1\",\"instance\":\"" INSTANCE "\",\"sequence\":17," \
	"\"collected_at\":\"2026-11-21T14:00:00Z\""
#define DOC(members) HEAD "," members "}"

static int check(const char *text, struct check_texts *texts, struct store_document *doc,
		 struct check_fault *fault)
{
	return check_document(slice_of(text), NOW, texts, doc, fault);
}

static const char *const accepted[] = {
	HEAD "}",
	DOC("\"interval\":60,\"quorate\":true,\"complete\":false,\"reporter\":null"),
	DOC("\"unknown\":{\"vmid\":\"x\",\"vmid\":1},\"nodes\":[]"),
	DOC("\"blind\":[\"cannot read x\"],\"pmxcfs\":{\"state\":\"hung\",\"ms\":null}"),
	DOC("\"nodes\":[{\"name\":\"pve1\",\"id\":1,\"ip\":\"10.0.1.10\",\"online\":true},"
	    "{\"name\":\"pve2\",\"online\":null,\"ip\":null}]"),
	DOC("\"vmids\":[[100,\"qemu\",\"pve1\"],[999999999,\"lxc\",\"pve2\"]]"),
	DOC("\"host\":{\"uptime\":1,\"loadavg\":[0.4,1,0],\"cpu\":0.5,\"memory\":{\"total\":1},"
	    "\"pressure\":{\"cpu_some\":0.1,\"x\":\"free\"},\"sampled_at\":\"2026-02-28T23:59:59Z\"}"),
	DOC("\"guests\":[{\"vmid\":100,\"type\":\"qemu\",\"node\":\"pve1\",\"name\":null,"
	    "\"status\":\"running\",\"cpus\":0.5,\"cpu\":0,\"maxmem\":9223372036854775807,"
	    "\"ha\":{\"wanted\":\"started\"},\"identity\":\"\",\"digest\":\"d\",\"backup\":true}]"),
	DOC("\"guests\":[{\"digest\":\"d\",\"node\":\"n\",\"type\":\"lxc\",\"vmid\":100}]"),
	DOC("\"configs\":[{\"vmid\":100,\"digest\":\"abc\",\"type\":\"lxc\",\"config\":{\"a\":\"b\"}}]"),
	DOC("\"storages\":[{\"name\":\"local\",\"type\":\"dir\",\"shared\":false,\"active\":null}]"),
	DOC("\"ha\":{\"master\":\"pve1\",\"at\":\"2024-02-29T00:00:00Z\",\"master_alive\":true}"),
	DOC("\"parts\":{\"dm\":{\"a\":[[[[[[[[[[1]]]]]]]]]]},\"watch\":{},\"array\":null}"),
	DOC("\"parts\":{\"dm\":{\"findings\":[{\"class\":\"orphan\",\"vmid\":null,\"x\":[1e300]},"
	    "{\"vmid\":7}]},\"watch\":{\"guests\":[{\"vmid\":100,\"state\":\"stuck\"}]}}"),
	DOC("\"host\":{\"cpu\":1e18,\"loadavg\":[-1000000000000000000,1e-300]}"),
	DOC("\"host\":null,\"ha\":null,\"parts\":null,\"pmxcfs\":null"),
	/* Names with escapes, and as long as they may be. */
	DOC("\"nodes\":[{\"name\":\"\\u00e4\\/\"}],\"\\u006eot ours\":1"),
};

static void good_documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		struct check_texts texts;
		struct store_document doc = {};
		struct check_fault fault = {};

		if (check(accepted[i], &texts, &doc, &fault) != 0)
			fail_msg("%s: %s at %s", accepted[i], fault.why, fault.path);
		assert_string_equal(doc.cluster, "u-1");
		assert_string_equal(doc.node, "pve1");
		assert_string_equal(doc.instance, INSTANCE);
		assert_int_equal(doc.sequence, 17);
		assert_int_equal(doc.collected_at, NOW);
		assert_ptr_equal(doc.body.p, accepted[i]);
	}
}

struct refused {
	const char *text;
	unsigned int status;
	const char *path, *why;
};

static void expect(const struct refused *c)
{
	struct check_texts texts;
	struct store_document doc = {};
	struct check_fault fault = {};

	if (check(c->text, &texts, &doc, &fault) != -EBADMSG)
		fail_msg("accepted: %s", c->text);
	if (fault.status != c->status || strcmp(fault.path, c->path) != 0 ||
	    strcmp(fault.why, c->why) != 0)
		fail_msg("%s: %u \"%s\" \"%s\"", c->text, fault.status, fault.path, fault.why);
}

static void no_json(void **state)
{
	static const struct refused cases[] = {
		{ "", 400, "$", "the text ends in the middle" },
		{ "hello", 400, "$", "no value begins like that" },
		{ "{\"node\": nope}", 400, "$.node", "a word that is not true, false or null" },
		{ HEAD, 400, "$.collected_at", "the text ends in the middle" },
		{ HEAD "} x", 400, "$", "more text behind the end" },
		{ DOC("\"guests\":[{\"vmid\":100,}]"), 400, "$.guests[0]",
		  "a member without a key in quotes" },
		{ DOC("\"guests\":[{\"name\":\"\\ud800\"}]"), 400, "$.guests[0].name",
		  "a string holds half a surrogate pair" },
		{ DOC("\"guests\":[{\"name\":\"\\u0000\"}]"), 400, "$.guests[0].name",
		  "a string holds a NUL" },
		{ DOC("\"x\":\"\xff\""), 400, "$.x", "a string is not UTF-8" },
		{ DOC("\"x\":99999999999999999999"), 422, "$.x", "an integer is past 64 bits" },
		{ DOC("\"x\":[1e999]"), 422, "$.x[0]", "a number is past a double's range" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect(&cases[i]);
}

static void wrong_envelopes(void **state)
{
	static const struct refused cases[] = {
		{ "[]", 422, "$", "must be an object" },
		{ "17", 422, "$", "must be an object" },
		{ "{}", 422, "$", "has no \"schema\"" },
		{ "{\"schema\":\"pvewarden.node/2\"}", 422, "$.schema",
		  "must be \"pvewarden.node/1\"" },
		{ "{\"schema\":null}", 422, "$.schema", "must be a string" },
		{ "{\"cluster\":\"x\"}", 422, "$.cluster", "must be an object" },
		{ "{\"cluster\":[]}", 422, "$.cluster", "must be an object" },
		{ "{\"cluster\":{}}", 422, "$.cluster", "has no \"uuid\"" },
		{ "{\"cluster\":{\"uuid\":\"\"}}", 422, "$.cluster.uuid", "must not be empty" },
		{ "{\"cluster\":{\"uuid\":null}}", 422, "$.cluster.uuid", "must be a string" },
		{ "{\"cluster\":{\"uuid\":\"a\",\"name\":7}}", 422, "$.cluster.name",
		  "must be a string or null" },
		{ "{\"cluster\":{\"uuid\":\"a\",\"uuid\":\"b\"}}", 422, "$.cluster.uuid",
		  "stands there twice" },
		{ "{\"node\":17}", 422, "$.node", "must be a string" },
		{ "{\"node\":{}}", 422, "$.node", "must be a string" },
		{ "{\"node\":\"a\\nb\"}", 422, "$.node", "has a control character" },
		{ "{\"node\":\"a\\u001bb\"}", 422, "$.node", "has a control character" },
		{ "{\"node\":\"a\x7f\"}", 422, "$.node", "has a control character" },
		{ "{\"node\":\"\\u007f\"}", 422, "$.node", "has a control character" },
		{ "{\"cluster\":{\"uuid\":\"a\\tb\"}}", 422, "$.cluster.uuid",
		  "has a control character" },
		{ "{\"n\\u006fde\":\"a\"}", 422, "$[\"n\\u006fde\"]",
		  "its key must be written without escapes" },
		{ "{\"instance\":\"abc\"}", 422, "$.instance", "must be 32 hexadecimal digits" },
		{ "{\"instance\":\"0123456789ABCDEF0123456789abcdef\"}", 422, "$.instance",
		  "must be 32 hexadecimal digits" },
		{ "{\"sequence\":-1}", 422, "$.sequence", "must be at least 0" },
		{ "{\"sequence\":1.0}", 422, "$.sequence", "must be an integer" },
		{ "{\"sequence\":\"1\"}", 422, "$.sequence", "must be an integer" },
		{ "{\"collected_at\":1795269600}", 422, "$.collected_at", "must be a string" },
		{ "{\"collected_at\":\"2026-11-21 14:00:00Z\"}", 422, "$.collected_at",
		  "must be a time as \"2026-11-21T14:00:00Z\"" },
		{ "{\"interval\":0}", 422, "$.interval", "must be from 1 to 604800" },
		{ "{\"quorate\":1}", 422, "$.quorate", "must be true or false or null" },
		{ DOC("\"node\":\"again\""), 422, "$.node", "stands there twice" },
		{ DOC("\"quorate\":true,\"quorate\":true"), 422, "$.quorate",
		  "stands there twice" },
		{ "{\"sequence\":1,\"node\":\"a\"}", 422, "$", "has no \"schema\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect(&cases[i]);
}

#define GUEST(members) \
	DOC("\"guests\":[{\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"},{" members "}]")

static void wrong_rows(void **state)
{
	static const struct refused cases[] = {
		{ DOC("\"guests\":{}"), 422, "$.guests", "must be an array" },
		{ DOC("\"guests\":null"), 422, "$.guests", "must be an array" },
		{ DOC("\"guests\":[1]"), 422, "$.guests[0]", "must be an object" },
		{ DOC("\"guests\":[[]]"), 422, "$.guests[0]", "must be an object" },
		{ GUEST(""), 422, "$.guests[1]", "has no \"vmid\"" },
		{ GUEST("\"vmid\":100"), 422, "$.guests[1]", "has no \"type\"" },
		{ GUEST("\"vmid\":99"), 422, "$.guests[1].vmid", "must be from 100 to 999999999" },
		{ GUEST("\"vmid\":1000000000"), 422, "$.guests[1].vmid",
		  "must be from 100 to 999999999" },
		{ GUEST("\"vmid\":\"100\""), 422, "$.guests[1].vmid", "must be an integer" },
		{ GUEST("\"vmid\":100.5"), 422, "$.guests[1].vmid", "must be an integer" },
		{ GUEST("\"vmid\":1e2"), 422, "$.guests[1].vmid", "must be an integer" },
		{ GUEST("\"vmid\":null"), 422, "$.guests[1].vmid", "must be an integer" },
		{ GUEST("\"vmid\":100,\"vmid\":101"), 422, "$.guests[1].vmid",
		  "stands there twice" },
		{ GUEST("\"vm\\u0069d\":100"), 422, "$.guests[1][\"vm\\u0069d\"]",
		  "its key must be written without escapes" },
		{ GUEST("\"type\":\"vm\""), 422, "$.guests[1].type",
		  "must be \"qemu\" or \"lxc\"" },
		{ GUEST("\"node\":\"\""), 422, "$.guests[1].node", "must not be empty" },
		{ GUEST("\"node\":\"a\\r\""), 422, "$.guests[1].node", "has a control character" },
		{ GUEST("\"status\":1"), 422, "$.guests[1].status", "must be a string or null" },
		{ GUEST("\"uptime\":-1"), 422, "$.guests[1].uptime", "must be at least 0" },
		{ GUEST("\"uptime\":true"), 422, "$.guests[1].uptime",
		  "must be an integer or null" },
		{ GUEST("\"cpu\":\"0.5\""), 422, "$.guests[1].cpu", "must be a number or null" },
		{ GUEST("\"mem\":1.5"), 422, "$.guests[1].mem", "must be an integer or null" },
		{ GUEST("\"template\":0"), 422, "$.guests[1].template",
		  "must be true or false or null" },
		{ GUEST("\"ha\":\"started\""), 422, "$.guests[1].ha", "must be an object or null" },
		{ GUEST("\"ha\":{\"state\":1}"), 422, "$.guests[1].ha.state",
		  "must be a string or null" },
		{ GUEST("\"pressure\":{\"io_full\":\"x\"}"), 422, "$.guests[1].pressure.io_full",
		  "must be a number or null" },
		{ GUEST("\"sampled_at\":\"2026-02-30T00:00:00Z\""), 422, "$.guests[1].sampled_at",
		  "must be a time as \"2026-11-21T14:00:00Z\"" },
		{ DOC("\"vmids\":[[100,\"qemu\"]]"), 422, "$.vmids[0]", "must have 3 elements" },
		{ DOC("\"vmids\":[[100,\"qemu\",\"a\",1]]"), 422, "$.vmids[0]",
		  "must have 3 elements" },
		{ DOC("\"vmids\":[[100,\"qemu\",\"a\",[]]]"), 422, "$.vmids[0]",
		  "must have 3 elements" },
		{ DOC("\"vmids\":[[100,\"qemu\",\"a\"],[\"x\"]]"), 422, "$.vmids[1][0]",
		  "must be an integer" },
		{ DOC("\"vmids\":[[100,\"kvm\",\"a\"]]"), 422, "$.vmids[0][1]",
		  "must be \"qemu\" or \"lxc\"" },
		{ DOC("\"vmids\":[[100,\"lxc\",null]]"), 422, "$.vmids[0][2]", "must be a string" },
		{ DOC("\"vmids\":[100]"), 422, "$.vmids[0]", "must be an array" },
		{ DOC("\"nodes\":[{\"id\":1}]"), 422, "$.nodes[0]", "has no \"name\"" },
		{ DOC("\"nodes\":[{\"name\":\"a\",\"online\":1}]"), 422, "$.nodes[0].online",
		  "must be true or false or null" },
		{ DOC("\"configs\":[{\"vmid\":100}]"), 422, "$.configs[0]", "has no \"digest\"" },
		{ DOC("\"configs\":[{\"vmid\":0}]"), 422, "$.configs[0].vmid",
		  "must be from 100 to 999999999" },
		{ DOC("\"storages\":[{}]"), 422, "$.storages[0]", "has no \"name\"" },
		{ DOC("\"storages\":[{\"name\":\"a\",\"total\":-5}]"), 422, "$.storages[0].total",
		  "must be at least 0" },
		{ DOC("\"host\":{\"cpu\":1.1e18}"), 422, "$.host.cpu",
		  "must be from -1e+18 to 1e+18" },
		{ DOC("\"host\":{\"loadavg\":[0,-1e200]}"), 422, "$.host.loadavg[1]",
		  "must be from -1e+18 to 1e+18" },
		{ DOC("\"host\":{\"iowait\":1000000000000000001}"), 422, "$.host.iowait",
		  "must be from -1000000000000000000 to 1000000000000000000" },
		{ GUEST("\"cpu\":1e19"), 422, "$.guests[1].cpu", "must be from -1e+18 to 1e+18" },
		{ DOC("\"parts\":{\"dm\":{\"findings\":[{},{\"vmid\":\"x\"}]}}"), 422,
		  "$.parts.dm.findings[1].vmid", "must be an integer or null" },
		{ DOC("\"parts\":{\"dm\":{\"findings\":[\"x\"]}}"), 422, "$.parts.dm.findings[0]",
		  "must be an object" },
		{ DOC("\"parts\":{\"dm\":{\"findings\":[{\"class\":{}}]}}"), 422,
		  "$.parts.dm.findings[0].class", "must be a string or null" },
		{ DOC("\"parts\":{\"watch\":{\"guests\":[{\"vmid\":1e3}]}}"), 422,
		  "$.parts.watch.guests[0].vmid", "must be an integer or null" },
		{ DOC("\"parts\":{\"watch\":{\"guests\":[3]}}"), 422, "$.parts.watch.guests[0]",
		  "must be an object" },
		{ DOC("\"host\":{\"cpu\":[]}"), 422, "$.host.cpu", "must be a number or null" },
		{ DOC("\"host\":{\"loadavg\":[\"0.1\"]}"), 422, "$.host.loadavg[0]",
		  "must be a number or null" },
		{ DOC("\"host\":{\"memory\":{\"total\":0.5}}"), 422, "$.host.memory.total",
		  "must be an integer or null" },
		{ DOC("\"blind\":[{}]"), 422, "$.blind[0]", "must be a string" },
		{ DOC("\"pmxcfs\":{}"), 422, "$.pmxcfs", "has no \"state\"" },
		{ DOC("\"pmxcfs\":{\"state\":\"odd\"}"), 422, "$.pmxcfs.state",
		  "must be \"ok\" or \"slow\" or another of its words" },
		{ DOC("\"ha\":{\"at\":\"now\"}"), 422, "$.ha.at",
		  "must be a time as \"2026-11-21T14:00:00Z\"" },
		{ DOC("\"parts\":{\"dm\":[]}"), 422, "$.parts.dm", "must be an object or null" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect(&cases[i]);
}

/* Every member of every row with every kind of value: a rule refuses exactly what it does not name,
 * and the path is that member's. */
static void every_kind_everywhere(void **state)
{
	static const struct {
		const char *list, *row, *key, *may; /* of n b i r s a o */
	} members[] = {
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "name", "ns" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "lock", "ns" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "tags", "ns" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "cpus", "nir" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "maxmem", "ni" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "maxdisk", "ni" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "disk", "ni" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "netin", "ni" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "netout", "ni" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "diskread", "ni" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "diskwrite", "ni" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "memhost", "ni" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "backup", "nb" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "snapshots", "ni" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "pending", "nb" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "identity", "ns" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "digest", "ns" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "pressure", "no" },
		{ "guests", "\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"", "other", "nbirsao" },
		{ "nodes", "\"name\":\"a\"", "id", "ni" },
		{ "nodes", "\"name\":\"a\"", "ip", "ns" },
		{ "nodes", "\"name\":\"a\"", "online", "nb" },
		{ "configs", "\"vmid\":100,\"digest\":\"a\"", "name", "ns" },
		{ "configs", "\"vmid\":100,\"digest\":\"a\"", "drives", "nbirsao" },
		{ "storages", "\"name\":\"a\"", "type", "ns" },
		{ "storages", "\"name\":\"a\"", "shared", "nb" },
		{ "storages", "\"name\":\"a\"", "enabled", "nb" },
		{ "storages", "\"name\":\"a\"", "content", "ns" },
		{ "storages", "\"name\":\"a\"", "active", "nb" },
		{ "storages", "\"name\":\"a\"", "used", "ni" },
	};
	static const char *const values[] = { "null", "true", "7", "0.5", "\"x\"", "[]", "{}" };
	static const char kinds[] = "nbirsao";

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
			struct check_texts texts;
			struct store_document doc = {};
			struct check_fault fault = {};
			char text[1024], path[64];
			int r;

			(void)snprintf(text, sizeof(text), HEAD ",\"%s\":[{%s,\"%s\":%s}]}",
				       members[i].list, members[i].row, members[i].key, values[k]);
			(void)snprintf(path, sizeof(path), "$.%s[0].%s", members[i].list,
				       members[i].key);
			r = check(text, &texts, &doc, &fault);
			if ((r == 0) != (strchr(members[i].may, kinds[k]) != NULL))
				fail_msg("%s: %d %s", text, r, fault.why);
			if (r)
				assert_string_equal(fault.path, path);
		}
}

/* A document with @n elements @element in @list. */
static void many(struct buf *out, const char *list, const char *element, size_t n)
{
	buf_reset(out);
	buf_addf(out, HEAD ",\"%s\":[", list);
	for (size_t i = 0; i < n; i++)
		buf_addf(out, "%s%s", i ? "," : "", element);
	buf_adds(out, "]}");
}

static void limits(void **state)
{
	static const struct {
		const char *list, *element;
		size_t max;
	} cases[] = {
		{ "nodes", "{\"name\":\"a\"}", WIRE_NODES_MAX },
		{ "vmids", "[100,\"lxc\",\"a\"]", WIRE_VMIDS_MAX },
		{ "guests", "{\"vmid\":100,\"type\":\"lxc\",\"node\":\"n\"}", WIRE_GUESTS_MAX },
		{ "configs", "{\"vmid\":100,\"digest\":\"n\"}", WIRE_GUESTS_MAX },
		{ "storages", "{\"name\":\"n\"}", WIRE_STORAGES_MAX },
		{ "blind", "\"\"", WIRE_ARRAY_MAX },
		{ "other", "0", WIRE_ARRAY_MAX },
	};
	CLEANUP(buf_done) struct buf text = {};
	struct check_texts texts;
	struct store_document doc = {};
	struct check_fault fault = {};
	char path[32], why[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		many(&text, cases[i].list, cases[i].element, cases[i].max);
		assert_int_equal(check(buf_str(&text), &texts, &doc, &fault), 0);
		many(&text, cases[i].list, cases[i].element, cases[i].max + 1);
		(void)snprintf(path, sizeof(path), "$.%s", cases[i].list);
		(void)snprintf(why, sizeof(why), "more than %zu elements", cases[i].max);
		expect(&(struct refused){ buf_str(&text), 422, path, why });
	}
}

static void long_strings_and_bodies(void **state)
{
	CLEANUP(buf_done) struct buf text = {};
	char name[WIRE_NAME_MAX + 2] = "";
	struct check_fault fault = {};

	(void)state;
	memset(name, 'n', WIRE_NAME_MAX + 1);
	buf_addf(&text, "{\"node\":\"%s\"}", name);
	expect(&(struct refused){ buf_str(&text), 422, "$.node", "longer than 255 bytes" });
	name[WIRE_NAME_MAX] = 0;
	buf_reset(&text);
	buf_addf(&text, "{\"node\":\"%s\"}", name);
	expect(&(struct refused){ buf_str(&text), 422, "$", "has no \"schema\"" });
	/* A character of one byte counts as one, however it is written. */
	buf_reset(&text);
	buf_addf(&text, "{\"node\":\"\\u0041%s\"}", name + 1);
	expect(&(struct refused){ buf_str(&text), 422, "$", "has no \"schema\"" });
	buf_reset(&text);
	buf_addf(&text, "{\"node\":\"\\u00e4%s\"}", name + 1);
	expect(&(struct refused){ buf_str(&text), 422, "$.node", "longer than 255 bytes" });

	buf_reset(&text);
	buf_adds(&text, "{\"x\":\"");
	memset(buf_reserve(&text, WIRE_STRING_MAX + 1), 'x', WIRE_STRING_MAX + 1);
	text.len += WIRE_STRING_MAX + 1;
	buf_adds(&text, "\"}");
	expect(&(struct refused){ buf_str(&text), 422, "$.x", "a string is too long" });

	buf_reset(&text);
	memset(buf_reserve(&text, WIRE_BODY_MAX + 1), ' ', WIRE_BODY_MAX + 1);
	text.len = WIRE_BODY_MAX + 1;
	assert_int_equal(check_object(buf_slice(&text), &fault), -EBADMSG);
	assert_int_equal(fault.status, 413);
}

static void depth(void **state)
{
	struct check_fault fault = {};
	CLEANUP(buf_done) struct buf text = {};

	(void)state;
	for (unsigned int deep = 15; deep <= 17; deep++) {
		buf_reset(&text);
		buf_adds(&text, "{\"a\":");
		for (unsigned int i = 1; i < deep; i++)
			buf_addc(&text, '[');
		for (unsigned int i = 1; i < deep; i++)
			buf_addc(&text, ']');
		buf_addc(&text, '}');
		assert_int_equal(check_object(buf_slice(&text), &fault), deep > 16 ? -EBADMSG : 0);
	}
	assert_int_equal(fault.status, 422);
	assert_string_equal(fault.why, "too deep");
	assert_string_equal(fault.path, "$.a[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]");
}

static void the_future_is_refused(void **state)
{
	static const char text[] = HEAD "}";
	struct check_texts texts;
	struct store_document doc = {};
	struct check_fault fault = {};

	(void)state;
	assert_int_equal(check_document(SLICE(text), NOW - 86400, &texts, &doc, &fault), 0);
	/* A clock that is ahead freezes nothing until it has been set back and its hour comes
	 * again. */
	assert_int_equal(doc.collected_at, NOW - 86400);
	assert_int_equal(check_document(SLICE(text), NOW - 301, &texts, &doc, &fault), 0);
	assert_int_equal(doc.collected_at, NOW - 301);
	assert_int_equal(check_document(SLICE(text), NOW - 300, &texts, &doc, &fault), 0);
	assert_int_equal(doc.collected_at, NOW);
	assert_int_equal(check_document(SLICE(text), NOW - 86401, &texts, &doc, &fault), -EBADMSG);
	assert_int_equal(fault.status, 422);
	assert_string_equal(fault.path, "$.collected_at");
}

/* Every day of several centuries is the day that the C library says. */
static void times(void **state)
{
	static const char *const wrong[] = {
		"",
		"2026-11-21",
		"2026-11-21T14:00:00",
		"2026-11-21T14:00:00z",
		"2026-11-21T14:00:00+00:00",
		"2026-11-21T14:00:00.5Z",
		"2026-11-21t14:00:00Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-01-00T00:00:00Z",
		"2026-01-32T00:00:00Z",
		"2026-04-31T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z",
		"1969-12-31T23:59:59Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:60Z",
		"2026-01-01T00:00:-1Z",
		" 026-01-01T00:00:00Z",
	};
	char text[CLOCK_TEXT_MAX];
	int64_t got = -1;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_false(shape_time(slice_of(wrong[i]), &got));
	assert_int_equal(got, -1);
	for (int64_t t = 0; t < 500 * 366LL * 86400; t += 86399) {
		clock_rfc3339(t, text);
		assert_true(shape_time(slice_of(text), &got));
		assert_int_equal(got, t);
	}
}

static void objects(void **state)
{
	struct check_fault fault = {};

	(void)state;
	assert_int_equal(check_object(SLICE("{\"a\":1,\"a\":[{\"b\":2}]}"), &fault), 0);
	assert_int_equal(check_object(SLICE("[]"), &fault), -EBADMSG);
	assert_int_equal(fault.status, 422);
	assert_int_equal(check_object(SLICE("{\"a\":1"), &fault), -EBADMSG);
	assert_int_equal(fault.status, 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_documents),
		cmocka_unit_test(no_json),
		cmocka_unit_test(wrong_envelopes),
		cmocka_unit_test(wrong_rows),
		cmocka_unit_test(every_kind_everywhere),
		cmocka_unit_test(limits),
		cmocka_unit_test(long_strings_and_bodies),
		cmocka_unit_test(depth),
		cmocka_unit_test(the_future_is_refused),
		cmocka_unit_test(times),
		cmocka_unit_test(objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
