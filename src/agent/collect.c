/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/collect.h"

#include <stdio.h>
#include <time.h>

#include "agent/nanny_posts.h"
#include "agent/wire_document.h"
#include "util/clock.h"

/* Processor time of this process. */
static int64_t cpu_us(void)
{
	struct timespec ts = {};

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static uint32_t as_u32(int64_t n)
{
	return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

static size_t names_of(const struct collect_ask *ask, const char *names[COLLECT_UNHEARD_MAX])
{
	size_t n = 0;

	while (n < COLLECT_UNHEARD_MAX && *ask->unheard[n]) {
		names[n] = ask->unheard[n];
		n++;
	}
	return n;
}

static void fill(struct collect_answer *ret, struct picture *p)
{
	ret->clustered = p->members.clustered;
	ret->quorate = p->quorate == TRI_YES;
	(void)snprintf(ret->node, sizeof(ret->node), "%s", p->node.name);
	(void)snprintf(ret->cluster, sizeof(ret->cluster), "%s",
		       p->members.cluster_name ? p->members.cluster_name : "");
	(void)snprintf(ret->cluster_uuid, sizeof(ret->cluster_uuid), "%s", p->uuid);
	vec_each (g, &p->guests)
		ret->guests += strcmp(g->node, p->node.name) == 0;
}

static void collect(struct picture *p, const struct root *r, const struct collect_ask *ask,
		    struct collect_answer *ret)
{
	const char *unheard[COLLECT_UNHEARD_MAX];
	const struct picture_want want = {
		.reporter = ask->reporter,
		.unheard = unheard,
		.n_unheard = names_of(ask, unheard),
		.uuid = ask->cluster_uuid,
		.instance = ask->instance,
	};
	struct err e = {};

	ret->error = picture_read(p, r, &want, &e);
	if (ret->error < 0) {
		(void)snprintf(ret->why, sizeof(ret->why), "%s", e.text);
		return;
	}
	fill(ret, p);
	if (ask->hub)
		wire_document_write(&ret->document, p, ask);
	if (ask->nanny)
		nanny_posts_write(&ret->posts, p);
}

void collect_cycle(struct picture *p, const struct root *r, const struct collect_ask *ask,
		   struct collect_answer *ret)
{
	struct buf document = ret->document, posts = ret->posts;
	int64_t since = clock_boot_ms(), before = cpu_us();

	buf_reset(&document);
	buf_reset(&posts);
	*ret = (struct collect_answer){ .document = document, .posts = posts };
	collect(p, r, ask, ret);
	ret->milliseconds = as_u32(clock_boot_ms() - since);
	ret->cpu_microseconds = as_u32(cpu_us() - before);
}

void collect_once(const struct root *r, const struct collect_ask *ask, struct collect_answer *ret)
{
	CLEANUP(picture_done) struct picture p = {};

	*ret = (struct collect_answer){};
	collect_cycle(&p, r, ask, ret);
}

void collect_without_pmxcfs(const struct root *r, const struct collect_ask *ask, const char *node,
			    const char *cluster_uuid, struct collect_answer *ret)
{
	int64_t since = clock_boot_ms(), before = cpu_us();

	*ret = (struct collect_answer){};
	(void)snprintf(ret->node, sizeof(ret->node), "%s", node);
	(void)snprintf(ret->cluster_uuid, sizeof(ret->cluster_uuid), "%s", cluster_uuid);
	wire_document_write_hung(&ret->document, r, ask, node, cluster_uuid);
	ret->milliseconds = as_u32(clock_boot_ms() - since);
	ret->cpu_microseconds = as_u32(cpu_us() - before);
}

void collect_answer_done(struct collect_answer *a)
{
	buf_done(&a->document);
	buf_done(&a->posts);
	*a = (struct collect_answer){};
}
