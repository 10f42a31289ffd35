/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "hub/pages.h"
#include "hub/pages_inside.h"

/* The page on which a person lets an agent in: a code, who asked, yes or no. */

struct approval {
	struct auth *a;
	struct store *s;
	const struct request *r;
	struct reply *reply;
	struct store_token who;
	char org_name[STORE_NAME_MAX];
	char code[AUTH_CODE_LEN + 1];
	char csrf[DIGEST_SECRET_MAX];
};

static void show(const struct approval *x, unsigned int status, enum page_step step,
		 const char *problem, const struct store_device *d)
{
	struct page_authorize p = {
		.step = step,
		.problem = problem,
		.user = x->who.user,
		.org = x->org_name,
		.code = x->code,
		.from = d ? d->from : "",
		.minutes = d ? (d->expires_at - x->r->now + 59) / 60 : 0,
		.csrf = x->csrf,
	};

	pages_begin(x->reply, status);
	page_authorize(&p, &x->reply->body);
}

static const char no_such_code[] =
	"Nothing waits for this code. It may be mistyped, used, or older than ten minutes.";

/* --- GET: which agent is it --- */

static void look(const struct approval *x)
{
	struct store_device d;
	uint8_t hash[STORE_HASH];
	int r;

	if (!x->code[0]) {
		show(x, 200, PAGE_ASK_CODE, NULL, NULL);
		return;
	}
	if (!pages_may_try(x->a, AUTH_TRY_CODE, x->r, x->reply))
		return;
	auth_hash_code(x->code, hash);
	r = store_device_by_user_code(x->s, hash, x->r->now, &d, NULL);
	if (r == 0 && (d.org[0] || d.used))
		r = -ENOENT;
	if (r == -ENOENT)
		show(x, 404, PAGE_ASK_CODE, no_such_code, NULL);
	else if (r < 0)
		pages_away(x->reply);
	else
		show(x, 200, PAGE_CONFIRM, NULL, &d);
}

/* --- POST: yes or no --- */

static void decide(const struct approval *x, bool approve)
{
	uint8_t hash[STORE_HASH];
	int r;

	auth_hash_code(x->code, hash);
	r = approve ? store_device_approve(x->s, hash, x->who.org, x->who.user, x->r->now, NULL)
		    : store_device_refuse(x->s, hash, NULL);
	if (r == -ENOENT)
		show(x, 404, PAGE_ASK_CODE, no_such_code, NULL);
	else if (r < 0)
		pages_away(x->reply);
	else
		show(x, 200, approve ? PAGE_APPROVED : PAGE_REFUSED, NULL, NULL);
}

static void take_form(struct approval *x)
{
	char typed[64], answer[16], csrf[DIGEST_SECRET_MAX];

	(void)token_form_value(x->r->body, "csrf", csrf, sizeof(csrf));
	(void)token_form_value(x->r->body, "answer", answer, sizeof(answer));
	if (!token_form_value(x->r->body, "user_code", typed, sizeof(typed)) ||
	    !auth_read_code(typed, x->code)) {
		x->code[0] = '\0';
		show(x, 400, PAGE_ASK_CODE, "A code has eight letters and digits.", NULL);
	} else if (!pages_csrf_fits(x->r, AUTH_SESSION_COOKIE, csrf)) {
		show(x, 403, PAGE_ASK_CODE, "This form was too old. Please try again.", NULL);
	} else if (pages_may_try(x->a, AUTH_TRY_CODE, x->r, x->reply)) {
		decide(x, strcmp(answer, "approve") == 0);
	}
}

/* --- the door --- */

struct org_search {
	char *ret;
};

static void take_org_name(void *ctx, const struct store_user *u, const char *org_name)
{
	struct org_search *o = ctx;

	(void)u;
	(void)snprintf(o->ret, STORE_NAME_MAX, "%s", org_name);
}

static int find_org_name(struct approval *x)
{
	struct org_search o = { x->org_name };

	return store_user_each(x->s, x->who.org, take_org_name, &o, NULL);
}

void auth_authorize_page(struct auth *a, struct store *s, const struct request *r,
			 struct reply *reply)
{
	struct approval x = { a, s, r, reply };
	int found;

	if (!pages_are_private(r, reply))
		return;
	pages_query_code(r, x.code);
	found = auth_person(a, s, r, &x.who);
	if (found == -ENOENT) {
		pages_go(reply, "/login", x.code);
		return;
	}
	if (found < 0 || find_org_name(&x) < 0) {
		pages_away(reply);
		return;
	}
	pages_csrf(r, AUTH_SESSION_COOKIE, x.csrf);
	if (strcmp(r->method, "POST") == 0)
		take_form(&x);
	else
		look(&x);
}
