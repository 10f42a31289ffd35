/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/store_digest.h"

#include <stdio.h>

#include "hub/once.h"
#include "util/str.h"

static void blanks(struct slice *s)
{
	while (s->n && (*s->p == ' ' || *s->p == '\n' || *s->p == '\t' || *s->p == '\r')) {
		s->p++;
		s->n--;
	}
}

static void skip(struct slice *s, size_t n)
{
	n = n < s->n ? n : s->n;
	s->p += n;
	s->n -= n;
}

/* Length of the string that begins at @s, with its quotes. */
static size_t string_length(struct slice s)
{
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == '"')
			return i + 1;
	}
	return s.n;
}

/* Of an object or array: brackets are counted, whatever their kind. */
static size_t nested_length(struct slice s)
{
	size_t depth = 0;

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '"')
			i += string_length((struct slice){ s.p + i, s.n - i }) - 1;
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && --depth == 0)
			return i + 1;
	}
	return s.n;
}

static size_t scalar_length(struct slice s)
{
	size_t i = 0;

	while (i < s.n && !strchr(",]} \n\t\r", s.p[i]))
		i++;
	return i;
}

static struct slice take_value(struct slice *s)
{
	struct slice v;

	blanks(s);
	v = *s;
	if (s->n && *s->p == '"')
		v.n = string_length(*s);
	else if (s->n && (*s->p == '{' || *s->p == '['))
		v.n = nested_length(*s);
	else
		v.n = scalar_length(*s);
	skip(s, v.n);
	return v;
}

/* Steps into an object or array; false if @s is none. */
static bool enter(struct slice *s, char bracket)
{
	blanks(s);
	if (!s->n || *s->p != bracket)
		return false;
	skip(s, 1);
	return true;
}

/* To the next element; false at the end. */
static bool more(struct slice *s)
{
	blanks(s);
	if (s->n && *s->p == ',') {
		skip(s, 1);
		blanks(s);
	}
	return s->n && *s->p != ']' && *s->p != '}';
}

static bool next_element(struct slice *s, struct slice *ret)
{
	if (!more(s))
		return false;
	*ret = take_value(s);
	return ret->n > 0;
}

static bool next_member(struct slice *s, struct slice *ret_key, struct slice *ret)
{
	if (!more(s) || *s->p != '"')
		return false;
	*ret_key = digest_plain(take_value(s));
	blanks(s);
	skip(s, 1); /* the colon */
	*ret = take_value(s);
	return ret->n > 0;
}

struct slice digest_plain(struct slice string)
{
	if (string.n < 2 || string.p[0] != '"')
		return string;
	return (struct slice){ string.p + 1, string.n - 2 };
}

struct slice digest_member(struct slice object, const char *key)
{
	struct slice k, v;

	if (enter(&object, '{'))
		while (next_member(&object, &k, &v))
			if (slice_eq(k, key))
				return v;
	return (struct slice){};
}

static uint64_t mix(struct slice s, uint64_t h)
{
	for (; s.n >= 8; skip(&s, 8)) {
		uint64_t word;

		memcpy(&word, s.p, 8);
		h = (h ^ word) * 0x9fb21c651e98df25u;
		h ^= h >> 32;
	}
	for (; s.n; skip(&s, 1))
		h = (h ^ (uint8_t)*s.p) * 0x100000001b3u;
	h ^= h >> 29;
	h *= 0xbf58476d1ce4e5b9u;
	return h ^ (h >> 32);
}

void digest_hash(struct slice s, char ret[DIGEST_HASH])
{
	(void)snprintf(ret, DIGEST_HASH, "%016llx%016llx",
		       (unsigned long long)mix(s, 0xcbf29ce484222325u),
		       (unsigned long long)mix(s, 0x9e3779b97f4a7c15u ^ s.n));
}

static uint64_t number_of(struct slice v)
{
	uint64_t n;

	return str_to_u64(v, &n) ? n : mix(v, 0);
}

static bool next_once(struct once *once, struct slice *rest, const char *key, struct slice *ret,
		      bool *ret_new)
{
	if (!next_element(rest, ret))
		return false;
	*ret_new = once_add(once, number_of(digest_member(*ret, key)));
	return true;
}

static bool has_repeats(struct slice list, const char *key)
{
	CLEANUP(once_done) struct once once = {};
	struct slice row;
	bool new = true;

	if (enter(&list, '['))
		while (new &&next_once(&once, &list, key, &row, &new))
			;
	return !new;
}

/* The list with one element of each @key, the first: a statement may meet a row only once. */
static struct slice without_repeats(struct slice list, const char *key, struct buf *kept)
{
	CLEANUP(once_done) struct once once = {};
	struct slice row;
	bool new;

	if (!list.p || !has_repeats(list, key))
		return list;
	buf_addc(kept, '[');
	if (enter(&list, '['))
		while (next_once(&once, &list, key, &row, &new)) {
			if (!new)
				continue;
			buf_adds(kept, kept->len > 1 ? "," : "");
			buf_add(kept, row.p, row.n);
		}
	buf_addc(kept, ']');
	return buf_slice(kept);
}

static int truth(struct slice v)
{
	if (slice_eq(v, "true") || slice_eq(v, "1"))
		return 1;
	return slice_eq(v, "false") || slice_eq(v, "0") ? 0 : -1;
}

static struct slice only(struct slice v, char first)
{
	return v.n && *v.p == first ? v : (struct slice){};
}

/* --- guests --- */

enum { VMID, TYPE, IDENTITY, NODE, NAME, STATUS, LOCK, TAGS, TEMPLATE, BACKUP, DIGEST, N_COLUMNS };
static const struct slice columns[N_COLUMNS] = { SLICE("vmid"),	  SLICE("type"),  SLICE("identity"),
						 SLICE("node"),	  SLICE("name"),  SLICE("status"),
						 SLICE("lock"),	  SLICE("tags"),  SLICE("template"),
						 SLICE("backup"), SLICE("digest") };
static const struct slice live_keys[] = { SLICE("uptime"),   SLICE("cpu"),	 SLICE("mem"),
					  SLICE("disk"),     SLICE("netin"),	 SLICE("netout"),
					  SLICE("diskread"), SLICE("diskwrite"), SLICE("memhost"),
					  SLICE("pressure"), SLICE("sampled_at") };

/* For every member of every guest: lengths are compared first. */
static int place_of(struct slice key, const struct slice *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (key.n == list[i].n && memcmp(key.p, list[i].p, key.n) == 0)
			return (int)i;
	return -1;
}

static bool is_live(struct slice key)
{
	return place_of(key, live_keys, ARRAY_SIZE(live_keys)) >= 0;
}

static int column_of(struct slice key)
{
	return place_of(key, columns, N_COLUMNS);
}

static void add_member(struct buf *b, struct slice key, struct slice value)
{
	if (b->len > 1)
		buf_addc(b, ',');
	buf_addc(b, '"');
	buf_add(b, key.p, key.n);
	buf_adds(b, "\":");
	buf_add(b, value.p, value.n);
}

static void add_value(struct buf *b, struct slice v, const char *otherwise)
{
	if (b->data[b->len - 1] != '[')
		buf_addc(b, ',');
	if (v.n && !slice_eq(v, "null"))
		buf_add(b, v.p, v.n);
	else
		buf_adds(b, otherwise);
}

static void add_truth(struct buf *b, struct slice v)
{
	int is = truth(v);

	buf_adds(b, is < 0 ? ",null" : is ? ",1" : ",0");
}

static void open_row(struct buf *b)
{
	buf_adds(b, b->len > 1 ? ",[" : "[");
}

struct guest_parts {
	struct slice col[N_COLUMNS];
	struct buf rest, live, fixed;
};

/* As the inside of a JSON string. */
static void add_escaped(struct buf *b, struct slice text)
{
	char *at = buf_reserve(b, 2 * text.n);
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '"' || c == '\\')
			at[n++] = '\\';
		/* Blanks between tokens may be line ends. */
		at[n++] = (uint8_t)c < ' ' ? ' ' : c;
	}
	b->len += n;
	b->data[b->len] = '\0';
}

/* Blanks between tokens may be line ends, which part one guest from the next. */
static void add_line(struct buf *b, struct slice text)
{
	char *at = buf_reserve(b, text.n + 1);

	for (size_t i = 0; i < text.n; i++)
		at[i] = (uint8_t)text.p[i] < ' ' ? ' ' : text.p[i];
	at[text.n] = '\n';
	b->len += text.n + 1;
	b->data[b->len] = '\0';
}

static void add_sample(struct digest *d, struct slice vmid, const char *hash, struct slice live)
{
	uint64_t n;

	if (!str_to_u64(vmid, &n))
		vmid = SLICE("0");
	buf_adds(&d->known, d->n_guests ? ",[" : "[");
	buf_add(&d->known, vmid.p, vmid.n);
	buf_adds(&d->known, ",\"");
	buf_add(&d->known, hash, GUEST_HASH);
	buf_addf(&d->known, "\",%zu]", d->n_guests / GUESTS_PER_PART + 1);
	buf_add(&d->live, vmid.p, vmid.n);
	buf_addc(&d->live, ' ');
	add_line(&d->live, live);
}

static void split_guest(struct slice row, struct guest_parts *p)
{
	struct slice key, value;

	memset(p->col, 0, sizeof(p->col));
	buf_reset(&p->rest);
	buf_reset(&p->live);
	buf_addc(&p->rest, '{');
	buf_addc(&p->live, '{');
	if (enter(&row, '{'))
		while (next_member(&row, &key, &value)) {
			int c = column_of(key);

			if (c >= 0)
				p->col[c] = value;
			else
				add_member(is_live(key) ? &p->live : &p->rest, key, value);
		}
	buf_addc(&p->rest, '}');
	buf_addc(&p->live, '}');
}

/* All but the live members, as one text: what the guest's hash is of. Returns where those begin
 * that stand behind the hash in its row. */
static size_t join_fixed(struct guest_parts *p)
{
	static const int texts[] = { NODE, NAME, STATUS };
	const struct slice *c = p->col;
	struct buf *b = &p->fixed;
	size_t at;

	buf_reset(b);
	buf_addc(b, '[');
	add_value(b, c[TYPE], "\"\"");
	add_value(b, c[IDENTITY], "\"\"");
	at = b->len + 1;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		add_value(b, c[texts[i]], "\"\"");
	add_value(b, c[LOCK], "null");
	add_value(b, c[TAGS], "null");
	add_truth(b, c[TEMPLATE]);
	add_truth(b, c[BACKUP]);
	add_value(b, c[DIGEST], "null");
	buf_adds(b, ",\"");
	add_escaped(b, buf_slice(&p->rest));
	buf_addc(b, '"');
	return at;
}

static void add_guest(struct digest *d, struct guest_parts *p, const char *node)
{
	char hash[DIGEST_HASH];
	struct buf *g = &d->guests;
	const struct slice *c = p->col;
	size_t at = join_fixed(p);

	digest_hash(buf_slice(&p->fixed), hash);
	open_row(g);
	add_value(g, c[VMID], "0");
	buf_addc(g, ',');
	buf_add(g, p->fixed.data + 1, at - 1);
	buf_addc(g, '"');
	buf_add(g, hash, GUEST_HASH);
	buf_adds(g, "\",");
	buf_add(g, p->fixed.data + at, p->fixed.len - at);
	buf_adds(g, ",\"");
	add_escaped(g, buf_slice(&p->live));
	buf_adds(g, "\"]");
	add_sample(d, c[VMID], hash, buf_slice(&p->live));
	d->n_guests++;
	open_row(&d->ids);
	add_value(&d->ids, c[VMID], "0");
	add_value(&d->ids, c[IDENTITY], "\"\"");
	buf_addc(&d->ids, ']');
	if (c[NODE].n && !slice_eq(digest_plain(c[NODE]), node))
		return;
	open_row(&d->own);
	add_value(&d->own, c[VMID], "0");
	add_value(&d->own, c[IDENTITY], "\"\"");
	add_value(&d->own, c[STATUS], "\"\"");
	add_value(&d->own, c[DIGEST], "null");
	add_value(&d->own, c[NAME], "null");
	buf_addc(&d->own, ']');
}

static void read_guests(struct slice list, const char *node, struct digest *d)
{
	CLEANUP(once_done) struct once once = {};
	struct guest_parts p = {};
	struct slice row;

	buf_addc(&d->guests, '[');
	buf_addc(&d->known, '[');
	buf_addc(&d->live, '\n');
	buf_addc(&d->ids, '[');
	buf_addc(&d->own, '[');
	if (enter(&list, '['))
		while (next_element(&list, &row)) {
			split_guest(row, &p);
			if (once_add(&once, number_of(p.col[VMID])))
				add_guest(d, &p, node);
		}
	buf_addc(&d->guests, ']');
	buf_addc(&d->known, ']');
	buf_addc(&d->ids, ']');
	buf_addc(&d->own, ']');
	buf_done(&p.rest);
	buf_done(&p.live);
	buf_done(&p.fixed);
}

/* --- the rest --- */

static void read_members(struct slice cluster, struct digest *d)
{
	struct slice first, list = d->vmids;

	d->cluster_name = only(digest_member(cluster, "name"), '"');
	d->config_version = digest_member(cluster, "config_version");
	d->clustered = truth(digest_member(cluster, "clustered"));
	if (!slice_empty(d->config_version) && slice_eq(d->config_version, "null"))
		d->config_version = (struct slice){};
	d->empty_list = !enter(&list, '[') || !next_element(&list, &first);
	if (d->reporter != 1 || d->quorate < 0 || !d->nodes.p)
		return;
	buf_addf(&d->members, "{\"nodes\":" SLICE_FMT ",\"config_version\":", SLICE_ARG(d->nodes));
	buf_addf(&d->members, SLICE_FMT "}",
		 SLICE_ARG(d->config_version.p ? d->config_version : SLICE("null")));
	digest_hash(buf_slice(&d->members), d->members_hash);
}

static void read_host(struct digest *d)
{
	struct slice boot = only(digest_member(d->host, "boot_time"), '"');

	d->version = only(digest_member(d->host, "pveversion"), '"');
	/* Whoever does not know of quorum says nothing, so that a loss shows against the last one
	 * who did. */
	if ((!boot.p && !d->version.p) || d->quorate < 0)
		return;
	buf_addf(&d->host_id,
		 "{\"boot_time\":" SLICE_FMT ",\"version\":" SLICE_FMT ",\"quorate\":%d}",
		 SLICE_ARG(boot.p ? boot : SLICE("null")),
		 SLICE_ARG(d->version.p ? d->version : SLICE("null")), d->quorate);
	digest_hash(buf_slice(&d->host_id), d->host_hash);
}

static struct slice first_of(struct slice list)
{
	struct slice v = {};

	if (enter(&list, '['))
		(void)next_element(&list, &v);
	return v;
}

void digest_minute(struct slice host, struct slice ret[DIGEST_MINUTE])
{
	static const struct {
		struct slice key;
		char inside;
	} places[DIGEST_MINUTE] = {
		{ SLICE("cpu"), 0 },	  { SLICE("iowait"), 0 }, { SLICE("loadavg"), '[' },
		{ SLICE("memory"), '{' }, { SLICE("swap"), '{' }, { SLICE("rootfs"), '{' },
		{ SLICE("netin"), 0 },	  { SLICE("netout"), 0 },
	};
	struct slice key, v;

	memset(ret, 0, DIGEST_MINUTE * sizeof(*ret));
	if (!enter(&host, '{'))
		return;
	while (next_member(&host, &key, &v))
		for (size_t i = 0; i < DIGEST_MINUTE; i++) {
			if (key.n != places[i].key.n || memcmp(key.p, places[i].key.p, key.n))
				continue;
			if (places[i].inside)
				v = places[i].inside == '[' ? first_of(v)
							    : digest_member(v, "used");
			ret[i] = slice_eq(v, "null") ? (struct slice){} : digest_plain(v);
		}
}

static void read_parts(struct digest *d)
{
	CLEANUP(buf_done) struct buf both = {};

	d->dm_findings = only(digest_member(digest_member(d->parts, "dm"), "findings"), '[');
	d->watch_guests = only(digest_member(digest_member(d->parts, "watch"), "guests"), '[');
	buf_add(&both, d->dm_findings.p, d->dm_findings.n);
	buf_addc(&both, '\n');
	buf_add(&both, d->watch_guests.p, d->watch_guests.n);
	digest_hash(buf_slice(&both), d->findings_hash);
}

static void read_top(struct slice body, struct digest *d, struct slice *cluster,
		     struct slice *guests)
{
	struct slice key, v;
	uint32_t seconds;

	if (!enter(&body, '{'))
		return;
	while (next_member(&body, &key, &v)) {
		struct {
			const char *key;
			struct slice *to;
			char first;
		} const pieces[] = {
			{ "cluster", cluster, '{' },	   { "guests", guests, '[' },
			{ "nodes", &d->nodes, '[' },	   { "vmids", &d->vmids, '[' },
			{ "host", &d->host, '{' },	   { "configs", &d->configs, '[' },
			{ "storages", &d->storages, '[' }, { "parts", &d->parts, '{' },
		};

		for (size_t i = 0; i < ARRAY_SIZE(pieces); i++)
			if (slice_eq(key, pieces[i].key))
				*pieces[i].to = only(v, pieces[i].first);
		if (slice_eq(key, "quorate"))
			d->quorate = truth(v);
		else if (slice_eq(key, "complete"))
			d->complete = truth(v);
		else if (slice_eq(key, "reporter"))
			d->reporter = truth(v);
		else if (slice_eq(key, "interval"))
			d->interval = str_to_u32(v, &seconds) ? seconds : 0;
		if (slice_eq(key, "host") || slice_eq(key, "ha") || slice_eq(key, "pmxcfs") ||
		    slice_eq(key, "blind") || slice_eq(key, "interval"))
			add_member(&d->data, key, v);
	}
}

static void read_storages(struct slice list, struct digest *d)
{
	struct slice row, name, type;

	buf_addc(&d->storage_names, '[');
	buf_addc(&d->storage_lines, '\n');
	if (enter(&list, '['))
		while (next_element(&list, &row)) {
			name = digest_member(row, "name");
			type = digest_member(row, "type");
			buf_addf(&d->storage_names, SLICE_FMT " " SLICE_FMT ",", SLICE_ARG(name),
				 SLICE_ARG(type));
			add_line(&d->storage_lines, row);
		}
	buf_addc(&d->storage_names, ']');
}

void digest_document(struct slice body, const char *node, struct digest *ret)
{
	struct slice cluster = {}, guests = {};

	*ret = (struct digest){ .quorate = -1, .complete = -1, .reporter = -1 };
	buf_addc(&ret->data, '{');
	read_top(body, ret, &cluster, &guests);
	buf_addc(&ret->data, '}');
	read_guests(guests, node, ret);
	ret->configs = without_repeats(ret->configs, "vmid", &ret->one_config);
	ret->storages = without_repeats(ret->storages, "name", &ret->one_storage);
	read_storages(ret->storages, ret);
	digest_hash(buf_slice(&ret->ids), ret->ids_hash);
	digest_hash(buf_slice(&ret->own), ret->own_hash);
	if (ret->vmids.p)
		digest_hash(ret->vmids, ret->list_hash);
	read_members(cluster, ret);
	read_host(ret);
	read_parts(ret);
}

void digest_done(struct digest *d)
{
	buf_done(&d->guests);
	buf_done(&d->known);
	buf_done(&d->live);
	buf_done(&d->ids);
	buf_done(&d->own);
	buf_done(&d->host_id);
	buf_done(&d->members);
	buf_done(&d->data);
	buf_done(&d->storage_names);
	buf_done(&d->storage_lines);
	buf_done(&d->one_config);
	buf_done(&d->one_storage);
}
