/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/conf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "hub/listen.h"
#include "util/file.h"
#include "util/ini.h"
#include "util/log.h"
#include "util/str.h"

enum { FILE_MAX_BYTES = 256 * 1024 };

void hub_conf_default(struct hub_conf *c)
{
	*c = (struct hub_conf){
		.listen = "127.0.0.1:8480",
		.state_dir = "/var/lib/pvewarden/hub",
		.connections = 12000,
		.connections_per_address = 1000,
		.idle_timeout = 120,
		.silent_timeout = 10,
		.body_timeout = 30,
		.body_rate = 65536,
		.memory_mib = 64,
		.workers = 4,
		.writers = 4,
		.token_rate = { 30, 10 },
		.org_rate = { 10000, 5000 },
		.address_rate = { 60, 10 },
		.read_rate = { 200, 100 },
		.org_read_rate = { 1000, 500 },
	};
}

/* --- the file ------------------------------------------------------------------------------ */

static const char *take_number(struct slice v, void *into, uint32_t low, uint32_t high)
{
	uint32_t n;

	if (!str_to_u32(v, &n) || n < low || n > high)
		return "a number in its range (man 8 pvewarden-hub)";
	memcpy(into, &n, sizeof(n));
	return NULL;
}

static const char *take_many(struct slice v, void *into, struct arena *a)
{
	(void)a;
	return take_number(v, into, 16, 1000000);
}

static const char *take_any(struct slice v, void *into, struct arena *a)
{
	(void)a;
	return take_number(v, into, 0, 1000000);
}

static const char *take_seconds(struct slice v, void *into, struct arena *a)
{
	(void)a;
	return take_number(v, into, 1, 3600);
}

static const char *take_bytes(struct slice v, void *into, struct arena *a)
{
	(void)a;
	return take_number(v, into, 1024, 1u << 30);
}

static const char *take_threads(struct slice v, void *into, struct arena *a)
{
	(void)a;
	return take_number(v, into, 1, 64);
}

/* "30 10/s": so many at once, so many a second after that; "off". */
static const char *take_rate(struct slice v, void *into, struct arena *a)
{
	struct limit_rate rate = {};
	struct slice burst;

	(void)a;
	if (!slice_eq(v, "off")) {
		if (!slice_ends(v, "/s") || !slice_split(&v, ' ', &burst) || v.n < 3)
			return "BURST PER_SECOND/s, as in 30 10/s, or off";
		v = slice_trim((struct slice){ v.p, v.n - 2 });
		if (!str_to_u32(burst, &rate.burst) || !str_to_u32(v, &rate.per_second) ||
		    !rate.burst || !rate.per_second)
			return "BURST PER_SECOND/s, as in 30 10/s, or off";
	}
	memcpy(into, &rate, sizeof(rate));
	return NULL;
}

static const char *take_listen(struct slice v, void *into, struct arena *a)
{
	const char *text;
	char address[64];
	uint16_t port;

	(void)ini_take_text(v, &text, a);
	if (!hub_conf_split_listen(text, address, &port))
		return "ADDRESS:PORT or [ADDRESS]:PORT";
	memcpy(into, &text, sizeof(text));
	return NULL;
}

static const char *take_addresses(struct slice v, void *into, struct arena *a)
{
	const char *text;

	(void)ini_take_text(v, &text, a);
	if (!listen_are_addresses(text))
		return "addresses with blanks between them";
	memcpy(into, &text, sizeof(text));
	return NULL;
}

#define KEY(name, take)                                              \
	{                                                            \
		"hub", #name, take, offsetof(struct hub_conf, name), \
	}

static const struct ini_key keys[] = {
	KEY(listen, take_listen),	    KEY(db, ini_take_text),
	KEY(tls_cert, ini_take_text),	    KEY(tls_key, ini_take_text),
	KEY(public_url, ini_take_text),	    KEY(state_dir, ini_take_text),
	KEY(connections, take_many),	    KEY(connections_per_address, take_any),
	KEY(idle_timeout, take_seconds),    KEY(body_timeout, take_seconds),
	KEY(body_rate, take_bytes),	    KEY(memory_mib, take_many),
	KEY(workers, take_threads),	    KEY(writers, take_threads),
	KEY(token_rate, take_rate),	    KEY(org_rate, take_rate),
	KEY(address_rate, take_rate),	    KEY(read_rate, take_rate),
	KEY(silent_timeout, take_seconds),  KEY(org_read_rate, take_rate),
	KEY(trusted_proxy, take_addresses),
};

void hub_conf_read(struct hub_conf *c, struct slice text, const char *file, struct arena *a,
		   struct diags *diags)
{
	ini_read(text, file, keys, ARRAY_SIZE(keys), c, a, diags);
}

/* --- all places ---------------------------------------------------------------------------- */

static int read_file(const struct cli *cli, struct hub_conf *c, struct arena *a)
{
	const char *given = cli_value(cli, "config"), *path = given ? given : HUB_CONF_FILE;
	CLEANUP(diags_done) struct diags diags = { .arena = a };
	CLEANUP(buf_done) struct buf text = {};
	int r = file_read_at(AT_FDCWD, path, FILE_MAX_BYTES, &text);

	if (r == -ENOENT && !given)
		return CLI_OK;
	if (r)
		return cli_usage(cli, "%s: %s", path, strerror(-r));
	hub_conf_read(c, buf_slice(&text), path, a, &diags);
	vec_each (d, &diags)
		log_warn("%s:%u: %s", d->file, d->line, d->text);
	return CLI_OK;
}

static bool has_password(const char *where)
{
	const char *host = strstr(where, "://"), *at = host ? strchr(host + 3, '@') : NULL;
	const char *colon = host ? strchr(host + 3, ':') : NULL;

	return (at && colon && colon < at) || strstr(where, "password=");
}

static void take_option(const struct cli *cli, const char *name, const char **into)
{
	const char *v = cli_value(cli, name);

	if (v)
		*into = v;
}

int hub_conf_load(const struct cli *cli, struct hub_conf *c, struct arena *a)
{
	const char *db = getenv("PVEWARDEN_DB");
	char address[64];
	uint16_t port;
	int r;

	hub_conf_default(c);
	r = read_file(cli, c, a);
	if (r)
		return r;
	if (db && db[0])
		c->db = db;
	take_option(cli, "db", &c->db);
	take_option(cli, "state-dir", &c->state_dir);
	take_option(cli, "listen", &c->listen);
	take_option(cli, "tls-cert", &c->tls_cert);
	take_option(cli, "tls-key", &c->tls_key);
	take_option(cli, "public-url", &c->public_url);
	if (cli_value(cli, "db") && has_password(c->db))
		log_warn("everybody on this machine can read a password in --db: write it into %s "
			 "or PVEWARDEN_DB",
			 HUB_CONF_FILE);
	if (!hub_conf_split_listen(c->listen, address, &port))
		return cli_usage(cli, "--listen '%s': expected ADDRESS:PORT or [ADDRESS]:PORT",
				 c->listen);
	if (!c->tls_cert != !c->tls_key)
		return cli_usage(cli, "a certificate and its key go together");
	if (!c->db)
		c->db = arena_fmt(a, "%s/hub.db", c->state_dir);
	return CLI_OK;
}

bool hub_conf_split_listen(const char *listen, char address[64], uint16_t *ret_port)
{
	struct slice s = slice_of(listen);
	const char *colon = strrchr(listen, ':');
	unsigned char raw[16];
	uint32_t port;
	size_t n = colon ? (size_t)(colon - listen) : 0;
	bool six = n >= 2 && s.p[0] == '[' && s.p[n - 1] == ']';

	if (!colon || !str_to_u32(slice_of(colon + 1), &port) || port > UINT16_MAX)
		return false;
	s = six ? (struct slice){ s.p + 1, n - 2 } : (struct slice){ s.p, n };
	if (s.n >= 64)
		return false;
	memcpy(address, s.p, s.n);
	address[s.n] = '\0';
	*ret_port = (uint16_t)port;
	return inet_pton(six ? AF_INET6 : AF_INET, address, raw) == 1;
}

const char *hub_conf_db_shown(const char *where, char buf[256])
{
	const char *host = strstr(where, "://"), *at = host ? strrchr(host, '@') : NULL;
	const char *query = strchr(where, '?');
	int all = (int)(query ? query - where : (ptrdiff_t)strlen(where));

	if (host && at)
		(void)snprintf(buf, 256, "%.*s%.*s", (int)(host + 3 - where), where,
			       all - (int)(at + 1 - where), at + 1);
	else
		(void)snprintf(buf, 256, "%.*s", all, where);
	return buf;
}
