/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "facts/mask.h"

#include <ctype.h>

#include "pve/guestkey.h"
#include "pve/guestvolume.h"
#include "util/str.h"

static bool one_of(struct slice s, const char *const names[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq(s, names[i]))
			return true;
	return false;
}

/* Where the lines come from: a volume scan wants to know. */
struct masking {
	struct guest guest;
	struct arena arena;
	struct diags diags;
};

/* A path that is no device's says nothing about volumes. */
static bool is_reference(const struct guest_volume *v)
{
	return v->storage || strncmp(v->volname, "/dev/", 5) == 0;
}

/* The volumes that a line refers to, found as the judge's own reader finds them; all else of its
 * value is masked. */
static void keep_references(struct masking *m, const struct guest_line *line, struct buf *out)
{
	struct volume_scan scan = { &m->guest, &m->arena, &m->diags };
	bool any = false;

	volume_scan_line(&scan, line);
	vec_each (v, &scan.found) {
		if (!is_reference(v))
			continue;
		buf_addf(out, "%s%s%s%s", any ? "," : "", v->storage ? v->storage : "",
			 v->storage ? ":" : "", v->volname);
		any = true;
	}
	vec_free(&scan.found);
	if (!any)
		buf_adds(out, MASKED);
}

/* Keys whose values are people's own text, or secrets. */
static bool is_private(struct slice key)
{
	static const char *const names[] = {
		"ciuser", "sshkeys", "smbios1", "description", "nameserver", "searchdomain",
	};

	return guest_key_is_secret(key) || one_of(key, names, ARRAY_SIZE(names));
}

static void mask_option(struct masking *m, const struct guest_line *line, struct buf *out)
{
	bool known = guest_key_classify(m->guest.type, line->key).class != KEY_UNKNOWN;

	buf_add(out, line->key.p, line->key.n);
	buf_adds(out, ": ");
	if (is_private(line->key))
		buf_adds(out, MASKED);
	else if (known && !slice_eq(line->key, "args"))
		buf_add(out, line->value.p, line->value.n);
	else
		keep_references(m, line, out);
	buf_addc(out, '\n');
}

/* The name of a section that Proxmox skips may be anything; what stands for it is unknown too. */
static void mask_section(const struct guest_line *line, struct buf *out)
{
	if (line->section == GUEST_SECTION_UNKNOWN)
		buf_adds(out, "\n[?" MASKED "]\n");
	else
		buf_addf(out, "\n[" SLICE_FMT "]\n", SLICE_ARG(line->key));
}

static void mask_line(struct masking *m, const struct guest_line *line, struct buf *out)
{
	switch (line->kind) {
	case GUEST_LINE_SECTION:
		mask_section(line, out);
		break;
	case GUEST_LINE_DESCRIPTION:
		buf_adds(out, "#" MASKED "\n");
		break;
	case GUEST_LINE_OPTION:
		mask_option(m, line, out);
		break;
	case GUEST_LINE_RAW_LXC:
		buf_addf(out, SLICE_FMT ": ", SLICE_ARG(line->key));
		keep_references(m, line, out);
		buf_addc(out, '\n');
		break;
	case GUEST_LINE_BAD:
		buf_adds(out, "masked-line ");
		keep_references(m, line, out);
		buf_addc(out, '\n');
		break;
	default:
		break;
	}
}

void mask_guest(enum guest_type type, struct slice text, struct buf *out)
{
	struct masking m = { .guest = { .type = type, .file = "" }, .diags.arena = &m.arena };
	struct guest_reader reader;
	struct guest_line line;

	guest_reader_init(&reader, type, text);
	while (guest_reader_next(&reader, &line))
		mask_line(&m, &line, out);
	diags_done(&m.diags);
	arena_done(&m.arena);
}

/* A key as any plugin would call it. */
static bool is_name(struct slice key)
{
	for (size_t i = 0; i < key.n; i++)
		if (!isalnum((unsigned char)key.p[i]) && key.p[i] != '-' && key.p[i] != '_')
			return false;
	return true;
}

static struct slice first_word(struct slice s)
{
	struct slice word = { s.p, 0 };

	while (word.n < s.n && !str_is_space(s.p[word.n]))
		word.n++;
	return word;
}

/* "type: id" at the start of a section, as the reader takes it; whatever else stands there may be
 * anything. */
static bool is_header(struct slice line)
{
	struct slice whole = slice_rtrim(line), first = first_word(whole), rest;

	if (first.n == whole.n) {
		size_t colon = slice_find(slice_from(first, 1), ':') + 1;

		return colon + 1 < first.n;
	}
	rest = slice_trim(slice_from(whole, first.n));
	return first.n >= 2 && slice_ends(first, ":") && first_word(rest).n == rest.n;
}

void mask_storage_cfg(struct slice text, struct buf *out)
{
	static const char *const kept[] = {
		"vgname",
		"thinpool",
		"pool",
		"path",
		"content",
		"nodes",
		"disable",
		"shared",
		"base",
		"saferemove",
		"tagged_only",
		"format",
		"maxfiles",
		"prune-backups",
		"mkdir",
		"is_mountpoint",
		"krbd",
		"sparse",
		"blocksize",
		"snapshot-as-volume-chain",
		"create-base-path",
		"create-subdirs",
		"saferemove_throughput",
		"mountpoint",
		"preallocation",
		"bwlimit",
		"protocol",
		"podname",
		"vnprefix",
		"hgsuffix",
	};
	struct slice line;
	bool inside = false;

	while (slice_split(&text, '\n', &line)) {
		struct slice body = slice_trim(line), key = first_word(body);

		key.n = slice_find(key, '\0'); /* as for its reader */
		if (slice_starts(body, "#")) {
			buf_adds(out, "#" MASKED);
		} else if (slice_empty(body) || (!inside && is_header(line)) ||
			   (inside && str_is_space(*line.p) &&
			    one_of(key, kept, ARRAY_SIZE(kept)))) {
			buf_add(out, line.p, line.n);
			/* An empty line ends a section, one of blanks does not. */
			inside = !slice_empty(line) && (inside || !slice_empty(body));
		} else if (inside && str_is_space(*line.p) && is_name(key)) {
			buf_addf(out, "\t" SLICE_FMT " " MASKED, SLICE_ARG(key));
		} else {
			buf_adds(out, MASKED);
		}
		buf_addc(out, '\n');
	}
}

void mask_datacenter_cfg(struct slice text, struct buf *out)
{
	static const char *const kept[] = { "next-id", "migration", "tag-style" };
	struct slice line;

	while (slice_split(&text, '\n', &line)) {
		struct slice key = { line.p, slice_find(line, ':') };

		if (one_of(key, kept, ARRAY_SIZE(kept)))
			buf_addf(out, SLICE_FMT "\n", SLICE_ARG(line));
	}
}

/* QEMU takes one hyphen and two. */
static bool is_option(struct slice word, const char *name)
{
	return slice_starts(word, "-") &&
	       slice_eq(slice_from(word, slice_starts(word, "--") ? 2 : 1), name);
}

void mask_cmdline(struct slice text, struct buf *out)
{
	struct slice word;
	bool first = true, keep_next = false;

	while (slice_split(&text, '\0', &word)) {
		bool incoming = is_option(word, "incoming");
		bool named = is_option(word, "id") || is_option(word, "pidfile");

		if (first || named || keep_next || incoming) {
			buf_add(out, word.p, word.n);
			buf_addc(out, '\0');
		}
		/* Where the migration comes from is nobody's business, that there is one is. */
		if (incoming) {
			buf_adds(out, MASKED);
			buf_addc(out, '\0');
		}
		keep_next = named || (keep_next && slice_empty(word));
		first = false;
	}
}
