/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/storages.h"

#include <errno.h>
#include <stdio.h>

#include "pve/storagecfg.h"
#include "util/str.h"

enum { CFG_MAX = 4 * 1024 * 1024, TOKEN_MAX = 64 * 1024 };

/* Proxmox gives a flag its value 1. */
static json_t *config_of(const struct section *s)
{
	json_t *config = json_object();

	(void)json_object_set_new(config, "type", json_string(s->type));
	for (size_t i = 0; i < s->n_options; i++) {
		const struct section_option *o = &s->options[i];

		if (!json_object_get(config, o->key))
			(void)json_object_set_new(config, o->key,
						  json_string(*o->value ? o->value : "1"));
	}
	return config;
}

/* What `sensitive-properties` keeps out of storage.cfg; NULL without one. */
static int secrets_of(const struct root *root, const char *id, json_t **ret)
{
	CLEANUP(buf_wipe) struct buf text = {};
	struct slice token;
	char path[512];
	int r;

	if ((size_t)snprintf(path, sizeof(path), "etc/pve/priv/storage/%s.purestorage-token", id) >=
	    sizeof(path))
		return -ENAMETOOLONG;
	r = root_read(root, path, TOKEN_MAX, &text);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	token = slice_trim(buf_slice(&text));
	*ret = json_pack("{s:s%, s:b}", "token", token.p, token.n, "kept", 1);
	return *ret ? 0 : -EBADMSG;
}

static void take(struct array_storages *ret, const struct storage *s, const struct root *root,
		 const char *node)
{
	struct array_storage *a = vec_push(ret);
	struct diags diags = { .arena = &ret->arena };
	struct err e = {};
	int r;

	a->id = s->id;
	a->config = config_of(s->section);
	r = array_storage_ok(s->id) ? secrets_of(root, s->id, &a->secrets) : 0;
	if (r < 0)
		a->problem =
			arena_fmt(&ret->arena, "its token's file cannot be read: %s", strerror(-r));
	else if (array_conf_read(&a->conf, s->id, a->config, a->secrets, node, &ret->arena, &diags,
				 &e) < 0)
		a->problem = arena_fmt(&ret->arena, "%s", e.text);
	diags_done(&diags);
}

int array_storages_read(struct array_storages *ret, const struct root *root, const char *node,
			struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = {}; /* tokens may stand in it */
	struct storage_cfg cfg;
	struct diags diags;
	int r;

	*ret = (struct array_storages){};
	r = root_read(root, ARRAY_STORAGE_CFG, CFG_MAX, &text);
	if (r < 0)
		return err_set(e, r, "/" ARRAY_STORAGE_CFG ": %s", strerror(-r));
	diags = (struct diags){ .arena = &ret->arena };
	storage_cfg_parse(&cfg, ARRAY_STORAGE_CFG, buf_slice(&text), &ret->arena, &diags);
	for (size_t i = 0; i < cfg.n; i++) {
		const struct storage *s = &cfg.storages[i];

		if (s->section && strcmp(s->type, "purestorage") == 0 && !s->disabled &&
		    storage_on_node(s, node))
			take(ret, s, root, node);
	}
	diags_done(&diags);
	return 0;
}

void array_storages_done(struct array_storages *s)
{
	vec_each (it, s) {
		json_decref(it->config);
		json_decref(it->secrets);
	}
	vec_free(s);
	arena_done(&s->arena);
}

const struct array_storage *array_storages_find(const struct array_storages *s, const char *id)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->items[i].id, id) == 0)
			return &s->items[i];
	return NULL;
}

void array_storage_request(const struct array_storage *s, const char *node, const char *method,
			   json_t *args, struct buf *ret)
{
	json_t *request = json_pack("{s:s, s:s, s:s, s:s, s:O, s:o}", "schema",
				    "pvewarden.array.call/1", "method", method, "storage", s->id,
				    "node", node, "config", s->config, "args", args);
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;

	buf_reset(ret);
	if (text)
		buf_adds(ret, text);
	free(text);
	json_decref(request);
}
