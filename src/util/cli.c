/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "util/log.h"
#include "util/str.h"
#include "util/term.h"

/* Of a verb that says so, and in the help of all. */
#define FORMATS_PLAIN "text|json"
#define FORMATS_ALL   "text|json|prometheus"

static const struct cli_option global_options[] = {
	{ "root", "DIR", "look at the node recorded in DIR instead of this machine" },
	{ "format", FORMATS_PLAIN, "how to write the answer (default: text)" },
	{ "color", "auto|always|never", "colour the answer (default: auto)" },
	{ "verbose", NULL, "say more on stderr (-v)" },
	{ "help", NULL, "show this help (-h)" },
	{ "version", NULL, "show the version" },
	{},
};

static const struct cli_option no_options[] = { {} };

const char *cli_value(const struct cli *cli, const char *name)
{
	for (size_t i = cli->n_values; i > 0; i--)
		if (strcmp(cli->values[i - 1].name, name) == 0)
			return cli->values[i - 1].value;
	return NULL;
}

bool cli_has(const struct cli *cli, const char *name)
{
	return cli_value(cli, name) != NULL;
}

static void print_command(FILE *to, const struct cli_verb *v)
{
	(void)fprintf(to, "pvewarden");
	if (v)
		(void)fprintf(to, " %s%s%s", v->part, v->name ? " " : "", v->name ? v->name : "");
}

int cli_usage(const struct cli *cli, const char *fmt, ...)
{
	char text[512], shown[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	str_printable(shown, sizeof(shown), slice_of(text));
	print_command(stderr, cli->verb);
	(void)fprintf(stderr, ": %s\nTry '", shown);
	print_command(stderr, cli->verb);
	(void)fprintf(stderr, " --help'.\n");
	return CLI_USAGE;
}

bool cli_duration(const struct cli *cli, const char *name, int64_t *ret)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	const char *value = cli_value(cli, name);
	int64_t seconds = 1;
	struct slice s;
	uint64_t n;

	if (!value)
		return true;
	s = slice_of(value);
	for (size_t i = 0; s.n && i < ARRAY_SIZE(units); i++) {
		if (s.p[s.n - 1] == units[i].unit) {
			seconds = units[i].seconds;
			s.n--;
			break;
		}
	}
	if (!str_to_u64(s, &n) || n > INT32_MAX) {
		(void)cli_usage(cli, "--%s '%s': expected a duration such as 90s, 10m, 24h or 7d",
				name, value);
		return false;
	}
	*ret = (int64_t)n * seconds;
	return true;
}

static const char *formats_of(const struct cli_verb *v)
{
	return v && v->prometheus ? FORMATS_ALL : FORMATS_PLAIN;
}

static void print_options(FILE *to, const struct cli_verb *v, const struct cli_option *options)
{
	for (const struct cli_option *o = options; o->name; o++) {
		const char *arg = o->arg && strcmp(o->name, "format") == 0 ? formats_of(v) : o->arg;
		char left[64];

		(void)snprintf(left, sizeof(left), "--%s%s%s", o->name, arg ? "=" : "",
			       arg ? arg : "");
		(void)fprintf(to, "  %-28s %s\n", left, o->help);
	}
}

static void print_verb_help(const struct cli_verb *v)
{
	printf("Usage: ");
	print_command(stdout, v);
	printf("%s%s%s\n\n%s.\n", v->options ? " [OPTIONS]" : "", v->operands ? " " : "",
	       v->operands ? v->operands : "", v->summary);
	if (v->options) {
		printf("\nOptions:\n");
		print_options(stdout, v, v->options);
	}
	printf("\nGlobal options:\n");
	print_options(stdout, v, global_options);
}

static bool in_part(const struct cli_verb *v, const char *part)
{
	return !part || strcmp(v->part, part) == 0;
}

static void print_help(FILE *to, const struct cli_verb *verbs, size_t n, const char *part)
{
	(void)fprintf(to, "pvewarden %s: keeps Proxmox VE nodes healthy\n\n", PVEWARDEN_VERSION);
	(void)fprintf(to, "Usage: pvewarden %s VERB [OPTIONS]\n\n", part ? part : "PART");
	for (size_t i = 0; i < n; i++) {
		const struct cli_verb *v = &verbs[i];
		char left[64];

		if (!in_part(v, part))
			continue;
		(void)snprintf(left, sizeof(left), "%s%s%s%s%s", v->part, v->name ? " " : "",
			       v->name ? v->name : "", v->operands ? " " : "",
			       v->operands ? v->operands : "");
		(void)fprintf(to, "  %-33s %s\n", left, v->summary);
	}
	(void)fprintf(to, "\nGlobal options:\n");
	print_options(to, NULL, global_options);
	(void)fprintf(to, "\nExit status: 0 fine, 1 warnings, 2 critical, 3 could not tell; "
			  "64 wrong usage, 77 needs root, 70 internal error.\n");
}

static const struct cli_verb *find_verb(const struct cli_verb *verbs, size_t n, const char *part,
					const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(verbs[i].part, part) != 0)
			continue;
		if (!verbs[i].name || (name && strcmp(verbs[i].name, name) == 0))
			return &verbs[i];
	}
	return NULL;
}

static int print_formats(const struct cli_verb *v)
{
	struct slice rest = slice_of(formats_of(v)), one;

	while (slice_split(&rest, '|', &one))
		printf(SLICE_FMT "\n", SLICE_ARG(one));
	return CLI_OK;
}

/* "add|list|revoke [ID]": the words that the first operand may be. */
static void print_operands(const struct cli_verb *v)
{
	struct slice rest = slice_of(v->operands ? v->operands : ""), one;
	size_t n = strcspn(rest.p, " ");

	if (!memchr(rest.p, '|', n))
		return;
	rest.n = n;
	while (slice_split(&rest, '|', &one))
		printf(SLICE_FMT "\n",
		       SLICE_ARG(slice_starts(one, "[") ? slice_from(one, 1) : one));
}

/* What the bash completion reads: every word that may stand after the given ones. */
static int print_completions(const struct cli_verb *verbs, size_t n, int argc, char *argv[])
{
	if (argc > 0 && strcmp(argv[argc - 1], "--format") == 0)
		return print_formats(
			find_verb(verbs, n, argc > 1 ? argv[0] : "", argc > 2 ? argv[1] : NULL));
	for (size_t i = 0; i < n; i++) {
		const struct cli_verb *v = &verbs[i];

		if (argc == 0) {
			if (i == 0 || strcmp(verbs[i - 1].part, v->part) != 0)
				printf("%s\n", v->part);
		} else if (strcmp(v->part, argv[0]) != 0) {
			continue;
		} else if (v->name && argc == 1) {
			printf("%s\n", v->name);
		} else if (!v->name || strcmp(v->name, argv[1]) == 0) {
			if (argc == 2)
				print_operands(v);
			for (const struct cli_option *o = v->options; o && o->name; o++)
				printf("--%s%s\n", o->name, o->arg ? "=" : "");
		}
	}
	for (const struct cli_option *o = global_options; o->name; o++)
		printf("--%s%s\n", o->name, o->arg ? "=" : "");
	return CLI_OK;
}

static size_t add_long(struct option *longs, size_t n, const struct cli_option *options)
{
	for (const struct cli_option *o = options; o->name; o++, n++)
		longs[n] = (struct option){ .name = o->name,
					    .has_arg = o->arg ? required_argument : no_argument,
					    .val = 256 + (int)n };
	return n;
}

static int bad_option(const struct cli *cli, int code, char *argv[])
{
	if (code == ':')
		return cli_usage(cli, "option '%s' needs a value", argv[optind - 1]);
	if (optopt && optopt < 256)
		return cli_usage(cli, "unknown option '-%c'", optopt);
	return cli_usage(cli, "unknown or ambiguous option '%s'", argv[optind - 1]);
}

/* Collects options of @own and the global ones; operands end up behind optind. */
static int parse_options(struct cli *cli, const struct cli_option *own, bool stop_at_operand,
			 int argc, char *argv[])
{
	struct option longs[CLI_VALUES_MAX] = {};
	size_t n = add_long(longs, 0, global_options);
	int c;

	(void)add_long(longs, n, own);
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, stop_at_operand ? "+:hv" : ":hv", longs, NULL)) != -1) {
		const char *name = NULL;

		if (c == 'h')
			name = "help";
		else if (c == 'v')
			name = "verbose";
		else if (c >= 256)
			name = longs[c - 256].name;
		if (!name || c == '?' || c == ':')
			return bad_option(cli, c, argv);
		if (cli->n_values >= CLI_VALUES_MAX)
			return cli_usage(cli, "too many options");
		cli->values[cli->n_values].name = name;
		cli->values[cli->n_values++].value = optarg ? optarg : "";
	}
	return CLI_OK;
}

static int apply_globals(struct cli *cli)
{
	const char *format = cli_value(cli, "format"), *color = cli_value(cli, "color");

	cli->json = format && strcmp(format, "json") == 0;
	cli->prometheus = format && cli->verb->prometheus && strcmp(format, "prometheus") == 0;
	if (format && !cli->json && !cli->prometheus && strcmp(format, "text") != 0)
		return cli_usage(
			cli, "--format '%s': expected %s", format,
			cli->verb->prometheus ? "text, json or prometheus" : "text or json");

	if (!color || strcmp(color, "auto") == 0)
		cli->color = term_wants_color();
	else if (strcmp(color, "always") == 0)
		cli->color = true;
	else if (strcmp(color, "never") != 0)
		return cli_usage(cli, "--color '%s': expected auto, always or never", color);

	if (cli_has(cli, "verbose"))
		log_set_level(LOG_LEVEL_DEBUG);
	return CLI_OK;
}

static bool is_part(const struct cli_verb *verbs, size_t n, const char *part)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(verbs[i].part, part) == 0)
			return true;
	return false;
}

static int run_verb(struct cli *cli, int argc, char *argv[])
{
	const struct cli_verb *v = cli->verb;
	int r = parse_options(cli, v->options ? v->options : no_options, false, argc, argv);

	if (r)
		return r;
	if (cli_has(cli, "help")) {
		print_verb_help(v);
		return CLI_OK;
	}
	r = apply_globals(cli);
	if (r)
		return r;
	cli->operands = (const char *const *)&argv[optind];
	cli->n_operands = argc - optind;
	if (cli->n_operands < v->min_operands)
		return cli_usage(cli, "expected %s", v->operands);
	if (cli->n_operands > v->max_operands)
		return cli_usage(cli, "unexpected '%s'", cli->operands[v->max_operands]);
	return v->run(cli);
}

int cli_main(const struct cli_verb *verbs, size_t n, int argc, char *argv[])
{
	struct cli cli = {};
	const char *part, *name;
	int r, used;

	if (argc >= 2 && strcmp(argv[1], "--complete") == 0)
		return print_completions(verbs, n, argc - 2, argv + 2);

	r = parse_options(&cli, no_options, true, argc, argv);
	if (r)
		return r;
	if (cli_has(&cli, "version")) {
		printf("pvewarden %s\n", PVEWARDEN_VERSION);
		return CLI_OK;
	}
	part = optind < argc ? argv[optind] : NULL;
	if (!part || !is_part(verbs, n, part)) {
		if (!part && cli_has(&cli, "help")) {
			print_help(stdout, verbs, n, NULL);
			return CLI_OK;
		}
		if (part)
			return cli_usage(&cli, "there is no part '%s'", part);
		print_help(stderr, verbs, n, NULL);
		return CLI_USAGE;
	}
	name = optind + 1 < argc ? argv[optind + 1] : NULL;
	cli.verb = find_verb(verbs, n, part, name);
	if (!cli.verb) {
		bool help = cli_has(&cli, "help") || (name && strcmp(name, "--help") == 0) ||
			    (name && strcmp(name, "-h") == 0);

		if (name && !help)
			return cli_usage(&cli, "%s has no verb '%s'", part, name);
		print_help(help ? stdout : stderr, verbs, n, part);
		return help ? CLI_OK : CLI_USAGE;
	}
	/* The verb's own name takes the place of argv[0] for its options and operands. */
	used = optind + (cli.verb->name ? 1 : 0);
	return run_verb(&cli, argc - used, argv + used);
}
