/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <stdio.h>

#include "sim.h"

void rest_arrays(struct sim_request *r)
{
	struct sim_rows rows = {};

	sim_row(&rows, 1, sim_array_json(r->array));
	sim_list_reply(r, &rows);
}

void rest_arrays_space(struct sim_request *r)
{
	struct sim_rows rows = {};

	sim_row(&rows, 1, sim_array_space_json(r->array));
	sim_list_reply(r, &rows);
}

/* Both controllers have the same iqn and nqn; portals and wwns differ. */
static json_t *port(const struct sim_array *a, enum sim_kind kind, size_t i, const char *text)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "CT%zu.%s%zu", i % 2, kind == SIM_WWN ? "FC" : "ETH",
		       (kind == SIM_NQN ? 20 : 4) + i / 2);
	return json_pack("{s:s, s:s?, s:s?, s:s?, s:s?, s:n}", "name", name, "iqn",
			 kind == SIM_IQN ? a->iqn : NULL, "nqn", kind == SIM_NQN ? a->nqn : NULL,
			 "wwn", kind == SIM_WWN ? text : NULL, "portal",
			 kind == SIM_WWN ? NULL : text, "failover");
}

void rest_ports(struct sim_request *r)
{
	const struct sim_array *a = r->array;
	struct sim_rows rows = {};
	struct sim_wanted w;
	uint64_t seq = 0;
	json_t *item;

	if (!sim_wanted_begin(r, &w, "names", "ids"))
		return;
	for (enum sim_kind kind = 0; kind < SIM_KINDS; kind++) {
		const struct sim_names *of = kind == SIM_IQN   ? &a->portals
					     : kind == SIM_NQN ? &a->nvme_portals
							       : &a->wwns;

		for (size_t i = 0; i < of->list.n; i++) {
			item = port(a, kind, i, of->list.items[i]);
			if (sim_wanted(&w, json_str(item, "name"), "", false))
				sim_row(&rows, ++seq, item);
			else
				json_decref(item);
		}
	}
	(void)sim_wanted_end(r, &w, "Port does not exist.");
	sim_list_reply(r, &rows);
}

void rest_controllers(struct sim_request *r)
{
	struct sim_rows rows = {};

	for (int i = 0; i < 2; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "CT%d", i);
		sim_row(&rows, (uint64_t)i + 1,
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "name", name, "mode",
				  i ? "secondary" : "primary", "model", "FA-X20R4", "status",
				  "ready", "type", "array_controller", "version", "6.6.10"));
	}
	sim_list_reply(r, &rows);
}
