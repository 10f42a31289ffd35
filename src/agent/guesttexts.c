/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/guesttexts.h"

#include <stdio.h>

#include "agent/digest.h"
#include "agent/guestfacts.h"
#include "agent/guestparts.h"
#include "agent/wire.h"
#include "util/str.h"

struct writing {
	const struct guesttexts_of *of;
	const struct guestconfig *config;
	const struct guestfacts *facts;
	uint64_t digest;
	struct jsonw w;
};

static void or_null(struct jsonw *w, const char *key, struct slice text)
{
	if (slice_empty(text))
		jsonw_null(w, key);
	else
		jsonw_slice(w, key, text.n > 1024 ? (struct slice){ text.p, 1024 } : text);
}

static void write_digest(struct writing *g)
{
	jsonw_fmt(&g->w, "digest", "%016llx", (unsigned long long)g->digest);
}

/* --- a row of "guests" -------------------------------------------------------------------------
 */

static void write_who(struct jsonw *w, const struct guesttexts_of *of)
{
	jsonw_u64(w, "vmid", of->vmid);
	jsonw_str(w, "type", of->type == GUEST_QEMU ? "qemu" : "lxc");
	jsonw_str(w, "node", of->node);
}

/* "1700000000/5d3c1a2e-...": when it was made, and as which one; either may be empty. */
static void write_identity(struct jsonw *w, const struct guestfacts *f)
{
	char text[96] = "/";
	size_t n = 0;

	if (f->created)
		n = (size_t)snprintf(text, sizeof(text), "%lld", (long long)f->created);
	text[n++] = '/';
	if (f->vmgenid.n <= 64) {
		memcpy(text + n, f->vmgenid.p, f->vmgenid.n);
		n += f->vmgenid.n;
	}
	jsonw_slice(w, "identity", (struct slice){ text, n });
}

static void write_row(struct writing *g)
{
	const struct guestfacts *f = g->facts;

	write_who(&g->w, g->of);
	jsonw_slice(&g->w, "name", f->name);
	jsonw_bool(&g->w, "template", f->template);
	or_null(&g->w, "lock", f->lock);
	or_null(&g->w, "tags", f->tags);
	jsonw_u64(&g->w, "snapshots", g->config->snapshots.n);
	jsonw_time(&g->w, "oldest_snapshot", f->oldest_snapshot);
	jsonw_bool(&g->w, "pending", f->pending > 0);
	write_identity(&g->w, f);
	write_digest(g);
}

/* --- a row of "configs" ------------------------------------------------------------------------
 */

static void write_flags(struct jsonw *w, const struct guestfacts *f)
{
	jsonw_bool(w, "unprivileged", f->unprivileged);
	jsonw_bool(w, "protection", f->protection);
	jsonw_bool(w, "onboot", f->onboot);
	jsonw_bool(w, "template", f->template);
}

static void write_order(struct jsonw *w, const char *key, const struct guestfacts *f)
{
	jsonw_array(w, key);
	for (size_t i = 0; i < f->n_boot; i++)
		jsonw_slice(w, NULL, f->boot[i]);
	jsonw_close(w);
}

static void write_size(struct writing *g)
{
	const struct guestfacts *f = g->facts;

	if (f->cores_known)
		jsonw_u64(&g->w, "cores", f->cores);
	else
		jsonw_null(&g->w, "cores");
	jsonw_u64(&g->w, "sockets", f->sockets);
	if (f->type == GUEST_QEMU)
		jsonw_slice(&g->w, "cpu_type", f->cpu_type);
	jsonw_u64(&g->w, "memory_mb", f->memory_mb);
	if (f->type == GUEST_LXC)
		jsonw_u64(&g->w, "swap_mb", f->swap_mb);
}

static void write_lxc_texts(struct writing *g)
{
	static const char *const keys[] = { "rootfs", "hostname", "searchdomain", "nameserver",
					    "timezone" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		or_null(&g->w, keys[i], guestconfig_text(g->config, keys[i]));
}

static void write_head(struct writing *g)
{
	const struct guestfacts *f = g->facts;

	jsonw_u64(&g->w, "vmid", f->vmid);
	write_digest(g);
	jsonw_slice(&g->w, "name", f->name);
	jsonw_str(&g->w, "type", f->type == GUEST_QEMU ? "qemu" : "lxc");
	write_size(g);
	jsonw_slice(&g->w, "ostype", f->ostype);
	jsonw_slice(&g->w, "arch", f->arch);
	write_flags(&g->w, f);
	or_null(&g->w, "tags", f->tags);
	if (f->type == GUEST_LXC) {
		write_lxc_texts(g);
		guestparts_features(&g->w, "features", g->config);
		return;
	}
	jsonw_bool(&g->w, "kvm", f->kvm);
	or_null(&g->w, "searchdomain", guestconfig_text(g->config, "searchdomain"));
	or_null(&g->w, "nameserver", guestconfig_text(g->config, "nameserver"));
	or_null(&g->w, "vmgenid", f->vmgenid);
	jsonw_time(&g->w, "created_at", f->created);
	jsonw_row(&g->w, "boot");
	write_order(&g->w, "order", f);
	jsonw_close(&g->w);
	guestparts_agent(&g->w, "agent", g->config);
}

/* --- NannyAPI ----------------------------------------------------------------------------------
 */

static void write_tags(struct writing *g)
{
	CLEANUP(buf_done) struct buf tags = {};

	guestfacts_tags(g->facts->tags, &tags);
	jsonw_slice(&g->w, "tags", buf_slice(&tags));
}

static void write_nanny_common(struct writing *g)
{
	const struct guestfacts *f = g->facts;
	uint64_t all = g->of->processors ? g->of->processors : 1;

	jsonw_str(&g->w, "agent_id", "");
	jsonw_str(&g->w, "node_id", "");
	jsonw_slice(&g->w, "name", f->name);
	jsonw_u64(&g->w, "vmid", f->vmid);
	jsonw_str(&g->w, "node", g->of->node);
	jsonw_u64(&g->w, "cpu_cores", f->cores_known ? f->cores : all);
	jsonw_u64(&g->w, "memory_mb", f->memory_mb);
	jsonw_slice(&g->w, "ostype", f->ostype);
	write_flags(&g->w, f);
	write_tags(g);
	write_digest(g);
}

static void write_nanny_lxc(struct writing *g)
{
	static const char *const keys[] = { "rootfs",	  "net0",     "hostname", "searchdomain",
					    "nameserver", "features", "timezone" };

	jsonw_fmt(&g->w, "lxc_id", "lxc/%u", g->of->vmid);
	write_nanny_common(g);
	jsonw_u64(&g->w, "swap_mb", g->facts->swap_mb);
	jsonw_slice(&g->w, "arch", g->facts->arch);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct slice text = guestconfig_text(g->config, keys[i]);

		jsonw_slice(&g->w, keys[i], text.n > 1024 ? (struct slice){ text.p, 1024 } : text);
	}
	guestparts_features(&g->w, "features_parsed", g->config);
}

static void write_nanny_qemu(struct writing *g)
{
	CLEANUP(buf_done) struct buf boot = {};
	const struct guestfacts *f = g->facts;
	struct slice cpu = guestconfig_text(g->config, "cpu");

	jsonw_fmt(&g->w, "qemu_id", "qemu/%u", g->of->vmid);
	write_nanny_common(g);
	jsonw_u64(&g->w, "sockets", f->sockets);
	jsonw_u64(&g->w, "kvm", f->kvm);
	jsonw_slice(&g->w, "vmgenid", f->vmgenid);
	guestfacts_boot(f, g->config, &boot);
	/* The server refuses an empty one, and a VM may have nothing that it could boot from. */
	jsonw_slice(&g->w, "boot", boot.len ? buf_slice(&boot) : SLICE("order="));
	jsonw_slice(&g->w, "cpu", slice_empty(cpu) ? f->cpu_type : cpu);
	jsonw_slice(&g->w, "host_cpu", slice_empty(cpu) ? f->cpu_type : cpu);
	write_order(&g->w, "boot_order", f);
	guestparts_agent(&g->w, "agent_options", g->config);
}

static void write_nanny(struct writing *g)
{
	if (g->of->type == GUEST_QEMU)
		write_nanny_qemu(g);
	else
		write_nanny_lxc(g);
}

/* --- what both say -----------------------------------------------------------------------------
 */

static void write_tail(struct writing *g)
{
	guestparts_drives(&g->w, g->config);
	guestparts_mountpoints(&g->w, g->config);
	guestparts_nets(&g->w, g->config);
	guestparts_snapshots(&g->w, g->config);
	guestparts_pending(&g->w, g->config);
}

static void write_raw(struct writing *g)
{
	guestparts_config(&g->w, g->config);
}

/* A piece of the buffer, as numbers: the buffer may move while more is written. */
struct span {
	size_t at, n;
};

/* The members between the braces of an object that @write fills. */
static struct span members(struct writing *g, void (*write)(struct writing *g), struct buf *out)
{
	size_t begin = out->len;

	jsonw_begin_row(&g->w, out);
	write(g);
	jsonw_end(&g->w);
	/* '{' in front, "}\n" behind. */
	return (struct span){ begin + 1, out->len - begin - 3 };
}

static struct slice at(const struct guesttexts *t, struct span s)
{
	return (struct slice){ t->memory + s.at, s.n };
}

static void keep(struct guesttexts *t, const struct buf *out)
{
	t->memory = xmalloc(out->len + 1);
	memcpy(t->memory, buf_str(out), out->len + 1);
}

void guesttexts_make(struct guesttexts *ret, const struct guesttexts_of *of, struct slice text,
		     struct guestconfig *scratch, struct buf *out)
{
	struct guestfacts facts;
	struct writing g = { .of = of, .config = scratch, .facts = &facts };
	struct span row, head, nanny, tail, raw;

	guestconfig_read(scratch, of->type, text);
	guestfacts_read(&facts, scratch, of->vmid);
	buf_reset(out);
	g.digest = digest_of(text);
	row = members(&g, write_row, out);
	head = members(&g, write_head, out);
	nanny = members(&g, write_nanny, out);
	tail = members(&g, write_tail, out);
	raw = members(&g, write_raw, out);
	keep(ret, out);
	ret->row = at(ret, row);
	ret->head = at(ret, head);
	ret->nanny = at(ret, nanny);
	ret->tail = at(ret, tail);
	ret->raw = at(ret, raw);
	ret->digest = g.digest;
}

static void write_bare(struct writing *g)
{
	write_who(&g->w, g->of);
	jsonw_null(&g->w, "name");
}

void guesttexts_bare(struct guesttexts *ret, const struct guesttexts_of *of, struct buf *out)
{
	struct writing g = { .of = of };
	struct span row;

	*ret = (struct guesttexts){};
	buf_reset(out);
	row = members(&g, write_bare, out);
	keep(ret, out);
	ret->row = at(ret, row);
}

void guesttexts_done(struct guesttexts *t)
{
	free(t->memory);
	*t = (struct guesttexts){};
}
