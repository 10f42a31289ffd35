/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "cmd.h"
#include "dm/model.h"
#include "pve/session.h"
#include "util/jsonw.h"
#include "util/str.h"
#include "util/table.h"

/* `facts volumes`: each logical volume of a guest, or referred to by one, with its mapping. */

#define SCHEMA "pvewarden.volumes/1"

/* Which LV is active as which device. */
struct active {
	const struct lvm_lv *lv;
	const struct dm_dev *dev;
};

struct volumes {
	const struct cli *cli;
	const struct dm_model *model;
	struct active *active; /* sorted by LV */
	size_t n_active;
	struct buf out;
	struct jsonw json;
	struct table table;
};

static bool is_of_interest(const struct volumes *v, const struct lvm_lv *lv)
{
	if (lv->internal)
		return false;
	return volname_parse(slice_of(lv->name)).kind != VOLNAME_NONE ||
	       dm_refs_named(&v->model->refs, slice_of(lv->name)).n;
}

static void json_refs(struct jsonw *w, const struct dm_ref_run *refs, const char *vg)
{
	jsonw_array(w, "references");
	for (size_t i = 0; i < refs->n; i++) {
		const struct dm_ref *ref = &refs->items[i];

		if (ref->vg && strcmp(ref->vg, vg) != 0)
			continue;
		jsonw_row(w, NULL);
		jsonw_u64(w, "vmid", ref->guest->vmid);
		jsonw_str(w, "node", ref->guest->node);
		jsonw_str(w, "key", ref->volume->key);
		jsonw_str(w, "section", ref->volume->section ? ref->volume->section->name : NULL);
		jsonw_str(w, "storage", ref->volume->storage);
		jsonw_close(w);
	}
	jsonw_close(w);
}

static void json_volume(struct volumes *v, const struct lvm_lv *lv, const struct dm_dev *d)
{
	struct dm_ref_run refs = dm_refs_named(&v->model->refs, slice_of(lv->name));
	struct jsonw *w = &v->json;
	char id[LVM_ID_LEN + 7];

	jsonw_object(w, NULL);
	jsonw_str(w, "vg", lv->vg->name);
	jsonw_str(w, "lv", lv->name);
	lvm_id_format(id, lv->uuid);
	jsonw_str(w, "lv_uuid", id);
	jsonw_u64(w, "size", lv->size);
	jsonw_bool(w, "thin", lvm_lv_is_thin(lv));
	jsonw_time(w, "created", lv->created);
	jsonw_str(w, "tags", lv->tags);
	jsonw_bool(w, "listed", dm_model_listed(v->model, lv));
	jsonw_str(w, "mapping", d ? d->name : NULL);
	json_refs(w, &refs, lv->vg->name);
	jsonw_close(w);
}

static void text_volume(struct volumes *v, const struct lvm_lv *lv, const struct dm_dev *d)
{
	struct dm_ref_run refs = dm_refs_named(&v->model->refs, slice_of(lv->name));
	CLEANUP(buf_done) struct buf who = {};
	char size[24];

	for (size_t i = 0; i < refs.n; i++) {
		const struct dm_ref *ref = &refs.items[i];

		if (ref->vg && strcmp(ref->vg, lv->vg->name) != 0)
			continue;
		buf_addf(&who, "%s%u %s%s%s on %s", who.len ? ", " : "", ref->guest->vmid,
			 ref->volume->key,
			 ref->volume->section && ref->volume->section->name ? "@" : "",
			 ref->volume->section && ref->volume->section->name
				 ? ref->volume->section->name
				 : "",
			 ref->guest->node);
	}
	table_add(&v->table, lv->vg->name);
	table_add(&v->table, lv->name);
	table_add(&v->table, str_human_size(lv->size, size));
	table_add(&v->table, lvm_lv_is_thin(lv) ? "thin" : "thick");
	table_add(&v->table, d ? d->open_count ? "open" : "active" : "no");
	table_add(&v->table, buf_str(&who));
}

static int by_lv(const void *a, const void *b)
{
	const struct lvm_lv *x = ((const struct active *)a)->lv,
			    *y = ((const struct active *)b)->lv;

	return (x > y) - (x < y);
}

static void find_mappings(struct volumes *v)
{
	const struct dm_model *m = v->model;

	v->active = xcalloc(m->n, sizeof(*v->active));
	for (size_t i = 0; i < m->n; i++)
		if (m->mappings[i].lv)
			v->active[v->n_active++] =
				(struct active){ m->mappings[i].lv, m->mappings[i].dev };
	if (v->n_active)
		qsort(v->active, v->n_active, sizeof(*v->active), by_lv);
}

static const struct dm_dev *mapping_of(const struct volumes *v, const struct lvm_lv *lv)
{
	struct active key = { .lv = lv };
	const struct active *found =
		v->n_active ? bsearch(&key, v->active, v->n_active, sizeof(key), by_lv) : NULL;

	return found ? found->dev : NULL;
}

static void show_all(struct volumes *v)
{
	for (size_t i = 0; i < v->model->n_lvs; i++) {
		const struct lvm_lv *lv = v->model->lvs_by_name[i];

		if (!is_of_interest(v, lv))
			continue;
		if (v->cli->json)
			json_volume(v, lv, mapping_of(v, lv));
		else
			text_volume(v, lv, mapping_of(v, lv));
	}
}

static void show(struct volumes *v)
{
	if (v->cli->json) {
		jsonw_begin(&v->json, &v->out);
		jsonw_str(&v->json, "schema", SCHEMA);
		jsonw_str(&v->json, "node", v->model->node);
		jsonw_array(&v->json, "volumes");
		show_all(v);
		jsonw_close(&v->json);
		jsonw_end(&v->json);
		return;
	}
	table_column(&v->table, "VG", 0);
	table_column(&v->table, "VOLUME", 0);
	table_column(&v->table, "SIZE", TABLE_RIGHT);
	table_column(&v->table, "KIND", 0);
	table_column(&v->table, "ACTIVE", 0);
	table_column(&v->table, "REFERRED TO BY", TABLE_ELASTIC);
	show_all(v);
	table_write(&v->table, &v->out, 0, term_width(), v->cli->color);
}

static int show_scan(const struct cli *cli, const struct dm_scan *scan)
{
	struct dm_model model;
	struct volumes v = { .cli = cli, .model = &model };
	int status;

	dm_model_build(&model, scan);
	find_mappings(&v);
	show(&v);
	status = session_answer(&v.out, CLI_OK);
	free(v.active);
	table_done(&v.table);
	buf_done(&v.out);
	dm_model_done(&model);
	return status;
}

int cmd_facts_volumes(const struct cli *cli)
{
	struct dm_scan scan;
	struct err e = {};
	struct root root;
	int r = session_begin(cli, SCHEMA, &root);

	if (r)
		return r;
	if (dm_scan_read(&scan, &root, NULL, &e) < 0)
		r = session_could_not_tell(cli, SCHEMA, e.text);
	else if (scan.dm_failed || scan.lvm_failed)
		r = session_could_not_tell(cli, SCHEMA,
					   scan.dm_failed ? scan.dm_failed : scan.lvm_failed);
	else
		r = show_scan(cli, &scan);
	dm_scan_done(&scan);
	session_end(&root);
	return r;
}
