/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/call_other.h"

#include "array/container.h"

static void *ask_other(void *arg)
{
	struct call_other *o = arg;
	struct err ignored = {};

	o->online = fa_pod_ask(o->array, &o->fa, o->pod, &ignored) == 0;
	return NULL;
}

static bool nobody_waits(void *arg, int64_t waited_ms)
{
	const struct call_other *o = arg;

	(void)waited_ms;
	return o->over;
}

/* In the thread of the call alone. Without memory for a thread it is tried again. */
static bool other_is_there(void *arg, int64_t waited_ms)
{
	struct call_other *o = arg;

	if (waited_ms >= CALL_PATIENCE_MAX_MS)
		return true;
	if (waited_ms < o->patience_ms)
		return false;
	if (!o->asked)
		o->asked = pthread_create(&o->thread, NULL, ask_other, o) == 0;
	return o->online;
}

void call_other_begin(struct call_other *o, struct call *c, struct fa *next)
{
	o->array = next;
	o->pod = container_pod(&c->conf, &c->arena);
	o->patience_ms = c->fa.patience_ms;
	o->fa = c->fa;
	o->fa.enough = nobody_waits;
	o->fa.enough_arg = o;
	o->fa.beside = true;
	c->fa.enough = other_is_there;
	c->fa.enough_arg = o;
}

bool call_other_end(struct call_other *o, struct call *c)
{
	c->fa.enough = NULL;
	c->fa.enough_arg = NULL;
	o->over = true;
	if (o->asked)
		(void)pthread_join(o->thread, NULL);
	return o->online;
}
