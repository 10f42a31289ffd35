/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * The workers of the array part from a shell:
 *
 *	mapper look PROTOCOL SERIAL
 *	mapper list
 *	mapper attach PROTOCOL SERIAL SIZE MS LUN=ID@PORTAL[,ID@PORTAL...] ... [single]
 *	mapper ask PROTOCOL SERIAL MS
 *	mapper detach PROTOCOL SERIAL MS		leaves what forget wants in ./left
 *	mapper forget MS
 *	mapper resize PROTOCOL SERIAL SIZE MS
 *	mapper refresh PROTOCOL SERIAL SIZE MS
 *	mapper stuck
 *	mapper -					such lines from stdin, one process for all
 *
 * PROTOCOL: iscsi, fc, nvme. For nvme HOST_NQN and HOST_ID of the environment.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "array/worker.h"
#include "util/clock.h"
#include "util/file.h"
#include "util/str.h"

enum { WORDS = 16 };

static enum array_protocol protocol_of(const char *name)
{
	return strcmp(name, "nvme") == 0 ? ARRAY_NVME_TCP
	       : strcmp(name, "fc") == 0 ? ARRAY_FC
					 : ARRAY_ISCSI;
}

static void show(const struct map_state *s)
{
	static const char *const use[] = { "free", "open", "unknown", "passing" };

	printf("present=%d device=%s size=%llu in_use=%s paths=%u paths_ok=%u mismatched=%d lvm_only=%d why=%s\n",
	       s->present, s->device, (unsigned long long)s->size, use[s->in_use], s->paths,
	       s->paths_ok, s->mismatched, s->lvm_only, s->why);
}

static void copy(char *to, size_t size, struct slice text)
{
	(void)snprintf(to, size, SLICE_FMT, SLICE_ARG(text));
}

/* "1=iqn.x@10.0.0.1:3260,iqn.x@10.0.0.2:3260" */
static void read_array(struct map_array *ret, char *text)
{
	char *equals = strchr(text, '=');
	struct slice rest, piece;

	ret->lun = (unsigned int)strtoul(text, NULL, 10);
	ret->connected = true;
	rest = slice_of(equals ? equals + 1 : "");
	while (ret->n_ports < MAP_PORTS_MAX && slice_split(&rest, ',', &piece)) {
		struct map_port *p = &ret->ports[ret->n_ports++];
		size_t at = slice_find(piece, '@');

		copy(p->id, sizeof(p->id), (struct slice){ piece.p, at });
		copy(p->portal, sizeof(p->portal), slice_from(piece, at + 1));
	}
}

static int attach(struct workers *w, char **argv, struct err *e)
{
	static struct map_want want;
	struct map_state s = {};
	int r;

	want = (struct map_want){ .protocol = protocol_of(argv[1]), .multipath = true };
	copy(want.serial, sizeof(want.serial), slice_of(argv[2]));
	want.size = strtoull(argv[3], NULL, 10);
	for (char **arg = argv + 5; *arg; arg++)
		if (strcmp(*arg, "single") == 0)
			want.multipath = false;
		else if (want.n_arrays < MAP_ARRAYS_MAX)
			read_array(&want.arrays[want.n_arrays++], *arg);
	if (getenv("HOST_NQN"))
		copy(want.host_nqn, sizeof(want.host_nqn), slice_of(getenv("HOST_NQN")));
	if (getenv("HOST_ID"))
		copy(want.host_id, sizeof(want.host_id), slice_of(getenv("HOST_ID")));
	r = workers_attach(w, &want, atoi(argv[4]), &s, e);
	if (r == 0)
		show(&s);
	return r;
}

static int detach(struct workers *w, char **argv, struct err *e)
{
	struct map_left left = {};
	int r = workers_detach(w, argv[2], protocol_of(argv[1]), atoi(argv[3]), &left, e);

	if (r == 0)
		r = file_write_atomic(AT_FDCWD, "left",
				      (struct slice){ (const char *)&left, sizeof(left) }, 0600);
	for (size_t i = 0; r == 0 && i < left.n; i++)
		printf("left=%s\n", left.disks[i]);
	return r;
}

static int forget(struct workers *w, char **argv, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	struct map_left left;

	if (file_read_at(AT_FDCWD, "left", 65536, &text) < 0 || text.len != sizeof(left))
		return err_set(e, -ENOENT, "detach has left nothing");
	memcpy(&left, text.data, sizeof(left));
	return workers_forget(w, &left, atoi(argv[1]), e);
}

static int list(struct workers *w, struct err *e)
{
	CLEANUP(arena_done) struct arena a = {};
	struct map_list found = {};
	int r = workers_list(w, &found, &a, e);

	for (size_t i = 0; i < found.n; i++) {
		printf("%s ", found.items[i].serial);
		show(&found.items[i].state);
	}
	return r;
}

static int stuck(struct workers *w)
{
	struct worker_stuck items[16];
	size_t n = workers_stuck(w, items, ARRAY_SIZE(items));

	for (size_t i = 0; i < n; i++)
		printf("stuck=%s pid=%ld\n", items[i].serial, (long)items[i].pid);
	printf("stuck calls: %zu\n", n);
	return 0;
}

static int perform(struct workers *w, int argc, char **argv, struct err *e)
{
	struct map_state s = {};
	int r = -EINVAL;

	if (strcmp(argv[0], "list") == 0)
		return list(w, e);
	if (strcmp(argv[0], "stuck") == 0)
		return stuck(w);
	if (strcmp(argv[0], "forget") == 0 && argc == 2)
		return forget(w, argv, e);
	if (strcmp(argv[0], "attach") == 0 && argc >= 5)
		return attach(w, argv, e);
	if (strcmp(argv[0], "ask") == 0 && argc == 4)
		return workers_ask(w, argv[2], protocol_of(argv[1]), atoi(argv[3]), e);
	if (strcmp(argv[0], "detach") == 0 && argc == 4)
		return detach(w, argv, e);
	if (strcmp(argv[0], "refresh") == 0 && argc == 5)
		return workers_refresh(w, argv[2], protocol_of(argv[1]),
				       strtoull(argv[3], NULL, 10), atoi(argv[4]), e);
	if (strcmp(argv[0], "look") == 0 && argc == 3)
		r = workers_look(w, argv[2], protocol_of(argv[1]), &s, e);
	else if (strcmp(argv[0], "resize") == 0 && argc == 5)
		r = workers_resize(w, argv[2], protocol_of(argv[1]), strtoull(argv[3], NULL, 10),
				   atoi(argv[4]), &s, e);
	if (r == 0)
		show(&s);
	return r;
}

static int run(struct workers *w, int argc, char **argv)
{
	int64_t begun = clock_boot_ms();
	struct err e = {};
	int r = perform(w, argc, argv, &e);

	if (r < 0)
		printf("rc=%s: %s\n", strerrorname_np(-r), e.text);
	else
		printf("rc=0\n");
	printf("%s took %lld ms\n", argv[0], (long long)(clock_boot_ms() - begun));
	(void)fflush(stdout);
	return r;
}

static int lines(struct workers *w)
{
	char line[4096], *save, *argv[WORDS + 1];
	int r = 0;

	while (fgets(line, sizeof(line), stdin)) {
		int argc = 0;

		for (char *word = strtok_r(line, " \n", &save); word && argc < WORDS;
		     word = strtok_r(NULL, " \n", &save))
			argv[argc++] = word;
		argv[argc] = NULL;
		if (argc && run(w, argc, argv) < 0)
			r = -EIO;
	}
	return r;
}

int main(int argc, char **argv)
{
	struct workers *w = NULL;
	struct err e = {};
	int r;

	if (argc < 2)
		return 64;
	r = workers_start(&w, &e);
	if (r < 0) {
		(void)fprintf(stderr, "%s\n", e.text);
		return 1;
	}
	r = strcmp(argv[1], "-") == 0 ? lines(w) : run(w, argc - 1, argv + 1);
	workers_stop(w);
	return r < 0;
}
