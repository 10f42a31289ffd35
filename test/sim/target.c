/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "target.h"

#include <errno.h>

static const struct target_kind *const KINDS[] = { &target_lio, &target_nvmet };

int target_open(const char *kind, const char *root, struct sim *s, struct target **ret,
		struct err *e)
{
	struct target *t = xcalloc(1, sizeof(*t));
	int r;

	t->sim = s;
	for (size_t i = 0; i < ARRAY_SIZE(KINDS); i++)
		if (strcmp(KINDS[i]->name, kind) == 0)
			t->kind = KINDS[i];
	r = t->kind ? configfs_open(&t->fs, root, e)
		    : err_set(e, -EINVAL, "no backend is called %s", kind);
	if (r < 0) {
		free(t);
		return r;
	}
	for (unsigned int i = 0; i < s->n_arrays; i++)
		t->kind->open(t, &s->arrays[i]);
	*ret = t;
	return 0;
}

void target_close(struct target *t)
{
	if (!t)
		return;
	for (unsigned int i = 0; i < t->sim->n_arrays; i++)
		t->kind->close(t, &t->sim->arrays[i]);
	vec_free(&t->shown);
	configfs_close(&t->fs);
	free(t);
}

static const struct sim_array *array_of(const struct target *t, unsigned int index)
{
	return &t->sim->arrays[index];
}

void target_host(struct target *t, const struct sim_host *h)
{
	if (!t)
		return;
	vec_each (name, &h->initiators[t->kind->initiators].list)
		t->kind->host(t, array_of(t, h->array), *name);
}

void target_host_gone(struct target *t, const struct sim_host *h)
{
	if (!t)
		return;
	vec_each (name, &h->initiators[t->kind->initiators].list)
		t->kind->host_gone(t, array_of(t, h->array), *name);
}

static struct target_shown *find(struct target *t, unsigned int array, const char *serial)
{
	vec_each (v, &t->shown)
		if (v->array == array && strcmp(v->serial, serial) == 0)
			return v;
	return NULL;
}

static unsigned int shown_by(const struct target *t, const char *serial)
{
	unsigned int n = 0;

	vec_each (v, &t->shown)
		n += strcmp(v->serial, serial) == 0;
	return n;
}

static bool is_taken(const struct target *t, unsigned int array, unsigned int number)
{
	vec_each (v, &t->shown)
		if (v->array == array && v->number == number)
			return true;
	return false;
}

static struct target_shown *show(struct target *t, const struct sim_array *a,
				 const struct sim_volume *v, const char *file)
{
	bool first = shown_by(t, v->serial) == 0;
	struct target_shown *shown;
	unsigned int number = 1;

	while (is_taken(t, a->index, number))
		number++;
	shown = vec_push(&t->shown);
	*shown = (struct target_shown){ .array = a->index, .number = number };
	memcpy(shown->serial, v->serial, sizeof(shown->serial));
	t->kind->show(t, a, v, number, file, first);
	return shown;
}

void target_connect(struct target *t, const struct sim_host *h, const struct sim_connection *c,
		    const char *file)
{
	const struct sim_array *a;
	struct target_shown *shown;

	if (!t)
		return;
	a = array_of(t, c->array);
	shown = find(t, c->array, c->volume->serial);
	if (!shown)
		shown = show(t, a, c->volume, file);
	shown->users++;
	vec_each (name, &h->initiators[t->kind->initiators].list)
		t->kind->map(t, a, *name, c, shown->number);
}

void target_disconnect(struct target *t, const struct sim_host *h, const struct sim_connection *c)
{
	const struct sim_array *a;
	struct target_shown *shown;

	shown = t ? find(t, c->array, c->volume->serial) : NULL;
	if (!shown)
		return;
	a = array_of(t, c->array);
	vec_each (name, &h->initiators[t->kind->initiators].list)
		t->kind->unmap(t, a, *name, c);
	if (--shown->users)
		return;
	t->kind->hide(t, a, shown, shown_by(t, shown->serial) == 1);
	*shown = t->shown.items[--t->shown.n];
}

void target_resize(struct target *t, const struct sim_volume *v, const char *file)
{
	if (t && shown_by(t, v->serial))
		t->kind->resize(t, v, file);
}
