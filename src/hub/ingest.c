/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/ingest.h"

#include <errno.h>

#include "hub/nanny.h"
#include "util/clock.h"
#include "util/jsonw.h"

enum { RETRY_S = 5 };

static int refuse(struct call *c, const struct check_fault *f)
{
	const char *word = f->status == 400   ? "invalid_json"
			   : f->status == 413 ? "too_large"
					      : "invalid_document";

	counts_add(c->hub->counts, COUNT_REFUSED, 1);
	reply_error(&c->reply, f->status, word, f->path[0] ? f->path : NULL, "%s", f->why);
	return 0;
}

static void unavailable(struct call *c, const char *sentence)
{
	reply_error(&c->reply, 503, "unavailable", NULL, "%s", sentence);
	c->reply.retry_after = RETRY_S;
}

static int hand_over(struct call *c)
{
	c->item.owner = c;
	c->item.queue.bytes = c->body.len;
	c->item.queue.org = c->who.org;
	if (!writers_put(c->hub->writers, &c->item))
		return INGEST_UNDER_WAY;
	unavailable(c, "this hub is being stopped");
	return 0;
}

static struct call *call_of(struct write_item *item)
{
	return item->owner;
}

/* --- our documents ------------------------------------------------------------------------- */

static void write_answer(const struct store_document *d, struct buf *out)
{
	struct jsonw w;

	jsonw_begin_row(&w, out);
	jsonw_bool(&w, "success", true);
	jsonw_str(&w, "message", "Data ingested successfully");
	jsonw_str(&w, "id", d->id);
	jsonw_bool(&w, "duplicate", d->duplicate);
	jsonw_str(&w, "reporter", d->reporter[0] ? d->reporter : NULL);
	if (d->configs_wanted)
		jsonw_str(&w, "configs", "all");
	jsonw_end(&w);
	/* The store's own JSON goes before the last brace. */
	while (out->len && out->data[out->len - 1] != '}')
		out->len--;
	out->len--;
	buf_adds(out, ", \"unheard\": ");
	buf_adds(out, d->unheard.len ? d->unheard.data : "[]");
	buf_adds(out, "}\n");
}

static void document_done(struct write_item *item)
{
	struct call *c = call_of(item);
	const struct store_document *d = &item->document;

	if (item->error || d->error == -EREMOTEIO) {
		unavailable(c, "the database is busy or away");
	} else if (d->error) {
		counts_add(c->hub->counts, COUNT_REFUSED, 1);
		reply_error(&c->reply, 422, "invalid_document", "$", "%s", d->why);
	} else {
		c->reply.status = 200;
		write_answer(d, &c->reply.body);
		counts_took(c->hub->counts, clock_boot_us() - c->began_us);
	}
	c->finished(c);
}

int ingest_document(struct call *c, struct store *s)
{
	struct store_document *d = &c->item.document;
	struct check_fault fault = {};

	(void)s;
	if (check_document(c->request.body, c->request.now, &c->texts, d, &fault))
		return refuse(c, &fault);
	d->org = c->who.org;
	d->agent = c->who.token.agent;
	d->received_at = c->request.now;
	store_prepare(d);
	c->item.is_object = false;
	c->item.done = document_done;
	return hand_over(c);
}

/* --- NannyAPI's objects -------------------------------------------------------------------- */

static void object_done(struct write_item *item)
{
	struct call *c = call_of(item);

	switch (item->error) {
	case 0:
		c->reply.status = 200;
		nanny_answer(item->object.kind, item->object.id, &c->reply.body);
		break;
	case -ENOENT: /* a guest before its node: old agents expect 400 */
		counts_add(c->hub->counts, COUNT_REFUSED, 1);
		reply_error(&c->reply, 400, "node_not_found", NULL, "%s", item->why.text);
		break;
	case -EINVAL:
	case -EBADMSG: /* the database does not take a text or a number in it */
	case -EEXIST:
		counts_add(c->hub->counts, COUNT_REFUSED, 1);
		reply_error(&c->reply, 422, "invalid_object", "$", "%s", item->why.text);
		break;
	default:
		unavailable(c, "the database is busy or away");
	}
	c->finished(c);
}

int ingest_object(struct call *c, struct store *s)
{
	struct check_fault fault = {};
	struct buf words = {};
	enum store_object kind = (enum store_object)c->match.route->detail;

	(void)s;
	if (nanny_read(kind, c->request.body, c->request.now, &words, &fault)) {
		buf_done(&words);
		return refuse(c, &fault);
	}
	buf_done(&c->body);
	c->body = words;
	c->item.is_object = true;
	c->item.object.kind = kind;
	c->item.object.org = c->who.org;
	c->item.object.agent = c->who.token.agent;
	c->item.object.body = buf_slice(&c->body);
	c->item.object.now = c->request.now;
	c->item.done = object_done;
	return hand_over(c);
}
