/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>

#include "array/diagnose.h"
#include "array/mpblacklist.h"
#include "util/str.h"

enum {
	CONF_MAX = 1024 * 1024,
	CONF_FILES = 64,
	SHIPPED_VERSION = 1, /* of units/multipath-purestorage.conf */
};

#define CONF	"/etc/multipath.conf"
#define SHIPPED "etc/multipath/conf.d/pvewarden-purestorage.conf"
#define MARKER	"# pvewarden multipath "
/* Its file: no repository may have the package. */
#define REINSTALL                                                      \
	"apt install --reinstall -o Dpkg::Options::=--force-confmiss " \
	"./pvewarden-array_*.deb; systemctl reload multipathd"
#define SOCKET "@/org/kernel/linux/storage/multipathd"

/* --- multipath ------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void read_conf(struct mpconf *c, const struct root *root, const char *path, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};

	if (root_read(root, path, CONF_MAX, &text) >= 0)
		mpconf_parse(c, buf_slice(&text), a);
}

/* The administrator's file, then conf.d in the order of names, as multipathd reads them. */
static void read_all(struct mpconf *c, const struct root *root, struct arena *a)
{
	const char *names[CONF_FILES];
	DIR *dir = root_opendir(root, "etc/multipath/conf.d");
	size_t n = 0;

	read_conf(c, root, "etc/multipath.conf", a);
	for (const struct dirent *e; dir && n < CONF_FILES && (e = readdir(dir));)
		if (slice_ends(slice_of(e->d_name), ".conf"))
			names[n++] = arena_fmt(a, "etc/multipath/conf.d/%s", e->d_name);
	if (dir)
		(void)closedir(dir);
	if (n)
		qsort(names, n, sizeof(names[0]), by_name);
	for (size_t i = 0; i < n; i++)
		read_conf(c, root, names[i], a);
}

static void diagnose_daemon(struct diagnosis *d, const struct root *root)
{
	CLEANUP(buf_done) struct buf text = {};
	int r = root_read(root, "proc/net/unix", (size_t)16 * CONF_MAX, &text);

	if (r < 0)
		diagnosis_add(d, DIAGNOSIS_WARNING, "multipath", NULL,
			      "it could not be told whether multipathd runs: %s", strerror(-r));
	else if (strstr(buf_str(&text), SOCKET))
		diagnosis_add(d, DIAGNOSIS_OK, "multipath", NULL, "multipathd runs");
	else
		diagnosis_add(d, DIAGNOSIS_BAD, "multipath",
			      "apt install multipath-tools; systemctl enable --now multipathd",
			      "multipathd does not run");
}

static void diagnose_find(struct diagnosis *d, const struct mpconf *c)
{
	const char *find = mpconf_get(c, "defaults", "find_multipaths") ?: "strict (the default)";
	bool greedy =
		strcmp(find, "no") == 0 || strcmp(find, "off") == 0 || strcmp(find, "greedy") == 0;

	/* "strict" takes one `multipath -a` a disk, which we do: allowed, and slower. */
	if (greedy || strncmp(find, "strict", 6) == 0)
		diagnosis_add(d, DIAGNOSIS_OK, "multipath", NULL, "find_multipaths is %s", find);
	else
		diagnosis_add(d, DIAGNOSIS_WARNING, "multipath",
			      "find_multipaths strict (or no) in the defaults of " CONF,
			      "find_multipaths is %s: a map may be made late, or of one path",
			      find);
}

static void diagnose_blacklist(struct diagnosis *d, const struct mpconf *c,
			       enum array_protocol protocol)
{
	struct mpblacklist_kind kind;
	bool lifted;
	const struct mpconf_line *found = mpblacklist_find(c, protocol, &kind, &lifted);

	if (found)
		diagnosis_add(
			d, DIAGNOSIS_BAD, "multipath",
			arena_fmt(&d->arena,
				  "take that entry out, or lift it by an exception of its own "
				  "kind in " CONF ": blacklist_exceptions { %s }; systemctl "
				  "reload multipathd",
				  kind.exception),
			"the blacklist has %s \"%s\", which keeps our volumes away", found->key,
			found->value);
	else if (lifted)
		diagnosis_add(d, DIAGNOSIS_OK, "multipath", NULL,
			      "the blacklist has an exception for FlashArray volumes");
	else
		diagnosis_add(d, DIAGNOSIS_OK, "multipath", NULL,
			      "the blacklist does not name FlashArray volumes");
}

/* The one that holds for our disks. NULL: not set. */
static const char *setting_of(const struct mpconf *c, const char *key)
{
	const char *ret = mpconf_get(c, "overrides", key);

	if (!ret)
		ret = mpconf_device(c, "devices/device", "pure", key);
	return ret ? ret : mpconf_get(c, "defaults", key);
}

/* "0" is "fail". */
static const char *retry_of(const struct mpconf *c)
{
	const char *ret = setting_of(c, "no_path_retry");

	return ret && strcmp(ret, "0") == 0 ? "fail" : ret;
}

/* multipathd reads its files when it is told to. */
static void diagnose_running(struct diagnosis *d, const struct mpconf *files, const char *running)
{
	CLEANUP(mpconf_done) struct mpconf c = {};
	const char *said = retry_of(files), *is;

	if (!said || !running)
		return;
	mpconf_parse(&c, slice_of(running), &d->arena);
	is = retry_of(&c);
	if (!is || strcmp(is, said) != 0)
		diagnosis_add(d, DIAGNOSIS_WARNING, "multipath", "systemctl reload multipathd",
			      "multipathd has not read its files since they changed: they say "
			      "no_path_retry %s, and it goes by %s",
			      said, is ?: "its default");
}

/* Off it is multipathd's default. Nothing of ours relies on it: it is for who connects volumes by
 * hand, at a LUN whose disk is still in another volume's map. */
static void diagnose_recheck(struct diagnosis *d, const struct mpconf *files, const char *running)
{
	CLEANUP(mpconf_done) struct mpconf c = {};
	const char *is;

	if (running)
		mpconf_parse(&c, slice_of(running), &d->arena);
	is = setting_of(running ? &c : files, "recheck_wwid");
	if (is && strcmp(is, "yes") == 0)
		diagnosis_add(d, DIAGNOSIS_OK, "multipath", NULL, "recheck_wwid is yes");
	else
		diagnosis_add(d, DIAGNOSIS_WARNING, "multipath",
			      "recheck_wwid yes in a device section for vendor PURE; systemctl "
			      "reload multipathd",
			      "recheck_wwid is not in force: a path that comes back as another "
			      "volume, at a LUN that was given again, is used as what it was");
}

static void diagnose_retry(struct diagnosis *d, const struct mpconf *c)
{
	const char *retry = retry_of(c);
	uint32_t n;

	if (!retry)
		diagnosis_add(d, DIAGNOSIS_WARNING, "multipath",
			      "no_path_retry 12 in a device section for vendor PURE",
			      "no_path_retry is not set: the default decides");
	else if (strcmp(retry, "queue") == 0)
		diagnosis_add(d, DIAGNOSIS_WARNING, "multipath",
			      "no_path_retry 12 in a device section for vendor PURE",
			      "no_path_retry is queue: without a path everything that touches a "
			      "volume hangs for ever");
	else if (strcmp(retry, "fail") == 0 || (str_to_u32(slice_of(retry), &n) && n < 2))
		diagnosis_add(
			d, DIAGNOSIS_WARNING, "multipath",
			"no_path_retry 12 in a device section for vendor PURE",
			"no_path_retry is %s: guests get errors when the fabric is away for a "
			"moment",
			retry);
	else
		diagnosis_add(d, DIAGNOSIS_OK, "multipath", NULL, "no_path_retry is %s", retry);
}

/* The number in its first line; 0 without. */
static uint32_t version_of(struct slice text)
{
	struct slice line;
	uint32_t n;

	if (!slice_split(&text, '\n', &line) || !slice_starts(line, MARKER))
		return 0;
	return str_to_u32(slice_trim(slice_from(line, strlen(MARKER))), &n) ? n : 0;
}

static void diagnose_version(struct diagnosis *d, uint32_t version)
{
	if (version == SHIPPED_VERSION)
		diagnosis_add(d, DIAGNOSIS_OK, "multipath", NULL,
			      "/" SHIPPED " is there, version %u", version);
	else if (!version)
		diagnosis_add(d, DIAGNOSIS_WARNING, "multipath", "move it away, then " REINSTALL,
			      "/" SHIPPED " does not say in its first line which version it is");
	else
		diagnosis_add(
			d, DIAGNOSIS_WARNING, "multipath",
			"where it was changed here the package kept it: take over what is new "
			"in /" SHIPPED ".dpkg-dist, with its first line; systemctl reload "
			"multipathd",
			"/" SHIPPED " is version %u, and this pvewarden's is version %d", version,
			SHIPPED_VERSION);
}

/* The package's own settings for our disks. The administrator may do without: it is asked for,
 * because what it sets is nobody else's default. */
static void diagnose_shipped(struct diagnosis *d, const struct root *root)
{
	CLEANUP(buf_done) struct buf text = {};
	int r = root_read(root, SHIPPED, CONF_MAX, &text);

	if (r == 0)
		diagnose_version(d, version_of(buf_slice(&text)));
	else if (r == -ENOENT)
		diagnosis_add(d, DIAGNOSIS_WARNING, "multipath", REINSTALL,
			      "/" SHIPPED ", multipath's settings for FlashArray volumes, is not "
			      "there");
	else
		diagnosis_add(d, DIAGNOSIS_WARNING, "multipath", NULL, "/" SHIPPED ": %s",
			      strerror(-r));
}

void diagnose_multipath(struct diagnosis *d, const struct root *root, const struct array_conf *conf,
			const char *running)
{
	CLEANUP(mpconf_done) struct mpconf c = {};

	if (conf->protocol == ARRAY_NVME_TCP)
		return; /* the kernel's own */
	if (!conf->multipath) {
		diagnosis_add(d, DIAGNOSIS_WARNING, "multipath",
			      "pvesm set STORAGE --purestorage-multipath 1",
			      "this storage is used without multipath: one path carries it");
		return;
	}
	read_all(&c, root, &d->arena);
	diagnose_daemon(d, root);
	diagnose_shipped(d, root);
	diagnose_find(d, &c);
	diagnose_blacklist(d, &c, conf->protocol);
	diagnose_retry(d, &c);
	diagnose_running(d, &c, running);
	diagnose_recheck(d, &c, running);
}

/* --- LVM ------------------------------------------------------------------------------------- */

/* The value behind a '=': to the line's end, or the end of its list; without comments. */
static const char *lvm_value(struct slice text, struct arena *a)
{
	CLEANUP(buf_done) struct buf out = {};
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (!quoted && c == '#')
			i += slice_find(slice_from(text, i), '\n') - 1;
		else if (!quoted && depth <= 0 && c == '\n')
			break;
		else
			buf_addc(&out, c);
		quoted ^= c == '"';
		depth += quoted ? 0 : (c == '[') - (c == ']');
	}
	return arena_str(a, slice_trim(buf_slice(&out)));
}

/* The last one that is set; @before without any. */
static const char *lvm_setting(struct slice text, const char *key, const char *before,
			       struct arena *a)
{
	const char *ret = before;
	struct slice line, from;

	for (from = text; slice_split(&text, '\n', &line); from = text) {
		struct slice rest;

		line = slice_trim(line);
		if (!slice_starts(line, key))
			continue;
		rest = slice_trim(slice_from(line, strlen(key)));
		if (rest.n && rest.p[0] == '=')
			ret = lvm_value(slice_from(from, slice_find(from, '=') + 1), a);
	}
	return ret;
}

#define OWN_LVM "leave volumes out that this node's own LVM lies on"

struct lvm_conf {
	const char *filter, *devices; /* NULL without */
};

static int read_lvm(const struct root *root, const char *path, struct lvm_conf *ret,
		    struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	int r = root_read(root, path, CONF_MAX, &text);

	if (r < 0)
		return r;
	ret->filter = lvm_setting(buf_slice(&text), "global_filter", ret->filter, a);
	ret->devices = lvm_setting(buf_slice(&text), "use_devicesfile", ret->devices, a);
	return 0;
}

void diagnose_lvm(struct diagnosis *d, const struct root *root, enum array_protocol protocol)
{
	const bool nvme = protocol == ARRAY_NVME_TCP;
	struct lvm_conf c = {};
	int r = read_lvm(root, "etc/lvm/lvm.conf", &c, &d->arena);

	if (r == -ENOENT)
		return; /* no LVM here */
	if (r < 0) {
		diagnosis_add(d, DIAGNOSIS_WARNING, "lvm", NULL, "/etc/lvm/lvm.conf: %s",
			      strerror(-r));
		return;
	}
	/* What is set there goes before it. */
	(void)read_lvm(root, "etc/lvm/lvmlocal.conf", &c, &d->arena);
	if (c.devices && strcmp(c.devices, "1") == 0)
		diagnosis_add(d, DIAGNOSIS_OK, "lvm", NULL,
			      "LVM uses only the devices of its devices file");
	else if (c.filter && strstr(c.filter, nvme ? "nvme-eui" : "3624a9370"))
		diagnosis_add(d, DIAGNOSIS_OK, "lvm", NULL,
			      "LVM's global_filter keeps away from FlashArray volumes");
	else
		diagnosis_add(
			d, DIAGNOSIS_WARNING, "lvm",
			nvme ? "add to global_filter in /etc/lvm/lvm.conf: "
			       "\"r|/dev/disk/by-id/nvme-eui.*24a937.*|\"; " OWN_LVM
			     : "add to global_filter in /etc/lvm/lvm.conf: "
			       "\"r|/dev/mapper/3624a9370.*|\", "
			       "\"r|/dev/disk/by-id/.*3624a9370.*|\"; " OWN_LVM,
			"LVM on this node looks into guests' disks and may activate what is in "
			"them, which keeps volumes from being removed");
}
