/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include <ctype.h>

#include "sim.h"

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_';
}

bool sim_name_ok(struct slice name)
{
	bool letter = false;

	if (name.n == 0 || name.n > SIM_NAME_MAX)
		return false;
	for (size_t i = 0; i < name.n; i++) {
		if (!is_word(name.p[i]))
			return false;
		letter |= !isdigit((unsigned char)name.p[i]);
	}
	return letter && isalnum((unsigned char)name.p[0]) &&
	       isalnum((unsigned char)name.p[name.n - 1]);
}

bool sim_suffix_ok(const char *suffix)
{
	size_t n = strlen(suffix);

	if (n == 0 || n > SIM_NAME_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)suffix[i]) && suffix[i] != '-')
			return false;
	return suffix[0] != '-' && suffix[n - 1] != '-';
}

static bool is_hex_of(const char *text, size_t digits)
{
	size_t n = 0;

	for (; *text; text++) {
		if (*text == ':')
			continue;
		if (!isxdigit((unsigned char)*text))
			return false;
		n++;
	}
	return n == digits;
}

bool sim_initiator_ok(enum sim_kind kind, const char *name)
{
	switch (kind) {
	case SIM_IQN:
		return strncmp(name, "iqn.", 4) == 0 || strncmp(name, "eui.", 4) == 0 ||
		       strncmp(name, "naa.", 4) == 0;
	case SIM_NQN:
		return strncmp(name, "nqn.", 4) == 0;
	case SIM_WWN:
		return is_hex_of(name, 16);
	case SIM_KINDS:
		break;
	}
	return false;
}

struct sim_place sim_name_split(const char *name)
{
	struct sim_place ret = {};
	const char *colons = strstr(name, "::"), *slash;

	if (colons) {
		ret.pod = (struct slice){ name, (size_t)(colons - name) };
		name = colons + 2;
	}
	slash = strchr(name, '/');
	if (slash) {
		ret.vgroup = (struct slice){ name, (size_t)(slash - name) };
		name = slash + 1;
	}
	ret.own = slice_of(name);
	return ret;
}
