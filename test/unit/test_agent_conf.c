/* SPDX-License-Identifier: AGPL-3.0-or-later */
/* The configuration's sources one over the other, the old agent's file, tokens on disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/conf.h"
#include "agent/oldconf.h"
#include "agent/token.h"
#include "util/file.h"
#include "util/ini.h"
#include "util/str.h"

struct folder {
	char path[32];
	struct root root;
};

static int make(void **state)
{
	static struct folder f;

	(void)snprintf(f.path, sizeof(f.path), "/tmp/test-conf-XXXXXX");
	assert_non_null(mkdtemp(f.path));
	assert_int_equal(root_open(&f.root, f.path, NULL), 0);
	*state = &f;
	return 0;
}

static int drop(void **state)
{
	struct folder *f = *state;
	char command[64];

	root_close(&f->root);
	(void)snprintf(command, sizeof(command), "rm -rf %s", f->path);
	return system(command);
}

static void put(struct folder *f, const char *folder, const char *path, const char *text)
{
	assert_int_equal(file_mkdirs(f->root.fd, folder, 0755), 0);
	assert_int_equal(file_write_atomic(f->root.fd, path, slice_of(text), 0644), 0);
}

static const char *no_env(const char *name)
{
	(void)name;
	return NULL;
}

static const char *some_env(const char *name)
{
	if (strcmp(name, "PROXMOX_INTERVAL") == 0)
		return "90";
	if (strcmp(name, "LOG_LEVEL") == 0)
		return "Warning";
	return strcmp(name, "NANNYAPI_URL") == 0 ? "https://env.example/" : NULL;
}

static void defaults(void **state)
{
	struct folder *f = *state;
	struct agent_conf c;

	agent_conf_read(&c, &f->root, no_env, NULL);
	assert_null(c.hub_url);
	assert_null(c.nannyapi_url);
	assert_int_equal(c.interval, 60);
	assert_int_equal(c.proxmox_interval, 300);
	assert_int_equal(c.spool_size, 64 * 1024 * 1024);
	assert_int_equal(c.diags.n, 0);
	agent_conf_done(&c);
}

static void one_over_the_other(void **state)
{
	struct folder *f = *state;
	struct cli cli = { .values = { { "interval", "30" }, { "api-url", "http://evil" } },
			   .n_values = 2 };
	struct agent_conf c;

	put(f, "etc/nannyagent", AGENT_OLD_CONFIG,
	    "nannyapi_url: \"https://old.example\" # here\nproxmox_interval: 60\n"
	    "agent_id: 'it''s'\nhttp_transport:\n  max_idle_conns: 3\n  what: 1\nlist:\n  - a\n");
	put(f, "etc/pve/pvewarden", AGENT_CLUSTER_CONF,
	    "[agent]\nhub_url = https://hub.example/\ninterval = 10\n[mail]\nto = x\n");
	put(f, "etc/pvewarden", AGENT_NODE_CONF,
	    "[agent]\ninterval = 20\nspool_size = 8M\nnannyapi_url = http://10.0.0.1\n");
	agent_conf_read(&c, &f->root, no_env, NULL);
	assert_true(c.imported);
	assert_string_equal(c.hub_url, "https://hub.example");
	assert_string_equal(c.nannyapi_url, "https://old.example");
	assert_string_equal(c.agent_id, "it's");
	assert_int_equal(c.interval, 20);
	assert_int_equal(c.proxmox_interval, 60);
	assert_int_equal(c.spool_size, 8 << 20);
	assert_int_equal(c.diags.n, 3);
	assert_string_equal(c.diags.items[0].text, "unknown key 'http_transport.what'");
	assert_int_equal(c.diags.items[0].line, 6);
	assert_int_equal(c.diags.items[1].line, 8);
	assert_string_equal(c.diags.items[2].file, AGENT_NODE_CONF);
	agent_conf_done(&c);
	agent_conf_read(&c, &f->root, some_env, &cli);
	assert_string_equal(c.nannyapi_url, "https://env.example");
	assert_int_equal(c.proxmox_interval, 90);
	assert_int_equal(c.interval, 30);
	assert_int_equal(c.log, AGENT_LOG_WARN);
	assert_string_equal(c.diags.items[3].file, "--api-url");
	agent_conf_done(&c);
}

static void old_files(void **state)
{
	static const struct {
		const char *text, *value; /* NULL: named as wrong */
	} rows[] = {
		{ "k: v", "v" },
		{ "k:   v # c", "v" },
		{ "k: v#c", "v#c" },
		{ "k: \"a # b\"", "a # b" },
		{ "k: \"a \\\" b\"  # c", "a \" b" },
		{ "k: 'a''b'", "a'b" },
		{ "\xef\xbb\xbf---\nk: v\r", "v" },
		{ "k: http://x:1/y", "http://x:1/y" },
		{ "k: [a]", NULL },
		{ "k: \"open", NULL },
		{ "k: \"a\" b", NULL },
		{ "k:v", NULL },
		{ "- k: v", NULL },
		{ "  k: v", NULL },
		{ "other: v", NULL },
	};
	static const struct oldconf_key keys[] = { { NULL, "k", ini_take_text, 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		CLEANUP(arena_done) struct arena a = {};
		struct diags diags = { .arena = &a };
		const char *value = NULL;

		oldconf_read(slice_of(rows[i].text), "f", keys, 1, &value, &a, &diags);
		assert_int_equal(diags.n, rows[i].value ? 0 : 1);
		if (rows[i].value)
			assert_string_equal(value, rows[i].value);
		else
			assert_null(value);
		diags_done(&diags);
	}
}

static void tokens(void **state)
{
	struct folder *f = *state;
	struct token t, back;
	struct stat st;
	char instance[TOKEN_INSTANCE_BYTES], again[TOKEN_INSTANCE_BYTES];
	int fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(token_parse(SLICE("{\"access_token\": \"a\", \"refresh_token\": \"r\", "
					   "\"expires_at\": \"2026-11-21T15:00:00.5+01:00\"}"),
				     "t", &t, NULL),
			 0);
	assert_int_equal(t.expires, 1795269600);
	t.given_up = true;
	assert_int_equal(token_save(fd, "t.json", &t, NULL), 0);
	assert_int_equal(fstatat(fd, "t.json", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(token_load(fd, "t.json", &back, NULL), 0);
	assert_string_equal(back.refresh, "r");
	assert_int_equal(back.expires, t.expires);
	assert_true(back.given_up);
	token_done(&t);
	token_done(&back);
	assert_int_equal(token_load(fd, "none", &back, NULL), -ENOENT);
	assert_int_equal(token_parse(SLICE(""), "t", &t, NULL), -EBADMSG);
	assert_int_equal(token_parse(SLICE("{}"), "t", &t, NULL), -EBADMSG);
	assert_int_equal(token_parse(SLICE("{\"access_token\": \"a\\nb\"}"), "t", &t, NULL),
			 -EBADMSG);
	assert_int_equal(token_of_text(SLICE("a b"), &t, NULL), -EBADMSG);
	assert_int_equal(token_of_text(SLICE(" nsk_1\n"), &t, NULL), 0);
	assert_string_equal(t.access, "nsk_1");
	token_done(&t);
	assert_int_equal(token_instance(fd, instance, NULL), 0);
	assert_int_equal(strspn(instance, "0123456789abcdef"), 32);
	assert_int_equal(token_instance(fd, again, NULL), 0);
	assert_string_equal(instance, again);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(defaults, make, drop),
		cmocka_unit_test_setup_teardown(one_over_the_other, make, drop),
		cmocka_unit_test(old_files),
		cmocka_unit_test_setup_teardown(tokens, make, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
