/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/guestconf.h"

#include <strings.h>

#include "util/str.h"

void guest_reader_init(struct guest_reader *r, enum guest_type type, struct slice text)
{
	*r = (struct guest_reader){ .type = type, .rest = text, .section = GUEST_SECTION_MAIN };
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool eq_nocase(struct slice s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

static bool is_letter(char c)
{
	return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* [a-z][a-z0-9_-]+ in any case; one letter alone is no snapshot name. */
static bool is_snapshot_name(struct slice s)
{
	if (s.n < 2 || !is_letter(s.p[0]))
		return false;
	for (size_t i = 1; i < s.n; i++)
		if (!is_letter(s.p[i]) && !is_digit(s.p[i]) && s.p[i] != '_' && s.p[i] != '-')
			return false;
	return true;
}

/* The text between the brackets of a line "[...]" and trailing blanks. */
static bool header_text(struct slice line, struct slice *ret)
{
	line = slice_rtrim(line);
	if (line.n < 2 || line.p[0] != '[' || slice_find(line, ']') != line.n - 1)
		return false;
	*ret = (struct slice){ line.p + 1, line.n - 2 };
	return true;
}

static enum guest_section_kind qemu_section(struct slice name)
{
	if (eq_nocase(name, "PENDING"))
		return GUEST_SECTION_PENDING;
	if (eq_nocase(name, "special:cloudinit") || eq_nocase(name, "special:fleecing"))
		return GUEST_SECTION_SPECIAL;
	return is_snapshot_name(name) ? GUEST_SECTION_SNAPSHOT : GUEST_SECTION_UNKNOWN;
}

static enum guest_section_kind lxc_section(struct slice name)
{
	if (eq_nocase(name, "pve:pending"))
		return GUEST_SECTION_PENDING;
	return is_snapshot_name(name) ? GUEST_SECTION_SNAPSHOT : GUEST_SECTION_UNKNOWN;
}

static bool read_header(struct guest_reader *r, struct slice line, struct guest_line *ret)
{
	enum guest_section_kind kind;
	struct slice name;

	if (!header_text(line, &name))
		return false;
	kind = r->type == GUEST_QEMU ? qemu_section(name) : lxc_section(name);
	/* To a container's parser an unknown header is a bad line; it stays in its section. */
	if (kind == GUEST_SECTION_UNKNOWN && r->type == GUEST_LXC)
		return false;
	r->section = kind;
	ret->kind = GUEST_LINE_SECTION;
	ret->section = r->section;
	ret->key = name;
	ret->value = (struct slice){ line.p, 0 };
	return true;
}

/* Length of a raw key "lxc.[a-z0-9_.-]+", 0 if the line does not start with one. */
static size_t raw_key_len(struct slice line)
{
	size_t n = 4;

	if (!slice_starts(line, "lxc."))
		return 0;
	while (n < line.n && (is_lower(line.p[n]) || is_digit(line.p[n]) || line.p[n] == '_' ||
			      line.p[n] == '-' || line.p[n] == '.'))
		n++;
	return n > 4 ? n : 0;
}

/* lxc.key: value, lxc.key = value */
static bool read_raw_lxc(struct slice line, struct guest_line *ret)
{
	size_t n = raw_key_len(line), at = n;

	if (!n)
		return false;
	if (at < line.n && line.p[at] != ':')
		while (at < line.n && str_is_space(line.p[at]))
			at++;
	if (at == line.n || (line.p[at] != '=' && (line.p[at] != ':' || at != n)))
		return false;
	ret->kind = GUEST_LINE_RAW_LXC;
	ret->key = (struct slice){ line.p, n };
	ret->value = slice_trim(slice_from(line, at + 1));
	return true;
}

/* Length of a key: letters and '_' (VMs also '-'), then digits. 0 if ':' does not follow. */
static size_t key_len(enum guest_type type, struct slice line)
{
	size_t n = 0;

	if (!line.n || !is_lower(line.p[0]))
		return 0;
	while (n < line.n && (is_lower(line.p[n]) || line.p[n] == '_' ||
			      (line.p[n] == '-' && type == GUEST_QEMU)))
		n++;
	while (n < line.n && is_digit(line.p[n]))
		n++;
	return n < line.n && line.p[n] == ':' ? n : 0;
}

/*
 * Proxmox looks for "snapstate: delete" anywhere in a line and then drops what stands before it.
 * Not so here: a volume named in such a line is still a volume.
 */
static bool read_option(struct guest_reader *r, struct slice line, struct guest_line *ret)
{
	size_t n = key_len(r->type, line);
	struct slice value;

	if (!n)
		return false;
	value = slice_trim(slice_from(line, n + 1));
	if (slice_empty(value))
		return false;
	ret->key = (struct slice){ line.p, n };
	ret->value = value;
	if (slice_eq(ret->key, "delete") && r->section != GUEST_SECTION_PENDING)
		return false;
	ret->kind = slice_eq(ret->key, "description") ? GUEST_LINE_DESCRIPTION : GUEST_LINE_OPTION;
	return true;
}

static void read_line(struct guest_reader *r, struct slice line, struct guest_line *ret)
{
	*ret = (struct guest_line){ .section = r->section, .number = r->line };
	if (read_header(r, line, ret))
		return;
	if (line.p[0] == '#') {
		ret->kind = GUEST_LINE_DESCRIPTION;
		ret->key = (struct slice){ line.p, 1 };
		ret->value = slice_from(line, 1);
		return;
	}
	if (r->type == GUEST_LXC && read_raw_lxc(line, ret))
		return;
	if (read_option(r, line, ret))
		return;
	ret->kind = GUEST_LINE_BAD;
	ret->key = (struct slice){ line.p, 0 };
	ret->value = line;
}

bool guest_reader_next(struct guest_reader *r, struct guest_line *ret)
{
	struct slice line;

	do {
		if (!slice_split(&r->rest, '\n', &line))
			return false;
		r->line++;
	} while (slice_empty(slice_trim(line)));
	read_line(r, line, ret);
	return true;
}
