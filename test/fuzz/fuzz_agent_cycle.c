/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * A whole cycle of the agent over files of any content, and the one after it: what comes out is
 * JSON, whatever /etc/pve says. The input is cut at lines of "%%" into the files of a tree.
 */

#include "agent/collect.h"

#include <fcntl.h>
#include <ftw.h>
#include <unistd.h>

#include "fuzz_pve.h"
#include "util/file.h"
#include "util/json.h"

static const char *const files[] = {
	"etc/pve/.version",
	"etc/pve/.members",
	"etc/pve/.vmlist",
	"etc/pve/.rrd",
	"etc/pve/jobs.cfg",
	"etc/pve/vzdump.cron",
	"etc/pve/user.cfg",
	"etc/pve/ha/manager_status",
	"etc/pve/ha/resources.cfg",
	"etc/pve/storage.cfg",
	"etc/pve/pve-root-ca.pem",
	"etc/pve/nodes/pve1/qemu-server/100.conf",
	"etc/pve/nodes/pve1/lxc/101.conf",
	"proc/net/unix",
	"proc/cpuinfo",
	"proc/meminfo",
	"run/pvewarden/dm/dm.json",
	"usr/share/perl5/PVE/pvecfg.pm",
	"etc/hosts",
};

static char top[] = "/tmp/pvewarden-fuzz-XXXXXX";
static int dir = -1;

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *f)
{
	(void)st;
	(void)kind;
	(void)f;
	return remove(path);
}

static void remove_tree(void)
{
	(void)nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_tree(void)
{
	static const char *const folders[] = {
		"etc/pve/ha",
		"etc/pve/nodes/pve1/qemu-server",
		"etc/pve/nodes/pve1/lxc",
		"proc/net",
		"run/pvewarden/dm",
		"usr/share/perl5/PVE",
	};

	if (dir >= 0)
		return;
	CHECK(mkdtemp(top));
	(void)atexit(remove_tree);
	dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < ARRAY_SIZE(folders); i++)
		CHECK(file_mkdirs(dir, folders[i], 0755) == 0);
}

static void put(const char *path, struct slice text)
{
	CLEANUP_FD int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	CHECK(fd >= 0 && file_write_all(fd, text) == 0);
}

/* Up to the next line of "%%". */
static struct slice cut(struct slice *rest)
{
	const char *at = rest->n ? memmem(rest->p, rest->n, "%%\n", 3) : NULL;
	struct slice piece = *rest;

	if (at)
		piece.n = (size_t)(at - rest->p);
	rest->p += at ? piece.n + 3 : piece.n;
	rest->n -= at ? piece.n + 3 : piece.n;
	return piece;
}

static void check_json(const struct buf *text)
{
	struct err e = {};
	json_t *doc = NULL;

	if (json_parse(buf_slice(text), "document", &doc, &e) < 0)
		(void)fprintf(stderr, "%s\n%s\n", e.text, text->data);
	CHECK(doc && json_is_object(doc));
	json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const struct collect_ask ask = {
		.hub = true,
		.nanny = true,
		.unheard = { "pve2", "" },
	};
	struct slice rest = { (const char *)data, n };
	struct collect_answer answer = {};
	struct picture picture = {};
	struct root root;

	make_tree();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		put(files[i], cut(&rest));
	CHECK(root_open(&root, top, NULL) == 0);
	for (int i = 0; i < 2; i++) {
		collect_cycle(&picture, &root, &ask, &answer);
		CHECK(answer.error == 0 || *answer.why);
		if (answer.error == 0) {
			check_json(&answer.document);
			check_json(&answer.posts);
		}
	}
	picture_done(&picture);
	collect_answer_done(&answer);
	root_close(&root);
	return 0;
}
