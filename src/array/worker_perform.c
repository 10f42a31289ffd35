/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>

#include "array/worker_wire.h"
#include "util/file.h"

struct outcome {
	struct worker_reply head;
	struct arena arena;
	union {
		struct map_state state;
		struct map_left left;
	};
	const void *payload;
};

static void carries(struct outcome *o, const void *payload, size_t size)
{
	o->payload = payload;
	o->head.size = size;
}

static int list(struct outcome *o)
{
	struct map_list found = {};
	int r = map_list(&found, &o->arena, &o->head.e);

	carries(o, found.items, found.n * sizeof(*found.items));
	return r;
}

static int perform(const struct worker_request *q, struct outcome *o)
{
	struct err *e = &o->head.e;

	carries(o, &o->state, sizeof(o->state));
	switch (q->op) {
	case WORKER_LOOK:
		return map_look(q->serial, q->protocol, &o->state, e);
	case WORKER_ATTACH:
		return map_attach(&q->want, q->deadline_ms, &o->state, e);
	case WORKER_RESIZE:
		return map_resize(q->serial, q->protocol, q->size, q->deadline_ms, &o->state, e);
	case WORKER_DETACH:
		carries(o, &o->left, sizeof(o->left));
		return map_detach(q->serial, q->protocol, q->deadline_ms, &o->left, e);
	case WORKER_LIST:
		return list(o);
	case WORKER_ASK:
		carries(o, NULL, 0);
		return map_ask(q->serial, q->protocol, q->deadline_ms, e);
	case WORKER_PRUNE:
		carries(o, NULL, 0);
		return map_prune(&q->want, q->deadline_ms, e);
	case WORKER_FORGET:
		carries(o, NULL, 0);
		return map_forget(&q->left, q->deadline_ms, e);
	case WORKER_REFRESH:
		carries(o, NULL, 0);
		return map_refresh(q->serial, q->protocol, q->size, q->deadline_ms, e);
	case WORKER_STUCK:
		break;
	}
	return -ENOSYS;
}

void worker_perform(const struct worker_request *q, int reply)
{
	struct outcome o = {};

	o.head.code = perform(q, &o);
	if (o.head.code < 0)
		o.head.size = 0;
	if (file_write_all(reply, (struct slice){ (const char *)&o.head, sizeof(o.head) }) == 0 &&
	    o.head.size)
		(void)file_write_all(reply, (struct slice){ o.payload, o.head.size });
	arena_done(&o.arena);
}
