/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/cmds.h"

static const struct cli_verb verbs[] = {
	{ "hub", "serve", NULL, 0, 0, hub_serve_options,
	  "Take in what the agents send, and answer questions about it", cmd_hub_serve },
	{ "hub", "migrate", NULL, 0, 0, hub_migrate_options,
	  "Bring the database to the newest schema", cmd_hub_migrate },
	{ "hub", "backup", "FILE", 1, 1, hub_backup_options,
	  "Copy the database to FILE while the hub serves", cmd_hub_backup },
	{ "hub", "token", "add|list|revoke [ID]", 1, 2, hub_token_options,
	  "Make, list and revoke the tokens of agents and readers", cmd_hub_token },
	{ "hub", "user", "add|passwd|remove|list [NAME]", 1, 2, hub_user_options,
	  "Make, remove and list people, and set their passwords", cmd_hub_user },
};

/* `pvewarden-hub serve` is `pvewarden hub serve`. */
static bool is_verb(const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, word) == 0)
			return true;
	return false;
}

int main(int argc, char *argv[])
{
	char part[] = "hub", **words;
	int r;

	if (argc < 2 || !is_verb(argv[1]))
		return cli_main(verbs, ARRAY_SIZE(verbs), argc, argv);
	words = xcalloc((size_t)argc + 2, sizeof(*words));
	words[0] = argv[0];
	words[1] = part;
	memcpy(words + 2, argv + 1, (size_t)(argc - 1) * sizeof(*words));
	r = cli_main(verbs, ARRAY_SIZE(verbs), argc + 1, words);
	free(words);
	return r;
}
