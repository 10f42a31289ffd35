/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/* What a survey means is tried on one storage and one volume; each test spoils one thing. */

#include "array/finding.h"

#define SERIAL "96622A35A07E4A33000126D2"
#define VOLUME "pod::vm-100-disk-0"

enum { NOW = 1795282183, OLD = NOW - 86400, GIB = 1 << 30 };

/* One storage on two arrays, one volume. */
struct finding_stage {
	struct survey s;
	struct array_storage storage;
	struct survey_storage row;
	struct survey_array arrays[2];
	struct fa_volume volumes[2];
	struct fa_connection connections[2];
	struct registry_entry entry;
	struct map_found found;
	struct survey_map map;
	struct fa_port fa_ports[2];
	struct survey_port ports[4];
	struct findings f;
};

/* All is well: connected on both arrays, with two paths to each. */
void finding_stage_set(struct finding_stage *g);

/* The only finding's kind, FINDING_MAX without any. Its memory: findings_done() of g->f. */
enum finding_kind finding_stage_look(struct finding_stage *g);

/* It does not answer. */
void finding_stage_silence(struct survey_array *a);
