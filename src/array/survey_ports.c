/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/survey.h"

static bool is_way(const struct map_way *w, const struct scsi_port *at)
{
	return w->host == at->host && w->channel == at->channel && w->target == at->target;
}

bool survey_lacks(const struct survey_map *m, const struct survey_port *p)
{
	if (!m->found || !m->found->ways_known || !p->at.usable || !p->settled)
		return false;
	for (size_t i = 0; i < m->found->n_ways; i++)
		if (is_way(&m->found->ways[i], &p->at))
			return false;
	return true;
}

/* Since when it works, as far as anybody remembers. */
static int64_t since_of(const struct survey_memory *m, const struct survey_port *p, int64_t now)
{
	vec_each (old, &m->ports)
		if (old->protocol == p->protocol && is_way(&old->way, &p->at))
			return old->since;
	return now;
}

/* What works no more, and works again, is new. */
static void settle_ports(struct survey *s, struct survey_memory *m, int64_t now)
{
	struct survey_sinces seen = {};

	for (size_t i = 0; i < s->n_ports; i++) {
		struct survey_port *p = &s->ports[i];
		int64_t since = m ? since_of(m, p, now) : 0;

		p->settled = !m || now - since >= (int64_t)SURVEY_PORT_S * 1000;
		if (m && p->at.usable)
			*vec_push(&seen) = (struct survey_since){
				.way = { p->at.host, p->at.channel, p->at.target, 0 },
				.protocol = p->protocol,
				.since = since,
			};
	}
	if (!m)
		return;
	vec_free(&m->ports);
	m->ports = seen;
}

static void add_ports(struct survey *s, const struct scsi_ports *found,
		      enum array_protocol protocol)
{
	vec_each (p, found)
		s->ports[s->n_ports++] = (struct survey_port){ .at = *p, .protocol = protocol };
}

void survey_ports(struct survey *s, const struct root *root, struct survey_memory *m, int64_t now)
{
	CLEANUP(scsi_ports_done) struct scsi_ports iscsi = {};
	CLEANUP(scsi_ports_done) struct scsi_ports fc = {};

	if (s->n_maps) {
		scsi_iscsi_ports(&iscsi, root);
		scsi_fc_ports(&fc, root);
	}
	s->ports = arena_alloc(&s->arena, (iscsi.n + fc.n + 1) * sizeof(*s->ports));
	add_ports(s, &iscsi, ARRAY_ISCSI);
	add_ports(s, &fc, ARRAY_FC);
	settle_ports(s, m, now);
}

bool survey_may_lack(const struct survey *s)
{
	for (size_t i = 0; i < s->n_maps; i++)
		for (size_t k = 0; k < s->n_ports; k++)
			if (survey_lacks(&s->maps[i], &s->ports[k]))
				return true;
	return false;
}

unsigned int survey_lun(const struct survey_array *a, const char *serial)
{
	const struct fa_volume *v = a->asked ? survey_volume(a, serial) : NULL;

	for (size_t i = 0; v && !v->destroyed && i < a->connections.n; i++)
		if (strcmp(a->connections.items[i].volume, v->name) == 0)
			return a->connections.items[i].lun;
	return 0;
}

bool survey_is_wrong(const struct survey_array *a, const char *serial, const struct map_way *way)
{
	const struct fa_volume *v = survey_volume(a, serial);
	unsigned int lun = survey_lun(a, serial);

	if (!a->asked || !way->lun)
		return false;
	if (lun)
		return way->lun != lun;
	for (size_t i = 0; i < a->connections.n; i++)
		if (a->connections.items[i].lun == way->lun &&
		    !(v && strcmp(a->connections.items[i].volume, v->name) == 0))
			return true;
	return false;
}

bool survey_may_stray(const struct survey *s, const struct survey_array *a)
{
	for (size_t i = 0; i < s->n_maps; i++) {
		const struct survey_map *m = &s->maps[i];

		if (!m->found || !survey_volume(a, m->serial))
			continue;
		for (size_t k = 0; k < m->found->n_ways; k++)
			if (survey_is_wrong(a, m->serial, &m->found->ways[k]))
				return true;
	}
	return false;
}
