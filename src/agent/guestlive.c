/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/guestlive.h"

#include "util/str.h"

enum { GUEST_UPTIME = 0, GUEST_DISK = 10 };

static struct slice status_without_sample(struct picture *p, const struct picture_guest *g)
{
	if (strcmp(g->node, p->node.name) != 0)
		return SLICE("unknown");
	switch (alive_is(&p->alive, p->root, g->type, g->vmid)) {
	case TRI_YES:
		return SLICE("running");
	case TRI_NO:
		return SLICE("stopped");
	case TRI_UNKNOWN:
	default:
		return SLICE("unknown");
	}
}

void guestlive_look(struct guestlive *l, const struct picture_guest *g)
{
	struct picture *p = l->picture;

	l->sampled = g->sample.n && rrd_line_parse(g->sample, &l->line);
	l->status = SLICE("");
	if (l->sampled && p->node.now - l->line.ctime <= GUESTLIVE_FRESH)
		l->status = l->line.fields[RRD_GUEST_STATUS];
	if (slice_empty(l->status) || l->status.n > 64)
		l->status = status_without_sample(p, g);
}

static void write_text(struct buf *out, const char *key, const char *text)
{
	buf_adds(out, key);
	if (text)
		jsonw_quote(out, slice_of(text));
	else
		buf_adds(out, "null");
}

static void write_ha(const struct picture *p, const struct picture_guest *g, struct buf *out)
{
	const struct ha_resource *r = ha_table_find(&p->ha, g->type, g->vmid);

	if (!r)
		return;
	write_text(out, ", \"ha\": {\"wanted\": ", r->wanted);
	write_text(out, ", \"state\": ", r->state);
	write_text(out, ", \"node\": ", r->node);
	buf_addc(out, '}');
}

/* A VM's is always 0: nobody looks into its disks. */
static void write_disk(struct guestlive *l, enum guest_type type, struct buf *out)
{
	static const struct samples_field disk = { "disk", GUEST_DISK, SAMPLES_COUNT };

	if (type == GUEST_LXC)
		samples_write(out, &l->line, &disk, 1);
}

void guestlive_write(struct guestlive *l, const struct picture_guest *g, struct buf *out)
{
	const struct picture *p = l->picture;

	buf_adds(out, ", \"status\": ");
	jsonw_quote(out, l->status);
	if (l->sampled) {
		samples_write(out, &l->line, samples_guest, samples_guest_n);
		write_disk(l, g->type, out);
		samples_write_object(out, "pressure", &l->line, samples_guest_pressure,
				     samples_guest_pressure_n);
		samples_write_time(out, &l->time, l->line.ctime);
	}
	write_ha(p, g, out);
	if (p->jobs_known)
		buf_adds(out, backupjobs_take(&p->jobs, g->vmid, g->node) ? ", \"backup\": true"
									  : ", \"backup\": false");
}

uint64_t guestlive_uptime(const struct guestlive *l)
{
	uint64_t n = 0;

	if (l->sampled)
		(void)samples_count(&l->line, GUEST_UPTIME, &n);
	return n;
}
