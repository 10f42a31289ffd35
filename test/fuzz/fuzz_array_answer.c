/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * Any bytes as an array's answer, as a file with a token, and as a name: nothing is read that was
 * not said, only 2xx without errors is success, a token that is taken is fit to be a header, and a
 * name that is taken is one name.
 */

#include <errno.h>

#include "array/fa_query.h"
#include "array/fa_read.h"
#include "array/rest_rules.h"
#include "array/resttoken.h"

#include "fuzz_pve.h"

static void read_item(const json_t *item, struct arena *a)
{
	struct fa_volume v;
	struct fa_snapshot s;
	struct fa_connection c;
	struct fa_host h;
	struct fa_pod p;
	struct fa_port port;
	struct fa_about about;
	struct fa_space space;

	if (fa_read_volume(item, a, &v, NULL) == 0)
		CHECK(*v.name && *v.serial && v.id);
	if (fa_read_snapshot(item, a, &s, NULL) == 0)
		CHECK(*s.name && s.suffix && s.volume);
	if (fa_read_connection(item, a, &c, NULL) == 0)
		CHECK(c.volume);
	if (fa_read_host(item, a, &h, NULL) == 0)
		CHECK(h.name && (h.n_iqns == 0 || h.iqns[h.n_iqns - 1]));
	if (fa_read_pod(item, a, &p, NULL) == 0)
		CHECK(p.n_arrays <= ARRAY_SIZE(p.arrays));
	if (fa_read_port(item, a, &port, NULL) == 0)
		CHECK(port.name);
	if (fa_read_about(item, a, &about, NULL) == 0)
		CHECK(about.id && about.name);
	if (fa_read_array_space(item, &space, NULL) == 0)
		CHECK(space.used <= space.total);
	fa_read_pod_space(item, &space);
	CHECK(space.used <= space.total);
	(void)fa_read_vgroup_space(item, &space, NULL);
}

static void answer(struct slice text)
{
	static const long statuses[] = { 200, 204, 302, 400, 401, 403, 404, 429, 500, 503 };
	struct arena a = {};
	const json_t *items;
	json_t *doc = NULL;
	unsigned int minor;

	(void)json_parse_bulk(text, "answer", &doc, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		struct err e = {};
		int r = rest_judge(statuses[i], doc, &e);

		CHECK((r == 0) ==
		      (statuses[i] < 300 && json_array_size(json_arr(doc, "errors")) == 0));
		CHECK(r == 0 || *e.text);
	}
	if (rest_choose_version(doc, &minor, NULL) == 0)
		CHECK(minor >= REST_MINOR_MIN && minor <= REST_MINOR_MAX);
	if (fa_read_items(doc, &items, NULL) == 0)
		for (size_t i = 0; i < json_array_size(items) && i < 100; i++)
			read_item(json_array_get(items, i), &a);
	read_item(doc, &a);
	json_decref(doc);
	arena_done(&a);
}

static void token(struct slice text)
{
	CLEANUP(buf_done) struct buf out = {};
	struct resttoken t, again;

	if (resttoken_parse(text, &t, NULL) < 0)
		return;
	CHECK(*t.auth && !t.auth[strcspn(t.auth, "\r\n ")]);
	(void)resttoken_usable(&t, 1795280532, 3600, 800);
	/* Written times may be beyond what fits. */
	if (t.created > INT64_MAX - t.ttl)
		return;
	resttoken_write(&t, &out);
	CHECK(resttoken_parse(buf_slice(&out), &again, NULL) == 0);
	CHECK(strcmp(t.auth, again.auth) == 0 && t.created == again.created && t.ttl == again.ttl);
}

static void name(const char *text)
{
	CLEANUP(buf_done) struct buf path = {}, filter = {};

	(void)rest_date_ms(text);
	CHECK(rest_busy_ms(text, 3, 17) >= 0 && rest_busy_ms(text, 3, 17) <= 60250);
	fa_query_add(&path, "filter", text);
	CHECK(path.data[strcspn(path.data, "& '\"#\r\n,")] == '\0');
	if (!fa_name_ok(text))
		return;
	fa_filter_any(&filter, "name", &text, 1);
	CHECK(filter.len == strlen("name=''") + strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct slice text = { copy, n };
	char line[300] = {};

	answer(text);
	token(text);
	memcpy(line, copy, n < sizeof(line) - 1 ? n : sizeof(line) - 1);
	name(line);
	return 0;
}
