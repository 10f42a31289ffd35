/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/subsystem.h"

#include <errno.h>

/* Of a port of NVMe over TCP; NULL of others. */
static const char *nqn_of(const struct fa_port *p)
{
	return p->nqn && *p->nqn && p->portal && *p->portal ? p->nqn : NULL;
}

static const char *first_of(const struct fa_ports *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (nqn_of(&a->items[i]))
			return a->items[i].nqn;
	return NULL;
}

static bool share_one(const struct fa_ports *a, const struct fa_ports *b)
{
	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n; k++)
			if (nqn_of(&a->items[i]) && nqn_of(&b->items[k]) &&
			    strcmp(a->items[i].nqn, b->items[k].nqn) == 0)
				return true;
	return false;
}

bool subsystems_differ(const struct fa_ports *arrays, size_t n, const char *ret[2])
{
	for (size_t i = 1; i < n; i++)
		for (size_t k = 0; k < i; k++) {
			ret[0] = first_of(&arrays[k]);
			ret[1] = first_of(&arrays[i]);
			if (ret[0] && ret[1] && !share_one(&arrays[k], &arrays[i]))
				return true;
		}
	return false;
}

int subsystems_check(const char *storage, const struct fa_ports *arrays, size_t n, struct err *e)
{
	const char *nqn[2];

	if (!subsystems_differ(arrays, n, nqn))
		return 0;
	return err_set(e, -ENOTSUP,
		       "storage %s: its arrays are two NVMe subsystems (%.96s, %.96s), whose paths "
		       "the kernel does not join: over NVMe a volume of the pod would be gone with "
		       "one array: " SUBSYSTEM_REMEDY,
		       storage, nqn[0], nqn[1]);
}
