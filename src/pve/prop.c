/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/prop.h"

#include <strings.h>

#include "util/str.h"

static bool is_blank(struct slice s)
{
	return slice_empty(slice_trim(s));
}

bool prop_next(struct slice *rest, struct prop *ret)
{
	struct slice part;
	size_t eq;

	do {
		if (!slice_split(rest, ',', &part))
			return false;
	} while (is_blank(part));

	eq = slice_find(part, '=');
	/* "=x" names no key: Proxmox refuses it, here it stays whole so that nothing gets lost. */
	if (eq == 0 || eq == part.n) {
		*ret = (struct prop){ .key = { part.p, 0 }, .value = part };
		return true;
	}
	*ret = (struct prop){ .key = { part.p, eq }, .value = slice_from(part, eq + 1) };
	return true;
}

bool prop_get(struct slice text, const char *key, const char *default_key, struct slice *ret)
{
	bool bare_counts = default_key && strcmp(key, default_key) == 0;
	struct prop p;

	while (prop_next(&text, &p)) {
		if (slice_eq(p.key, key) || (bare_counts && slice_empty(p.key))) {
			*ret = p.value;
			return true;
		}
	}
	return false;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_alnum(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9');
}

bool storage_id_valid(struct slice id)
{
	if (id.n < 2 || !is_letter(id.p[0]) || !is_alnum(id.p[id.n - 1]))
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!is_alnum(id.p[i]) && id.p[i] != '-' && id.p[i] != '_' && id.p[i] != '.')
			return false;
	return true;
}

bool volid_parse(struct slice text, struct volid *ret)
{
	size_t colon = slice_find(text, ':');
	struct slice storage = { text.p, colon };

	if (colon + 1 >= text.n || !storage_id_valid(storage))
		return false;
	*ret = (struct volid){ .storage = storage, .volname = slice_from(text, colon + 1) };
	return true;
}

static bool eq_nocase(struct slice s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

bool prop_bool(struct slice text, bool *ret)
{
	static const char *const words[2][4] = {
		{ "0", "off", "no", "false" },
		{ "1", "on", "yes", "true" },
	};

	if (slice_empty(text))
		return false;
	for (size_t value = 0; value < 2; value++) {
		for (size_t i = 0; i < ARRAY_SIZE(words[value]); i++) {
			if (eq_nocase(text, words[value][i])) {
				*ret = value;
				return true;
			}
		}
	}
	return false;
}

static bool is_separator(char c)
{
	return c == ',' || c == ';' || c == '\0' || str_is_space(c);
}

bool list_next(struct slice *rest, struct slice *ret)
{
	size_t n = 0;

	while (rest->n && is_separator(*rest->p))
		*rest = slice_from(*rest, 1);
	while (n < rest->n && !is_separator(rest->p[n]))
		n++;
	if (n == 0)
		return false;
	*ret = (struct slice){ rest->p, n };
	*rest = slice_from(*rest, n);
	return true;
}

void percent_decode(struct slice text, struct buf *ret)
{
	while (text.n) {
		size_t plain = slice_find(text, '%');
		uint64_t value;

		buf_add(ret, text.p, plain);
		text = slice_from(text, plain);
		if (slice_empty(text))
			return;
		if (text.n >= 3 && str_hex_to_u64((struct slice){ text.p + 1, 2 }, &value)) {
			buf_addc(ret, (char)(unsigned char)value);
			text = slice_from(text, 3);
		} else {
			buf_addc(ret, '%');
			text = slice_from(text, 1);
		}
	}
}
