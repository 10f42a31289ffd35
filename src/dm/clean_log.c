/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/clean_log.h"

#include <stdio.h>
#include <unistd.h>

#include "util/event.h"

/* units/pvewarden.catalog explains them. */
#define ID_MAPPING "67fca167e568495cb662e4cd1ea13f16"
#define ID_RUN	   "80fc694a54da44abb16e6f376991f519"

const char *dm_result_name(enum dm_result r)
{
	static const char *const names[] = {
		[DM_CLEANED] = "cleaned", [DM_SKIPPED] = "skipped", [DM_FAILED] = "failed"
	};

	return names[r];
}

const char *dm_step_name(enum dm_step s)
{
	static const char *const names[] = { [DM_STEP_NONE] = "none",
					     [DM_STEP_REMOVE] = "remove",
					     [DM_STEP_DEACTIVATE] = "deactivate" };

	return names[s];
}

static void table_text(struct buf *out, const struct dm_dev *d)
{
	for (size_t i = 0; i < d->n_targets; i++)
		buf_addf(out, "%s%llu %llu %s %s", i ? "; " : "",
			 (unsigned long long)d->targets[i].start,
			 (unsigned long long)d->targets[i].length, d->targets[i].type,
			 d->targets[i].params);
}

/* The person behind sudo or su; "" when the system itself runs us. */
static void who(char ret[32])
{
	CLEANUP(buf_done) struct buf text = {};
	struct root live = { .fd = -1 };

	(void)snprintf(ret, 32, "-");
	if (root_open(&live, NULL, NULL) < 0)
		return;
	/* Unset is the largest number. */
	if (root_read_line(&live, "proc/self/loginuid", &text) == 0 &&
	    strcmp(buf_str(&text), "4294967295") != 0)
		(void)snprintf(ret, 32, "%.20s", buf_str(&text));
	root_close(&live);
}

void dm_log_outcome(enum dm_log_verb verb, const struct dm_dev *d, const char *class,
		    enum dm_step step, uint32_t vmid, const struct dm_outcome *o)
{
	CLEANUP(buf_done) struct buf table = {};
	CLEANUP(buf_done) struct buf message = {};
	char login[32], device[32], guest[16];
	enum log_level level = o->result == DM_CLEANED	 ? LOG_LEVEL_INFO
			       : o->result == DM_SKIPPED ? LOG_LEVEL_WARN
							 : LOG_LEVEL_ERROR;
	const char *result = verb == DM_LOG_RESTORE && o->result == DM_CLEANED
				     ? "restored"
				     : dm_result_name(o->result);

	who(login);
	table_text(&table, d);
	(void)snprintf(device, sizeof(device), DEVNO_FMT, DEVNO_ARG(d->dev));
	(void)snprintf(guest, sizeof(guest), "%u", vmid);
	buf_addf(&message, "dm %s: %s %s (%s)%s%s", verb == DM_LOG_CLEAN ? "clean" : "restore",
		 result, d->name, class, o->text ? ": " : "", o->text ? o->text : "");

	const struct event_field fields[] = {
		{ "PVEWARDEN_WHO", login },
		{ "PVEWARDEN_NAME", d->name },
		{ "PVEWARDEN_UUID", d->uuid },
		{ "PVEWARDEN_DEVICE", device },
		{ "PVEWARDEN_CLASS", class },
		{ "PVEWARDEN_STEP", dm_step_name(step) },
		{ "PVEWARDEN_VMID", vmid ? guest : NULL },
		{ "PVEWARDEN_TABLE", buf_str(&table) },
		{ "PVEWARDEN_RESULT", result },
		{ "PVEWARDEN_REASON", o->text },
		{ "PVEWARDEN_UNDO", o->journal },
	};
	event_log(level, ID_MAPPING, buf_str(&message), fields, ARRAY_SIZE(fields));
}

void dm_log_run(enum dm_log_verb verb, const struct dm_clean_counts *counts, const char *journal)
{
	CLEANUP(buf_done) struct buf message = {};
	char login[32];

	who(login);
	buf_addf(&message, "dm %s: %zu %s, %zu skipped, %zu failed, %zu left",
		 verb == DM_LOG_CLEAN ? "clean" : "restore", counts->cleaned,
		 verb == DM_LOG_CLEAN ? "cleaned" : "restored", counts->skipped, counts->failed,
		 counts->left);

	const struct event_field fields[] = { { "PVEWARDEN_WHO", login },
					      { "PVEWARDEN_UNDO", journal } };
	event_log(counts->failed ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO, ID_RUN, buf_str(&message),
		  fields, ARRAY_SIZE(fields));
}
