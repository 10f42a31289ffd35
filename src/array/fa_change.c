/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * What became of a request that changes something. When it was sent and no answer came, the object
 * is read until it says; only an outcome that was seen is repeated or reported. Every change here
 * may be repeated after the object was seen as it was before: a request that arrives late, after
 * its own repetition, finds its work done and is refused or changes nothing.
 */

#include <errno.h>

#include "array/fa_inside.h"

enum { PAUSE_MS = 300, PAUSE_MAX_MS = 3000 };

void fa_change_done(struct fa_change *change)
{
	rest_reply_done(&change->reply);
}

enum tri fa_made_since(struct fa *f, int64_t created, int64_t began)
{
	int64_t at = rest_array_time(f->rest, began);

	if (at < 0 || created <= 0)
		return TRI_UNKNOWN;
	/* Both are whole seconds, rounded down. */
	return tri_of(created >= at / 1000);
}

bool fa_is_silence(int r)
{
	return r == -EHOSTUNREACH || r == -EAGAIN || r == -EINPROGRESS;
}

static bool is_refusal(int r)
{
	return r == -ENOENT || r == -EEXIST || r == -ESTALE || r == -EINVAL || r == -EDQUOT ||
	       r == -EROFS;
}

static int unknown(struct fa *f, const struct fa_change *change, const struct err *why,
		   struct err *e)
{
	return err_set(e, -EINPROGRESS,
		       "%s: %s: it is not known whether this was done (%.300s); look at the array",
		       fa_url(f), change->request.what, why->text);
}

/* As look(), and -EINPROGRESS when there is no answer until the deadline. */
static int look_until(struct fa *f, const struct fa_call *c, struct fa_change *change,
		      struct err *e)
{
	int64_t pause = PAUSE_MS;
	struct err why = {};
	int r;

	for (;;) {
		r = change->look(f, c, change->arg, &why);
		if (r >= 0)
			return r;
		if (is_refusal(r))
			return err_set(e, r, "%s", why.text);
		if (!fa_is_silence(r) || !rest_pause(c, pause))
			return unknown(f, change, &why, e);
		pause = pause * 2 < PAUSE_MAX_MS ? pause * 2 : PAUSE_MAX_MS;
	}
}

/* After @r of a request before which it was uncertain, or which made it so. FA_AGAIN: send it. */
static int settle(struct fa *f, const struct fa_call *c, struct fa_change *change, int r,
		  struct err *e)
{
	struct err refusal = *e;
	int found;

	rest_log(f->rest, c, 1, "%s: outcome unknown, reading it again", change->request.what);
	found = look_until(f, c, change, e);
	rest_log(f->rest, c, 1, "%s: %s", change->request.what,
		 found == 0	     ? "was done"
		 : found == FA_AGAIN ? "was not done"
				     : e->text);
	if (found != FA_AGAIN)
		return found;
	/* It is not done, and the array says why. */
	if (!fa_is_silence(r))
		return err_set(e, r, "%s", refusal.text);
	if (!rest_pause(c, PAUSE_MS))
		return unknown(f, change, &refusal, e);
	return FA_AGAIN;
}

int fa_change(struct fa *f, const struct fa_call *c, struct fa_change *change, struct err *e)
{
	bool uncertain = false;
	struct err why = {};
	int r;

	change->began = rest_now_ms();
	do {
		r = rest_call(f->rest, c, &change->request, &change->reply, &why);
		uncertain = uncertain || r == -EINPROGRESS || change->reply.doubtful;
		if (r < 0 && uncertain)
			r = settle(f, c, change, r, &why);
	} while (r == FA_AGAIN);
	return r < 0 ? err_set(e, r, "%s", why.text) : 0;
}

int fa_changed_volume(struct fa *f, const struct fa_call *c, const struct fa_change *change,
		      const char *name, struct arena *a, struct fa_volume *ret, struct err *e)
{
	const json_t *item = json_array_get(json_arr(change->reply.doc, "items"), 0);
	int r;

	if (strcmp(fa_read_name(item), name) == 0 && fa_read_volume(item, a, ret, NULL) == 0)
		return 0;
	r = fa_volume_get(f, c, name, a, ret, e);
	if (r == -EHOSTUNREACH || r == -EAGAIN || r == -EKEYREJECTED)
		return err_wrap(e, -EINPROGRESS, "done, but cannot be read");
	return r;
}
