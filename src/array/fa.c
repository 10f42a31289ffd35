/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/fa.h"

#include <errno.h>
#include <signal.h>

#include "array/fa_inside.h"
#include "array/restfile.h"

enum { BESIDE_MS = 6000, SILENT_BESIDE_MS = 3000 };

struct fa_pool {
	pthread_mutex_t lock;
	struct restfiles *files;
	char *ca_file;
	int max_connections;
	void (*log)(void *arg, int level, const char *line);
	void *log_arg;
	struct fa *first;
};

static void ignore_sigpipe(void)
{
	struct sigaction now;

	if (sigaction(SIGPIPE, NULL, &now) == 0 && now.sa_handler == SIG_DFL)
		(void)signal(SIGPIPE, SIG_IGN);
}

int fa_pool_open(struct fa_pool **ret, const struct fa_options *o, struct err *e)
{
	struct fa_pool *p;

	if (o->max_connections < 0 || o->max_connections > 64)
		return err_set(e, -EINVAL, "connections per array: expected 1 to 64");
	ignore_sigpipe();
	p = xcalloc(1, sizeof(*p));
	(void)pthread_mutex_init(&p->lock, NULL);
	p->files = restfiles_open(o->token_dir, o->private_dir);
	p->ca_file = o->ca_file ? xstrdup(o->ca_file) : NULL;
	p->max_connections = o->max_connections;
	p->log = o->log;
	p->log_arg = o->log_arg;
	*ret = p;
	return 0;
}

static void close_one(struct fa *f)
{
	explicit_bzero(f->key, strlen(f->key));
	free(f->key);
	json_decref(f->ports);
	fa_pods_free(f);
	(void)pthread_mutex_destroy(&f->lock);
	rest_close(f->rest);
	free(f);
}

void fa_pool_close(struct fa_pool *p)
{
	struct fa *f = p ? p->first : NULL;

	if (!p)
		return;
	while (f) {
		struct fa *next = f->next;

		close_one(f);
		f = next;
	}
	restfiles_close(p->files);
	(void)pthread_mutex_destroy(&p->lock);
	free(p->ca_file);
	free(p);
}

/* --- who is asked ---------------------------------------------------------------------------- */

/* Storages that say the same share a session; what is checked is not shared with what is not. */
static void key_of(const struct array_conf *c, size_t i, struct buf *ret)
{
	buf_addf(ret, "%s\n%s\n%d\n%d", c->addresses[i].url, c->addresses[i].token, c->check_ssl,
		 c->token_ttl);
}

static struct fa *make(struct fa_pool *p, const struct array_conf *c, size_t i, const char *key)
{
	CLEANUP(buf_done) struct buf name = {};
	struct fa *f = xcalloc(1, sizeof(*f));
	struct rest_options o = { .url = c->addresses[i].url,
				  .api_token = c->addresses[i].token,
				  .check_ssl = c->check_ssl,
				  .token_ttl = c->token_ttl,
				  .ca_file = p->ca_file,
				  .max_connections = p->max_connections,
				  .files = p->files,
				  .log = p->log,
				  .log_arg = p->log_arg };

	buf_addf(&name, "%s_array%zu.json", c->storage, i);
	o.token_name = buf_str(&name);
	f->rest = rest_open(&o);
	f->key = xstrdup(key);
	(void)pthread_mutex_init(&f->lock, NULL);
	f->next = p->first;
	p->first = f;
	return f;
}

static struct fa *find_or_make(struct fa_pool *p, const struct array_conf *c, size_t i)
{
	CLEANUP(buf_wipe) struct buf key = {};

	key_of(c, i, &key);
	for (struct fa *f = p->first; f; f = f->next)
		if (strcmp(f->key, buf_str(&key)) == 0)
			return f;
	return make(p, c, i, buf_str(&key));
}

int fa_pool_get(struct fa_pool *p, const struct array_conf *c, struct fa **ret, size_t *n,
		struct err *e)
{
	if (c->n_addresses == 0)
		return err_set(e, -EINVAL, "storage %s: no address", c->storage);
	for (size_t i = 0; i < c->n_addresses; i++)
		if (!c->addresses[i].token || !*c->addresses[i].token)
			return err_set(e, -EINVAL, "storage %s: no token for %s", c->storage,
				       c->addresses[i].url);
	(void)pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < c->n_addresses; i++)
		ret[i] = find_or_make(p, c, i);
	(void)pthread_mutex_unlock(&p->lock);
	*n = c->n_addresses;
	return 0;
}

const char *fa_url(const struct fa *f)
{
	return rest_url(f->rest);
}

bool fa_was_silent(const struct fa *f)
{
	return rest_was_silent(f->rest);
}

void fa_counters(const struct fa *f, struct fa_counters *ret)
{
	rest_counters(f->rest, ret);
}

/* --- several at once ------------------------------------------------------------------------- */

struct one {
	struct fa *array;
	int (*fn)(struct fa *, void *arg, struct err *);
	void *arg;
	int *ret;
	struct err *e;
	pthread_t thread;
	bool started;
};

static void *run_one(void *arg)
{
	struct one *o = arg;

	*o->ret = o->fn(o->array, o->arg, o->e);
	return NULL;
}

void fa_each(struct fa *const *arrays, size_t n, int (*fn)(struct fa *, void *arg, struct err *),
	     void *arg, int *ret, struct err *e)
{
	struct one *all = xcalloc(n ? n : 1, sizeof(*all));

	for (size_t i = 0; i < n; i++) {
		all[i] = (struct one){ arrays[i], fn, arg, &ret[i], e ? &e[i] : NULL };
		/* The last is the caller's own; so is one for which there is no thread. */
		all[i].started =
			i + 1 < n && pthread_create(&all[i].thread, NULL, run_one, &all[i]) == 0;
	}
	for (size_t i = 0; i < n; i++)
		if (!all[i].started)
			(void)run_one(&all[i]);
	for (size_t i = 0; i < n; i++)
		if (all[i].started)
			(void)pthread_join(all[i].thread, NULL);
	free(all);
}

struct fa_call fa_call_short(const struct fa *f, const struct fa_call *c)
{
	int64_t soon = rest_now_ms() + SILENT_BESIDE_MS;
	struct fa_call ret = *c;

	ret.patience_ms = BESIDE_MS;
	if (fa_was_silent(f) && soon < ret.deadline)
		ret.deadline = soon;
	return ret;
}

struct fa_call fa_call_beside(const struct fa *f, const struct fa_call *c, size_t n)
{
	return n > 1 ? fa_call_short(f, c) : *c;
}
