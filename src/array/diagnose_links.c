/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "array/container.h"
#include "array/diagnose.h"
#include "array/subsystem.h"
#include "util/str.h"

enum { ENTRIES_MAX = 512 };

/* --- what /sys has --------------------------------------------------------------------------- */

/* An attribute of /sys/class/CLASS/ENTRY, "" without; memory is @a's. */
static const char *attribute(const struct root *root, const char *class, const char *entry,
			     const char *name, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	char path[768];

	(void)snprintf(path, sizeof(path), "sys/class/%s/%s/%s", class, entry, name);
	if (root_read_line(root, path, &text) < 0)
		return "";
	return arena_str(a, slice_trim(buf_slice(&text)));
}

/* Calls @fn for each entry of a class of /sys; how many there are. */
static size_t each(const struct root *root, const char *class,
		   void (*fn)(void *arg, const struct root *, const char *entry), void *arg)
{
	char path[256];
	DIR *dir;
	size_t n = 0;

	(void)snprintf(path, sizeof(path), "sys/class/%s", class);
	dir = root_opendir(root, path);
	for (const struct dirent *e; dir && n < ENTRIES_MAX && (e = readdir(dir));) {
		if (e->d_name[0] == '.')
			continue;
		fn(arg, root, e->d_name);
		n++;
	}
	if (dir)
		(void)closedir(dir);
	return n;
}

/* "0x52:4a:93:7..." and "524a937..." are one. */
static bool same_wwn(const char *a, const char *b)
{
	a += strncasecmp(a, "0x", 2) == 0 ? 2 : 0;
	b += strncasecmp(b, "0x", 2) == 0 ? 2 : 0;
	for (;; a++, b++) {
		while (*a == ':')
			a++;
		while (*b == ':')
			b++;
		if (!*a || !*b)
			return *a == *b;
		if (strncasecmp(a, b, 1) != 0)
			return false;
	}
}

static bool listed(const char *const *items, size_t n, const char *want, bool wwn)
{
	for (size_t i = 0; i < n; i++)
		if (wwn ? same_wwn(items[i], want) : strcasecmp(items[i], want) == 0)
			return true;
	return false;
}

/* --- links to an array's ports ---------------------------------------------------------------- */

struct link {
	const char *target, *portal, *state;
	const char *as; /* iSCSI: the initiator's name it is logged in under; "": not said */
};

struct links {
	struct diagnosis *d;
	const char *transport; /* NVMe: only controllers of this one */
	struct link *items;
	size_t n, cap;
};

static void links_done(struct links *l)
{
	vec_free(l);
}

static void add_session(void *arg, const struct root *root, const char *entry)
{
	struct links *l = arg;
	struct arena *a = &l->d->arena;
	const char *number = entry + strcspn(entry, "0123456789");
	char connection[64];
	const char *address, *port;
	struct link *link;

	(void)snprintf(connection, sizeof(connection), "connection%.32s:0", number);
	address = attribute(root, "iscsi_connection", connection, "persistent_address", a);
	port = attribute(root, "iscsi_connection", connection, "persistent_port", a);
	link = vec_push(l);
	link->target = attribute(root, "iscsi_session", entry, "targetname", a);
	link->state = attribute(root, "iscsi_session", entry, "state", a);
	link->as = attribute(root, "iscsi_session", entry, "initiatorname", a);
	link->portal = arena_fmt(a, "%s:%s", address, port);
}

static void add_remote_port(void *arg, const struct root *root, const char *entry)
{
	struct links *l = arg;
	struct link *link = vec_push(l);

	link->target = attribute(root, "fc_remote_ports", entry, "port_name", &l->d->arena);
	link->state = attribute(root, "fc_remote_ports", entry, "port_state", &l->d->arena);
	link->portal = "";
}

/* "traddr=10.0.0.1,trsvcid=4420,src_addr=..." */
static const char *portal_of_nvme(const char *address, struct arena *a)
{
	struct slice rest = slice_of(address), field, traddr = {}, trsvcid = {};

	while (slice_split(&rest, ',', &field)) {
		if (slice_starts(field, "traddr="))
			traddr = slice_from(field, 7);
		else if (slice_starts(field, "trsvcid="))
			trsvcid = slice_from(field, 8);
	}
	return arena_fmt(a, SLICE_FMT ":" SLICE_FMT, SLICE_ARG(traddr), SLICE_ARG(trsvcid));
}

static void add_controller(void *arg, const struct root *root, const char *entry)
{
	struct links *l = arg;
	struct arena *a = &l->d->arena;
	struct link *link;

	if (strcmp(attribute(root, "nvme", entry, "transport", a), l->transport) != 0)
		return;
	link = vec_push(l);
	link->target = attribute(root, "nvme", entry, "subsysnqn", a);
	link->state = attribute(root, "nvme", entry, "state", a);
	link->portal = portal_of_nvme(attribute(root, "nvme", entry, "address", a), a);
}

struct kind {
	const char *subject, *up; /* what a link that works says */
	const char *(*id)(const struct fa_port *p);
	bool by_portal;
	const char *before, *after; /* the portal: a remedy */
	enum diagnosis_level none;  /* when no port is connected */
};

static const char *iqn_of(const struct fa_port *p)
{
	return p->portal ? p->iqn : NULL;
}

static const char *wwn_of(const struct fa_port *p)
{
	return p->wwn;
}

static const char *nqn_of(const struct fa_port *p)
{
	return p->portal ? p->nqn : NULL;
}

static bool leads_to(const struct link *l, const struct kind *k, const struct fa_port *p)
{
	const char *id = k->id(p);

	if (!k->by_portal)
		return same_wwn(l->target, id);
	return strcasecmp(l->target, id) == 0 && strcmp(l->portal, p->portal) == 0;
}

static bool is_up(const struct links *l, const struct kind *k, const struct fa_port *p)
{
	for (size_t i = 0; i < l->n; i++)
		if (leads_to(&l->items[i], k, p) && strcasecmp(l->items[i].state, k->up) == 0)
			return true;
	return false;
}

/* All of an array's ports have the same IQN: what counts is the portal. */
static void diagnose_ports(struct diagnosis *d, const struct links *l, const struct kind *k,
			   const struct diagnosis_array *a)
{
	size_t ports = 0, up = 0;
	const char *missing = NULL, *remedy = NULL;

	for (size_t i = 0; i < a->ports.n; i++) {
		const struct fa_port *p = &a->ports.items[i];
		const char *where = k->by_portal ? p->portal : k->id(p);

		if (!k->id(p))
			continue;
		ports++;
		if (is_up(l, k, p)) {
			up++;
			continue;
		}
		missing = missing ? arena_fmt(&d->arena, "%s, %s", missing, where) : where;
		if (!remedy)
			remedy = arena_fmt(&d->arena, "%s%s%s", k->before, where, k->after);
	}
	if (!ports)
		diagnosis_add(d, DIAGNOSIS_BAD, k->subject,
			      "enable that service on the array's interfaces, or correct protocol",
			      "%s has no port of this protocol", a->url);
	else if (up == ports)
		diagnosis_add(d, DIAGNOSIS_OK, k->subject, NULL, "%s: all %zu ports are connected",
			      a->url, ports);
	else
		diagnosis_add(d, up ? DIAGNOSIS_WARNING : k->none, k->subject, remedy,
			      "%s: %zu of %zu ports are connected; not %s", a->url, up, ports,
			      missing);
}

static void diagnose_all_ports(struct diagnosis *d, const struct links *l, const struct kind *k)
{
	for (size_t i = 0; i < d->n_arrays; i++)
		if (d->arrays[i].has_ports)
			diagnose_ports(d, l, k, &d->arrays[i]);
}

/* --- initiators ------------------------------------------------------------------------------ */

static void compare_initiator(struct diagnosis *d, const struct array_conf *conf,
			      const char *subject, const char *mine)
{
	mine += strncmp(mine, "0x", 2) == 0 ? 2 : 0; /* of /sys; no array takes that */
	for (size_t i = 0; i < d->n_arrays; i++) {
		const struct diagnosis_array *a = &d->arrays[i];
		const struct fa_host *h = &a->host;
		bool known;

		if (!a->has_host)
			continue;
		known = conf->protocol == ARRAY_FC	? listed(h->wwns, h->n_wwns, mine, true)
			: conf->protocol == ARRAY_ISCSI ? listed(h->iqns, h->n_iqns, mine, false)
							: listed(h->nqns, h->n_nqns, mine, false);
		diagnosis_add(
			d, known ? DIAGNOSIS_OK : DIAGNOSIS_BAD, subject,
			known ? NULL
			      : arena_fmt(&d->arena,
					  "on the array: purehost setattr --add%s %s %s; if "
					  "it refuses, purehost list shows which host has it",
					  initiators_option(conf->protocol), mine, conf->host),
			"%s: host %s %s initiator %s", a->url, conf->host,
			known ? "has this node's" : "lacks this node's", mine);
	}
}

/* A login to a port of the array, under a name that is neither @mine nor its host's. */
static bool is_other_login(const struct link *s, const struct kind *k,
			   const struct diagnosis_array *a, const char *mine)
{
	for (size_t i = 0; i < a->ports.n; i++)
		if (k->id(&a->ports.items[i]) && leads_to(s, k, &a->ports.items[i]))
			return *s->as && strcasecmp(s->as, mine) != 0 &&
			       !listed(a->host.iqns, a->host.n_iqns, s->as, false);
	return false;
}

/* A session keeps the name of its login, whatever the file says since, and the array shows it
 * nothing then. */
static void compare_logins(struct diagnosis *d, const struct array_conf *conf,
			   const struct links *l, const struct kind *k, const char *mine)
{
	for (size_t i = 0; i < d->n_arrays; i++) {
		const struct diagnosis_array *a = &d->arrays[i];

		vec_each (s, l)
			if (a->has_host && a->has_ports && is_other_login(s, k, a, mine))
				diagnosis_add(d, DIAGNOSIS_BAD, "initiator",
					      arena_fmt(&d->arena,
							"iscsiadm -m node -p %s -u, then the same "
							"with -l",
							s->portal),
					      "%s: the session to %s is logged in as %s, which "
					      "host %s lacks",
					      a->url, s->portal, s->as, conf->host);
	}
}

/* The first line "KEY=value" of a file, or its first line without @key; NULL without. */
static const char *read_id(const struct root *root, const char *path, const char *key,
			   struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line;

	if (root_read(root, path, 65536, &text) < 0)
		return NULL;
	rest = buf_slice(&text);
	while (slice_split(&rest, '\n', &line)) {
		line = slice_trim(line);
		if (!line.n || line.p[0] == '#' || (key && !slice_starts(line, key)))
			continue;
		return arena_str(a, slice_trim(slice_from(line, key ? strlen(key) : 0)));
	}
	return NULL;
}

static void diagnose_iscsi(struct diagnosis *d, const struct root *root,
			   const struct array_conf *conf)
{
	static const struct kind kind = {
		"iscsi",
		"LOGGED_IN",
		iqn_of,
		true,
		"iscsiadm -m discovery -t sendtargets -p ",
		" && iscsiadm -m node --login; node.startup = automatic keeps it",
		DIAGNOSIS_BAD
	};
	CLEANUP(links_done) struct links l = { .d = d };
	const char *iqn =
		read_id(root, "etc/iscsi/initiatorname.iscsi", "InitiatorName=", &d->arena);
	const char *scan = read_id(root, "etc/iscsi/iscsid.conf", "node.session.scan", &d->arena);

	if (!iqn)
		diagnosis_add(d, DIAGNOSIS_BAD, "initiator", "apt install open-iscsi",
			      "/etc/iscsi/initiatorname.iscsi names no initiator");
	else
		compare_initiator(d, conf, "initiator", iqn);
	if (iqn && (!scan || !strstr(scan, "manual")))
		diagnosis_add(d, DIAGNOSIS_WARNING, "iscsid",
			      "leave it where LVM or another storage uses LUNs of iSCSI targets, "
			      "which would be missing after the next login; else node.session.scan "
			      "= manual in /etc/iscsi/iscsid.conf, and for the targets there are: "
			      "iscsiadm -m node -o update -n node.session.scan -v manual",
			      "iscsid scans for disks at each login, which brings back disks that "
			      "are being removed");
	(void)each(root, "iscsi_session", add_session, &l);
	if (iqn)
		compare_logins(d, conf, &l, &kind, iqn);
	diagnose_all_ports(d, &l, &kind);
}

static void diagnose_fc_host(void *arg, const struct root *root, const char *entry)
{
	struct links *l = arg;
	struct arena *a = &l->d->arena;
	const char *state = attribute(root, "fc_host", entry, "port_state", a);
	struct link *link = vec_push(l);

	link->target = attribute(root, "fc_host", entry, "port_name", a);
	link->state = state;
	link->portal = arena_fmt(a, "%s", entry);
}

static void diagnose_fc(struct diagnosis *d, const struct root *root, const struct array_conf *conf)
{
	static const struct kind kind = {
		"fc", "Online", wwn_of, false, "look at the zoning of ", "", DIAGNOSIS_BAD
	};
	CLEANUP(links_done) struct links hosts = { .d = d }, remote = { .d = d };

	if (!each(root, "fc_host", diagnose_fc_host, &hosts))
		diagnosis_add(d, DIAGNOSIS_BAD, "initiator",
			      "look for the adapter: lspci | grep -i fibre; or correct protocol",
			      "this node has no Fibre Channel port (/sys/class/fc_host)");
	vec_each (h, &hosts) {
		bool online = strcasecmp(h->state, "Online") == 0;

		diagnosis_add(d, online ? DIAGNOSIS_OK : DIAGNOSIS_WARNING, "initiator",
			      online ? NULL : "look at its cable and at the switch's port",
			      "%s, port %s, is %s", h->portal, h->target, h->state);
		if (online)
			compare_initiator(d, conf, "initiator", h->target);
	}
	(void)each(root, "fc_remote_ports", add_remote_port, &remote);
	diagnose_all_ports(d, &remote, &kind);
}

/* What a pod's volumes would lack, however many ports are connected. */
static void diagnose_subsystems(struct diagnosis *d, const struct array_conf *conf)
{
	struct fa_ports ports[ARRAY_ADDRESSES_MAX];
	const char *nqn[2];

	for (size_t i = 0; i < d->n_arrays; i++)
		ports[i] = d->arrays[i].ports;
	if (subsystems_differ(ports, d->n_arrays, nqn) && container_pod(conf, &d->arena))
		diagnosis_add(d, DIAGNOSIS_BAD, "nvme", SUBSYSTEM_REMEDY,
			      "the pod's arrays are two NVMe subsystems (%s, %s), whose paths the "
			      "kernel does not join: its volumes are not activated",
			      nqn[0], nqn[1]);
}

static void diagnose_nvme(struct diagnosis *d, const struct root *root,
			  const struct array_conf *conf)
{
	static const struct kind kind = { "nvme",
					  "live",
					  nqn_of,
					  true,
					  "look whether it answers from here: ",
					  " (it is connected when a volume is activated)",
					  DIAGNOSIS_WARNING };
	CLEANUP(links_done) struct links l = { .d = d, .transport = "tcp" };
	const char *nqn = read_id(root, "etc/nvme/hostnqn", NULL, &d->arena);
	const char *native =
		read_id(root, "sys/module/nvme_core/parameters/multipath", NULL, &d->arena);
	struct stat st;

	if (!nqn)
		diagnosis_add(d, DIAGNOSIS_BAD, "initiator",
			      "apt install nvme-cli; nvme gen-hostnqn > /etc/nvme/hostnqn",
			      "/etc/nvme/hostnqn names no initiator");
	else
		compare_initiator(d, conf, "initiator", nqn);
	if (!native || strcmp(native, "Y") != 0)
		diagnosis_add(d, DIAGNOSIS_BAD, "nvme",
			      "options nvme_core multipath=Y in /etc/modprobe.d, update-initramfs "
			      "-u, restart",
			      "the kernel's own NVMe multipathing is %s",
			      native ? "off" : "not there: nvme_core is not loaded");
	if (root_stat(root, "dev/nvme-fabrics", &st) == -ENOENT)
		diagnosis_add(
			d, DIAGNOSIS_BAD, "nvme",
			"modprobe nvme-tcp; /usr/lib/modules-load.d/pvewarden-array.conf does "
			"it at boot",
			"/dev/nvme-fabrics is not there, by which arrays are connected: the "
			"module nvme-tcp is not loaded");
	(void)each(root, "nvme", add_controller, &l);
	diagnose_all_ports(d, &l, &kind);
	diagnose_subsystems(d, conf);
}

void diagnose_links(struct diagnosis *d, const struct root *root, const struct array_conf *conf)
{
	switch (conf->protocol) {
	case ARRAY_ISCSI:
		diagnose_iscsi(d, root, conf);
		break;
	case ARRAY_FC:
		diagnose_fc(d, root, conf);
		break;
	case ARRAY_NVME_TCP:
	default:
		diagnose_nvme(d, root, conf);
		break;
	}
}
