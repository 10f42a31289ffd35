/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/tokenline.h"

#include <errno.h>

#include "pve/sectionconf.h"
#include "util/str.h"

#define FILE_NAME "storage.cfg"

static int find_section(const struct section_file *file, const char *storage,
			const struct section **ret, struct err *e)
{
	*ret = NULL;
	for (size_t i = 0; i < file->n_sections; i++) {
		const struct section *s = &file->sections[i];

		if (strcmp(s->id, storage) != 0)
			continue;
		if (*ret)
			return err_set(e, -EINVAL,
				       FILE_NAME " has storage %s twice, in line %u and in line "
						 "%u: one of them has to go first",
				       storage, (*ret)->line, s->line);
		*ret = s;
	}
	if (!*ret)
		return err_set(e, -ENOENT, FILE_NAME " has no storage %s", storage);
	if (strcmp((*ret)->type, "purestorage") != 0)
		return err_set(e, -EINVAL, "storage %s is of type %s, not purestorage", storage,
			       (*ret)->type);
	return 0;
}

int tokenline_find(struct tokenline *ret, struct slice text, const char *storage, struct arena *a,
		   struct err *e)
{
	CLEANUP(diags_done) struct diags diags = { .arena = a };
	const struct section *section;
	struct section_file file;
	int r;

	*ret = (struct tokenline){};
	section_file_parse(&file, FILE_NAME, text, a, &diags);
	r = find_section(&file, storage, &section, e);
	if (r < 0)
		return r;
	ret->nodes = section_get(section, "nodes");
	ret->token = section_get(section, "token");
	for (size_t i = 0; i < section->n_options && !ret->line; i++)
		if (section->options[i].value == ret->token)
			ret->line = section->options[i].line;
	return 0;
}

static void copy_without(struct slice text, unsigned int line, struct buf *ret)
{
	unsigned int number = 1;

	for (size_t at = 0; at < text.n; number++) {
		struct slice rest = slice_from(text, at);
		size_t end = slice_find(rest, '\n');
		size_t n = end < rest.n ? end + 1 : rest.n;

		if (number != line)
			buf_add(ret, rest.p, n);
		at += n;
	}
}

int tokenline_cut(struct slice text, const char *storage, const char *token, struct buf *ret,
		  struct arena *a, struct err *e)
{
	struct tokenline found, left;
	int r = tokenline_find(&found, text, storage, a, e);

	if (r < 0)
		return r;
	if (!found.line)
		return err_set(e, -ENODATA, "storage %s has no token in " FILE_NAME, storage);
	if (strcmp(found.token, token) != 0)
		return err_set(e, -ESTALE, "the token of storage %s was changed meanwhile",
			       storage);
	copy_without(text, found.line, ret);
	r = tokenline_find(&left, buf_slice(ret), storage, a, e);
	if (r == 0 && left.line)
		r = err_set(e, -EINVAL,
			    "storage %s has more than one token in " FILE_NAME ", in line %u and "
			    "after it: one of them has to go first",
			    storage, found.line);
	return r;
}
