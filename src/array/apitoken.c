/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/apitoken.h"

#include <errno.h>
#include <pthread.h>

#include "array/secret.h"

struct known {
	char *storage;
	int result; /* secret_read()'s */
	struct buf text;
};

struct apitokens {
	pthread_mutex_t lock;
	struct known *items; /* VEC() */
	size_t n, cap;
};

struct apitokens *apitokens_new(void)
{
	struct apitokens *t = xcalloc(1, sizeof(*t));

	(void)pthread_mutex_init(&t->lock, NULL);
	return t;
}

void apitokens_free(struct apitokens *t)
{
	if (!t)
		return;
	vec_each (k, t) {
		free(k->storage);
		buf_wipe(&k->text);
	}
	vec_free(t);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct known *known_of(struct apitokens *t, const char *storage)
{
	vec_each (k, t)
		if (strcmp(k->storage, storage) == 0)
			return k;
	return NULL;
}

static void remember(struct apitokens *t, const char *storage, int result, const struct buf *text)
{
	struct known *k;

	(void)pthread_mutex_lock(&t->lock);
	k = known_of(t, storage);
	if (!k) {
		k = vec_push(t);
		*k = (struct known){ .storage = xstrdup(storage) };
	}
	k->result = result;
	buf_wipe(&k->text);
	buf_add(&k->text, text->data, text->len);
	(void)pthread_mutex_unlock(&t->lock);
}

static int recall(struct apitokens *t, const char *storage, int error, struct buf *ret)
{
	const struct known *k;

	(void)pthread_mutex_lock(&t->lock);
	k = known_of(t, storage);
	if (k) {
		error = k->result;
		buf_add(ret, k->text.data, k->text.len);
	}
	(void)pthread_mutex_unlock(&t->lock);
	return error;
}

struct job {
	char *storage;
	struct buf text;
};

static int run(void *arg, const struct root *root, struct err *e)
{
	struct job *j = arg;

	return secret_read(root, j->storage, &j->text, e);
}

static void drop(void *arg)
{
	struct job *j = arg;

	free(j->storage);
	buf_wipe(&j->text);
	free(j);
}

int apitokens_read(struct apitokens *t, struct pvefs *p, const char *storage, struct buf *ret,
		   struct err *e)
{
	struct job *j = xcalloc(1, sizeof(*j));
	void *job = j;
	int r;

	j->storage = xstrdup(storage);
	r = pvefs_run(p, run, drop, &job, PVEFS_FILE_MS, e);
	if (!job)
		return r == -ETIMEDOUT ? recall(t, storage, r, ret) : r;
	if (r >= 0)
		remember(t, storage, r, &j->text);
	if (r > 0)
		buf_add(ret, j->text.data, j->text.len);
	drop(j);
	return r;
}
