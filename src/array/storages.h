/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The storages of type `purestorage` that storage.cfg gives to this node, each as its "config"
 * object of a request and as what that means. For what runs without a request of Proxmox': arrayd's
 * document, heal, reap, diagnosis.
 */

#include "array/conf.h"
#include "pve/root.h"
#include "util/buf.h"

#define ARRAY_STORAGE_CFG "etc/pve/storage.cfg"

struct array_storage {
	const char *id;
	json_t *config, *secrets; /* secrets: what the token's file holds; NULL without one */
	struct array_conf conf;
	const char *problem; /* why conf says nothing; NULL when it does */
};

struct array_storages {
	struct array_storage *items; /* VEC() */
	size_t n, cap;
	struct arena arena;
};

/* Disabled ones and those of other nodes are left out. -errno: storage.cfg cannot be read, which is
 * not "no storage". */
int array_storages_read(struct array_storages *ret, const struct root *root, const char *node,
			struct err *e);
void array_storages_done(struct array_storages *s);

const struct array_storage *array_storages_find(const struct array_storages *s, const char *id);

/* One request line for array_call(), with @args (a reference is taken over). */
void array_storage_request(const struct array_storage *s, const char *node, const char *method,
			   json_t *args, struct buf *ret);
