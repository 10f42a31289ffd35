/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/fa_query.h"

#include <ctype.h>
#include <errno.h>

#include "util/str.h"

enum { NAME_MAX_BYTES = 255 };

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '_' || c == '.';
}

bool fa_name_ok(const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!is_plain(name[i]) && name[i] != '/' && name[i] != ':')
			return false;
	return n > 0 && n <= NAME_MAX_BYTES;
}

int fa_names_check(const char *kind, const char *const *names, size_t n, struct err *e)
{
	char shown[128];

	for (size_t i = 0; i < n; i++) {
		if (fa_name_ok(names[i]))
			continue;
		str_printable(shown, sizeof(shown), slice_of(names[i]));
		return err_set(e, -EINVAL,
			       "\"%s\" is no name of a %s: expected letters, digits and - _ . / :",
			       shown, kind);
	}
	return 0;
}

static void encode(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (is_plain(*text))
			buf_addc(out, *text);
		else
			buf_addf(out, "%%%02X", (unsigned int)(unsigned char)*text);
	}
}

static void begin(struct buf *path, const char *key)
{
	buf_addf(path, "%c%s=", strchr(buf_str(path), '?') ? '&' : '?', key);
}

void fa_query_add(struct buf *path, const char *key, const char *value)
{
	begin(path, key);
	encode(path, value);
}

void fa_query_names(struct buf *path, const char *key, const char *const *names, size_t n)
{
	begin(path, key);
	for (size_t i = 0; i < n; i++) {
		if (i)
			buf_addc(path, ',');
		encode(path, names[i]);
	}
}

static void quote(struct buf *filter, const char *value)
{
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			buf_addc(filter, '\\');
		buf_addc(filter, *value);
	}
}

void fa_filter_any(struct buf *filter, const char *field, const char *const *values, size_t n)
{
	if (n > 1)
		buf_addc(filter, '(');
	for (size_t i = 0; i < n; i++) {
		buf_addf(filter, "%s%s='", i ? " or " : "", field);
		quote(filter, values[i]);
		buf_addc(filter, '\'');
	}
	if (n > 1)
		buf_addc(filter, ')');
}

void fa_filter_prefixes(struct buf *filter, const char *field, const char *const *prefixes,
			size_t n)
{
	if (n > 1)
		buf_addc(filter, '(');
	for (size_t i = 0; i < n; i++) {
		buf_addf(filter, "%s%s='", i ? " or " : "", field);
		quote(filter, prefixes[i]);
		buf_adds(filter, "*'");
	}
	if (n > 1)
		buf_addc(filter, ')');
}

void fa_filter_and(struct buf *filter, const char *term)
{
	buf_addf(filter, "%s%s", filter->len ? " and " : "", term);
}
