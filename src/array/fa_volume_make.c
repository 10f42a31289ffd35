/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Volumes that come to be: new ones, copies, and content that is replaced (rollback). */

#include <errno.h>

#include "array/fa_inside.h"
#include "util/jsonw.h"

struct making {
	const struct fa_new_volume *wanted;
	struct fa_change change;
	struct arena *arena;
	struct fa_volume found;
	bool looked; /* found is set */
};

/* A copy of VOLUME.SUFFIX names the volume as its source, or the snapshot. */
static bool is_source(const char *said, const char *wanted)
{
	const char *dot = strrchr(wanted, '.');
	size_t n = dot ? (size_t)(dot - wanted) : strlen(wanted);

	return said &&
	       (strcmp(said, wanted) == 0 || (strlen(said) == n && strncmp(said, wanted, n) == 0));
}

static enum tri is_ours(struct fa *f, const struct making *m, const struct fa_volume *v)
{
	const struct fa_new_volume *w = m->wanted;

	if (v->destroyed || (w->source ? !is_source(v->source, w->source) : v->size != w->size))
		return TRI_NO;
	return fa_made_since(f, v->created, m->change.began);
}

static int look_for_new(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	struct making *m = arg;
	const char *name = m->wanted->name;
	struct fa_volume v;
	int r = fa_volume_find(f, c, name, m->arena, &v, e);

	if (r == -ENOENT)
		return FA_AGAIN;
	if (r < 0)
		return r;
	switch (is_ours(f, m, &v)) {
	case TRI_NO:
		return err_set(e, -EEXIST, "%s: volume %s: the name is taken%s", fa_url(f), name,
			       v.destroyed ? " by a destroyed one" : "");
	case TRI_UNKNOWN:
		return err_set(e, -EPROTO, "volume %s is there, but not when it was made", name);
	case TRI_YES:
	default:
		m->found = v;
		m->looked = true;
		return 0;
	}
}

/*
 * Whether content was replaced cannot be read: size and serial stay, and what else changes is not
 * documented. From a snapshot, which never changes, it is done again: the caller holds the volume's
 * lock and has it closed everywhere, so until this call returns both orders of the two requests
 * leave the same content. From a volume, which may have been written to meanwhile, it is not; nor
 * when the array took too long to answer: it could come to the first request after the second one
 * was answered, and throw away what a guest has written by then.
 */
static int look_at_overwritten(struct fa *f, const struct fa_call *c, void *arg, struct err *e)
{
	struct making *m = arg;
	struct fa_volume v;
	int r = fa_volume_get(f, c, m->wanted->name, m->arena, &v, e);

	if (r < 0)
		return r;
	if (m->change.reply.timed_out || !strrchr(m->wanted->source, '.'))
		return err_set(e, -EPROTO, "the content of %s does not say where it is from",
			       m->wanted->name);
	return FA_AGAIN;
}

/* --- the request ----------------------------------------------------------------------------- */

static void write_qos(struct jsonw *w, const struct fa_new_volume *v)
{
	if (v->overwrite || (v->qos_iops == 0 && v->qos_bandwidth == 0))
		return;
	jsonw_object(w, "qos");
	if (v->qos_iops)
		jsonw_u64(w, "iops_limit", v->qos_iops);
	if (v->qos_bandwidth)
		jsonw_u64(w, "bandwidth_limit", v->qos_bandwidth);
	jsonw_close(w);
}

static void write_body(const struct fa_new_volume *v, struct buf *body)
{
	struct jsonw w;

	jsonw_begin_row(&w, body);
	if (v->source) {
		jsonw_object(&w, "source");
		jsonw_str(&w, "name", v->source);
		jsonw_close(&w);
	} else {
		jsonw_u64(&w, "provisioned", v->size);
	}
	write_qos(&w, v);
	jsonw_end(&w);
}

static int check(const struct fa_new_volume *v, struct err *e)
{
	int r = fa_names_check("volume", &v->name, 1, e);

	if (r == 0 && v->source)
		r = fa_names_check("volume or snapshot", &v->source, 1, e);
	if (r == 0 && !v->source && (v->size == 0 || v->overwrite))
		r = err_set(e, -EINVAL, "volume %s: neither a size nor a source", v->name);
	return r;
}

static int take_new(struct fa *f, const struct fa_call *c, struct making *m, struct fa_volume *ret,
		    struct err *e)
{
	if (!m->looked)
		return fa_changed_volume(f, c, &m->change, m->wanted->name, m->arena, ret, e);
	*ret = m->found;
	return 0;
}

/* "Has been destroyed" may speak of the source or of who has the name still. */
static int whose_end(struct fa *f, const struct fa_call *c, const struct making *m, struct err *e)
{
	struct fa_volume v;

	if (m->wanted->overwrite || fa_volume_find(f, c, m->wanted->name, m->arena, &v, NULL) < 0)
		return -ESTALE;
	return err_set(e, -EEXIST, "%s: volume %s: the name is taken%s", fa_url(f), m->wanted->name,
		       v.destroyed ? " by a destroyed one" : "");
}

int fa_volume_create(struct fa *f, const struct fa_call *c, const struct fa_new_volume *v,
		     struct arena *a, struct fa_volume *ret, struct err *e)
{
	CLEANUP(buf_done) struct buf path = {}, body = {}, what = {};
	struct making m = { .wanted = v, .arena = a };
	int r = check(v, e);

	if (r < 0)
		return r;
	buf_adds(&path, "volumes");
	fa_query_names(&path, "names", &v->name, 1);
	if (v->overwrite)
		fa_query_add(&path, "overwrite", "true");
	write_body(v, &body);
	buf_addf(&what, "%s volume %s", v->overwrite ? "overwriting" : "new", v->name);
	m.change = (struct fa_change){
		.request = { "POST", buf_str(&path), buf_str(&what), buf_slice(&body) },
		.look = v->overwrite ? look_at_overwritten : look_for_new,
		.arg = &m,
	};
	r = fa_change(f, c, &m.change, e);
	if (r == 0)
		r = take_new(f, c, &m, ret, e);
	else if (r == -ESTALE)
		r = whose_end(f, c, &m, e);
	fa_change_done(&m.change);
	return r;
}
