/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "finding_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

void finding_stage_set(struct finding_stage *g)
{
	*g = (struct finding_stage){
		.storage = { .id = "pure",
			     .conf = { .storage = "pure", .prefix = "pod::", .multipath = true } },
		.entry = { .storage = "pure",
			   .volname = "vm-100-disk-0",
			   .snap = "",
			   .array_volume = VOLUME,
			   .serial = SERIAL,
			   .size = GIB,
			   .since = OLD,
			   .verified = true },
		.found = { .serial = SERIAL,
			   .state = { .present = true,
				      .device = "dm-7",
				      .size = GIB,
				      .in_use = MAP_FREE,
				      .paths = 4,
				      .paths_ok = 4 } },
	};
	g->row = (struct survey_storage){ .storage = &g->storage,
					  .arrays = { 0, 1 },
					  .n_arrays = 2 };
	for (size_t i = 0; i < 2; i++) {
		g->volumes[i] = (struct fa_volume){ .name = VOLUME, .serial = SERIAL, .size = GIB };
		g->connections[i] =
			(struct fa_connection){ .volume = VOLUME, .host = "pve1", .lun = 1 };
		g->arrays[i] = (struct survey_array){ .url = i ? "https://fa2" : "https://fa1",
						      .host = "pve1",
						      .asked = true,
						      .named = { &g->volumes[i], 1 },
						      .connections = { &g->connections[i], 1 } };
	}
	g->map = (struct survey_map){
		.serial = SERIAL, .entry = &g->entry, .found = &g->found, .settled = true
	};
	/* Two sessions to each array, and a path over each. */
	g->found.ways_known = true;
	for (uint32_t i = 0; i < 4; i++) {
		g->found.ways[g->found.n_ways++] = (struct map_way){ .host = i, .lun = 1 };
		g->ports[i] = (struct survey_port){
			.at = { .host = i,
				.id = "iqn.a",
				.portal = "10.0.0.1:3260",
				.usable = true },
			.settled = true,
		};
		if (i >= 2)
			(void)snprintf(g->ports[i].at.id, sizeof(g->ports[i].at.id), "iqn.b");
	}
	for (size_t i = 0; i < 2; i++) {
		g->fa_ports[i].iqn = i ? "iqn.b" : "iqn.a";
		g->arrays[i].ports = (struct fa_ports){ &g->fa_ports[i], 1 };
	}
	g->s = (struct survey){ .now = NOW,
				.storages = { .items = &g->storage, .n = 1 },
				.rows = &g->row,
				.arrays = g->arrays,
				.n_arrays = 2,
				.maps = &g->map,
				.n_maps = 1,
				.ports = g->ports,
				.n_ports = 4 };
}

enum finding_kind finding_stage_look(struct finding_stage *g)
{
	findings_of(&g->f, &g->s);
	assert_true(g->f.n <= 1);
	return g->f.n ? g->f.items[0].kind : FINDING_MAX;
}

void finding_stage_silence(struct survey_array *a)
{
	a->answer = -113;
	a->why = "no route";
	a->asked = false;
	a->named = (struct fa_volumes){};
	a->connections = (struct fa_connections){};
}
