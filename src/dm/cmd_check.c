/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "cmd.h"
#include "dm/blockers.h"
#include "dm/cmd_options.h"
#include "dm/publish.h"
#include "dm/show.h"
#include "pve/session.h"
#include "util/str.h"
#include "util/term.h"

#include <unistd.h>

#define SCHEMA "pvewarden.dm/1"

const struct cli_option dm_check_options[] = {
	{ "all", NULL, "show every mapping, also those that are well" },
	{ "vmid", "N", "only what concerns guest N" },
	DM_OPTION_POLICY,
	DM_OPTION_MIN_AGE,
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
	const char *vmid = cli_value(cli, "vmid");

	*view = (struct dm_view){ .all = cli_has(cli, "all"),
				  .color = cli->color,
				  .terminal = isatty(STDOUT_FILENO),
				  .width = term_width() };
	if (vmid && !dm_parse_vmid(vmid, &view->vmid))
		return cli_usage(cli, "--vmid '%s': expected a guest's id, 100 to 999999999", vmid);
	return dm_parse_options(cli, o);
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
	dm_publish_check(root, &c);
	if (cli->prometheus)
		dm_show_prometheus(&c, view, &out);
	else if (cli->json)
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
