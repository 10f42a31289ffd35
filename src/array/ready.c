/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/ready.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "util/proc.h"
#include "util/str.h"

#define PLUGIN_BASE "usr/share/perl5/PVE/Storage/Plugin.pm"

enum { PLUGIN_MAX = 1 << 20, ASK_MS = 20000, SAID_MAX = 16384 };

/* What a remote shell and ssh itself end with. */
enum { NO_PLUGIN = 99, NO_PROGRAM = 127, NO_SSH = 255 };

/* Without that, the next `pvesm set --token` writes into storage.cfg what nobody reads there. */
static int knows_secrets(const struct root *root, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	int r = root_read(root, PLUGIN_BASE, PLUGIN_MAX, &text);

	if (r < 0)
		return err_set(e, r, "/" PLUGIN_BASE ": %s", strerror(-r));
	if (!slice_holds_nocase(buf_slice(&text), "sensitive-properties"))
		return err_set(e, -EPROTO,
			       "its Proxmox VE keeps tokens nowhere but in storage.cfg: it needs "
			       "Proxmox VE 8.4 or newer");
	return 0;
}

int ready_here(const struct root *root, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	int r = root_read(root, READY_PLUGIN, PLUGIN_MAX, &text);

	if (r == -ENOENT)
		return err_set(e, r,
			       "no plugin for type purestorage: install the package "
			       "pvewarden-array");
	if (r < 0)
		return err_set(e, r, "/" READY_PLUGIN ": %s", strerror(-r));
	if (!slice_holds_nocase(buf_slice(&text), "PVEWarden::ArrayCall"))
		return err_set(e, -EXDEV,
			       "/" READY_PLUGIN
			       " is another plugin's, which finds the token only in storage.cfg: "
			       "install the package pvewarden-array");
	return knows_secrets(root, e);
}

static PRINTF_LIKE(3, 4) void say(struct ready *ret, bool ok, const char *fmt, ...)
{
	va_list args;

	ret->ok = ok;
	va_start(args, fmt);
	(void)vsnprintf(ret->why, sizeof(ret->why), fmt, args);
	va_end(args);
}

/* The last line: ssh and shells put their own words before it. */
static struct slice last_line(const struct buf *b)
{
	struct slice text = slice_trim(buf_slice(b)), line = text;

	while (slice_find(line, '\n') < line.n)
		line = slice_from(line, slice_find(line, '\n') + 1);
	return line;
}

static void judge(struct ready *ret, const struct proc_result *p, bool wanted)
{
	char said[200];

	str_printable(said, sizeof(said), last_line(p->err.len ? &p->err : &p->out));
	if (p->status == 0)
		say(ret, true, "%s", "");
	else if (p->status == NO_PLUGIN && !wanted)
		say(ret, true, "has no plugin of that type, and the storage is not for it");
	else if (p->status == NO_PLUGIN)
		say(ret, false,
		    "no plugin for type purestorage: install the package pvewarden-array");
	else if (p->status == NO_PROGRAM)
		say(ret, false, "pvewarden is not installed there: the plugin is another one");
	else if (p->status == CLI_USAGE)
		say(ret, false, "its pvewarden is older than this one: upgrade it first");
	else if (p->status == NO_SSH)
		say(ret, false, "cannot be asked: %s", said);
	else
		say(ret, false, "%s", *said ? said : "it does not say why");
}

void ready_ask(struct ready *ret, const struct root *root, const char *ssh, const struct member *m,
	       const char *storage, bool wanted)
{
	char alias[160], hosts[200], login[160], script[400];
	struct proc_result result = {};
	struct err e = {};
	struct stat st;
	bool own_file;

	*ret = (struct ready){ .node = m->name };
	if (!m->online || !m->ip) {
		say(ret, false, "is off or out of reach: only its answer counts");
		return;
	}
	/* As PVE::SSHInfo does it; older versions have one file for all nodes. */
	(void)snprintf(hosts, sizeof(hosts), "etc/pve/nodes/%s/ssh_known_hosts", m->name);
	own_file = root_stat(root, hosts, &st) == 0;
	(void)snprintf(hosts, sizeof(hosts),
		       "-oUserKnownHostsFile=/etc/pve/nodes/%s/ssh_known_hosts", m->name);
	(void)snprintf(alias, sizeof(alias), "-oHostKeyAlias=%s", m->name);
	(void)snprintf(login, sizeof(login), "root@%s", m->ip);
	(void)snprintf(script, sizeof(script),
		       "test -e /" READY_PLUGIN " || exit 99; exec /usr/sbin/pvewarden array token "
		       "--here %s",
		       storage);
	const char *const argv[] = { ssh,
				     "-enone",
				     "-oBatchMode=yes",
				     "-oConnectTimeout=5",
				     alias,
				     own_file ? hosts : "-oCheckHostIP=no",
				     own_file ? "-oGlobalKnownHostsFile=none" : "-oLogLevel=ERROR",
				     login,
				     script,
				     NULL };

	if (proc_run(argv, NULL, ASK_MS, SAID_MAX, &result, &e) < 0)
		say(ret, false, "cannot be asked: %s", e.text);
	else
		judge(ret, &result, wanted);
	proc_result_done(&result);
}
