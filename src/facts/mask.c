/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "facts/mask.h"

#include "pve/guestkey.h"
#include "pve/prop.h"
#include "util/str.h"

static bool one_of(struct slice s, const char *const names[], size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (slice_eq(s, names[i]))
			return true;
	return false;
}

/* What of a value may be a reference to a volume: volume ids and absolute paths, all else masked.
 */
static void keep_references(struct slice value, struct buf *out)
{
	struct slice rest = value, word;
	struct volid id;
	bool any = false;

	while (list_next(&rest, &word)) {
		size_t equals = slice_find(word, '=');
		struct slice tail = equals < word.n ? slice_from(word, equals + 1) : word;

		if (!volid_parse(tail, &id) && !slice_starts(tail, "/"))
			continue;
		if (any)
			buf_addc(out, ',');
		buf_add(out, word.p, word.n);
		any = true;
	}
	if (!any)
		buf_adds(out, MASKED);
}

/* Keys whose values are people's own text, or secrets. */
static bool is_private(struct slice key)
{
	static const char *const names[] = {
		"cipassword",  "ciuser",  "sshkeys",	"args",
		"description", "smbios1", "nameserver", "searchdomain"
	};

	return one_of(key, names, ARRAY_SIZE(names));
}

static void mask_option(enum guest_type type, const struct guest_line *line, struct buf *out)
{
	bool known = guest_key_classify(type, line->key).class != KEY_UNKNOWN;

	buf_add(out, line->key.p, line->key.n);
	buf_adds(out, ": ");
	if (known && !is_private(line->key))
		buf_add(out, line->value.p, line->value.n);
	else
		keep_references(line->value, out);
	buf_addc(out, '\n');
}

static void mask_line(enum guest_type type, const struct guest_line *line, struct buf *out)
{
	switch (line->kind) {
	case GUEST_LINE_SECTION:
		buf_addf(out, "\n[" SLICE_FMT "]\n", SLICE_ARG(line->key));
		break;
	case GUEST_LINE_DESCRIPTION:
		buf_adds(out, "#" MASKED "\n");
		break;
	case GUEST_LINE_OPTION:
		mask_option(type, line, out);
		break;
	case GUEST_LINE_RAW_LXC:
		buf_addf(out, SLICE_FMT ": ", SLICE_ARG(line->key));
		keep_references(line->value, out);
		buf_addc(out, '\n');
		break;
	case GUEST_LINE_BAD:
		buf_adds(out, "masked-line ");
		keep_references(line->value, out);
		buf_addc(out, '\n');
		break;
	default:
		break;
	}
}

void mask_guest(enum guest_type type, struct slice text, struct buf *out)
{
	struct guest_reader reader;
	struct guest_line line;

	guest_reader_init(&reader, type, text);
	while (guest_reader_next(&reader, &line))
		mask_line(type, &line, out);
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

	while (slice_split(&text, '\n', &line)) {
		struct slice body = slice_trim(line), key;

		/* Headers and empty lines are the file's structure; only bodies are indented. */
		if (slice_empty(body) || !str_is_space(line.p[0]) || slice_starts(body, "#")) {
			if (slice_starts(body, "#"))
				buf_adds(out, "#" MASKED "\n");
			else
				buf_addf(out, SLICE_FMT "\n", SLICE_ARG(line));
			continue;
		}
		key = body;
		for (key.n = 0; key.n < body.n && !str_is_space(body.p[key.n]); key.n++)
			;
		if (one_of(key, kept, ARRAY_SIZE(kept)))
			buf_addf(out, SLICE_FMT "\n", SLICE_ARG(line));
		else
			buf_addf(out, "\t" SLICE_FMT " " MASKED "\n", SLICE_ARG(key));
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

void mask_cmdline(struct slice text, struct buf *out)
{
	struct slice word;
	bool first = true, keep_next = false;

	while (slice_split(&text, '\0', &word)) {
		bool incoming = slice_eq(word, "-incoming");
		bool named = slice_eq(word, "-id") || slice_eq(word, "-pidfile");

		if (first || named || keep_next || incoming) {
			buf_add(out, word.p, word.n);
			buf_addc(out, '\0');
		}
		/* Where the migration comes from is nobody's business, that there is one is. */
		if (incoming) {
			buf_adds(out, MASKED);
			buf_addc(out, '\0');
		}
		keep_next = named;
		first = false;
	}
}
