/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/call_volume.h"

#include <errno.h>

#include "array/diskname.h"

enum { VALUE_MAX = 256 }; /* of a tag, in characters */

struct tag {
	struct call *c;
	const char *volume, *key, *value;
	struct buf *text;
};

static int tag_get(struct fa *f, void *arg, struct err *e)
{
	const struct tag *t = arg;

	return fa_tag_get(f, &t->c->fa, t->volume, t->key, t->text, e);
}

static int tag_set(struct fa *f, void *arg, struct err *e)
{
	const struct tag *t = arg;

	return fa_tag_set(f, &t->c->fa, t->volume, t->key, t->value, e);
}

static int tag_args(struct call *c, struct tag *ret, struct err *e)
{
	struct array_volname parsed;
	const char *volname;
	char full[256];
	int r = call_volname(c, &volname, &parsed, e);

	*ret = (struct tag){ .c = c };
	if (r == 0)
		r = call_str(c, "name", &ret->key, e);
	if (r == 0 && strcmp(ret->key, "notes") != 0 && strcmp(ret->key, "protected") != 0)
		r = err_set(e, -EINVAL, "attribute '%.40s': expected notes or protected", ret->key);
	if (r == 0)
		r = array_name_of(&c->conf, volname, full, e);
	if (r == 0)
		ret->volume = arena_str(&c->arena, slice_of(full));
	return r;
}

int call_is_protected(struct call *c, const char *full, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	struct tag t = { .c = c, .volume = full, .key = "protected", .text = &text };
	int r = call_first(c, tag_get, &t, e);

	return r == -ENODATA ? 0 : r < 0 ? r : 1;
}

int call_attribute_get(struct call *c, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	struct tag t;
	int r = tag_args(c, &t, e);

	t.text = &text;
	if (r == 0)
		r = call_first(c, tag_get, &t, e);
	if (r < 0 && r != -ENODATA)
		return r;
	if (r == 0)
		jsonw_slice(c->out, "result", buf_slice(&text));
	return 0;
}

/* Arrays count characters, as people do. */
static int check_length(const char *text, struct err *e)
{
	size_t n = 0;

	for (; text && *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n <= VALUE_MAX ? 0
			      : err_set(e, -EINVAL,
					"notes of %zu characters: they are a tag of the volume on "
					"the array, which takes %d",
					n, VALUE_MAX);
}

/* Nothing, false and 0 for "protected" take the tag away. */
static const char *value_arg(struct call *c, const char *key)
{
	const char *text = call_opt(c, "value");

	if (strcmp(key, "protected") != 0)
		return text;
	return json_is_true(json_object_get(c->args, "value")) || (text && strcmp(text, "0") != 0)
		       ? "1"
		       : NULL;
}

int call_attribute_set(struct call *c, struct err *e)
{
	const char *volname = call_opt(c, "volname");
	struct tag t;
	int r = tag_args(c, &t, e);

	if (r < 0)
		return r;
	t.value = value_arg(c, t.key);
	/* free does not ask whether these are (call_free.c). */
	if (t.value && strcmp(t.key, "protected") == 0 && diskname_is_remade(volname))
		return err_set(
			e, -EINVAL,
			"volume %s cannot be protected: Proxmox removes and makes it again by "
			"itself",
			volname);
	r = check_length(t.value, e);
	return r < 0 ? r : call_first(c, tag_set, &t, e);
}
