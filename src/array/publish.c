/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <unistd.h>

#include "util/file.h"
#include "util/jsonw.h"

static const char *state_name(const struct finding_map *m)
{
	static const char *const names[] = {
		[ARRAY_MAP_CONNECTED] = "connected",
		[ARRAY_MAP_GONE] = "gone",
		[ARRAY_MAP_NOT_CONNECTED] = "not-connected",
	};

	return m->known ? names[m->state] : "unknown";
}

static void write_map(struct jsonw *w, const struct survey_map *m, const struct finding_map *is)
{
	const struct map_state *st = &m->found->state;
	char wwid[ARRAY_WWID_LEN + 1];

	array_wwid_of(m->serial, wwid);
	jsonw_row(w, NULL);
	jsonw_str(w, "wwid", wwid);
	jsonw_str(w, "volume", is->volume);
	jsonw_str(w, "volname", m->entry ? m->entry->volname : NULL);
	jsonw_str(w, "storage", is->storage);
	jsonw_str(w, "state", state_name(is));
	jsonw_str(w, "device", st->device);
	jsonw_u64(w, "paths", st->paths);
	jsonw_u64(w, "paths_ok", st->paths_ok);
	jsonw_u64(w, "size", st->size);
	if (st->in_use == MAP_UNKNOWN)
		jsonw_null(w, "open");
	else
		jsonw_bool(w, "open", st->in_use == MAP_OPEN);
	jsonw_bool(w, "registered", m->entry != NULL);
	jsonw_close(w);
}

static void write_maps(struct jsonw *w, const struct survey *s, const struct findings *f)
{
	jsonw_array(w, "maps");
	for (size_t i = 0; i < s->n_maps; i++)
		if (s->maps[i].found)
			write_map(w, &s->maps[i], &f->maps[i]);
	jsonw_close(w);
}

static const char *answer_name(int answer)
{
	const char *name = answer < 0 ? strerrorname_np(-answer) : "ok";

	return name ?: "EIO";
}

static void write_arrays(struct jsonw *w, const struct survey *s)
{
	jsonw_array(w, "arrays");
	for (size_t i = 0; i < s->n_arrays; i++) {
		const struct survey_array *a = &s->arrays[i];

		jsonw_row(w, NULL);
		jsonw_str(w, "url", a->url);
		jsonw_str(w, "name", a->about.name);
		jsonw_str(w, "id", a->about.id);
		jsonw_str(w, "version", a->about.version);
		jsonw_str(w, "api", a->about.api);
		jsonw_str(w, "host", a->host);
		jsonw_str(w, "answer", answer_name(a->answer));
		jsonw_str(w, "why", a->why);
		jsonw_time(w, "session_since", a->counters.session_since);
		jsonw_time(w, "last_ok", a->counters.last_ok);
		jsonw_u64(w, "requests", a->counters.requests);
		jsonw_u64(w, "logins", a->counters.logins);
		jsonw_u64(w, "errors", a->counters.errors);
		jsonw_u64(w, "limited", a->counters.limited);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_storages(struct jsonw *w, const struct survey *s)
{
	jsonw_array(w, "storages");
	for (size_t i = 0; i < s->storages.n; i++) {
		const struct survey_storage *row = &s->rows[i];

		jsonw_row(w, NULL);
		jsonw_str(w, "id", row->storage->id);
		jsonw_u64(w, "total", row->total);
		jsonw_u64(w, "used", row->used);
		jsonw_str(w, "problem", row->problem);
		jsonw_array(w, "arrays");
		for (size_t j = 0; j < row->n_arrays; j++)
			jsonw_str(w, NULL, s->arrays[row->arrays[j]].url);
		jsonw_close(w);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_drift(struct jsonw *w, const struct findings *f)
{
	jsonw_array(w, "drift");
	for (size_t i = 0; i < f->n; i++) {
		const struct finding *x = &f->items[i];

		jsonw_row(w, NULL);
		jsonw_str(w, "volume", x->volume);
		jsonw_str(w, "storage", x->storage);
		jsonw_str(w, "kind", finding_kind_name(x->kind));
		jsonw_str(w, "level", finding_level_name(x->level));
		jsonw_str(w, "what", x->what);
		jsonw_str(w, "remedy", x->remedy);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void write_stuck(struct jsonw *w, const struct survey *s)
{
	jsonw_array(w, "stuck");
	for (size_t i = 0; i < s->n_stuck; i++) {
		jsonw_row(w, NULL);
		jsonw_str(w, "serial", s->stuck[i].serial);
		jsonw_i64(w, "pid", s->stuck[i].pid);
		jsonw_time(w, "since", s->stuck[i].since);
		jsonw_close(w);
	}
	jsonw_close(w);
}

void array_document(const struct survey *s, const struct findings *f, const struct array_daemon *d,
		    struct buf *out)
{
	struct jsonw w;

	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", ARRAY_DOCUMENT_SCHEMA);
	jsonw_time(&w, "time", d->now);
	jsonw_str(&w, "version", PVEWARDEN_VERSION);
	jsonw_str(&w, "node", d->node);
	jsonw_u64(&w, "pid", (uint64_t)getpid());
	jsonw_time(&w, "started", d->started);
	jsonw_u64(&w, "calls", d->calls);
	jsonw_u64(&w, "failed", d->failed);
	jsonw_u64(&w, "healed", d->healed);
	write_maps(&w, s, f);
	write_arrays(&w, s);
	write_storages(&w, s);
	write_drift(&w, f);
	write_stuck(&w, s);
	jsonw_array(&w, "blind");
	for (size_t i = 0; i < s->n_blind; i++)
		jsonw_str(&w, NULL, s->blind[i]);
	jsonw_close(&w);
	jsonw_end(&w);
}

int array_publish(const char *run_dir, struct slice document, struct err *e)
{
	CLEANUP_FD int fd = open(run_dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const struct group *group = getgrnam("www-data");
	int r;

	if (fd < 0)
		return err_set(e, -errno, "%s: %s", run_dir, strerror(errno));
	r = file_write_atomic_for(fd, ARRAY_DOCUMENT_FILE, document, 0640,
				  group ? group->gr_gid : (gid_t)-1);
	if (r == -EPERM)
		r = file_write_atomic(fd, ARRAY_DOCUMENT_FILE, document, 0640);
	return r < 0 ? err_set(e, r, "%s/" ARRAY_DOCUMENT_FILE ": %s", run_dir, strerror(-r)) : 0;
}
