/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * mail_driver ROOT send | retry | import SCRIPT: sends the mail that stands in ROOT/mail as the
 * configuration below ROOT says, as `dm report --mail` does on a node. ROOT plays the live machine.
 */

#include <stdio.h>

#include "dm/report_send.h"

static struct buf part(const struct root *root, const char *name)
{
	char path[100];
	struct buf text = {};

	(void)snprintf(path, sizeof(path), "mail/%s", name);
	(void)root_read(root, path, 64 * 1024 * 1024, &text);
	return text;
}

static int send_mail(const struct cli *cli, const struct root *root)
{
	struct buf subject = part(root, "subject"), text = part(root, "text");
	struct buf html = part(root, "html"), document = part(root, "document");
	const struct mail_attachment a = { "pvewarden-pve1.json", "application/json",
					   buf_slice(&document) };
	const struct mail m = { .severity = MAIL_WARNING,
				.subject = buf_str(&subject),
				.text = buf_slice(&text),
				.html = buf_slice(&html),
				.attachments = &a,
				.n_attachments = document.len ? 1 : 0 };
	int status = dm_report_send(cli, root, &m);

	buf_done(&subject);
	buf_done(&text);
	buf_done(&html);
	buf_done(&document);
	return status;
}

int main(int argc, char *argv[])
{
	static const struct cli_verb verb = { .part = "dm", .name = "report" };
	const struct cli cli = { .verb = &verb };
	struct root root;
	struct err e = {};

	if (argc < 3 || root_open(&root, argv[1], &e) < 0) {
		(void)fprintf(stderr, "usage: mail_driver ROOT send | retry | import SCRIPT\n");
		return 64;
	}
	root.live = true;
	if (strcmp(argv[2], "retry") == 0)
		return dm_report_retry(&cli, &root);
	if (strcmp(argv[2], "import") == 0 && argc == 4)
		return dm_report_import(&cli, &root, argv[3]);
	return send_mail(&cli, &root);
}
