/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/delivery.h"

#include <stdio.h>
#include <time.h>

#include "agent/auth.h"
#include "agent/spool.h"
#include "util/clock.h"
#include "util/json.h"
#include "util/str.h"

/* What a hub takes of a clock that is ahead of its own (docs/wire.md). */
enum { AHEAD_MAX_S = 86400 };

/* --- Retry-After ----------------------------------------------------------------------------- */

static bool two(struct slice s, size_t at, int *ret)
{
	uint32_t n;

	if (at + 2 > s.n || !str_to_u32((struct slice){ s.p + at, 2 }, &n))
		return false;
	*ret = (int)n;
	return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool parse_date(struct slice s, int64_t *ret)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm = {};
	char month[4] = {};
	const char *at;
	uint32_t year;

	if (s.n != 29 || !slice_ends(s, " GMT") || s.p[3] != ',' || s.p[19] != ':' ||
	    s.p[22] != ':' || !two(s, 5, &tm.tm_mday) || !two(s, 17, &tm.tm_hour) ||
	    !two(s, 20, &tm.tm_min) || !two(s, 23, &tm.tm_sec) ||
	    !str_to_u32((struct slice){ s.p + 12, 4 }, &year))
		return false;
	memcpy(month, s.p + 8, 3);
	at = strlen(month) == 3 ? strstr(months, month) : NULL;
	if (!at || (at - months) % 3 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 ||
	    tm.tm_min > 59 || tm.tm_sec > 60)
		return false;
	tm.tm_mon = (int)(at - months) / 3;
	tm.tm_year = (int)year - 1900;
	*ret = (int64_t)timegm(&tm);
	return true;
}

int64_t delivery_retry_after(struct slice text, int64_t now)
{
	uint64_t seconds;
	int64_t at, wait;

	text = slice_trim(text);
	if (str_to_u64(text, &seconds))
		wait = seconds > DELIVERY_RETRY_AFTER_MAX_S ? DELIVERY_RETRY_AFTER_MAX_S
							    : (int64_t)seconds;
	else if (parse_date(text, &at))
		wait = at > now ? at - now : 0;
	else
		return -1;
	/* A date is only as good as two clocks: nobody waits for a day because of one. */
	return wait > DELIVERY_RETRY_AFTER_MAX_S ? DELIVERY_RETRY_AFTER_MAX_S : wait;
}

/* --- verdicts -------------------------------------------------------------------------------- */

static void later(const struct delivery_seen *seen, unsigned int tries, int64_t now,
		  uint32_t random, struct delivery *ret)
{
	int64_t said = seen->retry_after && *seen->retry_after
			       ? delivery_retry_after(slice_of(seen->retry_after), now)
			       : -1;

	ret->wait_ms = spool_backoff_ms(tries, random);
	/* Not before it, and not all at the same moment after it. */
	if (said >= 0 && ret->wait_ms < said * 1000)
		ret->wait_ms = said * 1000 + random % 1000;
}

/* Those that say something about what was sent, whoever says it. */
static bool is_about_the_body(long status)
{
	return status == 413 || status == 414 || status == 415 || status == 422;
}

static enum delivery_verdict verdict_of(long status, const struct auth_reply *reply)
{
	if (status >= 200 && status < 300)
		return reply->json && !reply->error[0] ? DELIVERY_DONE : DELIVERY_LATER;
	if (status == 401)
		return DELIVERY_REFRESH;
	if (status == 403)
		return reply->json ? DELIVERY_REVOKED : DELIVERY_LATER;
	if (status == 408 || status == 429 || status < 400 || status >= 500)
		return DELIVERY_LATER;
	/* A proxy's "404 page not found" comes and goes: that costs no document. */
	return reply->json || is_about_the_body(status) ? DELIVERY_PARK : DELIVERY_LATER;
}

static void explain(const struct delivery_seen *seen, const struct auth_reply *reply,
		    struct delivery *ret)
{
	const char *said = reply->description[0] ? reply->description : reply->error;

	if (ret->verdict == DELIVERY_DONE)
		return;
	if (reply->json)
		(void)snprintf(ret->why, sizeof(ret->why), "%ld: %s", seen->status,
			       *said ? said : "the server says no more");
	else
		(void)snprintf(ret->why, sizeof(ret->why),
			       "%ld, and the answer is not the server's own: %s", seen->status,
			       seen->status < 400 ? "something in between has taken the request"
						  : "perhaps a proxy's");
}

void delivery_judge(const struct delivery_seen *seen, unsigned int tries, int64_t now,
		    uint32_t random, struct delivery *ret)
{
	struct auth_reply reply;

	*ret = (struct delivery){};
	if (seen->error) {
		ret->verdict = DELIVERY_LATER;
		ret->wait_ms = spool_backoff_ms(tries, random);
		(void)snprintf(ret->why, sizeof(ret->why), "%s", seen->why);
		return;
	}
	auth_read_reply(seen->body, &reply);
	ret->verdict = verdict_of(seen->status, &reply);
	ret->own = reply.json;
	/* Also where a document would not wait: what was asked may have been a token. */
	later(seen, tries, now, random, ret);
	if (ret->verdict == DELIVERY_REVOKED)
		ret->wait_ms = DELIVERY_REVOKED_MS;
	explain(seen, &reply, ret);
}

/* --- clocks ---------------------------------------------------------------------------------- */

static bool is_about_the_time(struct slice answer)
{
	json_t *doc = NULL;
	const char *path;
	bool is;

	if (json_parse(answer, "answer", &doc, NULL) < 0)
		return false;
	path = json_str(doc, "path");
	is = path && strcmp(path, "$.collected_at") == 0;
	json_decref(doc);
	return is;
}

/* Among the first members of what we write ourselves; megabytes are not parsed for it. */
static bool collected_at(struct slice document, int64_t *ret)
{
	static const char key[] = "\"collected_at\":";
	const char *at = memmem(document.p, document.n, key, strlen(key));
	struct slice rest, time;

	if (!at)
		return false;
	rest = slice_from(document, (size_t)(at - document.p) + strlen(key));
	return slice_split(&rest, '"', &time) && slice_split(&rest, '"', &time) &&
	       clock_parse(time, ret);
}

bool delivery_is_of_a_clock(struct slice answer, struct slice document, int64_t now)
{
	int64_t at;

	return is_about_the_time(answer) && collected_at(document, &at) && at <= now + AHEAD_MAX_S;
}

/* --- what the hub asks for ------------------------------------------------------------------- */

static bool copy_name(char into[COLLECT_NODE_MAX], const char *name)
{
	if (!name || !*name || strlen(name) >= COLLECT_NODE_MAX)
		return false;
	(void)snprintf(into, COLLECT_NODE_MAX, "%s", name);
	return true;
}

bool delivery_take_reply(struct slice body, struct collect_ask *ask)
{
	bool duplicate;
	const char *configs;
	json_t *doc = NULL, *unheard, *one;
	size_t i, n = 0;

	if (json_parse(body, "answer", &doc, NULL) < 0)
		return false;
	duplicate = json_is_true(json_object_get(doc, "duplicate"));
	(void)copy_name(ask->reporter, json_str(doc, "reporter"));
	unheard = json_arr(doc, "unheard");
	json_array_foreach(unheard, i, one)
	{
		if (n < COLLECT_UNHEARD_MAX && copy_name(ask->unheard[n], json_string_value(one)))
			n++;
	}
	if (unheard && n < COLLECT_UNHEARD_MAX)
		ask->unheard[n][0] = '\0';
	configs = json_str(doc, "configs");
	if (configs && strcmp(configs, "all") == 0)
		ask->all_configs = true;
	json_decref(doc);
	return duplicate;
}
