/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "auth_stage.h"

static const char *query(const struct request *r, const char *key)
{
	const struct hub *h = r->from;

	return strcmp(key, "user_code") == 0 ? h->query_code : NULL;
}

void fresh_request(struct hub *h)
{
	h->r = (struct request){
		.method = "POST",
		.host = "hub.example.org",
		.peer = "192.0.2.1",
		.secure = true,
		.now = NOW,
		.query = query,
		.from = h,
	};
	h->query_code = NULL;
}

int auth_stage_begin(void **state)
{
	struct hub *h = xcalloc(1, sizeof(*h));
	struct err e = {};

	h->store = hub_db_make(&h->db);
	assert_int_equal(store_org_add(h->store, "default", h->org[0], &e), 0);
	assert_int_equal(store_org_add(h->store, "other", h->org[1], &e), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
			auth_user_put(h->store, h->org[i], "alice", SLICE(PASSWORD), true, &e), 0);
	h->auth = auth_new();
	fresh_request(h);
	*state = h;
	return 0;
}

int auth_stage_end(void **state)
{
	struct hub *h = *state;

	auth_free(h->auth);
	store_close(h->store);
	buf_done(&h->reply.body);
	hub_db_remove(&h->db);
	free(h);
	return 0;
}

void fresh_reply(struct hub *h)
{
	struct buf body = h->reply.body;

	buf_reset(&body);
	h->reply = (struct reply){ .body = body };
}

void make(struct hub *h, int org, enum store_token_kind kind, int64_t lifetime,
	  struct store_token *t, char text[TOKEN_TEXT_MAX])
{
	assert_int_equal(auth_token_make(h->store, h->org[org], kind, NULL, "test", NOW, lifetime,
					 t, text, NULL),
			 0);
}

int check(struct hub *h, const char *token, enum auth_need need, struct identity *who)
{
	char header[TOKEN_TEXT_MAX + 16];

	(void)snprintf(header, sizeof(header), "Bearer %s", token);
	h->r.authorization = header;
	fresh_reply(h);
	return auth_check(h->auth, h->store, &h->r, need, who, &h->reply);
}

void assert_harmless(const struct hub *h)
{
	static const char *const words[] = { "invalid", "Invalid", "expired", "not found" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		assert_null(strstr(buf_str(&h->reply.body), words[i]));
}

void assert_error(const struct hub *h, unsigned int status, const char *word)
{
	json_t *doc = NULL;

	assert_int_equal(h->reply.status, status);
	assert_int_equal(json_parse(buf_slice(&h->reply.body), "reply", &doc, NULL), 0);
	assert_string_equal(json_str(doc, "error"), word);
	assert_true(json_str(doc, "error_description")[0]);
	assert_true(json_is_false(json_object_get(doc, "success")));
	json_decref(doc);
}
