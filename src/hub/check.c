/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/check.h"

#include <errno.h>
#include <stdio.h>

#include "hub/shape.h"

static int refuse(struct check_fault *fault, unsigned int status, const char *path, const char *why)
{
	fault->status = status;
	(void)snprintf(fault->path, sizeof(fault->path), "%s", path);
	(void)snprintf(fault->why, sizeof(fault->why), "%s", why);
	return -EBADMSG;
}

static int check_text(struct slice body, const struct shape *shape, struct shape_value *slots,
		      struct check_fault *fault)
{
	if (body.n > WIRE_BODY_MAX)
		return refuse(fault, 413, "$", "larger than 8 MiB");
	return shape_check(body, shape, slots, fault);
}

int check_document(struct slice body, int64_t now, struct check_texts *texts,
		   struct store_document *ret, struct check_fault *fault)
{
	struct shape_value v[SHAPE_SLOTS] = {};
	int r = check_text(body, &shape_document, v, fault);

	if (r < 0)
		return r;
	if (v[SLOT_COLLECTED].integer > now + CHECK_AHEAD_MAX_S)
		return refuse(fault, 422, "$.collected_at", CHECK_AHEAD);
	if (!scan_unescape(v[SLOT_CLUSTER].text, texts->cluster, sizeof(texts->cluster)) ||
	    !scan_unescape(v[SLOT_NODE].text, texts->node, sizeof(texts->node)) ||
	    !scan_unescape(v[SLOT_INSTANCE].text, texts->instance, sizeof(texts->instance)))
		return refuse(fault, 422, "$", "a name is too long");
	ret->cluster = texts->cluster;
	ret->node = texts->node;
	ret->instance = texts->instance;
	ret->sequence = (uint64_t)v[SLOT_SEQUENCE].integer;
	ret->collected_at = store_stamp(v[SLOT_COLLECTED].integer, now);
	ret->body = body;
	return 0;
}

int check_object(struct slice body, struct check_fault *fault)
{
	return check_text(body, NULL, NULL, fault);
}
