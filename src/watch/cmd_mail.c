/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd.h"
#include "pve/deliver.h"
#include "pve/node.h"
#include "util/log.h"
#include "watch/alerts.h"

/* More than these are counted only: a mail that nobody reads through helps nobody. */
enum { ALERTS_SHOWN = 100 };

static void write_text(const struct alert_list *l, const char *node, struct buf *text)
{
	buf_addf(text, "The watch of node %s:\n\n", node);
	for (size_t i = 0; i < l->n && i < ALERTS_SHOWN; i++)
		buf_addf(text, "%s  %s\n    %s\n\n", l->items[i].time, l->items[i].subject,
			 l->items[i].text);
	if (l->n > ALERTS_SHOWN)
		buf_addf(text, "and %zu more\n\n", l->n - ALERTS_SHOWN);
	buf_adds(text, "pvewarden watch status shows how the guests are now.\n");
}

static int send_all(const struct root *root, const struct alert_list *l, const char *node,
		    struct arena *a, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	struct mail_config config;
	struct mail m = { .severity = MAIL_ERROR };
	char id[64], subject[300];
	int r;

	if (l->n == 1)
		(void)snprintf(subject, sizeof(subject), "pvewarden: %.200s", l->items[0].subject);
	else
		(void)snprintf(subject, sizeof(subject),
			       "pvewarden: %.60s: %zu alerts about guests", node, l->n);
	/* The same alerts are the same mail, also when they are sent again. */
	(void)snprintf(id, sizeof(id), "watch-%.50s", l->items[l->n - 1].file);
	write_text(l, node, &text);
	m.subject = subject;
	m.text = buf_slice(&text);
	mail_config_read(&config, root, node, a);
	r = deliver(&config, &m, id, e);
	mail_config_done(&config);
	return r;
}

static void remove_all(const struct root *root, const struct alert_list *l)
{
	CLEANUP_FD int dir = root_openat(root, ALERT_DIR, O_RDONLY | O_DIRECTORY);

	for (size_t i = 0; dir >= 0 && i < l->n; i++)
		(void)unlinkat(dir, l->items[i].file, 0);
}

int cmd_watch_mail(const struct cli *cli)
{
	CLEANUP(arena_done) struct arena a = {};
	struct alert_list l;
	struct node node;
	struct root root;
	struct err e = {};
	int r;

	if (cli_value(cli, "root"))
		return cli_usage(cli, "a recorded node sends no mail: without --root");
	if (geteuid() != 0) {
		log_error("watch mail needs root");
		return CLI_NOPERM;
	}
	if (root_open(&root, NULL, &e) < 0 || alerts_read(&l, &root, &a, &e) < 0) {
		log_error("%s", e.text);
		return CLI_UNDELIVERED;
	}
	if (l.n == 0)
		return CLI_OK;
	r = send_all(&root, &l, node_read(&node, &root, &a, NULL) == 0 ? node.name : "localhost",
		     &a, &e);
	if (r == 0)
		remove_all(&root, &l);
	else
		log_error("%zu alerts were not sent and are kept in /" ALERT_DIR ": %s", l.n,
			  e.text);
	vec_free(&l);
	root_close(&root);
	return r == 0 ? CLI_OK : CLI_UNDELIVERED;
}
