/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/byname.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "array/name.h"
#include "util/file.h"

static bool is_cloudinit(const char *volname)
{
	struct array_volname v;

	return array_volname_parse(volname, &v) && !v.base && strcmp(v.rest, "cloudinit") == 0;
}

void byname_path(const char *storage, const char *volname, char ret[BYNAME_MAX])
{
	(void)snprintf(ret, BYNAME_MAX, "/run/pvewarden/array/%s/%s/%s",
		       is_cloudinit(volname) ? "named" : "absent", storage, volname);
}

/* One link takes the place of another at once: who looks never finds half of it. */
static int make(const char *folder, const char *link, const char *to)
{
	CLEANUP(buf_done) struct buf new = {};
	int r = file_mkdirs(AT_FDCWD, folder, 0700);

	buf_addf(&new, "%s.new", link);
	if (r < 0)
		return r;
	if (unlink(new.data) < 0 && errno != ENOENT)
		return -errno;
	if (symlink(to, new.data) < 0 || rename(new.data, link) < 0)
		return -errno;
	return 0;
}

int byname_lead(struct call *c, const char *volname, const char *serial, struct err *e)
{
	CLEANUP(buf_done) struct buf folder = {}, link = {};
	char to[ARRAY_PATH_MAX];
	int r = 0;

	if (!is_cloudinit(volname))
		return 0;
	buf_addf(&folder, "%s/named/%s", c->ctx->run_dir, c->conf.storage);
	buf_addf(&link, "%s/%s", folder.data, volname);
	if (serial) {
		array_path_of(&c->conf, serial, to);
		r = make(folder.data, link.data, to);
	} else if (unlink(link.data) < 0 && errno != ENOENT) {
		r = -errno;
	}
	return r < 0 ? err_set(e, r, "%s: %s", link.data, strerror(-r)) : 0;
}
