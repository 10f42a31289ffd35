/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/conf.h"

#include <errno.h>
#include <stdio.h>

#include "util/str.h"

/* Proxmox' own keys, and those that newer versions of the old plugin have and this one does not act
 * on. A key that begins with '_' is what the old plugin remembered in the section's hash. */
static const char *const theirs[] = { "type",	"nodes",  "disable", "content", "format",
				      "shared", "digest", "bwlimit", "storage" };
static const char *const ours[] = { "address",
				    "token",
				    "vgname",
				    "podname",
				    "vnprefix",
				    "hgsuffix",
				    "protocol",
				    "check_ssl",
				    "token_ttl",
				    "debug",
				    "purestorage-hostgroup",
				    "purestorage-quota",
				    "purestorage-iops",
				    "purestorage-bandwidth",
				    "purestorage-multipath" };
static const char *const idle[] = { "pgroup_sync", "pgroup_sync_interval" };

enum { TTL_DEFAULT = 3600, TTL_MIN = 60, TTL_MAX = 36000, DEBUG_MAX = 3 };

struct reader {
	struct array_conf *c;
	const json_t *config;
	const char *node;
	struct arena *a;
	struct diags *diags;
	struct err *e;
};

/* Proxmox gives numbers and booleans as it likes: as text, as numbers, as JSON's booleans. */
static const char *text_of(const struct reader *r, const char *key)
{
	const json_t *v = json_object_get(r->config, key);

	if (json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v))
		return arena_str(r->a, slice_of(json_string_value(v)));
	if (json_is_integer(v))
		return arena_fmt(r->a, "%lld", (long long)json_integer_value(v));
	if (json_is_boolean(v))
		return json_is_true(v) ? "1" : "0";
	return v && !json_is_null(v) ? "\x01" : NULL;
}

static int bad(const struct reader *r, const char *key, const char *value, const char *expected)
{
	char shown[128];

	str_printable(shown, sizeof(shown), slice_of(value));
	return err_set(r->e, -EINVAL, "storage %s: %s \"%s\" is not understood: expected %s",
		       r->c->storage, key, shown, expected);
}

static bool is_word(char ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') ||
	       ch == '_';
}

static size_t word_run(const char *s)
{
	size_t n = 0;

	while (is_word(s[n]) || s[n] == '-')
		n++;
	return n;
}

/* \w([\w-]*\w)? at the start of @s: its length, or 0. */
static size_t object_name(const char *s)
{
	size_t n = word_run(s);

	return n && is_word(s[0]) && is_word(s[n - 1]) ? n : 0;
}

static bool is_object(const char *s)
{
	return *s && object_name(s) == strlen(s);
}

/* The old plugin's rule for what stands before a volume's name: an object's name, and perhaps "/"
 * or "::", behind which a name may begin that ends in '-'. */
static bool is_prefix(const char *s)
{
	size_t n = object_name(s);

	if (!n)
		return false;
	s += n;
	if (!*s)
		return true;
	if (*s == '/')
		s++;
	else if (s[0] == ':' && s[1] == ':')
		s += 2;
	else
		return false;
	return !*s || (is_word(*s) && word_run(s) == strlen(s));
}

static int read_object(const struct reader *r, const char *key, const char **ret)
{
	const char *v = text_of(r, key);

	if (v && !is_object(v))
		return bad(r, key, v, "letters, digits, '_' and '-', with none at an end");
	*ret = v;
	return 0;
}

static int read_prefix(const struct reader *r)
{
	struct array_conf *c = r->c;
	const char *v = text_of(r, "vnprefix");
	int ret = read_object(r, "vgname", &c->vgname);

	if (ret == 0)
		ret = read_object(r, "podname", &c->podname);
	if (ret)
		return ret;
	if (c->vgname && c->podname)
		return err_set(r->e, -EINVAL,
			       "storage %s: vgname and podname are both set: one of them, or none",
			       c->storage);
	c->vnprefix = v ? v : "";
	c->prefix = arena_fmt(r->a, "%s%s%s",
			      c->vgname	   ? c->vgname
			      : c->podname ? c->podname
					   : "",
			      c->vgname	   ? "/"
			      : c->podname ? "::"
					   : "",
			      c->vnprefix);
	if (v && *c->prefix && !is_prefix(c->prefix))
		return bad(
			r, "vnprefix", v,
			c->vgname || c->podname
				? "letters, digits, '_' and '-', beginning with no '-'"
				: "letters, digits, '_' and '-', with no '-' at an end where there "
				  "is neither vgname nor podname");
	return 0;
}

static int read_host(const struct reader *r)
{
	const char *suffix = text_of(r, "hgsuffix");

	/* The example in the old plugin's documentation writes an empty value as two quotes. */
	if (!suffix || strcmp(suffix, "\"\"") == 0)
		suffix = "";
	if (*suffix && word_run(suffix) != strlen(suffix))
		return bad(r, "hgsuffix", suffix, "letters, digits, '_' and '-'");
	if (!is_object(r->node))
		return err_set(r->e, -EINVAL, "storage %s: the name of this node is not known",
			       r->c->storage);
	r->c->host = *suffix ? arena_fmt(r->a, "%s-%s", r->node, suffix)
			     : arena_str(r->a, slice_of(r->node));
	return read_object(r, "purestorage-hostgroup", &r->c->host_group);
}

static int read_protocol(const struct reader *r)
{
	static const char *const names[] = {
		[ARRAY_ISCSI] = "iscsi", [ARRAY_FC] = "fc", [ARRAY_NVME_TCP] = "nvme"
	};
	const char *v = text_of(r, "protocol");

	if (!v)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(v, names[i]) == 0) {
			r->c->protocol = (enum array_protocol)i;
			return 0;
		}
	return bad(r, "protocol", v, "iscsi, fc or nvme");
}

/* What Proxmox takes for a boolean (PVE::JSONSchema::parse_boolean). */
static int read_bool(const struct reader *r, const char *key, bool *ret, bool *given)
{
	static const char *const yes[] = { "1", "on", "yes", "true" };
	static const char *const no[] = { "0", "off", "no", "false", "" };
	const char *v = text_of(r, key);

	if (given)
		*given = v != NULL;
	if (!v)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		if (strcasecmp(v, yes[i]) == 0) {
			*ret = true;
			return 0;
		}
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		if (strcasecmp(v, no[i]) == 0) {
			*ret = false;
			return 0;
		}
	return bad(r, key, v, "1 or 0");
}

static int read_number(const struct reader *r, const char *key, uint64_t max, uint64_t *ret)
{
	const char *v = text_of(r, key);

	if (!v || (str_to_u64(slice_of(v), ret) && *ret <= max))
		return 0;
	return bad(r, key, v, max <= DEBUG_MAX ? "0 to 3" : "a number");
}

static int read_size(const struct reader *r, const char *key, uint64_t *ret)
{
	const char *v = text_of(r, key);

	if (!v || str_to_size(slice_of(v), ret))
		return 0;
	return bad(r, key, v, "bytes, or a number with K, M, G or T");
}

static int read_numbers(const struct reader *r)
{
	uint64_t ttl = TTL_DEFAULT, debug = UINT64_MAX;
	int ret = read_number(r, "token_ttl", UINT32_MAX, &ttl);

	if (ret == 0 && text_of(r, "debug"))
		ret = read_number(r, "debug", DEBUG_MAX, &debug);
	if (ret == 0)
		ret = read_size(r, "purestorage-quota", &r->c->quota);
	if (ret == 0)
		ret = read_number(r, "purestorage-iops", UINT64_MAX, &r->c->qos_iops);
	if (ret == 0)
		ret = read_size(r, "purestorage-bandwidth", &r->c->qos_bandwidth);
	if (ttl < TTL_MIN || ttl > TTL_MAX) {
		diag_add(r->diags, NULL, 0, "storage %s: token_ttl %llu is taken as %d seconds",
			 r->c->storage, (unsigned long long)ttl, ttl < TTL_MIN ? TTL_MIN : TTL_MAX);
		ttl = ttl < TTL_MIN ? TTL_MIN : TTL_MAX;
	}
	r->c->token_ttl = (int)ttl;
	r->c->debug = debug == UINT64_MAX ? -1 : (int)debug;
	return ret;
}

static bool is_url(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f ||
		    strchr("\"<>\\^`{|}", *s))
			return false;
	return true;
}

/* With its scheme, without a slash at its end. NULL: no address. */
static const char *url_of(const struct reader *r, struct slice s)
{
	const char *text;

	s = slice_trim(s);
	while (s.n && s.p[s.n - 1] == '/')
		s.n--;
	text = arena_str(r->a, s);
	if (strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0)
		return strstr(text, "://")[3] && is_url(text) ? text : NULL;
	return *text && !strstr(text, "://") && is_url(text) ? arena_fmt(r->a, "https://%s", text)
							     : NULL;
}

/* Several arrays are asked at the same time: each must be another. */
static bool is_known(const struct array_conf *c, const char *url)
{
	for (size_t i = 0; i < c->n_addresses; i++)
		if (strcasecmp(c->addresses[i].url, url) == 0)
			return true;
	return false;
}

static int read_addresses(const struct reader *r)
{
	struct array_conf *c = r->c;
	const char *v = text_of(r, "address");
	struct slice rest, piece;

	if (!v || !*v)
		return err_set(r->e, -EINVAL, "storage %s: no address of an array is set",
			       c->storage);
	for (rest = slice_of(v); slice_split(&rest, ',', &piece);) {
		const char *url = url_of(r, piece);

		if (!url)
			return bad(r, "address", v, "https://NAME, several with ','");
		if (c->n_addresses == ARRAY_ADDRESSES_MAX)
			return err_set(r->e, -EINVAL, "storage %s: more than %d addresses",
				       c->storage, ARRAY_ADDRESSES_MAX);
		if (is_known(c, url))
			return err_set(r->e, -EINVAL, "storage %s: address %s is there twice",
				       c->storage, url);
		if (strncmp(url, "http://", 7) == 0)
			diag_add(r->diags, NULL, 0,
				 "storage %s: %s sends the token unencrypted: use https",
				 c->storage, url);
		c->addresses[c->n_addresses++] = (struct array_address){ url, "" };
	}
	return 0;
}

/* The file goes before storage.cfg, where whoever adds an address by hand adds its token. */
static int refuse_too_few(const struct reader *r, const json_t *secrets, size_t n)
{
	const struct array_conf *c = r->c;

	if (!json_is_true(json_object_get(secrets, "kept")))
		return err_set(
			r->e, -EINVAL,
			"storage %s: %zu addresses, but %zu tokens: one each, in their order",
			c->storage, c->n_addresses, n);
	return err_set(r->e, -EINVAL,
		       "storage %s: %zu addresses, but %zu tokens in /etc/pve/priv/storage/"
		       "%s.purestorage-token, which goes before a token in storage.cfg: pvesm set "
		       "%s --token with one each, in their order",
		       c->storage, c->n_addresses, n, c->storage, c->storage);
}

static int read_tokens(const struct reader *r, const json_t *secrets)
{
	struct array_conf *c = r->c;
	const char *secret = json_str(secrets, "token");
	const char *v = secret ? arena_str(r->a, slice_of(secret)) : text_of(r, "token");
	struct slice rest, piece;
	size_t n = 0;

	c->shared_secrets = secret != NULL;
	if (!v || !*v)
		return 0;
	for (rest = slice_of(v); slice_split(&rest, ',', &piece); n++)
		if (n < c->n_addresses)
			c->addresses[n].token = arena_str(r->a, slice_trim(piece));
	for (size_t i = 0; i < c->n_addresses; i++)
		if (!is_url(c->addresses[i].token))
			return err_set(r->e, -EINVAL,
				       "storage %s: token %zu holds what no token of an array has",
				       c->storage, i + 1);
	if (n < c->n_addresses)
		return refuse_too_few(r, secrets, n);
	if (n > c->n_addresses)
		diag_add(r->diags, NULL, 0, "storage %s: %zu tokens for %zu addresses", c->storage,
			 n, c->n_addresses);
	return 0;
}

static bool among(const char *key, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(key, list[i]) == 0)
			return true;
	return false;
}

static void name_odd_keys(const struct reader *r)
{
	char shown[64];
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)r->config, key, v)
	{
		if (*key == '_' || among(key, theirs, ARRAY_SIZE(theirs)) ||
		    among(key, ours, ARRAY_SIZE(ours)))
			continue;
		str_printable(shown, sizeof(shown), slice_of(key));
		diag_add(r->diags, NULL, 0, "storage %s: %s is not acted on%s", r->c->storage,
			 shown, among(key, idle, ARRAY_SIZE(idle)) ? "" : ": not a known key");
	}
}

static void name_odd_values(const struct reader *r)
{
	const struct array_conf *c = r->c;

	if (c->n_addresses > 1 && !strstr(c->prefix, "::"))
		diag_add(r->diags, NULL, 0,
			 "storage %s: %zu addresses without a pod: volumes are on the first array "
			 "alone, the others are not used for them",
			 c->storage, c->n_addresses);
	name_odd_keys(r);
}

void array_conf_name_unverified(const struct array_conf *c, struct diags *diags)
{
	if (!c->check_ssl_given)
		diag_add(
			diags, NULL, 0,
			"storage %s: check_ssl is not set: the array's certificate is not verified "
			"(pvesm set %s --check_ssl 1)",
			c->storage, c->storage);
}

bool array_storage_ok(const char *id)
{
	size_t n = strlen(id);

	if (n < 2 || !is_word(id[0]) || id[0] == '_' || (id[0] >= '0' && id[0] <= '9'))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_word(id[i]) && id[i] != '-' && id[i] != '.')
			return false;
	return is_word(id[n - 1]) && id[n - 1] != '_';
}

static int read_all(const struct reader *r, const json_t *secrets)
{
	int ret = read_prefix(r);

	if (ret == 0)
		ret = read_host(r);
	if (ret == 0)
		ret = read_protocol(r);
	if (ret == 0)
		ret = read_bool(r, "check_ssl", &r->c->check_ssl, &r->c->check_ssl_given);
	if (ret == 0)
		ret = read_bool(r, "purestorage-multipath", &r->c->multipath, NULL);
	if (ret == 0)
		ret = read_numbers(r);
	if (ret == 0)
		ret = read_addresses(r);
	if (ret == 0)
		ret = read_tokens(r, secrets);
	return ret;
}

int array_conf_read(struct array_conf *ret, const char *storage, const json_t *config,
		    const json_t *secrets, const char *node, struct arena *a, struct diags *diags,
		    struct err *e)
{
	struct reader r = { ret, config, node, a, diags, e };
	int error;

	if (!array_storage_ok(storage))
		return err_set(e, -EINVAL,
			       "the storage's id is missing or no id that Proxmox makes");
	if (!json_is_object(config))
		return err_set(e, -EINVAL, "storage %s: its configuration is missing", storage);
	*ret = (struct array_conf){ .storage = arena_str(a, slice_of(storage)), .multipath = true };
	error = read_all(&r, secrets);
	if (error == 0)
		name_odd_values(&r);
	return error;
}
