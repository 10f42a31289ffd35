/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/conf.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "agent/oldconf.h"
#include "agent/wire.h"
#include "util/http.h"
#include "util/ini.h"
#include "util/str.h"
#include "util/worker.h"

enum {
	CONF_BYTES_MAX = 1024 * 1024,
	CLUSTER_BYTES_MAX = 256 * 1024,
	CLUSTER_READ_MS = 5000,
	SPOOL_MIN = 1024 * 1024,
};

const struct cli_option agent_conf_options[] = {
	{ "hub-url", "URL", "the hub (https://, or http:// to this machine)" },
	{ "hub-ca", "FILE", "the certificates that the hub's is checked against" },
	{ "api-url", "URL", "the NannyAPI server" },
	{ "api-ca", "FILE", "the certificates that the NannyAPI server's is checked against" },
	{ "portal-url", "URL", "the page where people approve an agent" },
	{ "token-path", "FILE", "the old agent's token.json" },
	{ "interval", "SECONDS", "between two documents to the hub (default: 60)" },
	{ "proxmox-interval", "SECONDS", "between two rounds to NannyAPI (default: 300)" },
	{ "agent-id", "ID", "what a ready token to NannyAPI goes with" },
	{ "debug", NULL, "log all that happens" },
	{},
};

/* --- values ---------------------------------------------------------------------------------- */

static const char *take_range(struct slice value, void *into, uint32_t min, uint32_t max,
			      const char *expected)
{
	uint32_t n;

	if (!str_to_u32(value, &n) || n < min || n > max)
		return expected;
	*(uint32_t *)into = n;
	return NULL;
}

static const char *take_interval(struct slice value, void *into, struct arena *a)
{
	(void)a;
	return take_range(value, into, 1, AGENT_INTERVAL_MAX, "seconds, 1 to 3600");
}

static const char *take_nanny_interval(struct slice value, void *into, struct arena *a)
{
	(void)a;
	return take_range(value, into, AGENT_NANNY_INTERVAL_MIN, AGENT_NANNY_INTERVAL_MAX,
			  "seconds, 5 to 604800");
}

static const char *take_seconds(struct slice value, void *into, struct arena *a)
{
	(void)a;
	return take_range(value, into, 1, AGENT_NANNY_INTERVAL_MAX, "seconds, 1 to 604800");
}

static const char *take_days(struct slice value, void *into, struct arena *a)
{
	(void)a;
	return take_range(value, into, 1, 365, "days, 1 to 365");
}

static const char *take_size(struct slice value, void *into, struct arena *a)
{
	uint64_t n;

	(void)a;
	if (!str_to_size(value, &n) || n < SPOOL_MIN)
		return "a size of at least 1M, such as 64M";
	*(uint64_t *)into = n;
	return NULL;
}

static const char *take_url(struct slice value, void *into, struct arena *a)
{
	const char *url;

	while (value.n && value.p[value.n - 1] == '/')
		value.n--;
	if (slice_empty(value) || memchr(value.p, '\0', value.n))
		return "a URL";
	url = arena_str(a, value);
	if (!http_is_allowed(url))
		return "https://... (http:// only to this machine)";
	*(const char **)into = url;
	return NULL;
}

static const char *take_path(struct slice value, void *into, struct arena *a)
{
	if (slice_empty(value) || value.p[0] != '/' || memchr(value.p, '\0', value.n))
		return "a path that begins with '/'";
	*(const char **)into = arena_str(a, value);
	return NULL;
}

static const char *take_bool(struct slice value, void *into, struct arena *a)
{
	bool yes = slice_eq(value, "true") || slice_eq(value, "1") || slice_eq(value, "yes");

	(void)a;
	if (!yes && !slice_eq(value, "false") && !slice_eq(value, "0") && !slice_eq(value, "no"))
		return "true or false";
	*(bool *)into = yes;
	return NULL;
}

static const char *take_level(struct slice value, void *into, struct arena *a)
{
	static const char *const names[] = { [AGENT_LOG_ERROR] = "error",
					     [AGENT_LOG_WARN] = "warn",
					     [AGENT_LOG_INFO] = "info",
					     [AGENT_LOG_DEBUG] = "debug" };
	CLEANUP_FREE char *name = xmalloc(value.n + 1);

	(void)a;
	memcpy(name, value.p, value.n);
	name[value.n] = '\0';
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcasecmp(name, names[i]) != 0)
			continue;
		*(unsigned int *)into = i;
		return NULL;
	}
	return strcasecmp(name, "warning") == 0 ? take_level(SLICE("warn"), into, a)
						: "debug, info, warn or error";
}

/* Known, and without a meaning here: metrics, and the old agent's own connections. */
static const char *take_nothing(struct slice value, void *into, struct arena *a)
{
	(void)value;
	(void)into;
	(void)a;
	return NULL;
}

/* --- names ----------------------------------------------------------------------------------- */

#define AT(field) offsetof(struct agent_conf, field)

static const struct ini_key ini_keys[] = {
	{ "agent", "hub_url", take_url, AT(hub_url) },
	{ "agent", "hub_ca", take_path, AT(hub_ca) },
	{ "agent", "hub_token_file", take_path, AT(hub_token_file) },
	{ "agent", "interval", take_interval, AT(interval) },
	{ "agent", "nannyapi_url", take_url, AT(nannyapi_url) },
	{ "agent", "nannyapi_ca", take_path, AT(nannyapi_ca) },
	{ "agent", "portal_url", take_url, AT(portal_url) },
	{ "agent", "proxmox_interval", take_nanny_interval, AT(proxmox_interval) },
	{ "agent", "static_token_file", take_path, AT(static_token_file) },
	{ "agent", "agent_id", ini_take_text, AT(agent_id) },
	{ "agent", "token_path", take_path, AT(token_path) },
	{ "agent", "spool_size", take_size, AT(spool_size) },
	{ "agent", "state_dir", take_path, AT(state_dir) },
	{ "agent", "debug", take_bool, AT(debug) },
};

#define TRANSPORT "http_transport"

static const struct oldconf_key old_keys[] = {
	{ NULL, "nannyapi_url", take_url, AT(nannyapi_url) },
	{ NULL, "portal_url", take_url, AT(portal_url) },
	{ NULL, "token_path", take_path, AT(token_path) },
	{ NULL, "metrics_interval", take_nothing, 0 },
	{ NULL, "proxmox_interval", take_nanny_interval, AT(proxmox_interval) },
	{ NULL, "static_token", ini_take_text, AT(static_token) },
	{ NULL, "agent_id", ini_take_text, AT(agent_id) },
	{ NULL, "token_renewal_threshold_days", take_days, AT(renew_days) },
	{ NULL, "token_renewal_check_interval_secs", take_seconds, AT(renew_check) },
	{ NULL, "token_renewal_retry_interval_secs", take_seconds, AT(renew_retry) },
	{ NULL, "debug", take_bool, AT(debug) },
	{ TRANSPORT, "max_idle_conns", take_nothing, 0 },
	{ TRANSPORT, "max_idle_conns_per_host", take_nothing, 0 },
	{ TRANSPORT, "idle_conn_timeout_sec", take_nothing, 0 },
	{ TRANSPORT, "response_header_timeout_sec", take_nothing, 0 },
	{ TRANSPORT, "disable_http2", take_nothing, 0 },
	{ TRANSPORT, "transport_reset_threshold", take_nothing, 0 },
	{ TRANSPORT, "initial_retry_delay_sec", take_nothing, 0 },
	{ TRANSPORT, "max_retry_delay_sec", take_nothing, 0 },
};

struct outside {
	const char *name;
	const char *(*take)(struct slice value, void *into, struct arena *a);
	size_t offset;
};

static const struct outside env_names[] = {
	{ "NANNYAPI_URL", take_url, AT(nannyapi_url) },
	{ "TOKEN_PATH", take_path, AT(token_path) },
	{ "NANNYAI_PORTAL_URL", take_url, AT(portal_url) },
	{ "NANNYAI_STATIC_TOKEN", ini_take_text, AT(static_token) },
	{ "NANNYAI_AGENT_ID", ini_take_text, AT(agent_id) },
	{ "PROXMOX_INTERVAL", take_nanny_interval, AT(proxmox_interval) },
	{ "LOG_LEVEL", take_level, AT(log) },
	{ "DEBUG", take_bool, AT(debug) },
};

static const struct outside option_names[] = {
	{ "hub-url", take_url, AT(hub_url) },
	{ "hub-ca", take_path, AT(hub_ca) },
	{ "api-url", take_url, AT(nannyapi_url) },
	{ "api-ca", take_path, AT(nannyapi_ca) },
	{ "portal-url", take_url, AT(portal_url) },
	{ "token-path", take_path, AT(token_path) },
	{ "interval", take_interval, AT(interval) },
	{ "proxmox-interval", take_nanny_interval, AT(proxmox_interval) },
	{ "agent-id", ini_take_text, AT(agent_id) },
};

/* --- reading --------------------------------------------------------------------------------- */

static int read_file(const struct root *root, const char *path, struct agent_conf *c,
		     struct buf *text)
{
	int r = root_read(root, path, CONF_BYTES_MAX, text);

	if (r < 0 && r != -ENOENT)
		diag_add(&c->diags, path, 0, "%s", strerror(-r));
	return r;
}

/* /etc/pve may hang, and a daemon that begins or is told to read anew must not. */
struct cluster_text {
	bool mounted; /* pmxcfs is there; else nobody knows what it would have */
	size_t n;
	char text[CLUSTER_BYTES_MAX];
};

static int read_in_worker(void *arg, void *answer, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	struct cluster_text *t = answer;
	struct root root;
	struct stat st;
	int r = root_open(&root, arg, e);

	if (r < 0)
		return r;
	t->mounted = root_lstat(&root, "etc/pve/.version", &st) == 0;
	r = root_read(&root, AGENT_CLUSTER_CONF, sizeof(t->text), &text);
	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0)
		return r;
	memcpy(t->text, buf_str(&text), text.len);
	t->n = text.len;
	return 0;
}

static void read_cluster(const struct root *root, struct agent_conf *c)
{
	CLEANUP_FREE struct cluster_text *t = xcalloc(1, sizeof(*t));
	int r = worker_run(read_in_worker, (void *)(uintptr_t)root->path, t, sizeof(*t),
			   CLUSTER_READ_MS, NULL, NULL);

	c->unread = r < 0 || (!t->mounted && !t->n);
	if (r == 0)
		ini_read((struct slice){ t->text, t->n }, AGENT_CLUSTER_CONF, ini_keys,
			 ARRAY_SIZE(ini_keys), c, &c->arena, &c->diags);
	else
		diag_add(&c->diags, AGENT_CLUSTER_CONF, 0, "%s", strerror(-r));
}

static void read_ini(const struct root *root, const char *path, struct agent_conf *c)
{
	CLEANUP(buf_done) struct buf text = {};

	if (read_file(root, path, c, &text) == 0)
		ini_read(buf_slice(&text), path, ini_keys, ARRAY_SIZE(ini_keys), c, &c->arena,
			 &c->diags);
}

static void read_old(const struct root *root, struct agent_conf *c)
{
	CLEANUP(buf_wipe) struct buf text = {};

	if (read_file(root, AGENT_OLD_CONFIG, c, &text) < 0)
		return;
	oldconf_read(buf_slice(&text), AGENT_OLD_CONFIG, old_keys, ARRAY_SIZE(old_keys), c,
		     &c->arena, &c->diags);
	c->imported = true;
}

static void take_outside(const struct outside *o, const char *value, const char *prefix,
			 struct agent_conf *c)
{
	const char *expected;

	if (!value || !*value)
		return;
	expected = o->take(slice_of(value), (char *)c + o->offset, &c->arena);
	if (expected)
		diag_add(&c->diags, arena_fmt(&c->arena, "%s%s", prefix, o->name), 0, "expected %s",
			 expected);
}

void agent_conf_read(struct agent_conf *ret, const struct root *root,
		     const char *(*env)(const char *name), const struct cli *cli)
{
	*ret = (struct agent_conf){ .token_path = AGENT_OLD_TOKEN,
				    .state_dir = AGENT_STATE_DIR,
				    .interval = WIRE_INTERVAL_S,
				    .proxmox_interval = WIRE_NANNY_INTERVAL_S,
				    .renew_days = 7,
				    .renew_check = 6 * 3600,
				    .renew_retry = 3600,
				    .spool_size = 64 * 1024 * 1024,
				    .log = AGENT_LOG_INFO };
	ret->diags.arena = &ret->arena;
	read_old(root, ret);
	read_cluster(root, ret);
	read_ini(root, AGENT_NODE_CONF, ret);
	for (size_t i = 0; env && i < ARRAY_SIZE(env_names); i++)
		take_outside(&env_names[i], env(env_names[i].name), "", ret);
	for (size_t i = 0; cli && i < ARRAY_SIZE(option_names); i++)
		take_outside(&option_names[i], cli_value(cli, option_names[i].name), "--", ret);
	if ((cli && cli_has(cli, "debug")) || ret->debug)
		ret->log = AGENT_LOG_DEBUG;
}

bool agent_conf_wrong_option(const struct agent_conf *c)
{
	for (size_t i = 0; i < c->diags.n; i++)
		if (strncmp(c->diags.items[i].file, "--", 2) == 0)
			return true;
	return false;
}

void agent_conf_done(struct agent_conf *c)
{
	diags_done(&c->diags);
	arena_done(&c->arena);
	*c = (struct agent_conf){};
}
