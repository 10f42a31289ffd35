/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/survey.h"

#include "array/container.h"

/* An array on which the pod is online: that one knows of the others. Mostly it is known which, from
 * what was asked of late. */
static struct fa *find_online(const struct survey *s, const struct survey_storage *row,
			      const char *pod, const struct fa_call *call)
{
	for (size_t i = 0; i < row->n_arrays; i++) {
		struct fa *f = s->arrays[row->arrays[i]].fa;

		if (fa_pod_is_online(f, pod) == TRI_YES)
			return f;
	}
	for (size_t i = 0; s->n_maps && i < row->n_arrays; i++) {
		const struct survey_array *a = &s->arrays[row->arrays[i]];

		if (a->answer == 0 && fa_pod_ask(a->fa, call, pod, NULL) == 0)
			return a->fa;
	}
	return NULL;
}

/* NULL: online. */
static const char *away_on(struct survey *s, const struct survey_array *a, const char *pod,
			   struct fa *online)
{
	const char *status;

	if (!online)
		return SURVEY_POD_UNKNOWN;
	if (a->fa == online)
		return NULL;
	status = fa_pod_status(online, pod, a->about.id, &s->arena);
	if (!status)
		return SURVEY_POD_UNKNOWN;
	return strcmp(status, "online") == 0 ? NULL : status;
}

void survey_pods(struct survey *s, const struct fa_call *call)
{
	for (size_t i = 0; i < s->storages.n; i++) {
		struct survey_storage *row = &s->rows[i];
		const char *pod = NULL;
		struct fa *online;

		if (row->n_arrays)
			pod = container_pod(&row->storage->conf, &s->arena);
		if (!pod)
			continue;
		online = find_online(s, row, pod, call);
		for (size_t k = 0; k < row->n_arrays; k++)
			row->away[k] = away_on(s, &s->arrays[row->arrays[k]], pod, online);
	}
}
