/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/call_log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/str.h"

enum { LINES_MAX = 2000 };

struct call_log {
	pthread_mutex_t lock; /* several arrays are talked to at once */
	VEC(struct line {
		int level;
		char *text;
	})
	lines;
	size_t dropped;
};

struct call_log *call_log_new(void)
{
	struct call_log *l = xcalloc(1, sizeof(*l));

	(void)pthread_mutex_init(&l->lock, NULL);
	return l;
}

void call_log_free(struct call_log *l)
{
	if (!l)
		return;
	vec_each (it, &l->lines)
		free(it->text);
	vec_free(&l->lines);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

static void add(struct call *c, int level, const char *text)
{
	struct call_log *l = c->log;

	if (level > c->debug)
		return;
	(void)pthread_mutex_lock(&l->lock);
	if (l->lines.n < LINES_MAX)
		*vec_push(&l->lines) = (struct line){ level, xstrdup(text) };
	else
		l->dropped++;
	(void)pthread_mutex_unlock(&l->lock);
}

void call_log(struct call *c, int level, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	add(c, level, text);
}

void call_log_line(void *call, int level, const char *line)
{
	add(call, level, line);
}

static void add_argument(struct buf *out, const char *key, const json_t *value)
{
	char shown[200];

	if (json_is_string(value)) {
		str_printable(shown, sizeof(shown), slice_of(json_string_value(value)));
		buf_addf(out, ", %s=%s", key, shown);
	} else if (json_is_integer(value)) {
		buf_addf(out, ", %s=%lld", key, (long long)json_integer_value(value));
	} else if (json_is_boolean(value)) {
		buf_addf(out, ", %s=%s", key, json_is_true(value) ? "true" : "false");
	}
}

const char *call_log_what(struct call *c, const char *method)
{
	static const char *const keys[] = { "vmid",   "volname",  "name", "snap",
					    "target", "size_kib", "size", "running" };
	CLEANUP(buf_done) struct buf out = {};

	buf_addf(&out, "%s (%s", method, c->conf.storage);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		add_argument(&out, keys[i], json_object_get(c->args, keys[i]));
	buf_addc(&out, ')');
	return arena_str(&c->arena, buf_slice(&out));
}

static void write_line(struct jsonw *w, int level, const char *text)
{
	static const char *const always[] = { "warning", "info", "error" };

	jsonw_array(w, NULL);
	jsonw_str(w, NULL, level > 0 ? "debug" : always[-level]);
	jsonw_str(w, NULL, text);
	jsonw_close(w);
}

void call_log_write(struct call_log *l, struct jsonw *w)
{
	jsonw_array(w, "log");
	vec_each (it, &l->lines)
		write_line(w, it->level, it->text);
	if (l->dropped)
		write_line(w, 0, "more lines than a reply takes were left out");
	jsonw_close(w);
}
