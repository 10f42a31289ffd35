/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/auth.h"

#include <stdio.h>

#include "util/jsonw.h"
#include "util/str.h"

enum { LIFETIME_MAX_S = 10 * 366 * 86400, DEVICE_EXPIRES_S = 600, DEVICE_INTERVAL_S = 5 };

/* --- asking ---------------------------------------------------------------------------------- */

static void ask(struct jsonw *w, const char *action, struct buf *ret)
{
	buf_reset(ret);
	jsonw_begin_row(w, ret);
	jsonw_str(w, "action", action);
}

void auth_ask_refresh(const struct token *t, struct buf *ret)
{
	struct jsonw w;

	ask(&w, "refresh", ret);
	jsonw_str(&w, "refresh_token", t->refresh);
	jsonw_end(&w);
}

void auth_ask_renew(const struct token *t, struct buf *ret)
{
	struct jsonw w;

	ask(&w, "renew-refresh-token", ret);
	jsonw_str(&w, "refresh_token", t->refresh);
	jsonw_end(&w);
}

void auth_ask_start(struct buf *ret)
{
	struct jsonw w;

	ask(&w, "device-auth-start", ret);
	jsonw_end(&w);
}

void auth_ask_register(const char *device_code, const char *hostname, const char *kernel,
		       struct buf *ret)
{
	struct jsonw w;

	ask(&w, "register", ret);
	jsonw_str(&w, "device_code", device_code);
	jsonw_str(&w, "hostname", hostname);
	jsonw_str(&w, "os_type", "linux");
	jsonw_str(&w, "platform_family", "debian");
	jsonw_str(&w, "platform", "proxmox");
	jsonw_str(&w, "version", PVEWARDEN_VERSION);
	jsonw_str(&w, "primary_ip", "");
	jsonw_str(&w, "kernel_version", kernel);
	jsonw_array(&w, "all_ips");
	jsonw_close(&w);
	jsonw_end(&w);
}

/* --- understanding --------------------------------------------------------------------------- */

static json_t *object_of(struct slice body)
{
	json_t *doc = NULL;

	if (json_parse(body, "answer", &doc, NULL) < 0)
		return NULL;
	if (json_is_object(doc))
		return doc;
	json_decref(doc);
	return NULL;
}

static void copy(char *into, size_t size, const char *text)
{
	str_printable(into, size, slice_of(text ? text : ""));
}

void auth_read_reply(struct slice body, struct auth_reply *ret)
{
	json_t *doc = object_of(body);
	const char *said;

	*ret = (struct auth_reply){ .json = doc != NULL };
	if (!doc)
		return;
	copy(ret->error, sizeof(ret->error), json_str(doc, "error"));
	said = json_str(doc, "error_description");
	if (!said)
		said = json_str(doc, "message");
	copy(ret->description, sizeof(ret->description), said);
	json_decref(doc);
}

static int64_t end_of(const json_t *doc, const char *key, int64_t now, int64_t otherwise)
{
	int64_t s = 0;

	if (!json_i64(doc, key, &s) || s <= 0 || s > LIFETIME_MAX_S)
		return otherwise;
	return now + s;
}

static bool usable(const char *text)
{
	return text && *text && strlen(text) <= TOKEN_TEXT_MAX && !text[strcspn(text, " \t\r\n")];
}

bool auth_take_tokens(struct slice body, int64_t now, struct token *t)
{
	json_t *doc = object_of(body);
	const char *access = json_str(doc, "access_token"), *refresh, *id;
	struct token got = {};

	if (!usable(access)) {
		json_decref(doc);
		return false;
	}
	refresh = json_str(doc, "refresh_token");
	id = json_str(doc, "agent_id");
	token_copy(&got, t);
	free(got.access);
	got.access = xstrdup(access);
	if (usable(refresh) && (!t->refresh || strcmp(refresh, t->refresh) != 0)) {
		free(got.refresh);
		got.refresh = xstrdup(refresh);
		got.refresh_expires = 0;
	}
	if (usable(id)) {
		free(got.agent_id);
		got.agent_id = xstrdup(id);
	}
	got.got = now;
	got.given_up = got.ready = false;
	got.expires = end_of(doc, "expires_in", now, now + AUTH_LIFETIME_S);
	got.refresh_expires = end_of(doc, "refresh_token_expires_in", now, got.refresh_expires);
	json_decref(doc);
	token_done(t);
	*t = got;
	return true;
}

bool auth_take_device(struct slice body, struct auth_device *ret)
{
	json_t *doc = object_of(body);
	const char *device = json_str(doc, "device_code"), *user = json_str(doc, "user_code");
	const char *page = json_str(doc, "verification_uri_complete");
	bool ok = device && user && usable(device) && strlen(device) < sizeof(ret->device_code);

	*ret = (struct auth_device){ .expires_in = DEVICE_EXPIRES_S,
				     .interval = DEVICE_INTERVAL_S };
	if (ok) {
		(void)snprintf(ret->device_code, sizeof(ret->device_code), "%s", device);
		copy(ret->user_code, sizeof(ret->user_code), user);
		copy(ret->page, sizeof(ret->page), page ? page : json_str(doc, "verification_uri"));
		(void)json_i64(doc, "expires_in", &ret->expires_in);
		(void)json_i64(doc, "interval", &ret->interval);
		if (ret->expires_in < 1 || ret->expires_in > 3600)
			ret->expires_in = DEVICE_EXPIRES_S;
		if (ret->interval < 1 || ret->interval > 60)
			ret->interval = DEVICE_INTERVAL_S;
	}
	json_decref(doc);
	return ok;
}

bool auth_is_pending(const struct auth_reply *r)
{
	static const char *const words[] = { "authorization_pending",	  "slow_down",
					     "device not authorized yet", "device not authorized",
					     "device_not_authorized",	  "pending" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(r->error, words[i]) == 0)
			return true;
	return false;
}
