/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* How the verbs that act begin: the context of arrayd, with everything below --root in tests. */

#include "array/ctx.h"
#include "util/cli.h"

#define ARRAY_CTX_OPTIONS                                                          \
	{                                                                          \
		"node", "NAME", "this node's name, where it is not the host's own" \
	}

struct array_session {
	struct root root;
	struct array_ctx ctx;
	struct arena arena; /* the paths below --root */
};

/* Before any thread. Only root's, but for --root. -EPERM. */
int array_session_begin(struct array_session *ret, const struct cli *cli, struct err *e);
void array_session_end(struct array_session *s);

/* "/run/pvewarden/array", below --root. */
const char *array_session_path(const struct cli *cli, const char *path, struct arena *a);
