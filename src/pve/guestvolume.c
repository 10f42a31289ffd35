/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/guestvolume.h"

#include <stdio.h>

#include "pve/guestkey.h"
#include "pve/prop.h"
#include "util/str.h"

/* No name of a volume and no path is longer; longer text is something else. */
#define NAME_BYTES_MAX 4096

static enum guest_key_class classify(struct volume_scan *s, const struct guest_line *line)
{
	struct guest_key key = guest_key_classify(s->guest->type, line->key);

	if (key.drive)
		diag_add(s->diags, s->guest->file, line->number,
			 "key '" SLICE_FMT "': expected %s0 to %s%d; Proxmox ignores this line",
			 (int)(line->key.n < 40 ? line->key.n : 40), line->key.p, key.drive,
			 key.drive, key.max);
	return key.class;
}

static void add(struct volume_scan *s, const struct guest_line *line, struct slice storage,
		struct slice volname, bool known)
{
	struct guest_volume *v;

	if (volname.n > NAME_BYTES_MAX)
		return;
	v = vec_push(&s->found);
	v->section = s->section;
	v->key = line->key.n ? arena_str(s->arena, line->key) : "";
	v->storage = storage.n ? arena_str(s->arena, storage) : NULL;
	v->volname = arena_str(s->arena, volname);
	v->line = line->number;
	v->known_key = known && line->section != GUEST_SECTION_UNKNOWN;
}

static void add_path(struct volume_scan *s, const struct guest_line *line, struct slice path,
		     bool known)
{
	add(s, line, (struct slice){ path.p, 0 }, path, known);
}

static bool is_token_end(char c)
{
	return str_is_space(c) || c == ',' || c == ';' || c == '=' || c == '"' || c == '\'' ||
	       c == '\0';
}

static bool next_token(struct slice *rest, struct slice *ret)
{
	size_t n = 0;

	while (rest->n && is_token_end(*rest->p))
		*rest = slice_from(*rest, 1);
	while (n < rest->n && !is_token_end(rest->p[n]))
		n++;
	*ret = (struct slice){ rest->p, n };
	*rest = slice_from(*rest, n);
	return n > 0;
}

/* An absolute path, also one behind a prefix such as "lvm:/dev/vg/lv". */
static bool scan_path(struct volume_scan *s, const struct guest_line *line, struct slice token)
{
	const char *dev;

	if (token.n > 1 && token.p[0] == '/') {
		add_path(s, line, token, false);
		return true;
	}
	dev = memmem(token.p, token.n, "/dev/", 5);
	if (!dev)
		return false;
	add_path(s, line, slice_from(token, (size_t)(dev - token.p)), false);
	return true;
}

/* "BC:24:11:00:00:01" */
static bool is_mac(struct slice token)
{
	if (token.n != 17)
		return false;
	for (size_t i = 0; i < token.n; i++) {
		char c = token.p[i], low = (char)(c | 0x20);

		if (i % 3 == 2 ? c != ':' : (c < '0' || c > '9') && (low < 'a' || low > 'f'))
			return false;
	}
	return true;
}

static bool is_id_char(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
	       c == '_' || c == '.';
}

/*
 * Every "name:text" in a token, since "Scsi0:lvm:vm-1-disk-0" may mean storage lvm. Behind the
 * first colon the volume's name is all the rest, behind later ones it ends at the next colon.
 */
static void scan_volids(struct volume_scan *s, const struct guest_line *line, struct slice token)
{
	size_t from = 0, colon = slice_find(token, ':');
	bool first = true;

	while (colon + 1 < token.n) {
		struct slice rest = slice_from(token, colon + 1);
		size_t next = slice_find(rest, ':'), start = colon;

		while (start > from && is_id_char(token.p[start - 1]))
			start--;
		if (storage_id_valid((struct slice){ token.p + start, colon - start }) &&
		    (first || next))
			add(s, line, (struct slice){ token.p + start, colon - start },
			    first ? rest : (struct slice){ rest.p, next }, false);
		first = false;
		from = colon + 1;
		colon += 1 + next;
	}
}

/* Whatever in @text looks like a volume id or an absolute path. */
static void scan_text(struct volume_scan *s, const struct guest_line *line, struct slice text,
		      bool volids)
{
	struct slice token;

	while (next_token(&text, &token))
		if (!scan_path(s, line, token) && volids && !is_mac(token))
			scan_volids(s, line, token);
}

/* A volume id with something behind its name: Proxmox refuses it, a person may have meant it. */
static bool is_one_token(struct slice value)
{
	struct slice rest = value, token;

	return next_token(&rest, &token) && token.n == value.n;
}

static bool is_cdrom(struct slice text)
{
	struct slice media;

	return prop_get(text, "media", NULL, &media) && slice_eq(media, "cdrom");
}

/* A VM's bare file name belongs to the storage "local" (PVE::QemuServer filename_to_volume_id). */
static void add_local_file(struct volume_scan *s, const struct guest_line *line, struct slice value)
{
	char folder[16] = "iso";
	const char *name;

	if (!is_cdrom(line->value))
		(void)snprintf(folder, sizeof(folder), "%u", s->guest->vmid);
	if (value.n > NAME_BYTES_MAX - sizeof(folder))
		return;
	name = arena_fmt(s->arena, "%s/" SLICE_FMT, folder, SLICE_ARG(value));
	add(s, line, SLICE("local"), slice_of(name), true);
}

static void bad_volume(struct volume_scan *s, const struct guest_line *line, struct slice value)
{
	char shown[96];

	str_printable(shown, sizeof(shown), value);
	diag_add(s->diags, s->guest->file, line->number,
		 "key '" SLICE_FMT "': \"%s\": expected STORAGE:VOLUME or an absolute path",
		 SLICE_ARG(line->key), shown);
	scan_text(s, line, value, true);
}

static void scan_drive_volume(struct volume_scan *s, const struct guest_line *line,
			      struct slice value)
{
	bool qemu = s->guest->type == GUEST_QEMU;
	struct volid v;

	value = slice_trim(value);
	if (qemu && (slice_eq(value, "none") || slice_eq(value, "cdrom")))
		return;
	if (!is_one_token(value)) {
		bad_volume(s, line, value);
		return;
	}
	if (value.p[0] == '/')
		add_path(s, line, value, true);
	else if (volid_parse(value, &v))
		add(s, line, v.storage, v.volname, true);
	else if (qemu && !memchr(value.p, ':', value.n) && !memchr(value.p, '/', value.n))
		add_local_file(s, line, value);
	else
		bad_volume(s, line, value);
}

/* Free text inside a drive; a mount point's mp= is a path of the container, not of the node. */
static bool is_never_volume(struct slice key)
{
	static const char *const keys[] = { "mp",      "mountoptions", "serial",
					    "product", "vendor",       "wwn" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (slice_eq(key, keys[i]))
			return true;
	return false;
}

static void scan_drive(struct volume_scan *s, const struct guest_line *line)
{
	struct slice rest = line->value;
	bool named = false;
	struct prop p;

	while (prop_next(&rest, &p)) {
		if (slice_empty(p.key) || slice_eq(p.key, "file") || slice_eq(p.key, "volume")) {
			scan_drive_volume(s, line, p.value);
			named = true;
		} else if (!is_never_volume(p.key)) {
			/* "lvm:vm-1-disk-0 size=4G" lost a comma: the volume is in the key. */
			scan_text(s, line, p.key, true);
			scan_text(s, line, p.value, true);
		}
	}
	if (!named)
		diag_add(s->diags, s->guest->file, line->number,
			 "key '" SLICE_FMT "' names no volume: expected STORAGE:VOLUME",
			 SLICE_ARG(line->key));
}

static void scan_volid_list(struct volume_scan *s, const struct guest_line *line)
{
	struct slice rest = line->value, token;
	struct volid v;

	while (next_token(&rest, &token)) {
		if (volid_parse(token, &v))
			add(s, line, v.storage, v.volname, true);
		else
			(void)scan_path(s, line, token);
	}
}

static void scan_option(struct volume_scan *s, const struct guest_line *line)
{
	switch (line->section == GUEST_SECTION_UNKNOWN ? KEY_UNKNOWN : classify(s, line)) {
	case KEY_UNKNOWN:
		scan_text(s, line, line->value, true);
		break;
	case KEY_DRIVE:
		scan_drive(s, line);
		break;
	case KEY_VOLIDS:
		scan_volid_list(s, line);
		break;
	case KEY_PLAIN:
		scan_text(s, line, line->value, false);
		break;
	}
}

void volume_scan_line(struct volume_scan *s, const struct guest_line *line)
{
	switch (line->kind) {
	case GUEST_LINE_OPTION:
		scan_option(s, line);
		break;
	case GUEST_LINE_RAW_LXC:
		/* LXC itself knows paths only. */
		scan_text(s, line, line->value, false);
		break;
	case GUEST_LINE_BAD:
		/* A header that a container does not know: "[special:x]" names no volume. */
		if (line->value.p[0] != '[')
			scan_text(s, line, line->value, true);
		break;
	case GUEST_LINE_SECTION:
	case GUEST_LINE_DESCRIPTION:
		break;
	}
}
