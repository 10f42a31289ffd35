/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/visitor.h"

#include "hub/listen.h"

void visitors_begin(struct visitors *v, struct late *late, size_t most)
{
	*v = (struct visitors){ .late = late,
				.seats = budget_new(SIZE_MAX, most ? most : SIZE_MAX) };
}

void visitors_done(struct visitors *v)
{
	budget_free(v->seats);
}

bool visitors_have_room(struct visitors *v, const struct sockaddr *address)
{
	char network[64];

	listen_network_of(address, network);
	if (!budget_take(v->seats, network, 1))
		return false;
	budget_give(v->seats, network, 1);
	return true;
}

struct visitor *visitor_new(struct visitors *all, const struct sockaddr *address, int fd,
			    int64_t until_ms)
{
	struct visitor *v = xcalloc(1, sizeof(*v));

	v->all = all;
	v->late.fd = fd;
	listen_network_of(address, v->network);
	v->seated = budget_take(all->seats, v->network, 1);
	late_watch(all->late, &v->late, until_ms);
	return v;
}

static void stand_up(struct visitor *v)
{
	if (v->seated)
		budget_give(v->all->seats, v->network, 1);
	v->seated = false;
}

void visitor_asks(struct visitor *v)
{
	late_forget(v->all->late, &v->late);
}

void visitor_answered(struct visitor *v, bool known, bool forwarded, int64_t until_ms)
{
	if (forwarded)
		stand_up(v);
	v->known = v->known || known || forwarded;
	if (!v->known)
		late_watch(v->all->late, &v->late, until_ms);
}

void visitor_free(struct visitor *v)
{
	late_forget(v->all->late, &v->late);
	stand_up(v);
	free(v);
}
