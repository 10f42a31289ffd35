/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "backend.h"
#include "http.h"
#include "sim.h"
#include "util/file.h"

static const char USAGE[] =
	"Usage: arraysim --array NAME=PORT [--array ...] [OPTION...]\n"
	"FlashArrays to test against, on 127.0.0.1. Says one line on stdout when it listens:\n"
	"  ready NAME=PORT... control=PORT\n"
	"\n"
	"  --array NAME=PORT      an array; port 0 is any that is free. Its API token is NAME-token\n"
	"  --token NAME=TOKEN     another API token\n"
	"  --portal NAME=IP:PORT  where its iSCSI is reached, as GET ports tells; may be repeated\n"
	"  --nvme NAME=IP:PORT    the same for NVMe over TCP\n"
	"  --wwn NAME=WWN         a Fibre Channel port\n"
	"  --api 2.4,2.26         versions it speaks; 2.26 otherwise\n"
	"  --control PORT         where tests make objects and faults (control.c)\n"
	"  --state FILE           objects to begin with: what POST /make takes, or a list of such\n"
	"  --tls CERT KEY         PEM files; plain HTTP otherwise\n"
	"  --backend KIND DIR     files: volumes have content, in DIR; lio, nvmet: the kernel shows it\n"
	"  --configfs DIR         instead of /sys/kernel/config\n";

enum word {
	OPT_ARRAY = 256,
	OPT_TOKEN,
	OPT_PORTAL,
	OPT_NVME,
	OPT_WWN,
	OPT_API,
	OPT_CONTROL,
	OPT_STATE,
	OPT_TLS,
	OPT_BACKEND,
	OPT_CONFIGFS,
	OPT_HELP,
};

struct options {
	struct sim *s;
	int control; /* < 0: none */
	const char *state;
	struct sim_backend_options backend;
	struct buf cert, key;
};

static void NORETURN quit(const char *sentence, const char *what)
{
	fprintf(stderr, "arraysim: %s%s%s\n", sentence, what ? ": " : "", what ? what : "");
	exit(64);
}

/* "NAME=VALUE": the value; the name is left in @text. */
static char *split(char *text)
{
	char *equals = strchr(text, '=');

	if (!equals)
		quit("this wants NAME=VALUE", text);
	*equals = '\0';
	return equals + 1;
}

static struct sim_array *array_named(struct options *o, char *text, char **value)
{
	struct sim_array *a;

	*value = split(text);
	a = sim_array_find(o->s, text);
	if (!a)
		quit("no such array (--array comes first)", text);
	return a;
}

static void add_array(struct options *o, char *text)
{
	char *port = split(text);

	if (o->s->n_arrays == SIM_ARRAYS_MAX)
		quit("too many arrays", NULL);
	if (sim_array_find(o->s, text))
		quit("there is one already", text);
	(void)sim_array_add(o->s, text, atoi(port));
}

static void take_versions(struct sim *s, char *text)
{
	char *save = NULL;

	s->n_versions = 0;
	for (char *v = strtok_r(text, ",", &save); v; v = strtok_r(NULL, ",", &save)) {
		unsigned int minor;

		if (sscanf(v, "2.%u", &minor) != 1 || s->n_versions == SIM_VERSIONS_MAX)
			quit("versions are 2.N", v);
		s->versions[s->n_versions++] = minor;
	}
	if (s->n_versions == 0)
		quit("which versions?", NULL);
}

static void take_token(struct options *o, char *text)
{
	char *token;
	struct sim_array *a = array_named(o, text, &token);

	free(a->api_token);
	a->api_token = xstrdup(token);
}

static void take_names(struct options *o, char *text, int c)
{
	char *value;
	struct sim_array *a = array_named(o, text, &value);

	sim_names_add(c == OPT_PORTAL ? &a->portals
		      : c == OPT_NVME ? &a->nvme_portals
				      : &a->wwns,
		      value);
}

/* The second word of an option that has two. */
static char *second(int argc, char *argv[])
{
	if (optind >= argc)
		quit("a second word is missing behind", argv[optind - 1]);
	return argv[optind++];
}

static void read_whole(const char *path, struct buf *ret)
{
	int r = file_read_at(AT_FDCWD, path, 1 << 20, ret);

	if (r < 0) {
		errno = -r;
		quit(path, strerror(errno));
	}
}

static void take(struct options *o, int c, int argc, char *argv[])
{
	switch (c) {
	case OPT_ARRAY:
		add_array(o, optarg);
		break;
	case OPT_TOKEN:
		take_token(o, optarg);
		break;
	case OPT_PORTAL:
	case OPT_NVME:
	case OPT_WWN:
		take_names(o, optarg, c);
		break;
	case OPT_API:
		take_versions(o->s, optarg);
		break;
	case OPT_CONTROL:
		o->control = atoi(optarg);
		break;
	case OPT_STATE:
		o->state = optarg;
		break;
	case OPT_TLS:
		read_whole(optarg, &o->cert);
		read_whole(second(argc, argv), &o->key);
		o->s->cert = buf_str(&o->cert);
		o->s->key = buf_str(&o->key);
		break;
	case OPT_BACKEND:
		o->backend.kind = optarg;
		o->backend.dir = second(argc, argv);
		break;
	case OPT_CONFIGFS:
		o->backend.configfs = optarg;
		break;
	case OPT_HELP:
		fputs(USAGE, stdout);
		exit(0);
	default:
		quit("see --help", NULL);
	}
}

static void parse(struct options *o, int argc, char *argv[])
{
	static const struct option LONG[] = {
		{ "array", required_argument, NULL, OPT_ARRAY },
		{ "token", required_argument, NULL, OPT_TOKEN },
		{ "portal", required_argument, NULL, OPT_PORTAL },
		{ "nvme", required_argument, NULL, OPT_NVME },
		{ "wwn", required_argument, NULL, OPT_WWN },
		{ "api", required_argument, NULL, OPT_API },
		{ "control", required_argument, NULL, OPT_CONTROL },
		{ "state", required_argument, NULL, OPT_STATE },
		{ "tls", required_argument, NULL, OPT_TLS },
		{ "backend", required_argument, NULL, OPT_BACKEND },
		{ "configfs", required_argument, NULL, OPT_CONFIGFS },
		{ "help", no_argument, NULL, OPT_HELP },
		{},
	};
	int c;

	/* "+": words behind --tls and --backend are theirs. */
	while ((c = getopt_long(argc, argv, "+", LONG, NULL)) != -1)
		take(o, c, argc, argv);
	if (optind < argc)
		quit("what is this", argv[optind]);
	if (o->s->n_arrays == 0)
		quit("no array given, see --help", NULL);
}

/* An array that nobody can reach would be none: without a word it has one iSCSI portal. */
static void default_portals(struct sim *s)
{
	for (unsigned int i = 0; i < s->n_arrays; i++) {
		struct sim_array *a = &s->arrays[i];
		char portal[32];

		if (a->portals.list.n + a->nvme_portals.list.n + a->wwns.list.n)
			continue;
		(void)snprintf(portal, sizeof(portal), "127.0.0.%u:3260", i + 1);
		sim_names_add(&a->portals, portal);
	}
}

static void make_state(struct sim *s, const char *path)
{
	CLEANUP(buf_done) struct buf text = {};
	struct err e = {};
	json_t *j = NULL;
	int r;

	read_whole(path, &text);
	r = json_parse(buf_slice(&text), path, &j, &e);
	for (size_t i = 0; r == 0 && json_is_array(j) && i < json_array_size(j); i++)
		r = sim_make(s, json_array_get(j, i), &e);
	if (r == 0 && !json_is_array(j))
		r = sim_make(s, j, &e);
	if (r < 0)
		quit(path, e.text);
	json_decref(j);
}

static void open_doors(struct sim *s, struct options *o, struct http_server **control)
{
	struct err e = {};
	int r = 0;

	for (unsigned int i = 0; i < s->n_arrays && r == 0; i++)
		r = sim_door_open(&s->arrays[i], &e);
	if (r == 0 && o->control >= 0)
		r = sim_control_start(s, &o->control, control, &e);
	if (r < 0)
		quit(e.text, NULL);
	printf("ready");
	for (unsigned int i = 0; i < s->n_arrays; i++)
		printf(" %s=%d", s->arrays[i].name, s->arrays[i].port);
	if (o->control >= 0)
		printf(" control=%d", o->control);
	printf("\n");
	(void)fflush(stdout);
}

static void close_doors(struct sim *s, struct http_server *control)
{
	http_stop(control);
	pthread_mutex_lock(&s->lock);
	s->ending = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	for (unsigned int i = 0; i < s->n_arrays; i++)
		sim_door_close(&s->arrays[i]);
}

/* Threads inherit the mask, so the signal comes to who waits for it. */
static void block_signals(sigset_t *set)
{
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	pthread_sigmask(SIG_BLOCK, set, NULL);
}

int main(int argc, char *argv[])
{
	static struct sim s;
	struct options o = { .s = &s, .control = -1, .backend.configfs = "/sys/kernel/config" };
	struct http_server *control = NULL;
	struct err e = {};
	sigset_t set;
	int got;

	sim_init(&s);
	s.versions[s.n_versions++] = 26;
	block_signals(&set);
	parse(&o, argc, argv);
	default_portals(&s);
	if (o.backend.kind && sim_backend_open(&s, &o.backend, &e) < 0)
		quit(e.text, NULL);
	if (o.state)
		make_state(&s, o.state);
	open_doors(&s, &o, &control);
	(void)sigwait(&set, &got);
	close_doors(&s, control);
	sim_free(&s);
	buf_done(&o.cert);
	buf_wipe(&o.key);
	return 0;
}
