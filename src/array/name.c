/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/name.h"

#include <errno.h>
#include <stdio.h>

#include "util/buf.h"
#include "util/str.h"

static bool is_alnum(char ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');
}

/* What an object's name on an array may hold (facts C5). A '.' would begin a snapshot's. */
static bool is_name(const char *s)
{
	size_t n = 0;

	while (is_alnum(s[n]) || s[n] == '_' || s[n] == '-')
		n++;
	return n && !s[n];
}

/* Digits without a zero in front, so that one id is written in one way. */
static bool take_vmid(const char **s, uint32_t *ret)
{
	const char *from = *s;
	size_t n = strspn(from, "0123456789");

	if (!n || (n > 1 && *from == '0') || !str_to_u32((struct slice){ from, n }, ret))
		return false;
	*s = from + n;
	return **s == '-';
}

bool array_volname_parse(const char *volname, struct array_volname *ret)
{
	struct array_volname v = { .base = strncmp(volname, "base-", 5) == 0 };
	const char *at = volname + (v.base ? 5 : 3);

	if (!v.base && strncmp(volname, "vm-", 3) != 0)
		return false;
	if (!take_vmid(&at, &v.vmid) || !is_name(at + 1))
		return false;
	v.rest = at + 1;
	*ret = v;
	return true;
}

/* Where the object's own name begins: the 63 characters count from there. */
static const char *own_part(const char *full)
{
	const char *slash = strrchr(full, '/'), *colons = strrchr(full, ':');

	if (slash)
		return slash + 1;
	return colons ? colons + 1 : full;
}

static int full_name(const struct array_conf *c, const char *name, char ret[256], struct err *e)
{
	int n = snprintf(ret, 256, "%s%s", c->prefix, name);
	size_t own = n < 256 ? strlen(own_part(ret)) : (size_t)n;

	if (own > ARRAY_NAME_MAX)
		return err_set(e, -ENAMETOOLONG,
			       "storage %s: %s would have a name of %zu characters on the array, "
			       "which takes %d",
			       c->storage, name, own, ARRAY_NAME_MAX);
	return 0;
}

int array_name_of(const struct array_conf *c, const char *volname, char ret[256], struct err *e)
{
	struct array_volname v;
	char shown[128];

	if (array_volname_parse(volname, &v))
		return full_name(c, volname, ret, e);
	str_printable(shown, sizeof(shown), slice_of(volname));
	return err_set(e, -EINVAL,
		       "storage %s: \"%s\" is no volume of this storage: expected vm-ID-NAME or "
		       "base-ID-NAME of letters, digits, '_' and '-'",
		       c->storage, shown);
}

const char *array_volname_of(const struct array_conf *c, const char *full)
{
	size_t n = strlen(c->prefix);
	struct array_volname v;

	if (strncmp(full, c->prefix, n) != 0 || !array_volname_parse(full + n, &v))
		return NULL;
	return full + n;
}

/* ---- snapshots ----
 *
 * "snap--" begins what is escaped: no snapshot's name begins with '-', so the old plugin made none
 * like it. Behind it "-u" is '_' and "-m" is '-'.
 */
#define PLAIN	"snap-"
#define ESCAPED "snap--"
#define VEEAM	"veeam-"

static bool ends_well(const char *s)
{
	return *s && is_alnum(s[strlen(s) - 1]);
}

/* Goes to the array as the old plugin sent it, who made "veeam-" of "veeam_". */
static bool is_plain(const char *snap)
{
	return *snap != '-' && !strchr(snap, '_') && ends_well(snap);
}

static bool is_veeam(const char *snap)
{
	return strncmp(snap, "veeam_", 6) == 0 && !strchr(snap + 6, '_') && ends_well(snap + 6);
}

static void escape(struct buf *out, const char *snap)
{
	buf_adds(out, ESCAPED);
	for (; *snap; snap++) {
		if (*snap == '_')
			buf_adds(out, "-u");
		else if (*snap == '-')
			buf_adds(out, "-m");
		else
			buf_addc(out, *snap);
	}
}

static void suffix_of(struct buf *out, const char *snap)
{
	if (is_plain(snap))
		buf_addf(out, PLAIN "%s", snap);
	else if (is_veeam(snap))
		buf_addf(out, VEEAM "%s", snap + 6);
	else
		escape(out, snap);
}

int array_suffix_of(const char *snap, char ret[80], struct err *e)
{
	CLEANUP(buf_done) struct buf out = {};
	char shown[128];

	if (!is_name(snap)) {
		str_printable(shown, sizeof(shown), slice_of(snap));
		return err_set(e, -EINVAL, "snapshot \"%s\": expected letters, digits, '_' and '-'",
			       shown);
	}
	suffix_of(&out, snap);
	if (out.len > ARRAY_NAME_MAX) {
		str_printable(shown, sizeof(shown), slice_of(snap));
		return err_set(
			e, -ENAMETOOLONG,
			"snapshot %s would have a name of %zu characters on the array, which "
			"takes %d",
			shown, out.len, ARRAY_NAME_MAX);
	}
	memcpy(ret, out.data, out.len + 1);
	return 0;
}

/* NULL: not what escape() writes. */
static char *unescape(const char *from, struct arena *a)
{
	char *ret = arena_str(a, slice_of(from)), *to = ret;

	for (; *from; from++) {
		if (*from != '-') {
			*to++ = *from;
			continue;
		}
		from++;
		if (*from != 'u' && *from != 'm')
			return NULL;
		*to++ = *from == 'u' ? '_' : '-';
	}
	*to = '\0';
	return ret;
}

static char *read_back(const char *suffix, struct arena *a)
{
	if (strncmp(suffix, ESCAPED, strlen(ESCAPED)) == 0)
		return unescape(suffix + strlen(ESCAPED), a);
	if (strncmp(suffix, VEEAM, strlen(VEEAM)) == 0)
		return arena_fmt(a, "veeam_%s", suffix + strlen(VEEAM));
	if (strncmp(suffix, PLAIN, strlen(PLAIN)) == 0)
		return arena_str(a, slice_of(suffix + strlen(PLAIN)));
	return NULL;
}

const char *array_snap_of(const char *suffix, struct arena *a)
{
	char again[80];
	char *snap = read_back(suffix, a);

	/* Only the one suffix that a name has is that name's. */
	if (!snap || array_suffix_of(snap, again, NULL) || strcmp(again, suffix) != 0)
		return NULL;
	return snap;
}

/* FNV-1a: a name's own, the same on each call and on each version of this program. */
static uint64_t fnv(uint64_t hash, const char *s)
{
	for (size_t i = 0, n = strlen(s) + 1; i < n; i++)
		hash = (hash ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
	return hash;
}

int array_tmp_name_of(const struct array_conf *c, const char *volname, const char *snap,
		      char ret[256], struct err *e)
{
	uint64_t hash = fnv(fnv(fnv(UINT64_C(0xcbf29ce484222325), volname), snap), c->host);
	struct array_volname v;
	char name[64];

	if (!array_volname_parse(volname, &v))
		return array_name_of(c, volname, ret, e);
	(void)snprintf(name, sizeof(name), "tmp-%u-%016llx", v.vmid, (unsigned long long)hash);
	return full_name(c, name, ret, e);
}

void array_path_of(const struct array_conf *c, const char *serial, char ret[ARRAY_PATH_MAX])
{
	char text[ARRAY_WWID_LEN + 1];

	if (c->protocol == ARRAY_NVME_TCP) {
		array_nguid_of(serial, text);
		(void)snprintf(ret, ARRAY_PATH_MAX, "/dev/disk/by-id/nvme-eui.%s", text);
		return;
	}
	array_wwid_of(serial, text);
	if (c->multipath)
		(void)snprintf(ret, ARRAY_PATH_MAX, "/dev/disk/by-id/dm-uuid-mpath-%s", text);
	else
		(void)snprintf(ret, ARRAY_PATH_MAX, "/dev/disk/by-id/wwn-0x%s", text + 1);
}
