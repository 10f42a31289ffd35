/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/report_send.h"

#include "util/log.h"

static int not_here(void)
{
	log_error("delivery of mail is not built in this branch");
	return CLI_INTERNAL;
}

int dm_report_send(const struct cli *cli, const struct root *root, const struct mail *m)
{
	(void)cli;
	(void)root;
	(void)m;
	return not_here();
}

int dm_report_retry(const struct cli *cli, const struct root *root)
{
	(void)cli;
	(void)root;
	return not_here();
}

int dm_report_import(const struct cli *cli, const struct root *root, const char *script)
{
	(void)cli;
	(void)root;
	(void)script;
	return not_here();
}
