/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/alerts.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>

#include "util/file.h"
#include "util/json.h"
#include "util/str.h"

static int by_file(const void *a, const void *b)
{
	return strcmp(((const struct alert *)a)->file, ((const struct alert *)b)->file);
}

static void take(struct alert_list *ret, const char *file, struct slice text, struct arena *a)
{
	struct alert *alert;
	json_t *doc = NULL;
	const char *schema;

	if (json_parse(text, file, &doc, NULL) < 0)
		return;
	schema = json_str(doc, "schema");
	if (schema && strcmp(schema, ALERT_SCHEMA) == 0 && json_str(doc, "subject") &&
	    json_str(doc, "text") && json_str(doc, "time")) {
		alert = vec_push(ret);
		alert->file = arena_str(a, slice_of(file));
		alert->time = arena_str(a, slice_of(json_str(doc, "time")));
		alert->subject = arena_str(a, slice_of(json_str(doc, "subject")));
		alert->text = arena_str(a, slice_of(json_str(doc, "text")));
	}
	json_decref(doc);
}

int alerts_read(struct alert_list *ret, const struct root *root, struct arena *a, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};
	DIR *d = root_opendir(root, ALERT_DIR);

	*ret = (struct alert_list){};
	if (!d)
		return errno == ENOENT ? 0 : err_set(e, -errno, ALERT_DIR ": %s", strerror(errno));
	for (struct dirent *entry; (entry = readdir(d));)
		if (slice_ends(slice_of(entry->d_name), ".json") &&
		    file_read_at(dirfd(d), entry->d_name, 64 * 1024, &text) >= 0)
			take(ret, entry->d_name, buf_slice(&text), a);
	(void)closedir(d);
	if (ret->n)
		qsort(ret->items, ret->n, sizeof(ret->items[0]), by_file);
	return 0;
}
