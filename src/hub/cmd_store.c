/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/cmd_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "util/file.h"
#include "util/log.h"
#include "util/str.h"

int cmd_store_failed(const struct cli *cli, int r, const struct err *e)
{
	log_error("hub %s: %s", cli->verb->name, e->text[0] ? e->text : strerror(-r));
	return r == -EACCES || r == -EPERM ? CLI_NOPERM : CLI_CRITICAL;
}

static int bring_to_newest(struct cmd_store *c, struct err *e)
{
	unsigned int from = 0, to = 0;
	int r = store_migrate(c->store, &from, &to, e);

	if (r == 0 && from == 0 && to)
		log_info("new database: schema %u", to);
	return r;
}

int cmd_store_open(const struct cli *cli, unsigned int flags, struct cmd_store *ret)
{
	char shown[256];
	struct err e = {};
	int r;

	*ret = (struct cmd_store){};
	r = hub_conf_load(cli, &ret->conf, &ret->arena);
	if (r != CLI_OK) {
		arena_done(&ret->arena);
		return r;
	}
	r = store_open(&ret->store, ret->conf.db,
		       STORE_ANY_VERSION | (flags & CMD_STORE_THERE ? 0 : STORE_CREATE), &e);
	if (r == 0 && !(flags & STORE_ANY_VERSION))
		r = bring_to_newest(ret, &e);
	if (r == 0)
		return CLI_OK;
	/* SQLite's sentences begin with the file, PostgreSQL's do not say where. */
	(void)hub_conf_db_shown(ret->conf.db, shown);
	if (!slice_starts(slice_of(e.text), shown))
		(void)err_wrap(&e, r, "%s", shown);
	r = cmd_store_failed(cli, r, &e);
	cmd_store_close(ret);
	return r;
}

void cmd_store_close(struct cmd_store *c)
{
	store_close(c->store);
	c->store = NULL;
	arena_done(&c->arena);
}

int cmd_store_org(const struct cli *cli, struct cmd_store *c, bool make, char ret[STORE_ORG_MAX],
		  const char **ret_name)
{
	const char *given = cli_value(cli, "org"), *name = given ? given : CMD_STORE_DEFAULT_ORG;
	struct err e = {};
	int r;

	*ret_name = name;
	if (!*name || strlen(name) >= STORE_NAME_MAX || !str_utf8_valid(slice_of(name)))
		return cli_usage(cli, "--org '%s': a name of at most %d bytes", name,
				 STORE_NAME_MAX - 1);
	r = store_org_find(c->store, name, ret, &e);
	if (r == -ENOENT && make) {
		r = store_org_add(c->store, name, ret, &e);
		if (r == 0)
			(void)fprintf(stderr, "Made the organisation %s.\n", name);
	}
	return r < 0 ? cmd_store_failed(cli, r, &e) : CLI_OK;
}

int cmd_store_print(const struct buf *out)
{
	int r = file_write_all(STDOUT_FILENO, buf_slice(out));

	if (r < 0)
		log_error("stdout: %s", strerror(-r));
	return r < 0 ? CLI_INTERNAL : CLI_OK;
}
