/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Proxmox section files (PVE::SectionConfig::parse_config): storage.cfg, ha/resources.cfg,
 * notifications.cfg and their like. "type: id", then indented "key value" lines, ended by a truly
 * empty line or the end of the file. Unknown types and keys are kept: a plugin may know them.
 */

#include "util/diag.h"

struct section_option {
	const char *key;
	const char *value; /* "" for a flag without a value */
	unsigned int line;
};

struct section {
	const char *type; /* lower case */
	const char *id;
	unsigned int line;
	struct section_option *options;
	size_t n_options;
	bool duplicate; /* an earlier section has the same id; Proxmox takes this later one */
};

struct section_file {
	struct section *sections;
	size_t n_sections;
};

/* Never fails; what Proxmox ignores is said in @diags under @file. All memory is @a's. */
void section_file_parse(struct section_file *ret, const char *file, struct slice text,
			struct arena *a, struct diags *diags);

/* Value of @key, NULL if absent. Of a duplicated key Proxmox keeps the first. */
const char *section_get(const struct section *s, const char *key);
