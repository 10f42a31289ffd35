/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/resttoken.h"

#include <errno.h>

#include "util/json.h"
#include "util/jsonw.h"

/* Nodes' clocks differ by seconds; a time further ahead than this is none. */
enum { CLOCKS_DIFFER_S = 300, TTL_MAX_S = 7 * 86400 };

/* It becomes the value of a header. */
static bool take_text(const char *from, char into[RESTTOKEN_MAX])
{
	size_t n = from ? strlen(from) : 0;

	for (size_t i = 0; i < n; i++)
		if (from[i] <= ' ' || from[i] > '~')
			return false;
	if (n >= RESTTOKEN_MAX)
		return false;
	memcpy(into, from ? from : "", n);
	into[n] = '\0';
	return true;
}

static int take(const json_t *doc, struct resttoken *ret, struct err *e)
{
	struct resttoken t = {};

	if (!take_text(json_str(doc, "auth_token"), t.auth) || !t.auth[0])
		return err_set(e, -EBADMSG, "token file: no auth_token");
	if (!take_text(json_str(doc, "request_id"), t.request_id))
		t.request_id[0] = '\0';
	if (!json_i64(doc, "created_at", &t.created) || !json_i64(doc, "ttl", &t.ttl) ||
	    t.created <= 0 || t.ttl <= 0)
		return err_set(e, -EBADMSG, "token file: no created_at or no ttl");
	*ret = t;
	return 0;
}

int resttoken_parse(struct slice text, struct resttoken *ret, struct err *e)
{
	json_t *doc;
	int r = json_parse(text, "token file", &doc, e);

	if (r < 0)
		return r;
	r = take(doc, ret, e);
	json_decref(doc);
	return r;
}

void resttoken_write(const struct resttoken *t, struct buf *out)
{
	struct jsonw w;

	jsonw_begin_row(&w, out);
	jsonw_str(&w, "auth_token", t->auth);
	jsonw_str(&w, "request_id", t->request_id);
	jsonw_i64(&w, "created_at", t->created);
	jsonw_i64(&w, "ttl", t->ttl);
	jsonw_i64(&w, "expires_at", t->created + t->ttl);
	jsonw_end(&w);
}

unsigned int resttoken_share(uint32_t random)
{
	return 775 + random % 51;
}

bool resttoken_usable(const struct resttoken *t, int64_t now, int64_t ttl, unsigned int share)
{
	int64_t life = t->ttl < ttl || ttl <= 0 ? t->ttl : ttl;

	if (!t->auth[0] || t->created > now + CLOCKS_DIFFER_S)
		return false;
	if (life > TTL_MAX_S)
		life = TTL_MAX_S;
	/* 1000 times a week fits. */
	return (now - t->created) < life * (int64_t)share / 1000;
}
