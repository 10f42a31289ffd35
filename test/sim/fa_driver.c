/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * What test/sim/rest.py drives: array/fa.h, told on stdin what to do. One line is an operation and
 * its arguments, one line of JSON is what came of it:
 *
 *   fa_driver STORAGE TOKEN_DIR PRIVATE_DIR CHECK TTL [URL TOKEN]...
 *   deadline 5000 | array 1 | create vm-1 1048576 | threads 8 get vm-1 | each about
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "array/fa.h"
#include "array/rest.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

enum { ARGS_MAX = 3000, THREADS_MAX = 64 };

static struct fa_pool *pool;
static struct fa *arrays[ARRAY_ADDRESSES_MAX];
static size_t n_arrays, chosen;
static int64_t limit_ms = 20000;

struct job {
	struct fa *f;
	int n;
	const char *const *args; /* [0] is the operation */
	struct fa_call call;
	struct arena arena;
	struct buf result; /* JSON */
	struct jsonw w;
	int code;
	struct err e;
};

static uint64_t number(const struct job *j, int i)
{
	return i < j->n ? strtoull(j->args[i], NULL, 10) : 0;
}

static const char *text(const struct job *j, int i)
{
	return i < j->n && strcmp(j->args[i], "-") != 0 ? j->args[i] : NULL;
}

static const char *const *rest_of(const struct job *j, int i, size_t *n)
{
	*n = (size_t)(j->n - i);
	return j->args + i;
}

/* --- what comes back ------------------------------------------------------------------------- */

static void say_volume(struct job *j, const struct fa_volume *v)
{
	jsonw_row(&j->w, NULL);
	jsonw_str(&j->w, "name", v->name);
	jsonw_str(&j->w, "id", v->id);
	jsonw_str(&j->w, "serial", v->serial);
	jsonw_u64(&j->w, "size", v->size);
	jsonw_u64(&j->w, "used", v->used);
	jsonw_i64(&j->w, "created", v->created);
	jsonw_bool(&j->w, "destroyed", v->destroyed);
	jsonw_str(&j->w, "source", v->source);
	jsonw_close(&j->w);
}

static int say_volumes(struct job *j, int r, const struct fa_volumes *all)
{
	for (size_t i = 0; r == 0 && i < all->n; i++)
		say_volume(j, &all->items[i]);
	return r;
}

static int say_snapshots(struct job *j, int r, const struct fa_snapshots *all)
{
	for (size_t i = 0; r == 0 && i < all->n; i++) {
		const struct fa_snapshot *s = &all->items[i];

		jsonw_row(&j->w, NULL);
		jsonw_str(&j->w, "name", s->name);
		jsonw_str(&j->w, "suffix", s->suffix);
		jsonw_str(&j->w, "volume", s->volume);
		jsonw_u64(&j->w, "size", s->size);
		jsonw_i64(&j->w, "created", s->created);
		jsonw_bool(&j->w, "destroyed", s->destroyed);
		jsonw_close(&j->w);
	}
	return r;
}

static int say_connections(struct job *j, int r, const struct fa_connections *all)
{
	for (size_t i = 0; r == 0 && i < all->n; i++) {
		const struct fa_connection *one = &all->items[i];

		jsonw_row(&j->w, NULL);
		jsonw_str(&j->w, "volume", one->volume);
		jsonw_str(&j->w, "volume_id", one->volume_id);
		jsonw_str(&j->w, "host", one->host);
		jsonw_str(&j->w, "host_group", one->host_group);
		jsonw_u64(&j->w, "lun", one->lun);
		jsonw_close(&j->w);
	}
	return r;
}

/* --- operations ------------------------------------------------------------------------------ */

static int do_list(struct job *j)
{
	struct fa_volumes all = {};

	return say_volumes(j,
			   fa_volumes_list(j->f, &j->call, NULL, 0, text(j, 1), number(j, 2),
					   &j->arena, &all, &j->e),
			   &all);
}

static int do_named(struct job *j)
{
	struct fa_volumes all = {};
	size_t n;
	const char *const *names = rest_of(j, 1, &n);

	return say_volumes(
		j, fa_volumes_list(j->f, &j->call, names, n, NULL, false, &j->arena, &all, &j->e),
		&all);
}

static int do_get(struct job *j)
{
	struct fa_volume v;
	int r = fa_volume_get(j->f, &j->call, j->args[1], &j->arena, &v, &j->e);

	if (r == 0)
		say_volume(j, &v);
	return r;
}

static int make(struct job *j, const struct fa_new_volume *v)
{
	struct fa_volume made;
	int r = fa_volume_create(j->f, &j->call, v, &j->arena, &made, &j->e);

	if (r == 0)
		say_volume(j, &made);
	return r;
}

static int do_create(struct job *j)
{
	const struct fa_new_volume v = { .name = j->args[1],
					 .size = number(j, 2),
					 .qos_iops = number(j, 3) };

	return make(j, &v);
}

static int do_copy(struct job *j)
{
	const struct fa_new_volume v = { .name = j->args[1], .source = j->args[2] };

	return make(j, &v);
}

static int do_overwrite(struct job *j)
{
	const struct fa_new_volume v = { .name = j->args[1],
					 .source = j->args[2],
					 .overwrite = true };

	return make(j, &v);
}

static int do_resize(struct job *j)
{
	struct fa_volume v;

	return fa_volume_resize(j->f, &j->call, j->args[1], number(j, 2), &j->arena, &v, &j->e);
}

static int do_rename(struct job *j)
{
	return fa_volume_rename(j->f, &j->call, j->args[1], j->args[2], &j->e);
}

static int do_destroy(struct job *j)
{
	return fa_volume_destroy(j->f, &j->call, j->args[1], &j->e);
}

static int do_recover(struct job *j)
{
	return fa_volume_recover(j->f, &j->call, j->args[1], &j->e);
}

static int do_eradicate(struct job *j)
{
	return fa_volume_eradicate(j->f, &j->call, j->args[1], &j->e);
}

static int do_tag_get(struct job *j)
{
	CLEANUP(buf_done) struct buf value = {};
	int r = fa_tag_get(j->f, &j->call, j->args[1], j->args[2], &value, &j->e);

	if (r == 0)
		jsonw_str(&j->w, NULL, buf_str(&value));
	return r;
}

static int do_tag_set(struct job *j)
{
	return fa_tag_set(j->f, &j->call, j->args[1], j->args[2], text(j, 3), &j->e);
}

static int do_snapshots(struct job *j)
{
	struct fa_snapshots all = {};
	size_t n;
	const char *const *names = rest_of(j, 2, &n);

	return say_snapshots(
		j,
		fa_snapshots_list(j->f, &j->call, names, n, number(j, 1), &j->arena, &all, &j->e),
		&all);
}

static int do_snapshot(struct job *j)
{
	struct fa_snapshots all = {};
	size_t n;
	const char *const *names = rest_of(j, 2, &n);

	return say_snapshots(
		j, fa_snapshot_create(j->f, &j->call, names, n, j->args[1], &j->arena, &all, &j->e),
		&all);
}

static int do_snapdel(struct job *j)
{
	size_t n;
	const char *const *names = rest_of(j, 1, &n);

	return fa_snapshot_delete(j->f, &j->call, names, n, &j->e);
}

static int do_snaprename(struct job *j)
{
	return fa_snapshot_rename(j->f, &j->call, j->args[1], j->args[2], &j->e);
}

static int do_connections(struct job *j)
{
	struct fa_connections all = {};

	return say_connections(
		j,
		fa_connections_list(j->f, &j->call, text(j, 1), text(j, 2), &j->arena, &all, &j->e),
		&all);
}

static int connect_to(struct job *j, bool group, unsigned int lun, int at)
{
	struct fa_connections all = {};
	size_t n;
	const char *const *names = rest_of(j, at, &n);

	return say_connections(j,
			       fa_connect(j->f, &j->call, j->args[1], group, names, n, lun,
					  &j->arena, &all, &j->e),
			       &all);
}

static int do_connect(struct job *j)
{
	return connect_to(j, false, 0, 2);
}

static int do_connect_at(struct job *j)
{
	return connect_to(j, false, (unsigned int)number(j, 2), 3);
}

static int do_gconnect(struct job *j)
{
	return connect_to(j, true, 0, 2);
}

static int do_disconnect(struct job *j)
{
	size_t n;
	const char *const *names = rest_of(j, 2, &n);

	return fa_disconnect(j->f, &j->call, names, n, false, j->args[1], &j->e);
}

static int do_gdisconnect(struct job *j)
{
	size_t n;
	const char *const *names = rest_of(j, 2, &n);

	return fa_disconnect(j->f, &j->call, names, n, true, j->args[1], &j->e);
}

static int do_about(struct job *j)
{
	struct fa_about about;
	int r = fa_about_get(j->f, &j->call, &j->arena, &about, &j->e);

	if (r < 0)
		return r;
	jsonw_str(&j->w, NULL, about.name);
	jsonw_str(&j->w, NULL, about.id);
	jsonw_str(&j->w, NULL, about.api);
	return 0;
}

static int do_ports(struct job *j)
{
	struct fa_ports ports;
	int r = fa_ports_get(j->f, &j->call, &j->arena, &ports, &j->e);

	for (size_t i = 0; r == 0 && i < ports.n; i++) {
		jsonw_str(&j->w, NULL, ports.items[i].iqn);
		jsonw_str(&j->w, NULL, ports.items[i].portal);
	}
	return r;
}

static int do_host(struct job *j)
{
	struct fa_host host;
	int r = fa_host_get(j->f, &j->call, j->args[1], &j->arena, &host, &j->e);

	if (r < 0)
		return r;
	jsonw_str(&j->w, NULL, host.name);
	jsonw_str(&j->w, NULL, host.host_group);
	for (size_t i = 0; i < host.n_iqns; i++)
		jsonw_str(&j->w, NULL, host.iqns[i]);
	return 0;
}

static int do_space(struct job *j)
{
	struct fa_space space;
	int r = text(j, 1) ? fa_pod_space_get(j->f, &j->call, text(j, 1), &space, &j->e)
			   : fa_space_get(j->f, &j->call, text(j, 2), &space, &j->e);

	if (r < 0)
		return r;
	jsonw_u64(&j->w, NULL, space.total);
	jsonw_u64(&j->w, NULL, space.used);
	return 0;
}

static int do_pod(struct job *j)
{
	struct fa_pod pod;
	int r = fa_pod_get(j->f, &j->call, j->args[1], &j->arena, &pod, &j->e);

	if (r < 0)
		return r;
	jsonw_str(&j->w, NULL, pod.name);
	jsonw_bool(&j->w, NULL, pod.promoted);
	for (size_t i = 0; i < pod.n_arrays; i++) {
		jsonw_str(&j->w, NULL, pod.arrays[i].name);
		jsonw_str(&j->w, NULL, pod.arrays[i].status);
	}
	return 0;
}

static int do_vgroup(struct job *j)
{
	return fa_vgroup_get(j->f, &j->call, j->args[1], &j->e);
}

static int do_counters(struct job *j)
{
	struct fa_counters n;

	fa_counters(j->f, &n);
	jsonw_u64(&j->w, NULL, n.requests);
	jsonw_u64(&j->w, NULL, n.logins);
	jsonw_u64(&j->w, NULL, n.errors);
	jsonw_u64(&j->w, NULL, n.limited);
	jsonw_i64(&j->w, NULL, n.session_since);
	return 0;
}

static const struct {
	const char *name;
	int (*fn)(struct job *j);
	int args; /* at least */
} operations[] = {
	{ "list", do_list, 2 },
	{ "named", do_named, 1 },
	{ "get", do_get, 1 },
	{ "create", do_create, 2 },
	{ "copy", do_copy, 2 },
	{ "overwrite", do_overwrite, 2 },
	{ "resize", do_resize, 2 },
	{ "rename", do_rename, 2 },
	{ "destroy", do_destroy, 1 },
	{ "recover", do_recover, 1 },
	{ "eradicate", do_eradicate, 1 },
	{ "tag-get", do_tag_get, 2 },
	{ "tag-set", do_tag_set, 3 },
	{ "snapshots", do_snapshots, 2 },
	{ "snapshot", do_snapshot, 2 },
	{ "snapdel", do_snapdel, 1 },
	{ "snaprename", do_snaprename, 2 },
	{ "connections", do_connections, 2 },
	{ "connect", do_connect, 2 },
	{ "connect-at", do_connect_at, 3 },
	{ "gconnect", do_gconnect, 2 },
	{ "disconnect", do_disconnect, 2 },
	{ "gdisconnect", do_gdisconnect, 2 },
	{ "about", do_about, 0 },
	{ "ports", do_ports, 0 },
	{ "host", do_host, 1 },
	{ "space", do_space, 2 },
	{ "pod", do_pod, 1 },
	{ "vgroup", do_vgroup, 1 },
	{ "counters", do_counters, 0 },
};

/* --- one, several, each ---------------------------------------------------------------------- */

static void run(struct job *j)
{
	j->code = -ENOSYS;
	j->call.deadline = rest_now_ms() + limit_ms;
	jsonw_begin_row(&j->w, &j->result);
	jsonw_array(&j->w, "items");
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		if (strcmp(operations[i].name, j->args[0]) == 0 && j->n > operations[i].args)
			j->code = operations[i].fn(j);
	jsonw_close(&j->w);
	jsonw_end(&j->w);
}

static void *run_thread(void *arg)
{
	run(arg);
	return NULL;
}

static void say(struct job *j, int64_t began)
{
	CLEANUP(buf_done) struct buf line = {};
	struct jsonw w;

	jsonw_begin_row(&w, &line);
	jsonw_str(&w, "code", j->code < 0 ? strerrorname_np(-j->code) : j->code ? "1" : "");
	jsonw_str(&w, "error", j->code < 0 ? j->e.text : "");
	jsonw_i64(&w, "ms", rest_now_ms() - began);
	jsonw_raw(&w, "result", slice_trim(buf_slice(&j->result)));
	jsonw_end(&w);
	(void)fputs(buf_str(&line), stdout);
	(void)fflush(stdout);
	buf_done(&j->result);
	arena_done(&j->arena);
}

static void in_threads(int n, int n_args, const char *const *args)
{
	struct job jobs[THREADS_MAX] = {};
	pthread_t threads[THREADS_MAX];
	int64_t began = rest_now_ms();

	for (int i = 0; i < n; i++) {
		jobs[i] = (struct job){ .f = arrays[chosen], .n = n_args, .args = args };
		(void)pthread_create(&threads[i], NULL, run_thread, &jobs[i]);
	}
	for (int i = 0; i < n; i++)
		(void)pthread_join(threads[i], NULL);
	for (int i = 0; i < n; i++)
		say(&jobs[i], began);
}

static int run_on(struct fa *f, void *arg, struct err *e)
{
	struct job *jobs = arg;

	for (size_t i = 0; i < n_arrays; i++)
		if (arrays[i] == f) {
			run(&jobs[i]);
			*e = jobs[i].e;
			return jobs[i].code;
		}
	return -EINVAL;
}

static void on_each(int n_args, const char *const *args)
{
	struct job jobs[ARRAY_ADDRESSES_MAX] = {};
	struct err e[ARRAY_ADDRESSES_MAX] = {};
	int codes[ARRAY_ADDRESSES_MAX];
	int64_t began = rest_now_ms();

	for (size_t i = 0; i < n_arrays; i++)
		jobs[i] = (struct job){ .f = arrays[i], .n = n_args, .args = args };
	fa_each(arrays, n_arrays, run_on, jobs, codes, e);
	for (size_t i = 0; i < n_arrays; i++) {
		jobs[i].code = codes[i];
		jobs[i].e = e[i];
		say(&jobs[i], began);
	}
}

static void obey(int n, const char *const *args)
{
	if (strcmp(args[0], "deadline") == 0)
		limit_ms = atoi(args[1]);
	else if (strcmp(args[0], "array") == 0)
		chosen = (size_t)atoi(args[1]) % n_arrays;
	else if (strcmp(args[0], "threads") == 0)
		in_threads(atoi(args[1]) % (THREADS_MAX + 1), n - 2, args + 2);
	else if (strcmp(args[0], "each") == 0)
		on_each(n - 1, args + 1);
	else
		in_threads(1, n, args);
}

/* --- begin ----------------------------------------------------------------------------------- */

static void log_line(void *arg, int level, const char *line)
{
	(void)arg;
	(void)fprintf(stderr, "%d %s\n", level, line);
}

static void begin(int argc, char **argv)
{
	struct array_conf conf = { .storage = argv[1],
				   .check_ssl = atoi(argv[4]) != 0,
				   .token_ttl = atoi(argv[5]) };
	const struct fa_options o = { .token_dir = argv[2],
				      .private_dir = argv[3],
				      .ca_file = getenv("CA_FILE"),
				      .log = log_line };
	struct err e = {};
	int r;

	for (int i = 6; i + 1 < argc; i += 2) {
		conf.addresses[conf.n_addresses].url = argv[i];
		conf.addresses[conf.n_addresses++].token = argv[i + 1];
	}
	r = fa_pool_open(&pool, &o, &e);
	if (r == 0)
		r = fa_pool_get(pool, &conf, arrays, &n_arrays, &e);
	if (r < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	static const char *args[ARGS_MAX];
	char *line = NULL;
	size_t size = 0;

	if (argc < 8)
		return 64;
	begin(argc, argv);
	while (getline(&line, &size, stdin) > 0) {
		char *rest = NULL;
		int n = 0;

		for (char *word = strtok_r(line, " \n", &rest); word && n < ARGS_MAX;
		     word = strtok_r(NULL, " \n", &rest))
			args[n++] = word;
		if (n)
			obey(n, args);
	}
	free(line);
	fa_pool_close(pool);
	return 0;
}
