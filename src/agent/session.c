/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/session.h"

#include <strings.h>

#include "util/str.h"

enum { FRESH_S = 10, REJECTED_WAIT_S = 60, READY_WAIT_S = 300, REFUSED_FIRST_S = 30 };

/* --- next ------------------------------------------------------------------------------------ */

static bool can_refresh(const struct token *t)
{
	return t->refresh && !t->ready;
}

static bool is_over(const struct token *t, int64_t now)
{
	return t->expires && t->expires <= now;
}

static bool must_refresh(const struct session *s, const struct token *t, int64_t now)
{
	return !t->access || s->rejected || (t->expires && t->expires - SESSION_EARLY_S <= now) ||
	       now - t->got >= s->check_every;
}

/* A time that lies farther ahead than anything is put off was of a clock that has been set back. */
static bool is_due(int64_t at, int64_t now, int64_t longest)
{
	return now >= at || at - now > longest;
}

static bool must_renew(const struct session *s, const struct token *t, int64_t now)
{
	return t->refresh_expires && t->refresh_expires - s->renew_before <= now &&
	       is_due(s->next_renew, now,
		      s->renew_retry > SESSION_NO_RENEW_S ? s->renew_retry : SESSION_NO_RENEW_S);
}

enum session_step session_next(const struct session *s, const struct token *t, int64_t now,
			       int64_t *ret_until)
{
	*ret_until = s->next_try;
	if (!token_is_there(t))
		return SESSION_NONE;
	if (!can_refresh(t))
		return s->rejected && !is_due(s->next_try, now, SESSION_LONGEST_S) ? SESSION_WAIT
										   : SESSION_USE;
	if (must_refresh(s, t, now)) {
		if (is_due(s->next_try, now, SESSION_LONGEST_S))
			return SESSION_REFRESH;
		/* What could not be refreshed early is good until its end. */
		if (!t->access || s->rejected || is_over(t, now))
			return SESSION_WAIT;
	} else if (must_renew(s, t, now)) {
		return SESSION_RENEW;
	}
	return SESSION_USE;
}

/* --- answers --------------------------------------------------------------------------------- */

/* Each is the whole word, compared exactly, in a field of the protocol: never a part of a text. */
static bool means_not_valid(const char *error)
{
	static const char *const words[] = {
		"unauthorized",		 "revoked",
		"agent revoked",	 "invalid_grant",
		"invalid_token",	 "invalid_refresh_token",
		"token_revoked",	 "invalid refresh token",
		"refresh token expired",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(error, words[i]) == 0)
			return true;
	return false;
}

static bool is_json(const char *content_type)
{
	static const char type[] = "application/json";
	size_t n = strlen(type);

	return content_type && strncasecmp(content_type, type, n) == 0 &&
	       (content_type[n] == '\0' || content_type[n] == ';' || content_type[n] == ' ');
}

static bool is_refusal(const struct session_seen *seen)
{
	struct auth_reply reply;

	if (seen->error || (seen->status != 401 && seen->status != 403) ||
	    !is_json(seen->content_type))
		return false;
	auth_read_reply(seen->body, &reply);
	return reply.json && means_not_valid(reply.error);
}

static int64_t in_seconds(int64_t ms)
{
	return ms < 1000 ? 1 : (ms + 999) / 1000;
}

static int64_t refusal_wait(unsigned int refusals)
{
	int64_t s = (int64_t)REFUSED_FIRST_S << (refusals < 6 ? refusals : 6);

	return s < 1800 ? s : 1800;
}

static enum session_result take_refusal(struct session *s, struct token *t, int64_t now)
{
	/* A clock that was set back begins to count anew. */
	if (!s->refusals || now < s->first_refusal)
		s->first_refusal = now;
	s->next_try = now + refusal_wait(s->refusals);
	s->refusals++;
	s->denied++;
	if (s->refusals < SESSION_REFUSALS || now - s->first_refusal < SESSION_REFUSED_S)
		return t->given_up ? SESSION_GIVEN_UP : SESSION_REFUSED;
	t->given_up = true;
	s->next_try = now + SESSION_GIVEN_UP_S;
	return SESSION_GIVEN_UP;
}

static enum session_result take_no_renewal(struct session *s, const struct session_seen *seen,
					   int64_t now)
{
	bool unknown = !seen->error && (seen->status == 400 || seen->status == 404);

	s->next_renew = now + (unknown ? SESSION_NO_RENEW_S : s->renew_retry);
	return unknown ? SESSION_NO_RENEW : SESSION_LATER;
}

enum session_result session_took(struct session *s, struct token *t, bool renewal,
				 const struct session_seen *seen, int64_t now)
{
	bool good = !seen->error && seen->status >= 200 && seen->status < 300;

	if (good && auth_take_tokens(seen->body, now, t)) {
		*s = (struct session){ .renew_before = s->renew_before,
				       .check_every = s->check_every,
				       .renew_retry = s->renew_retry,
				       .got = now,
				       .next_renew =
					       renewal ? now + s->renew_retry : s->next_renew };
		return SESSION_GOT;
	}
	if (renewal)
		return take_no_renewal(s, seen, now);
	s->failures++;
	if (is_refusal(seen))
		return take_refusal(s, t, now);
	s->next_try = now + in_seconds(seen->wait_ms);
	return SESSION_LATER;
}

bool session_rejected(struct session *s, const struct token *t, bool own, int64_t now)
{
	bool fresh = s->got && now >= s->got && now - s->got < FRESH_S;

	s->rejected = true;
	if (can_refresh(t) && !fresh)
		return true;
	s->failures++;
	s->denied += own;
	s->next_try = now + (can_refresh(t) ? REJECTED_WAIT_S : READY_WAIT_S);
	return false;
}

bool session_is_to_be_told(const struct session *s)
{
	return s->denied == 3 || (s->denied > 0 && s->denied % 10 == 0);
}
