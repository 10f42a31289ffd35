/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/diagnose.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/cli.h"
#include "util/clock.h"
#include "util/jsonw.h"
#include "util/str.h"
#include "util/term.h"

void diagnosis_done(struct diagnosis *d)
{
	vec_free(d);
	arena_done(&d->arena);
}

static const char *remedy_for(struct diagnosis *d, const char *remedy)
{
	const char *at = strstr(remedy, "STORAGE");

	if (!at || !d->storage)
		return arena_str(&d->arena, slice_of(remedy));
	return arena_fmt(&d->arena, "%.*s%s%s", (int)(at - remedy), remedy, d->storage,
			 at + sizeof("STORAGE") - 1);
}

void diagnosis_add(struct diagnosis *d, enum diagnosis_level level, const char *subject,
		   const char *remedy, const char *fmt, ...)
{
	struct diagnosis_line *l = vec_push(d);
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	l->level = level;
	l->subject = subject;
	l->what = arena_str(&d->arena, slice_of(text));
	l->remedy = remedy ? remedy_for(d, remedy) : NULL;
}

int diagnosis_exit(const struct diagnosis *d)
{
	static const int exits[] = { CLI_OK, CLI_WARNING, CLI_CRITICAL };
	enum diagnosis_level worst = DIAGNOSIS_OK;

	for (size_t i = 0; i < d->n; i++)
		if (d->items[i].level > worst)
			worst = d->items[i].level;
	return exits[worst];
}

/* --- for people ------------------------------------------------------------------------------ */

static void escaped(struct buf *out, const char *text)
{
	char shown[2048];

	str_printable(shown, sizeof(shown), slice_of(text));
	buf_adds(out, shown);
}

static void show_line(const struct diagnosis_line *l, size_t width, bool color, struct buf *out)
{
	static const char *const words[] = { "ok     ", "WARNING", "BAD    " };
	static const enum term_style styles[] = { TERM_GREEN, TERM_YELLOW, TERM_RED };
	CLEANUP(buf_done) struct buf text = {};
	enum { AT = 21 };

	term_add(out, color, styles[l->level], words[l->level]);
	buf_addf(out, "  %-10s  ", l->subject);
	escaped(&text, l->what);
	term_wrap(out, buf_str(&text), AT, width);
	buf_addc(out, '\n');
	if (!l->remedy)
		return;
	buf_reset(&text);
	escaped(&text, l->remedy);
	buf_addf(out, "%*s-> ", AT, "");
	term_wrap(out, buf_str(&text), AT + 3, width);
	buf_addc(out, '\n');
}

void diagnosis_show(const struct diagnosis *d, size_t width, bool color, struct buf *out)
{
	size_t n[3] = {};

	for (size_t i = 0; i < d->n; i++)
		n[d->items[i].level]++;
	buf_adds(out, "Storage ");
	escaped(out, d->storage);
	buf_addf(out, ": %zu checks, %zu bad, %zu warning%s\n\n", d->n, n[DIAGNOSIS_BAD],
		 n[DIAGNOSIS_WARNING], n[DIAGNOSIS_WARNING] == 1 ? "" : "s");
	for (size_t i = 0; i < d->n; i++)
		show_line(&d->items[i], width, color, out);
}

void diagnosis_json(const struct diagnosis *d, struct buf *out)
{
	static const char *const names[] = { "ok", "warning", "bad" };
	struct jsonw w;

	jsonw_begin(&w, out);
	jsonw_str(&w, "schema", DIAGNOSIS_SCHEMA);
	jsonw_str(&w, "storage", d->storage);
	jsonw_array(&w, "checks");
	for (size_t i = 0; i < d->n; i++) {
		jsonw_row(&w, NULL);
		jsonw_str(&w, "level", names[d->items[i].level]);
		jsonw_str(&w, "subject", d->items[i].subject);
		jsonw_str(&w, "what", d->items[i].what);
		jsonw_str(&w, "remedy", d->items[i].remedy);
		jsonw_close(&w);
	}
	jsonw_close(&w);
	jsonw_end(&w);
}

/* --- the arrays ------------------------------------------------------------------------------ */

static const char *remedy_of(int r)
{
	switch (-r) {
	case EKEYREJECTED:
		return "make a new API token on the array (Settings, Users) and give it: pvesm set "
		       "STORAGE --token TOKEN";
	case EPERM:
		return "give the token's user the role storage_admin";
	case EHOSTUNREACH:
		return "look whether the address answers from here: curl -v ADDRESS/api/api_version; "
		       "with check_ssl the certificate must be valid";
	case EPROTO:
		return "the address must be the array's management address";
	default:
		return "try again; the array's log says more";
	}
}

static bool diagnose_reach(struct diagnosis *d, struct fa *f, const struct fa_call *call)
{
	struct fa_about about = {};
	struct err e = {};
	int r = fa_about_get(f, call, &d->arena, &about, &e);

	if (r < 0) {
		/* The sentence begins with the address. */
		diagnosis_add(d, DIAGNOSIS_BAD, "array", remedy_of(r), "%s", e.text);
		return false;
	}
	diagnosis_add(d, DIAGNOSIS_OK, "array", NULL, "%s is %s, %s %s, REST %s", fa_url(f),
		      about.name ?: "?", about.os ?: "Purity", about.version ?: "?",
		      about.api ?: "?");
	return true;
}

/* A request that can change nothing, because there is no such volume, and that a token which may
 * only read is refused. */
static void diagnose_rights(struct diagnosis *d, struct fa *f, const struct fa_call *call,
			    const struct array_conf *conf)
{
	char *volume = arena_fmt(&d->arena, "%spvewarden-rights-check", conf->prefix);
	struct err e = {};
	int r = fa_disconnect(f, call, &conf->host, 1, false, volume, &e);

	if (r == -EPERM)
		diagnosis_add(d, DIAGNOSIS_BAD, "token", remedy_of(r),
			      "%s: the token may only read: %s", fa_url(f), e.text);
	else if (r >= 0 || r == -ENOENT)
		diagnosis_add(d, DIAGNOSIS_OK, "token", NULL, "%s: the token may make changes",
			      fa_url(f));
	else
		diagnosis_add(d, DIAGNOSIS_WARNING, "token", remedy_of(r),
			      "%s: it could not be told what the token may do: %s", fa_url(f),
			      e.text);
}

static void diagnose_pod(struct diagnosis *d, struct fa *f, const struct fa_call *call,
			 const struct array_conf *conf)
{
	struct fa_pod pod = {};
	struct err e = {};
	int r = fa_pod_get(f, call, conf->podname, &d->arena, &pod, &e);

	if (r < 0 || pod.destroyed || !pod.promoted) {
		diagnosis_add(d, DIAGNOSIS_BAD, "pod",
			      "make the pod on the array, or correct podname in storage.cfg",
			      "%s: pod %s: %s", fa_url(f), conf->podname,
			      r < 0	      ? e.text
			      : pod.destroyed ? "it is destroyed"
					      : "it is demoted and takes no writes");
		return;
	}
	for (size_t i = 0; i < pod.n_arrays; i++) {
		bool online = pod.arrays[i].status && strcmp(pod.arrays[i].status, "online") == 0;

		diagnosis_add(d, online ? DIAGNOSIS_OK : DIAGNOSIS_WARNING, "pod",
			      online ? NULL : "look at the pod's replication link and mediator",
			      "%s: pod %s is %s on %s, mediator %s", fa_url(f), conf->podname,
			      pod.arrays[i].status ?: "?", pod.arrays[i].name ?: "?",
			      pod.arrays[i].mediator ?: "?");
	}
}

static void diagnose_place(struct diagnosis *d, struct fa *f, const struct fa_call *call,
			   const struct array_conf *conf, bool first)
{
	struct err e = {};

	if (conf->podname) {
		diagnose_pod(d, f, call, conf);
	} else if (conf->vgname && !first) {
		diagnosis_add(d, DIAGNOSIS_WARNING, "vgroup",
			      "use podname with two arrays; a volume group is on one",
			      "%s: vgname is looked for on the first address only", fa_url(f));
	} else if (conf->vgname) {
		if (fa_vgroup_get(f, call, conf->vgname, &e) < 0)
			diagnosis_add(d, DIAGNOSIS_BAD, "vgroup",
				      "make the volume group on the array, or correct vgname",
				      "%s: %s", fa_url(f), e.text);
		else
			diagnosis_add(d, DIAGNOSIS_OK, "vgroup", NULL, "%s: volume group %s",
				      fa_url(f), conf->vgname);
	}
}

/* In a pod over two arrays: all paths carry alike, or one array's do while they are there. */
static void name_preferred(struct diagnosis *d, const struct array_conf *conf,
			   const struct diagnosis_array *a)
{
	if (!conf->podname || conf->n_addresses < 2)
		return;
	if (*a->host.preferred)
		diagnosis_add(d, DIAGNOSIS_OK, "host", NULL, "%s: host %s prefers paths of %s",
			      a->url, conf->host, a->host.preferred);
	else
		diagnosis_add(d, DIAGNOSIS_OK, "host", NULL,
			      "%s: host %s prefers no array: all paths are used alike (where one "
			      "array is nearer: purehost setattr --preferred-array ARRAY %s)",
			      a->url, conf->host, conf->host);
}

static void diagnose_host(struct diagnosis *d, struct fa *f, const struct fa_call *call,
			  const struct array_conf *conf, const struct initiators *own,
			  struct diagnosis_array *a)
{
	CLEANUP(buf_done) struct buf names = {};
	struct err e = {};
	int r = fa_host_get(f, call, conf->host, &d->arena, &a->host, &e);

	initiators_join(own, &names);
	a->has_host = r >= 0;
	if (r == -ENOENT)
		diagnosis_add(d, DIAGNOSIS_BAD, "host",
			      arena_fmt(&d->arena, "on the array: purehost create --%s %s %s",
					initiators_option(own->protocol), names.data, conf->host),
			      "%s: there is no host %s, so no volume can be connected to this node",
			      a->url, conf->host);
	else if (r < 0)
		diagnosis_add(d, DIAGNOSIS_BAD, "host", remedy_of(r), "%s", e.text);
	else if (conf->host_group &&
		 (!a->host.host_group || strcmp(a->host.host_group, conf->host_group) != 0))
		diagnosis_add(
			d, DIAGNOSIS_BAD, "host",
			arena_fmt(&d->arena, "on the array: purehgroup setattr --addhostlist %s %s",
				  conf->host, conf->host_group),
			"%s: host %s is not in host group %s", a->url, conf->host,
			conf->host_group);
	else
		diagnosis_add(d, DIAGNOSIS_OK, "host", NULL, "%s: host %s", a->url, conf->host);
	if (a->has_host)
		name_preferred(d, conf, a);
	r = fa_ports_get(f, call, &d->arena, &a->ports, &e);
	a->has_ports = r >= 0;
	if (r < 0)
		diagnosis_add(d, DIAGNOSIS_WARNING, "ports", remedy_of(r), "%s: %s", a->url,
			      e.text);
}

void diagnose_secret(struct diagnosis *d, const struct array_conf *conf)
{
	if (conf->shared_secrets)
		diagnosis_add(d, DIAGNOSIS_OK, "secret", NULL,
			      "the API token is where only root reads it");
	else
		diagnosis_add(d, DIAGNOSIS_WARNING, "secret",
			      "pvewarden array token STORAGE --move",
			      "the API token stands in storage.cfg, which who may see the "
			      "configuration of storages can read");
}

/* One that is silent leaves their part to those that come after it. */
static int64_t share_of(int64_t deadline, size_t arrays)
{
	int64_t now = clock_mono_ms();

	return now + (deadline - now) / (int64_t)arrays;
}

void diagnose_arrays(struct diagnosis *d, struct fa_pool *pool, const struct array_conf *conf,
		     const struct initiators *own, int64_t deadline)
{
	struct fa *fas[ARRAY_ADDRESSES_MAX];
	struct err e = {};
	size_t n = 0;

	if (!conf->check_ssl)
		diagnosis_add(
			d, DIAGNOSIS_WARNING, "TLS", "pvesm set STORAGE --check_ssl 1",
			"the array's certificate is not verified: whoever is between can read "
			"the token");
	if (fa_pool_get(pool, conf, fas, &n, &e) < 0)
		diagnosis_add(d, DIAGNOSIS_BAD, "array", "correct storage.cfg", "%s", e.text);
	for (size_t i = 0; i < n; i++) {
		struct diagnosis_array *a = &d->arrays[d->n_arrays++];
		const struct fa_call call = { .deadline = share_of(deadline, n - i) };

		a->url = fa_url(fas[i]);
		if (!diagnose_reach(d, fas[i], &call))
			continue;
		diagnose_rights(d, fas[i], &call, conf);
		diagnose_place(d, fas[i], &call, conf, i == 0);
		diagnose_host(d, fas[i], &call, conf, own, a);
	}
}
