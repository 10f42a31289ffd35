/* SPDX-License-Identifier: AGPL-3.0-or-later */

/*
 * The floor: lists all device-mapper devices and gets info, deps and table of each by libdevmapper,
 * and does nothing with the answers. Prints how many there were.
 */

#include <libdevmapper.h>
#include <stdint.h>
#include <stdio.h>

static int ask(int type, const char *name)
{
	struct dm_task *t = dm_task_create(type);
	uint64_t start, length, sum = 0;
	char *target, *params;
	void *next = NULL;
	int ok = t && dm_task_set_name(t, name) && dm_task_no_flush(t) && dm_task_run(t);

	if (ok && type == DM_DEVICE_TABLE) {
		do {
			next = dm_get_next_target(t, next, &start, &length, &target, &params);
			sum += length;
		} while (next);
		ok = sum > 0;
	}
	dm_task_destroy(t);
	return ok;
}

int main(void)
{
	struct dm_task *list = dm_task_create(DM_DEVICE_LIST);
	struct dm_names *n;
	unsigned int count = 0;

	if (!list || !dm_task_run(list))
		return 1;
	n = dm_task_get_names(list);
	if (!n || !n->dev)
		return 1;
	for (;;) {
		if (!ask(DM_DEVICE_INFO, n->name) || !ask(DM_DEVICE_DEPS, n->name) ||
		    !ask(DM_DEVICE_TABLE, n->name))
			return 1;
		count++;
		if (!n->next)
			break;
		n = (void *)((char *)n + n->next);
	}
	dm_task_destroy(list);
	printf("%u devices\n", count);
	return 0;
}
