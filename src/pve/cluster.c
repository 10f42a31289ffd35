/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/cluster.h"

#include <errno.h>

#include "pve/clusterguests.h"
#include "pve/prop.h"
#include "util/str.h"

#define STORAGE_FILE	"etc/pve/storage.cfg"
#define DATACENTER_FILE "etc/pve/datacenter.cfg"

/* No file of pmxcfs is larger. */
#define CONFIG_BYTES_MAX ((size_t)1024 * 1024)

enum { NEXT_ID_LOWER = 100, NEXT_ID_UPPER = 1000000 };

static bool has_local(const struct root *r)
{
	struct stat st;

	return root_lstat(r, "etc/pve/local", &st) == 0;
}

static void say_not_mounted(struct blind_list *blind, const char *why)
{
	blind_add(blind,
		  "/etc/pve shows no node (%s): pmxcfs is not mounted; systemctl status "
		  "pve-cluster",
		  why);
}

static void read_members(struct cluster *c, const struct root *r, struct blind_list *blind)
{
	struct err e = {};
	int code = members_read(&c->members, r, &c->arena, &e);

	if (code == -ENOENT)
		say_not_mounted(blind, "no .members");
	else if (code < 0)
		blind_add(blind, "the members of the cluster cannot be read: %s", e.text);
	else if (r->live && !has_local(r))
		say_not_mounted(blind, "no link 'local'");
	if (code < 0)
		c->members = (struct members){ .nodename = c->node.name };
}

/* On a recording capture.json decides alone; on a live node both the link and .members must agree.
 */
static void check_quorum(const struct cluster *c, struct blind_list *blind)
{
	bool said_no = c->node.quorate == TRI_NO;
	bool members_no = c->members.clustered && !c->members.quorate;

	if (c->node.recorded && c->node.quorate != TRI_UNKNOWN)
		members_no = false;
	if (said_no || members_no)
		blind_add(blind, "the cluster has no quorum: what this node sees of /etc/pve may "
				 "be old; pvecm status");
}

static void read_storages(struct cluster *c, const struct root *r, struct blind_list *blind)
{
	CLEANUP(buf_done) struct buf text = {};
	int code = root_read(r, STORAGE_FILE, CONFIG_BYTES_MAX, &text);

	if (code == -EFBIG)
		blind_add(blind, STORAGE_FILE " is larger than 1 MiB: expected at most that");
	else if (code < 0)
		blind_add(blind, STORAGE_FILE " cannot be read: %s", strerror(-code));
	/* Without the file there is still the storage that always is: local. */
	storage_cfg_parse(&c->storages, STORAGE_FILE, buf_slice(&text), &c->arena, &c->diags);
}

static void bad_next_id(struct cluster *c, unsigned int line)
{
	diag_add(&c->diags, DATACENTER_FILE, line,
		 "next-id: expected lower=N,upper=N with %d <= lower < upper <= %d", VMID_MIN,
		 VMID_MAX + 1);
}

static bool bound(struct slice value, const char *key, uint32_t *ret)
{
	struct slice text;

	return !prop_get(value, key, NULL, &text) ||
	       (str_to_u32(text, ret) && *ret >= VMID_MIN && *ret <= (uint32_t)VMID_MAX + 1);
}

static void read_next_id(struct cluster *c, struct slice value, unsigned int line)
{
	uint32_t lower = NEXT_ID_LOWER, upper = NEXT_ID_UPPER;

	if (!bound(value, "lower", &lower) || !bound(value, "upper", &upper) || lower >= upper) {
		bad_next_id(c, line);
		return;
	}
	c->next_id_lower = lower;
	c->next_id_upper = upper;
}

static void read_datacenter(struct cluster *c, const struct root *r)
{
	CLEANUP(buf_done) struct buf text = {};
	int code = root_read(r, DATACENTER_FILE, CONFIG_BYTES_MAX, &text);
	struct slice rest, line;
	unsigned int number = 0;

	c->next_id_lower = NEXT_ID_LOWER;
	c->next_id_upper = NEXT_ID_UPPER;
	if (code < 0 && code != -ENOENT)
		diag_add(&c->diags, DATACENTER_FILE, 0, "cannot be read: %s", strerror(-code));
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line)) {
		number++;
		line = slice_trim(line);
		if (slice_starts(line, "next-id:"))
			read_next_id(c, slice_trim(slice_from(line, strlen("next-id:"))), number);
	}
}

/* Proxmox itself lives without samples when pvestatd stands still: a remark, not blindness. */
static void read_rrd(struct cluster *c, const struct root *r)
{
	struct err e = {};
	int code = rrd_read(&c->rrd, r, &c->arena, &e);

	if (code == 0)
		return;
	c->rrd = (struct rrd){};
	if (code != -ENOENT)
		diag_add(&c->diags, "etc/pve/.rrd", 0, "cannot be read: %s", e.text);
}

/* A volume of a storage that is gone: Proxmox cannot start such a guest either. */
static void check_storages_of(struct cluster *c, const struct guest *g)
{
	for (size_t i = 0; i < g->n_volumes; i++) {
		const struct guest_volume *v = &g->volumes[i];

		if (!v->known_key || !v->storage ||
		    storage_find(&c->storages, slice_of(v->storage)))
			continue;
		diag_add(&c->diags, g->file, v->line,
			 "key '%s': expected a storage of storage.cfg; there is no '%.60s'", v->key,
			 v->storage);
	}
}

static void keep_blind(struct cluster *c, struct blind_list *blind)
{
	if (blind->dropped)
		*vec_push(blind) = arena_fmt(&c->arena, "and %zu more", blind->dropped);
	c->n_blind = blind->n;
	c->blind = arena_alloc(&c->arena, blind->n * sizeof(*c->blind));
	if (blind->n)
		memcpy(c->blind, blind->items, blind->n * sizeof(*c->blind));
	vec_free(blind);
}

int cluster_read(struct cluster *c, const struct root *r, struct err *e)
{
	struct blind_list blind = { .arena = &c->arena };
	struct err said = {};
	int code;

	*c = (struct cluster){};
	c->diags.arena = &c->arena;
	code = node_read(&c->node, r, &c->arena, &said);
	if (code < 0 && code != -EUCLEAN) {
		cluster_done(c);
		return err_set(e, code, "%s", said.text);
	}
	if (code == -EUCLEAN)
		blind_add(&blind, "it is not clear which node this is: %s", said.text);
	read_members(c, r, &blind);
	check_quorum(c, &blind);
	read_storages(c, r, &blind);
	cluster_read_guests(c, r, &blind);
	for (size_t i = 0; i < c->n_guests; i++)
		check_storages_of(c, &c->guests[i]);
	read_datacenter(c, r);
	read_rrd(c, r);
	keep_blind(c, &blind);
	return 0;
}

void cluster_done(struct cluster *c)
{
	diags_done(&c->diags);
	arena_done(&c->arena);
	*c = (struct cluster){};
}

static int cmp_vmid(const void *key, const void *item)
{
	const uint32_t *vmid = key;
	const struct guest *g = item;

	return *vmid < g->vmid ? -1 : *vmid > g->vmid;
}

const struct guest *cluster_guest(const struct cluster *c, uint32_t vmid)
{
	const struct guest *g = NULL;

	if (c->n_guests)
		g = bsearch(&vmid, c->guests, c->n_guests, sizeof(*c->guests), cmp_vmid);
	while (g && g > c->guests && g[-1].vmid == vmid)
		g--;
	return g;
}
