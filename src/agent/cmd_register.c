/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* How an agent comes to its token: a person approves a code on the server's page, or it is told a
 * token that was made there. Never through the command line, where everybody could read it. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/auth.h"
#include "agent/conf.h"
#include "agent/wire.h"
#include "cmd.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/http.h"
#include "util/log.h"
#include "util/str.h"

enum { DEADLINE_MS = 30 * 1000, ANSWER_MAX = 64 * 1024, TOKEN_FILE_MAX = 64 * 1024 };

const struct cli_option agent_register_options[] = {
	{ "hub-url", "URL", "the hub (default: as configured)" },
	{ "hub-ca", "FILE", "the certificates that the hub's is checked against" },
	{ "api-url", "URL", "a NannyAPI server, instead of the hub" },
	{ "api-ca", "FILE", "the certificates that the NannyAPI server's is checked against" },
	{ "portal-url", "URL", "the page where people approve an agent" },
	{ "token-file", "FILE", "a token that was made at the server ('-': from stdin)" },
	{ "token-path", "FILE", "the old agent's token.json, for --import" },
	{ "import", NULL, "take over the token of an installed NannyAgent" },
	{},
};

struct registering {
	const struct cli *cli;
	struct agent_conf conf;
	struct root root;
	int state_fd;
	const char *url, *ca, *file;
	struct http_client *client;
};

static const char *environment(const char *name)
{
	return getenv(name);
}

/* --- what is asked --------------------------------------------------------------------------- */

static int post(struct registering *g, const struct buf *body, struct http_answer *ret,
		struct err *e)
{
	CLEANUP(buf_done) struct buf url = {};
	struct http_call call = { .body = buf_slice(body),
				  .deadline_ms = DEADLINE_MS,
				  .max_answer = ANSWER_MAX };

	buf_addf(&url, "%s%s", g->url, WIRE_AGENT_PATH);
	call.url = buf_str(&url);
	return http_client_call(g->client, &call, ret, e);
}

static int refused(const struct http_answer *a, struct err *e)
{
	struct auth_reply reply;
	const char *said;

	auth_read_reply(buf_slice(&a->body), &reply);
	said = reply.description[0] ? reply.description : reply.error;
	if (!reply.json)
		return err_set(e, -EPROTO, "status %ld, and no answer of such a server", a->status);
	return err_set(e, -EACCES, "the server says (%ld): %s", a->status, *said ? said : "no");
}

static int start(struct registering *g, struct auth_device *ret, struct err *e)
{
	CLEANUP(http_answer_done) struct http_answer a = {};
	CLEANUP(buf_done) struct buf body = {};
	int r;

	auth_ask_start(&body);
	r = post(g, &body, &a, e);
	if (r < 0)
		return r;
	return a.status == 200 && auth_take_device(buf_slice(&a.body), ret) ? 0 : refused(&a, e);
}

/* 1: the token is there; 0: not yet; negative: it will never be. */
static int poll_once(struct registering *g, const struct auth_device *device, struct token *ret,
		     struct err *e)
{
	CLEANUP(http_answer_done) struct http_answer a = {};
	CLEANUP(buf_done) struct buf body = {};
	struct auth_reply reply;
	struct utsname host;
	int r;

	(void)uname(&host);
	host.nodename[strcspn(host.nodename, ".")] = '\0';
	auth_ask_register(device->device_code, host.nodename, host.release, &body);
	r = post(g, &body, &a, e);
	if (r < 0) {
		log_warn("%s; it is tried again", e->text);
		return 0;
	}
	if (a.status == 200 && auth_take_tokens(buf_slice(&a.body), clock_now(), ret))
		return 1;
	auth_read_reply(buf_slice(&a.body), &reply);
	if (auth_is_pending(&reply) || a.status >= 500 || a.status == 429 || a.status == 408 ||
	    !reply.json)
		return 0;
	return refused(&a, e);
}

static int wait_for_person(struct registering *g, const struct auth_device *device,
			   struct token *ret, struct err *e)
{
	int64_t until = clock_boot_ms() + device->expires_in * 1000;
	int r;

	while (clock_boot_ms() < until) {
		(void)poll(NULL, 0, (int)device->interval * 1000);
		r = poll_once(g, device, ret, e);
		if (r != 0)
			return r < 0 ? r : 0;
	}
	return err_set(e, -ETIMEDOUT, "nobody has approved the code in time");
}

static void show(const struct registering *g, const struct auth_device *device)
{
	printf("To register this node, open\n\n    ");
	if (device->page[0])
		printf("%s\n", device->page);
	else
		printf("%s\n", g->conf.portal_url ? g->conf.portal_url : g->url);
	printf("\nand approve the code\n\n    %s\n\nwithin %d minutes. Waiting...\n",
	       device->user_code, (int)(device->expires_in / 60));
	(void)fflush(stdout);
}

static int by_device(struct registering *g, struct token *ret, struct err *e)
{
	struct auth_device *device = xcalloc(1, sizeof(*device));
	int r = http_client_open(&g->client, g->ca, e);

	if (r == 0)
		r = start(g, device, e);
	if (r == 0) {
		show(g, device);
		r = wait_for_person(g, device, ret, e);
	}
	http_client_close(g->client);
	explicit_bzero(device, sizeof(*device));
	free(device);
	return r;
}

/* --- what is there already ------------------------------------------------------------------- */

static int by_file(const char *path, struct token *ret, struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = {};
	int r = strcmp(path, "-") == 0 ? file_read_fd(STDIN_FILENO, TOKEN_FILE_MAX, &text)
				       : file_read_at(AT_FDCWD, path, TOKEN_FILE_MAX, &text);

	if (r < 0)
		return err_set(e, r, "%s: %s", path, strerror(-r));
	if (slice_starts(slice_trim(buf_slice(&text)), "{"))
		return token_parse(buf_slice(&text), path, ret, e);
	return token_of_text(buf_slice(&text), ret, e);
}

static int by_import(struct registering *g, struct token *ret, struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = {};
	const char *path = g->conf.token_path;
	int r = root_read(&g->root, path + 1, TOKEN_FILE_MAX, &text);

	if (r < 0)
		return err_set(e, r, "%s: %s", path, strerror(-r));
	return token_parse(buf_slice(&text), path, ret, e);
}

/* --- the command ----------------------------------------------------------------------------- */

static bool choose_server(struct registering *g)
{
	bool nanny = cli_has(g->cli, "api-url") || cli_has(g->cli, "import") ||
		     (!g->conf.hub_url && g->conf.nannyapi_url);

	g->url = nanny ? g->conf.nannyapi_url : g->conf.hub_url;
	g->ca = nanny ? g->conf.nannyapi_ca : g->conf.hub_ca;
	g->file = nanny ? TOKEN_NANNY_FILE : TOKEN_HUB_FILE;
	return g->url || cli_has(g->cli, "import");
}

static int open_state(struct registering *g, struct err *e)
{
	const char *dir = g->conf.state_dir;
	int r = file_mkdirs(g->root.fd, dir + 1, 0700);

	g->state_fd = r < 0 ? r : root_openat(&g->root, dir + 1, O_RDONLY | O_DIRECTORY);
	if (g->state_fd < 0)
		return err_set(e, g->state_fd, "%s: %s", dir, strerror(-g->state_fd));
	/* Before a person is asked: may we write there? */
	if (faccessat(g->state_fd, ".", W_OK, AT_EACCESS) < 0)
		return err_set(e, -errno, "%s: %s (try as root)", dir, strerror(errno));
	return 0;
}

static int get_token(struct registering *g, struct token *ret, struct err *e)
{
	const char *file = cli_value(g->cli, "token-file");

	if (cli_has(g->cli, "import"))
		return by_import(g, ret, e);
	return file ? by_file(file, ret, e) : by_device(g, ret, e);
}

static int run(struct registering *g)
{
	CLEANUP(token_done) struct token t = {};
	struct err e = {};
	int r;

	for (size_t i = 0; i < g->conf.diags.n; i++)
		log_warn("%s: %s", g->conf.diags.items[i].file, g->conf.diags.items[i].text);
	if (agent_conf_wrong_option(&g->conf))
		return CLI_USAGE;
	if (!choose_server(g))
		return cli_usage(g->cli, "expected --hub-url or --api-url (https://, or http:// to "
					 "this machine), or one that is configured");
	r = open_state(g, &e);
	if (r == 0)
		r = get_token(g, &t, &e);
	if (!t.got)
		t.got = clock_now();
	if (r == 0)
		r = token_save(g->state_fd, g->file, &t, &e);
	if (r < 0) {
		log_error("%s", e.text);
		return CLI_CRITICAL;
	}
	printf("Registered%s%s. A running agent takes the token at once.\n", g->url ? " at " : "",
	       g->url ? g->url : "");
	return CLI_OK;
}

int cmd_agent_register(const struct cli *cli)
{
	struct registering *g = xcalloc(1, sizeof(*g));
	struct err e = {};
	int r;

	g->cli = cli;
	g->state_fd = -1;
	r = root_open(&g->root, cli_value(cli, "root"), &e);
	if (r < 0) {
		r = cli_usage(cli, "--root: %s", e.text);
		free(g);
		return r;
	}
	agent_conf_read(&g->conf, &g->root, environment, cli);
	r = run(g);
	agent_conf_done(&g->conf);
	if (g->state_fd >= 0)
		(void)close(g->state_fd);
	root_close(&g->root);
	free(g);
	return r;
}
