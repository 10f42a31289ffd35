/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "hub/auth.h"
#include "hub/password.h"
#include "util/clock.h"
#include "util/str.h"

int auth_user_put(struct store *s, const char *org, const char *name, struct slice password,
		  bool must_be_new, struct err *e)
{
	struct store_user u = { .created_at = clock_now() };
	int r;

	if (!*name || strlen(name) >= STORE_NAME_MAX || !str_utf8_valid(slice_of(name)))
		return err_set(e, -EINVAL, "a name has 1 to %d bytes", STORE_NAME_MAX - 1);
	r = password_hash(password, u.password, e);
	if (r < 0)
		return r;
	(void)snprintf(u.org, sizeof(u.org), "%s", org);
	(void)snprintf(u.name, sizeof(u.name), "%s", name);
	return store_user_put(s, &u, must_be_new, e);
}
