/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/snapset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "util/file.h"
#include "util/json.h"
#include "util/jsonw.h"

/* A guest has at most some sixty disks; a hundred times that is no set of ours. */
enum { FILE_MAX = 256 * 1024, MEMBERS_MAX = 4096 };

#define SCHEMA "pvewarden.array.snapset/1"

void snapset_begin(struct snapset *ret, const char *const *volnames, size_t n, int64_t now,
		   struct arena *a)
{
	*ret = (struct snapset){ .since = now, .n = n };
	ret->members = arena_alloc(a, n * sizeof(*ret->members));
	for (size_t i = 0; i < n; i++)
		ret->members[i].volname = arena_str(a, slice_of(volnames[i]));
}

static struct snapset_member *find(const struct snapset *s, const char *volname)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->members[i].volname, volname) == 0)
			return &s->members[i];
	return NULL;
}

bool snapset_has(const struct snapset *s, const char *volname)
{
	return find(s, volname) != NULL;
}

enum snapset_claim snapset_claim(struct snapset *s, const char *volname, int64_t now)
{
	struct snapset_member *m = find(s, volname);

	if (!m)
		return SNAPSET_STRANGE;
	if (m->claimed)
		return SNAPSET_AGAIN;
	if (!s->taken)
		return SNAPSET_PERHAPS;
	/* A clock that was set back makes nothing young again. */
	if (now < s->since || now - s->since > SNAPSET_CLAIM_S)
		return SNAPSET_LATE;
	m->claimed = true;
	return SNAPSET_CLAIMED;
}

bool snapset_may_be(const struct snapset *s, int64_t created)
{
	return created >= s->since - SNAPSET_CLOCK_S && created <= s->since + 2 * SNAPSET_CLOCK_S;
}

static int parse_members(struct snapset *ret, const json_t *list, struct arena *a)
{
	ret->n = json_array_size(list);
	if (!ret->n || ret->n > MEMBERS_MAX)
		return -EBADMSG;
	ret->members = arena_alloc(a, ret->n * sizeof(*ret->members));
	for (size_t i = 0; i < ret->n; i++) {
		const json_t *row = json_array_get(list, i);
		const json_t *claimed = json_object_get(row, "claimed");
		const char *volname = json_str(row, "volname");

		if (!volname || !json_is_boolean(claimed))
			return -EBADMSG;
		ret->members[i].volname = arena_str(a, slice_of(volname));
		ret->members[i].claimed = json_is_true(claimed);
	}
	return 0;
}

static int parse_document(struct snapset *ret, const json_t *doc, struct arena *a)
{
	const char *schema = json_str(doc, "schema");
	const json_t *taken = json_object_get(doc, "taken");

	if (!schema || strcmp(schema, SCHEMA) != 0 || !json_is_boolean(taken) ||
	    !json_i64(doc, "since", &ret->since) || ret->since < 0 ||
	    ret->since > INT64_MAX - 2 * SNAPSET_CLOCK_S)
		return -EBADMSG;
	ret->taken = json_is_true(taken);
	(void)json_i64(doc, "prepared", &ret->prepared);
	return parse_members(ret, json_arr(doc, "members"), a);
}

int snapset_parse(struct snapset *ret, struct slice text, struct arena *a, struct err *e)
{
	json_t *doc;
	int r = json_parse(text, "set of snapshots", &doc, e);

	if (r < 0)
		return r;
	*ret = (struct snapset){};
	r = parse_document(ret, doc, a);
	json_decref(doc);
	return r < 0 ? err_set(e, r, "set of snapshots: not a document that pvewarden writes") : 0;
}

static void format(const struct snapset *s, struct buf *ret)
{
	struct jsonw w;

	jsonw_begin(&w, ret);
	jsonw_str(&w, "schema", SCHEMA);
	jsonw_i64(&w, "since", s->since);
	jsonw_bool(&w, "taken", s->taken);
	jsonw_i64(&w, "prepared", s->prepared);
	jsonw_array(&w, "members");
	for (size_t i = 0; i < s->n; i++) {
		jsonw_row(&w, NULL);
		jsonw_str(&w, "volname", s->members[i].volname);
		jsonw_bool(&w, "claimed", s->members[i].claimed);
		jsonw_close(&w);
	}
	jsonw_close(&w);
	jsonw_end(&w);
}

/* Neither a storage's id nor a snapshot's name holds a comma or a slash; one that does is no name.
 */
static int place(const struct snapset_key *key, struct buf *ret, struct err *e)
{
	if (strpbrk(key->storage, "/,") || strpbrk(key->snap, "/,"))
		return err_set(e, -EINVAL, "'%.60s' of storage '%.60s' is no snapshot's name",
			       key->snap, key->storage);
	buf_addf(ret, "%s/snapshots/%s,%" PRIu32 ",%s.json", key->run_dir, key->storage, key->vmid,
		 key->snap);
	return 0;
}

int snapset_read(struct snapset *ret, const struct snapset_key *key, struct arena *a, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {};
	CLEANUP(buf_done) struct buf text = {};
	int r = place(key, &path, e);

	if (r < 0)
		return r;
	r = file_read_at(AT_FDCWD, path.data, FILE_MAX, &text);
	if (r < 0)
		return err_set(e, r, "%.300s: %s", path.data, strerror(-r));
	r = snapset_parse(ret, buf_slice(&text), a, e);
	return r < 0 ? err_wrap(e, r, "%.190s", path.data) : 0;
}

static bool all_claimed(const struct snapset *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->members[i].claimed)
			return false;
	return true;
}

int snapset_write(const struct snapset *s, const struct snapset_key *key, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {};
	CLEANUP(buf_done) struct buf folder = {};
	CLEANUP(buf_done) struct buf text = {};
	int r;

	if (all_claimed(s))
		return snapset_drop(key, e);
	r = place(key, &path, e);
	if (r < 0)
		return r;
	buf_addf(&folder, "%s/snapshots", key->run_dir);
	format(s, &text);
	r = file_mkdirs(AT_FDCWD, folder.data, 0700);
	if (r == 0)
		r = file_write_atomic(AT_FDCWD, path.data, buf_slice(&text), 0600);
	return r < 0 ? err_set(e, r, "writing %.300s: %s", path.data, strerror(-r)) : 0;
}

int snapset_drop(const struct snapset_key *key, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {};
	int r = place(key, &path, e);

	if (r < 0)
		return r;
	if (unlink(path.data) < 0 && errno != ENOENT) {
		r = -errno;
		return err_set(e, r, "removing %.300s: %s", path.data, strerror(-r));
	}
	return 0;
}
