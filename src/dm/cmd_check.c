/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "cmd.h"
#include "dm/blockers.h"
#include "dm/show.h"
#include "pve/session.h"
#include "util/str.h"
#include "util/term.h"

#include <unistd.h>

#define SCHEMA "pvewarden.dm/1"

const struct cli_option dm_check_options[] = {
	{ "all", NULL, "show every mapping, also those that are well" },
	{ "vmid", "N", "only what concerns guest N" },
	{ "policy", "configured|running",
	  "running: volumes of stopped guests are orphans too (default: configured)" },
	{ "min-age", "DURATION", "younger unreferenced volumes are left alone (default: 24h)" },
	{},
};

bool dm_parse_vmid(const char *text, uint32_t *ret)
{
	uint32_t vmid;

	if (!str_to_u32(slice_of(text), &vmid) || vmid < VMID_MIN || vmid > VMID_MAX)
		return false;
	*ret = vmid;
	return true;
}

static int parse_options(const struct cli *cli, struct dm_options *o, struct dm_view *view)
{
	const char *policy = cli_value(cli, "policy"), *vmid = cli_value(cli, "vmid");

	*o = (struct dm_options){ .min_age = 24 * 3600 };
	*view = (struct dm_view){ .all = cli_has(cli, "all"),
				  .color = cli->color,
				  .terminal = isatty(STDOUT_FILENO),
				  .width = term_width() };
	if (policy && strcmp(policy, "running") == 0)
		o->policy_running = true;
	else if (policy && strcmp(policy, "configured") != 0)
		return cli_usage(cli, "--policy '%s': expected configured or running", policy);
	if (vmid && !dm_parse_vmid(vmid, &view->vmid))
		return cli_usage(cli, "--vmid '%s': expected a guest's id, 100 to 999999999", vmid);
	if (!cli_duration(cli, "min-age", &o->min_age))
		return CLI_USAGE;
	return 0;
}

static int check_and_show(const struct cli *cli, const struct root *root,
			  const struct dm_options *o, const struct dm_view *view)
{
	CLEANUP(buf_done) struct buf out = {};
	struct err e = {};
	struct dm_check c;
	int status;

	if (dm_check_run(&c, root, o, &e) < 0)
		return session_could_not_tell(cli, SCHEMA, e.text);
	if (cli->json)
		dm_show_json(&c, view, &out);
	else
		dm_show_text(&c, view, &out);
	status = dm_answer_exit(dm_view_answer(&c, view));
	dm_check_done(&c);
	return session_answer(&out, status);
}

int cmd_dm_check(const struct cli *cli)
{
	struct dm_options options;
	struct dm_view view;
	struct root root;
	int r = parse_options(cli, &options, &view);

	if (r == 0)
		r = session_begin(cli, SCHEMA, &root);
	if (r)
		return r;
	r = check_and_show(cli, &root, &options, &view);
	session_end(&root);
	return r;
}
