/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * Any bytes as a server's answer, Retry-After and list of posts: no wait is longer than an hour, no
 * answer but the server's own word counts against a refresh token, and it is never lost.
 */

#include "agent/delivery.h"
#include "agent/posts.h"
#include "agent/session.h"

#include "fuzz_pve.h"

static void judge(struct slice body, long status, const char *header)
{
	struct delivery_seen seen = { .status = status, .body = body, .retry_after = header };
	struct collect_ask ask = {};
	struct delivery d;

	delivery_judge(&seen, 3, 1000000000, 12345, &d);
	CHECK(d.wait_ms >= 0 && d.wait_ms <= (DELIVERY_RETRY_AFTER_MAX_S + 1) * 1000LL);
	CHECK(memchr(d.why, '\0', sizeof(d.why)));
	(void)delivery_take_reply(body, &ask);
	CHECK(memchr(ask.reporter, '\0', sizeof(ask.reporter)));
}

static void refresh(struct slice body, long status)
{
	struct session s = { .renew_before = 1, .check_every = 1, .renew_retry = 1 };
	struct session_seen seen = {
		.status = status, .content_type = "application/json", .body = body, .wait_ms = 1
	};
	CLEANUP(token_done) struct token t = { .access = xstrdup("a"), .refresh = xstrdup("r") };
	enum session_result r = session_took(&s, &t, false, &seen, 1000000000);

	CHECK(t.refresh && *t.refresh && !t.given_up);
	CHECK(r == SESSION_GOT || strcmp(t.refresh, "r") == 0);
	CHECK(s.refusals == 0 || status == 401 || status == 403);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const long statuses[] = { 200, 204, 302, 400, 401, 403, 404, 413, 429, 500 };
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct slice text = { copy, n };
	struct auth_device device;
	struct post p;
	char header[128] = {}, name[64];
	size_t at = 0;

	memcpy(header, copy, n < sizeof(header) - 1 ? n : sizeof(header) - 1);
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
		judge(text, statuses[i], header);
		refresh(text, statuses[i]);
	}
	(void)auth_take_device(text, &device);
	while (posts_next(text, &at, &p)) {
		CHECK(lies_in(p.path, text) && lies_in(p.body, text));
		posts_name(&p, name, sizeof(name));
	}
	return 0;
}
