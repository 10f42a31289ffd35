/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <stdio.h>

#include "target.h"

/* nvmet: a file is a namespace of the array's subsystem, with an NGUID made of the serial. */

static char *subsystem_path(const struct sim_array *a, const char *below)
{
	return configfs_path("nvmet/subsystems/%s%s", a->nqn, below);
}

static void set(struct target *t, const char *folder, const char *key, const char *value)
{
	CLEANUP_FREE char *path = configfs_path("%s/%s", folder, key);

	(void)configfs_value(&t->fs, path, value);
}

static char *port_path(const struct sim_array *a, size_t i)
{
	return configfs_path("nvmet/ports/%zu", (size_t)a->index * 100 + i + 1);
}

static void open_port(struct target *t, const struct sim_array *a, size_t i, const char *portal)
{
	CLEANUP_FREE char *port = port_path(a, i);
	CLEANUP_FREE char *address = xstrdup(portal);
	CLEANUP_FREE char *subsystem = subsystem_path(a, "");
	CLEANUP_FREE char *link = configfs_path("%s/subsystems/%s", port, a->nqn);
	char *colon = strrchr(address, ':');

	if (colon)
		*colon = '\0';
	(void)configfs_folder(&t->fs, port);
	set(t, port, "addr_adrfam", "ipv4");
	set(t, port, "addr_trtype", "tcp");
	set(t, port, "addr_traddr", address);
	set(t, port, "addr_trsvcid", colon ? colon + 1 : "4420");
	(void)configfs_link(&t->fs, link, subsystem);
}

static void open_array(struct target *t, const struct sim_array *a)
{
	CLEANUP_FREE char *subsystem = subsystem_path(a, "");

	(void)configfs_folder(&t->fs, subsystem);
	set(t, subsystem, "attr_model", "Pure Storage FlashArray");
	set(t, subsystem, "attr_allow_any_host", "0");
	for (size_t i = 0; i < a->nvme_portals.list.n; i++)
		open_port(t, a, i, a->nvme_portals.list.items[i]);
}

static void close_array(struct target *t, const struct sim_array *a)
{
	CLEANUP_FREE char *subsystem = subsystem_path(a, "");

	for (size_t i = 0; i < a->nvme_portals.list.n; i++) {
		CLEANUP_FREE char *port = port_path(a, i);
		CLEANUP_FREE char *link = configfs_path("%s/subsystems/%s", port, a->nqn);

		configfs_unlink(&t->fs, link);
		configfs_remove(&t->fs, port);
	}
	configfs_remove(&t->fs, subsystem);
}

static void host(struct target *t, const struct sim_array *a, const char *initiator)
{
	CLEANUP_FREE char *known = configfs_path("nvmet/hosts/%s", initiator);
	CLEANUP_FREE char *subsystem = subsystem_path(a, "");
	CLEANUP_FREE char *link = configfs_path("%s/allowed_hosts/%s", subsystem, initiator);

	(void)configfs_folder(&t->fs, known);
	(void)configfs_link(&t->fs, link, known);
}

static bool is_known_elsewhere(const struct target *t, const char *initiator)
{
	for (unsigned int i = 0; i < t->sim->n_arrays; i++) {
		CLEANUP_FREE char *subsystem = subsystem_path(&t->sim->arrays[i], "");
		CLEANUP_FREE char *link =
			configfs_path("%s/allowed_hosts/%s", subsystem, initiator);

		if (configfs_has(&t->fs, link))
			return true;
	}
	return false;
}

static void host_gone(struct target *t, const struct sim_array *a, const char *initiator)
{
	CLEANUP_FREE char *subsystem = subsystem_path(a, "");
	CLEANUP_FREE char *link = configfs_path("%s/allowed_hosts/%s", subsystem, initiator);
	CLEANUP_FREE char *known = configfs_path("nvmet/hosts/%s", initiator);

	configfs_unlink(&t->fs, link);
	if (!is_known_elsewhere(t, initiator))
		configfs_remove(&t->fs, known);
}

/* "00", 14 digits of the serial, the vendor's 24a937, 10 digits: in the groups of a UUID. */
static void nguid_of(const char *serial, char ret[static 40])
{
	char plain[33];

	(void)snprintf(plain, sizeof(plain), "00%.14s24a937%.10s", serial, serial + 14);
	for (char *c = plain; *c; c++)
		*c = (char)(*c >= 'A' && *c <= 'F' ? *c + 'a' - 'A' : *c);
	(void)snprintf(ret, 40, "%.8s-%.4s-%.4s-%.4s-%.12s", plain, plain + 8, plain + 12,
		       plain + 16, plain + 20);
}

static char *space_path(const struct sim_array *a, unsigned int number)
{
	CLEANUP_FREE char *subsystem = subsystem_path(a, "");

	return configfs_path("%s/namespaces/%u", subsystem, number);
}

static void show(struct target *t, const struct sim_array *a, const struct sim_volume *v,
		 unsigned int number, const char *file, bool first)
{
	CLEANUP_FREE char *space = space_path(a, number);
	char nguid[40];

	(void)first;
	nguid_of(v->serial, nguid);
	(void)configfs_folder(&t->fs, space);
	set(t, space, "device_path", file);
	set(t, space, "device_nguid", nguid);
	/* The kernel makes one up otherwise, and udev names the disk by it. An array tells none. */
	set(t, space, "device_uuid", "00000000-0000-0000-0000-000000000000");
	set(t, space, "buffered_io", "1");
	set(t, space, "enable", "1");
}

static void hide(struct target *t, const struct sim_array *a, const struct target_shown *v,
		 bool last)
{
	CLEANUP_FREE char *space = space_path(a, v->number);

	(void)last;
	set(t, space, "enable", "0");
	configfs_remove(&t->fs, space);
}

static void map(struct target *t, const struct sim_array *a, const char *initiator,
		const struct sim_connection *c, unsigned int number)
{
	(void)c;
	(void)number;
	host(t, a, initiator);
}

/* It stays allowed: its controllers live on without this namespace. */
static void unmap(struct target *t, const struct sim_array *a, const char *initiator,
		  const struct sim_connection *c)
{
	(void)t;
	(void)a;
	(void)initiator;
	(void)c;
}

static void resize(struct target *t, const struct sim_volume *v, const char *file)
{
	(void)file;
	vec_each (shown, &t->shown) {
		CLEANUP_FREE char *space = NULL;

		if (strcmp(shown->serial, v->serial) != 0)
			continue;
		space = space_path(&t->sim->arrays[shown->array], shown->number);
		set(t, space, "revalidate_size", "1");
	}
}

const struct target_kind target_nvmet = {
	.name = "nvmet",
	.initiators = SIM_NQN,
	.open = open_array,
	.close = close_array,
	.host = host,
	.host_gone = host_gone,
	.show = show,
	.hide = hide,
	.map = map,
	.unmap = unmap,
	.resize = resize,
};
