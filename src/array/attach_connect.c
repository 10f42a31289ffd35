/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "array/attach_step.h"
#include "array/subsystem.h"
#include "util/clock.h"
#include "util/str.h"

/* What the threads of fa_each() share: each writes into its array's place alone. */
struct links {
	struct call *c;
	struct fa_call fa;
	const char *volume, *serial;
	const char *group; /* attach_group() of what is connected */
	struct link {
		struct arena arena;
		struct fa_connections made;
		struct fa_ports ports;
	} at[ARRAY_ADDRESSES_MAX];
};

enum {
	/* With several arrays one that is out of reach may not use up the time of the device. */
	SEVERAL_MS = 15000,
	/* What leaves has left this node by then, and a guest's other disks wait: 6 s for the
	 * array's answer, 3 s for a look without one. */
	LEAVING_MS = 9000,
};

static struct fa_call bounded(const struct call *c, int max_ms, int reserve_ms)
{
	struct fa_call ret = c->fa;
	int ms = attach_time(c, reserve_ms);

	ret.deadline = clock_mono_ms() + (ms > max_ms ? max_ms : ms);
	return ret;
}

static void links_done(struct links *l)
{
	for (size_t i = 0; i < ARRAY_SIZE(l->at); i++)
		arena_done(&l->at[i].arena);
}

static struct link *link_of(struct links *l, const struct fa *f)
{
	size_t i = 0;

	while (i + 1 < l->c->n_arrays && l->c->arrays[i] != f)
		i++;
	return &l->at[i];
}

/* A namespace is known by its identifier, a disk is looked for at its LUN. */
static bool says_where(const struct fa_connection *made, enum array_protocol protocol)
{
	return made->lun || protocol == ARRAY_NVME_TCP;
}

static int connect_one(struct fa *f, void *arg, struct err *e)
{
	struct links *l = arg;
	struct link *at = link_of(l, f);
	struct fa_call fa = fa_call_beside(f, &l->fa, call_arrays(l->c));
	struct attach_way way = { .array = f,
				  .fa = &fa,
				  .conf = &l->c->conf,
				  .group = l->group,
				  .volume = l->volume,
				  .serial = l->serial,
				  .ports = &at->ports };
	int ret = fa_ports_get(f, &fa, &at->arena, &at->ports, e);

	if (ret == 0)
		ret = attach_connect_at(&way, l->c->ctx->root, &at->arena, &at->made, e);
	if (ret == 0 && (at->made.n == 0 || !says_where(&at->made.items[0], way.conf->protocol)))
		ret = err_set(e, -EPROTO, "%s does not say how %s is connected", fa_url(f),
			      l->volume);
	return ret;
}

/* "52:4A:93:..." as the kernel writes it. */
static void put_wwn(char ret[224], const char *wwn)
{
	size_t n = 0;

	for (; *wwn && n < 16; wwn++)
		if (isxdigit((unsigned char)*wwn))
			ret[n++] = (char)tolower((unsigned char)*wwn);
	ret[n] = '\0';
}

static bool put_port(struct map_port *ret, const struct fa_port *from, enum array_protocol protocol)
{
	const char *id = protocol == ARRAY_FC	   ? from->wwn
			 : protocol == ARRAY_ISCSI ? from->iqn
						   : from->nqn;
	const char *portal = from->portal ? from->portal : "";

	if (!id || !*id || (protocol != ARRAY_FC && !*portal))
		return false;
	if (strlen(id) >= sizeof(ret->id) || strlen(portal) >= sizeof(ret->portal))
		return false;
	if (protocol == ARRAY_FC)
		put_wwn(ret->id, id);
	else
		(void)snprintf(ret->id, sizeof(ret->id), "%s", id);
	(void)snprintf(ret->portal, sizeof(ret->portal), "%s", protocol == ARRAY_FC ? "" : portal);
	return true;
}

static void put_array(struct map_array *ret, const struct link *from, enum array_protocol protocol)
{
	*ret = (struct map_array){ .connected = true, .lun = from->made.items[0].lun };
	for (size_t i = 0; i < from->ports.n && ret->n_ports < MAP_PORTS_MAX; i++)
		if (put_port(&ret->ports[ret->n_ports], &from->ports.items[i], protocol))
			ret->n_ports++;
}

static void read_name(const struct call *c, const char *path, char *ret, size_t size)
{
	CLEANUP(buf_done) struct buf line = {};

	if (root_read_line(c->ctx->root, path, &line) == 0)
		(void)snprintf(ret, size, SLICE_FMT, SLICE_ARG(slice_trim(buf_slice(&line))));
}

static void put_want(struct call *c, const struct attach_target *t, struct map_want *ret)
{
	*ret = (struct map_want){ .protocol = c->conf.protocol,
				  .multipath = c->conf.multipath,
				  .size = t->size };
	(void)snprintf(ret->serial, sizeof(ret->serial), "%s", t->serial);
	if (c->conf.protocol != ARRAY_NVME_TCP)
		return;
	read_name(c, "etc/nvme/hostnqn", ret->host_nqn, sizeof(ret->host_nqn));
	read_name(c, "etc/nvme/hostid", ret->host_id, sizeof(ret->host_id));
}

/* What an array said goes before what none could say; "not reached" is what is left only if none
 * was. */
static size_t worst(const int *error, size_t n)
{
	size_t ret = 0;

	for (size_t i = 0; i < n; i++) {
		if (error[i] != -EHOSTUNREACH && error[i] != -EPROTO && error[i] != -EAGAIN)
			return i;
		if (error[ret] == -EHOSTUNREACH)
			ret = i;
	}
	return ret;
}

/* Of those that answered. */
static int check_subsystems(const struct call *c, const struct links *l, const int *error, size_t n,
			    struct err *e)
{
	struct fa_ports ports[ARRAY_ADDRESSES_MAX];
	size_t known = 0;

	for (size_t i = 0; i < n; i++)
		if (error[i] == 0)
			ports[known++] = l->at[i].ports;
	return c->conf.protocol == ARRAY_NVME_TCP
		       ? subsystems_check(c->conf.storage, ports, known, e)
		       : 0;
}

/* An array that answers, and has no such host, is not healed by waiting. */
static const char *remedy_of(struct call *c, int error)
{
	return error == -ENOENT
		       ? arena_fmt(&c->arena,
				   "`pvewarden array status --diagnose %s` says what lacks",
				   c->conf.storage)
		       : "`pvewarden array heal` does it when that array answers again";
}

int attach_connect(struct call *c, const struct attach_target *t, struct map_want *ret,
		   struct attach_made *made, bool *partial, struct err *e)
{
	CLEANUP(links_done)
	struct links l = {
		.c = c, .volume = t->array_volume, .serial = t->serial, .group = attach_group(c, t)
	};
	struct err why[ARRAY_ADDRESSES_MAX] = {};
	int error[ARRAY_ADDRESSES_MAX] = {};
	size_t n = call_arrays(c), good = 0;

	put_want(c, t, ret);
	*made = (struct attach_made){};
	l.fa = bounded(c, n > 1 ? SEVERAL_MS : INT_MAX, ATTACH_RESERVE_MS);
	fa_each(c->arrays, n, connect_one, &l, error, why);
	for (size_t i = 0; i < n; i++) {
		if (error[i] == 0) {
			good++;
			if (l.at[i].made.items[0].made)
				made->on[ret->n_arrays] = c->arrays[i];
			put_array(&ret->arrays[ret->n_arrays++], &l.at[i], c->conf.protocol);
		}
	}
	*partial = good < n;
	if (!good) {
		size_t i = worst(error, n);

		return error[i] == -ENOENT
			       ? err_set(e, -ENOENT, "%s; %s", why[i].text, remedy_of(c, -ENOENT))
			       : err_set(e, error[i], "%s", why[i].text);
	}
	for (size_t i = 0; i < n; i++)
		if (error[i])
			call_log(c, 0, "%s is not connected on %s: %s; %s", t->array_volume,
				 fa_url(c->arrays[i]), why[i].text, remedy_of(c, error[i]));
	return check_subsystems(c, &l, error, n, e);
}

/* 1: nothing is connected under that name. */
static int disconnect_name(struct fa *f, const struct links *l, const struct fa_call *fa,
			   const char *name, struct err *e)
{
	const char *host = l->c->conf.host;
	int ret = fa_disconnect(f, fa, &host, 1, false, name, e);

	return ret == -ENOENT || ret == -ESTALE ? 1 : ret;
}

/* 1: nothing of this host's own; who else is connected may be a host group that it is in. */
static int disconnect_serial(struct fa *f, struct links *l, const struct fa_call *fa, struct err *e)
{
	struct fa_volume v;
	int ret = fa_volume_by_serial(f, fa, l->serial, &link_of(l, f)->arena, &v, e);

	if (ret)
		return ret == -ENOENT ? 0 : ret;
	if (!l->volume || strcmp(v.name, l->volume) != 0)
		ret = disconnect_name(f, l, fa, v.name, e);
	else
		ret = 1;
	return ret > 0 && v.connections == 0 ? 0 : ret;
}

static int disconnect_one(struct fa *f, void *arg, struct err *e)
{
	struct links *l = arg;
	struct fa_call fa = fa_call_short(f, &l->fa);
	int ret = l->volume ? disconnect_name(f, l, &fa, l->volume, e) : 1;

	return ret > 0 ? disconnect_serial(f, l, &fa, e) : ret;
}

enum attach_off attach_disconnect(struct call *c, const char *array_volume, const char *serial)
{
	CLEANUP(links_done) struct links l = { .c = c, .volume = array_volume, .serial = serial };
	struct err why[ARRAY_ADDRESSES_MAX] = {};
	int error[ARRAY_ADDRESSES_MAX] = {};
	size_t n = call_arrays(c);
	enum attach_off ret = ATTACH_OFF;

	l.fa = bounded(c, LEAVING_MS, 0);
	fa_each(c->arrays, n, disconnect_one, &l, error, why);
	for (size_t i = 0; i < n; i++) {
		if (error[i] > 0 && ret == ATTACH_OFF)
			ret = ATTACH_MAYBE_SHOWN;
		if (error[i] >= 0)
			continue;
		ret = ATTACH_UNREACHED;
		call_log(c, 0,
			 "%s may still be connected to %s on %s: %s; `pvewarden array reap` takes "
			 "it away",
			 array_volume ? array_volume : serial, c->conf.host, fa_url(c->arrays[i]),
			 why[i].text);
	}
	return ret;
}

static int end_one(struct fa *f, void *arg, struct err *e)
{
	struct links *l = arg;
	struct fa_call fa = fa_call_beside(f, &l->fa, call_arrays(l->c));

	return disconnect_name(f, l, &fa, l->volume, e);
}

void attach_unmake(struct call *c, const struct attach_target *t, struct map_want *want,
		   const struct attach_made *made)
{
	CLEANUP(links_done) struct links l = { .c = c, .volume = t->array_volume };
	struct err why[MAP_ARRAYS_MAX] = {};
	int error[MAP_ARRAYS_MAX] = {};
	struct fa *on[MAP_ARRAYS_MAX];
	size_t n = 0;

	/* A group's other nodes may have begun to use it. */
	for (size_t i = 0; i < want->n_arrays && !attach_group(c, t); i++) {
		if (!made->on[i])
			continue;
		on[n++] = made->on[i];
		want->arrays[i].connected = false;
	}
	if (!n)
		return;
	l.fa = bounded(c, LEAVING_MS, 0);
	fa_each(on, n, end_one, &l, error, why);
	for (size_t i = 0; i < n; i++)
		if (error[i] < 0)
			call_log(c, 0, "%s stays connected on %s: %s", t->array_volume,
				 fa_url(on[i]), why[i].text);
	if (workers_prune(c->ctx->workers, want, attach_time(c, 0), &why[0]) < 0)
		call_log(c, 0, "%s: %s", t->volname, why[0].text);
}
