/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "util/file.h"
#include "util/str.h"

#define FOLDER	 "etc/pve/priv/storage"
#define SESSIONS "etc/pve/priv/purestorage"

enum { PATH_BYTES = 512, TOKENS_MAX = 4096 };

static int place(const char *storage, char ret[PATH_BYTES], struct err *e)
{
	/* The id becomes a file's name. */
	if (!*storage || *storage == '.' || strchr(storage, '/') || strlen(storage) > 200)
		return err_set(e, -EINVAL, "'%.100s' is no id of a storage", storage);
	(void)snprintf(ret, PATH_BYTES, FOLDER "/%s.purestorage-token", storage);
	return 0;
}

static void join(const struct array_conf *c, struct buf *ret)
{
	for (size_t i = 0; i < c->n_addresses; i++) {
		if (i)
			buf_addc(ret, ',');
		buf_adds(ret, c->addresses[i].token);
	}
	buf_addc(ret, '\n');
}

int secret_write(const struct root *root, const struct array_conf *c, struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = {};
	char path[PATH_BYTES];
	int r = place(c->storage, path, e);

	if (r < 0)
		return r;
	join(c, &text);
	r = file_mkdirs(root->fd, FOLDER, 0700);
	if (r == 0)
		r = file_write_atomic(root->fd, path, buf_slice(&text), 0600);
	if (r < 0)
		return err_set(e, r, "the token of storage %s could not be kept in /%s: %s",
			       c->storage, path, strerror(-r));
	return 0;
}

int secret_read(const struct root *root, const char *storage, struct buf *ret, struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = {};
	char path[PATH_BYTES];
	struct slice token;
	int r = place(storage, path, e);

	if (r < 0)
		return r;
	r = root_read(root, path, TOKENS_MAX, &text);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return err_set(e, r, "/%s: %s", path, strerror(-r));
	token = slice_trim(buf_slice(&text));
	buf_add(ret, token.p, token.n);
	return 1;
}

static int remove_file(int dirfd, const char *path, struct err *e)
{
	int r;

	if (unlinkat(dirfd, path, 0) == 0 || errno == ENOENT)
		return 0;
	r = -errno;
	return err_set(e, r, "removing %s%s: %s", *path == '/' ? "" : "/", path, strerror(-r));
}

int secret_remove(const struct root *root, const char *storage, struct err *e)
{
	char path[PATH_BYTES];
	int r = place(storage, path, e);

	return r < 0 ? r : remove_file(root->fd, path, e);
}

int secret_remove_sessions(const struct root *root, const char *run_dir, const char *storage,
			   struct err *e)
{
	char path[PATH_BYTES];
	int first = place(storage, path, e);

	if (first < 0)
		return first;
	for (unsigned int i = 0; i < ARRAY_ADDRESSES_MAX; i++) {
		int r;

		(void)snprintf(path, sizeof(path), SESSIONS "/%s_array%u.json", storage, i);
		r = remove_file(root->fd, path, first ? NULL : e);
		first = first ? first : r;
		(void)snprintf(path, sizeof(path), "%s/token/%s_array%u.json", run_dir, storage, i);
		r = remove_file(AT_FDCWD, path, first ? NULL : e);
		first = first ? first : r;
	}
	return first;
}
