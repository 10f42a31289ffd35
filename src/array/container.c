/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/container.h"

static const char *before(const struct array_conf *c, const char *mark, struct arena *a)
{
	const char *end = strstr(c->prefix, mark);

	return end ? arena_strndup(a, c->prefix, (size_t)(end - c->prefix)) : NULL;
}

const char *container_pod(const struct array_conf *c, struct arena *a)
{
	return before(c, "::", a);
}

const char *container_group(const struct array_conf *c, struct arena *a)
{
	return before(c, "/", a);
}
