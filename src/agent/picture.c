/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/picture.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "agent/picture_guests.h"
#include "agent/wire.h"
#include "util/clock.h"
#include "util/str.h"

static const struct {
	const char *path, *count;
} files[PICTURE_FILES] = {
	[PICTURE_STORAGES] = { "etc/pve/storage.cfg", "storage.cfg" },
	[PICTURE_RESOURCES] = { "etc/pve/ha/resources.cfg", "ha/resources.cfg" },
	[PICTURE_HA_STATUS] = { "etc/pve/ha/manager_status", "ha/manager_status" },
	[PICTURE_JOBS] = { "etc/pve/jobs.cfg", "jobs.cfg" },
	[PICTURE_CRON] = { "etc/pve/vzdump.cron", "vzdump.cron" },
	[PICTURE_USERS] = { "etc/pve/user.cfg", "user.cfg" },
	[PICTURE_CA] = { "etc/pve/pve-root-ca.pem", NULL },
};

void picture_blind(struct picture *p, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (p->n_blind == PICTURE_BLIND_MAX) {
		p->blind_dropped++;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	p->blind[p->n_blind++] = arena_str(&p->arena, slice_of(text));
}

/* --- what has changed --------------------------------------------------------------------------
 */

static void forget(struct picture *p)
{
	for (size_t i = 0; i < PICTURE_FILES; i++)
		watched_forget(&p->files[i]);
	p->listed = false;
	/* Each is read again; the digest of its text then says whether it is news. */
	vec_each (g, &p->guests)
		g->loaded = false;
}

static void read_version(struct picture *p)
{
	struct err e = {};
	int code = cfs_version_read(&p->version, p->root, &p->arena, &e);

	if (code < 0) {
		/* Without counters everything is read and compared. */
		p->version = (struct cfs_version){};
		if (code != -ENOENT)
			picture_blind(p, "what has changed cannot be asked: %s", e.text);
		if (p->counting)
			forget(p);
		p->counting = false;
		return;
	}
	if (!p->counting || p->starttime != p->version.starttime)
		forget(p);
	p->counting = true;
	p->starttime = p->version.starttime;
}

static struct slice text_of(const struct picture *p, enum picture_file file)
{
	return buf_slice(&p->files[file].text);
}

/* True: it is another text. What is there and cannot be read is said each time. */
static bool look(struct picture *p, enum picture_file file)
{
	struct watched *w = &p->files[file];
	bool changed;

	w->path = files[file].path;
	w->count = files[file].count;
	changed = watched_look(w, p->root, &p->version);
	if (w->code < 0 && w->code != -ENOENT)
		picture_blind(p, "%s cannot be read: %s", w->path, strerror(-w->code));
	return changed;
}

static void read_storages(struct picture *p)
{
	struct diags diags = { .arena = &p->storages_arena };

	if (!look(p, PICTURE_STORAGES))
		return;
	arena_done(&p->storages_arena);
	storage_cfg_parse(&p->storages, files[PICTURE_STORAGES].path, text_of(p, PICTURE_STORAGES),
			  &p->storages_arena, &diags);
	diags_done(&diags);
}

static void read_ha(struct picture *p)
{
	bool resources = look(p, PICTURE_RESOURCES), status = look(p, PICTURE_HA_STATUS);

	if (resources || status) {
		arena_done(&p->ha_arena);
		p->ha_bad = ha_table_parse(&p->ha, text_of(p, PICTURE_RESOURCES),
					   text_of(p, PICTURE_HA_STATUS), &p->ha_arena, NULL) < 0;
	}
	if (p->ha_bad)
		picture_blind(p, "%s is not valid JSON", files[PICTURE_HA_STATUS].path);
}

static void read_jobs(struct picture *p)
{
	bool jobs = look(p, PICTURE_JOBS), cron = look(p, PICTURE_CRON),
	     users = look(p, PICTURE_USERS);

	p->jobs_known = true;
	for (int i = PICTURE_JOBS; i <= PICTURE_USERS; i++)
		if (p->files[i].code < 0 && p->files[i].code != -ENOENT)
			p->jobs_known = false;
	if (!jobs && !cron && !users)
		return;
	arena_done(&p->jobs_arena);
	backupjobs_parse(&p->jobs, text_of(p, PICTURE_JOBS), text_of(p, PICTURE_CRON),
			 text_of(p, PICTURE_USERS), &p->jobs_arena);
}

/* "": none; NULL: that is not known. */
static const char *cluster_name(const struct picture *p)
{
	if (!p->members_known)
		return NULL;
	return p->members.clustered && p->members.cluster_name ? p->members.cluster_name : "";
}

/* After the members: without an authority the cluster's name is the next best. */
static int read_uuid(struct picture *p, const struct picture_want *want, struct err *e)
{
	const char *path = files[PICTURE_CA].path;

	if (look(p, PICTURE_CA))
		(void)clusterid_of(text_of(p, PICTURE_CA), p->ca_uuid);
	if (*p->ca_uuid) {
		(void)snprintf(p->uuid, sizeof(p->uuid), "%s", p->ca_uuid);
		return 0;
	}
	if (!clusterid_without_ca(want->uuid, cluster_name(p), want->instance, p->uuid))
		return err_set(e, -EAGAIN,
			       "which cluster this is cannot be read (is /etc/pve mounted? "
			       "systemctl status pve-cluster)");
	picture_blind(p, "%s cannot be read or is no certificate: this cluster is known as %s",
		      path, p->uuid);
	return 0;
}

/* --- who we are --------------------------------------------------------------------------------
 */

static void read_members(struct picture *p)
{
	struct err e = {};

	p->quorate = p->node.quorate;
	p->members_known = members_read(&p->members, p->root, &p->arena, &e) == 0;
	if (!p->members_known) {
		picture_blind(p, "the members of the cluster cannot be read: %s", e.text);
		p->members = (struct members){ .nodename = p->node.name };
		p->complete = false;
		return;
	}
	if (p->members.n_nodes > WIRE_NODES_MAX)
		p->members.n_nodes = WIRE_NODES_MAX;
	/* A recording that says nothing leaves it to .members; on a node both must agree. */
	if (p->quorate == TRI_UNKNOWN || (p->members.clustered && !p->members.quorate))
		p->quorate = tri_of(p->members.quorate);
}

static bool is_lowest_online(const struct members *m)
{
	/* Sorted by id. */
	for (size_t i = 0; i < m->n_nodes; i++)
		if (m->nodes[i].online)
			return strcmp(m->nodes[i].name, m->nodename) == 0;
	return false;
}

static bool is_reporter(const struct picture *p, const char *named)
{
	if (p->quorate != TRI_YES || !p->members_known)
		return false;
	if (!p->members.clustered)
		return true;
	return *named ? strcmp(named, p->node.name) == 0 : is_lowest_online(&p->members);
}

static int read_node(struct picture *p, struct err *e)
{
	struct err said = {};
	int code = node_read(&p->node, p->root, &p->arena, &said);

	if (code == -EUCLEAN)
		picture_blind(p, "it is not clear which node this is: %s", said.text);
	else if (code < 0)
		return err_set(e, code, "%s", said.text);
	p->complete = code == 0;
	p->pve_manager = node_pve_manager(p->root, &p->arena);
	return 0;
}

static void begin(struct picture *p, const struct root *r)
{
	p->root = r;
	arena_done(&p->arena);
	p->n_blind = p->blind_dropped = 0;
	p->own_known = false;
	p->pve_manager = NULL;
	alive_forget(&p->alive);
}

int picture_read(struct picture *p, const struct root *r, const struct picture_want *want,
		 struct err *e)
{
	int64_t since = clock_boot_ms();
	int code;

	begin(p, r);
	code = read_node(p, e);
	if (code < 0)
		return code;
	read_version(p);
	read_members(p);
	p->reporter = is_reporter(p, want->reporter);
	hostfacts_fixed_read(&p->fixed, r);
	code = read_uuid(p, want, e);
	if (code < 0)
		return code;
	read_storages(p);
	read_ha(p);
	read_jobs(p);
	picture_guests_read(p, want);
	picture_samples_read(p);
	if (p->quorate != TRI_YES)
		p->complete = false;
	p->milliseconds = clock_boot_ms() - since;
	return 0;
}

void picture_done(struct picture *p)
{
	for (size_t i = 0; i < PICTURE_FILES; i++)
		watched_done(&p->files[i]);
	picture_guests_forget(p);
	vec_free(&p->guests);
	arena_done(&p->vmlist_arena);
	arena_done(&p->storages_arena);
	arena_done(&p->ha_arena);
	arena_done(&p->jobs_arena);
	arena_done(&p->arena);
	hostfacts_fixed_done(&p->fixed);
	alive_done(&p->alive);
	guestconfig_done(&p->scratch);
	buf_done(&p->text);
	buf_done(&p->out);
	buf_done(&p->rrd);
}
