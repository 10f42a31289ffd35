/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The command line: one table of verbs with their options, from which parsing, --help and the
 * completion are made. A verb asks for values by the option's name and never sees argv.
 */

#include "util/base.h"

/* Monitoring systems read these (Nagios plugin API), the rest is sysexits.h. */
enum cli_exit {
	CLI_OK = 0,
	CLI_WARNING = 1,
	CLI_CRITICAL = 2,
	CLI_UNKNOWN = 3,
	CLI_USAGE = 64,
	CLI_INTERNAL = 70,
	CLI_UNDELIVERED = 75, /* a report did not get through; it is kept */
	CLI_NOPERM = 77,
};

struct cli_option {
	const char *name;
	const char *arg; /* what stands for its value in the help; NULL: a flag */
	const char *help;
};

struct cli;

struct cli_verb {
	const char *part, *name; /* "dm", "check"; name is NULL for a part without verbs */
	const char *operands;	 /* "[VMID]" in the help, NULL without */
	int min_operands, max_operands;
	const struct cli_option *options; /* ends with a NULL name; may be NULL */
	const char *summary;
	int (*run)(const struct cli *cli); /* an enum cli_exit */
	bool prometheus;		   /* has --format prometheus as well */
};

enum { CLI_VALUES_MAX = 32 };

struct cli {
	const struct cli_verb *verb;
	const char *const *operands;
	int n_operands;
	struct {
		const char *name, *value; /* value is "" for a flag */
	} values[CLI_VALUES_MAX];
	size_t n_values;
	bool json, prometheus; /* --format; neither: text */
	bool color;
};

/* NULL when the option was not given; of one given twice the last. */
const char *cli_value(const struct cli *cli, const char *name);
bool cli_has(const struct cli *cli, const char *name);

/* A wrong value: the sentence goes to stderr, CLI_USAGE comes back. */
int cli_usage(const struct cli *cli, const char *fmt, ...) PRINTF_LIKE(2, 3);

/*
 * Value of option @name as seconds: "90", "90s", "10m", "24h", "7d". False (with a sentence
 * printed) when it is no duration; *ret is left alone when the option is absent.
 */
bool cli_duration(const struct cli *cli, const char *name, int64_t *ret);

/* The whole program: finds the verb, parses, runs it. Returns the exit status. */
int cli_main(const struct cli_verb *verbs, size_t n, int argc, char *argv[]);
