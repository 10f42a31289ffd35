/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/backupjobs.h"

#include "pve/prop.h"
#include "pve/sectionconf.h"
#include "util/str.h"

#define JOBS_FILE "etc/pve/jobs.cfg"

enum { JOBS_MAX = 1000, IDS_MAX = 50000 };

/* What a job says, wherever it stands; an empty slice: nothing. */
struct said {
	struct slice vmid, pool, exclude, node;
	bool all;
};

struct reading {
	struct arena *arena;
	struct slice users;
	struct {
		struct backupjob *items;
		size_t n, cap;
	} jobs;
};

static int cmp_id(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void take_ids(struct backupjob *job, struct slice list, struct arena *a)
{
	struct slice rest = list, one;
	size_t n = 0;

	while (n < IDS_MAX && list_next(&rest, &one))
		n++;
	job->ids = arena_alloc(a, n * sizeof(*job->ids));
	for (rest = list; job->n < n && list_next(&rest, &one);)
		if (str_to_u32(one, &job->ids[job->n]))
			job->n++;
		else
			n--;
	if (job->n > 1)
		qsort(job->ids, job->n, sizeof(*job->ids), cmp_id);
}

/* "pool:NAME:comment:100,101:storages:" */
static struct slice members_of_pool(struct slice users, struct slice pool)
{
	struct slice line, word;

	while (slice_split(&users, '\n', &line)) {
		if (!slice_split(&line, ':', &word) || !slice_eq(slice_trim(word), "pool") ||
		    !slice_split(&line, ':', &word) || !slice_eq2(word, pool))
			continue;
		if (!slice_split(&line, ':', &word) || !slice_split(&line, ':', &word))
			break;
		return word;
	}
	return SLICE("");
}

static void add_job(struct reading *r, const struct said *said)
{
	struct backupjob *job;

	if (r->jobs.n == JOBS_MAX ||
	    (!said->all && !said->vmid.n && !said->pool.n && !said->exclude.n))
		return;
	job = vec_push(&r->jobs);
	job->node = said->node.n ? arena_str(r->arena, said->node) : NULL;
	job->all = !said->pool.n && !said->vmid.n;
	if (said->pool.n)
		take_ids(job, members_of_pool(r->users, said->pool), r->arena);
	else
		take_ids(job, job->all ? said->exclude : said->vmid, r->arena);
}

/* --- jobs.cfg ----------------------------------------------------------------------------------
 */

static struct slice option(const struct section *s, const char *key)
{
	const char *value = section_get(s, key);

	return value ? slice_of(value) : SLICE("");
}

static bool option_bool(const struct section *s, const char *key, bool otherwise)
{
	struct slice value = option(s, key);

	/* A key alone is a flag that is set. */
	if (section_get(s, key) && slice_empty(value))
		return true;
	(void)prop_bool(value, &otherwise);
	return otherwise;
}

static void read_jobs(struct reading *r, struct slice text)
{
	struct diags diags = { .arena = r->arena };
	struct section_file file;

	section_file_parse(&file, JOBS_FILE, text, r->arena, &diags);
	diags_done(&diags);
	for (size_t i = 0; i < file.n_sections; i++) {
		const struct section *s = &file.sections[i];
		const struct said said = {
			.vmid = option(s, "vmid"),
			.pool = option(s, "pool"),
			.exclude = option(s, "exclude"),
			.node = option(s, "node"),
			.all = option_bool(s, "all", false),
		};

		if (strcmp(s->type, "vzdump") == 0 && option_bool(s, "enabled", true))
			add_job(r, &said);
	}
}

/* --- vzdump.cron -------------------------------------------------------------------------------
 */

static bool word(struct slice *rest, struct slice *ret)
{
	*rest = slice_trim(*rest);
	ret->p = rest->p;
	for (ret->n = 0; ret->n < rest->n && !str_is_space(rest->p[ret->n]);)
		ret->n++;
	*rest = slice_from(*rest, ret->n);
	return ret->n > 0;
}

/* Ids stand alone: "vzdump 100 101 --quiet 1"; they are one list from the first to the last. */
static void take_cron_id(struct said *said, struct slice id)
{
	uint32_t n;

	if (!str_to_u32(id, &n))
		return;
	if (!said->vmid.n)
		said->vmid.p = id.p;
	said->vmid.n = (size_t)(id.p + id.n - said->vmid.p);
}

static void take_cron_option(struct said *said, struct slice name, struct slice value)
{
	if (slice_eq(name, "all"))
		(void)prop_bool(value, &said->all);
	else if (slice_eq(name, "pool"))
		said->pool = value;
	else if (slice_eq(name, "exclude"))
		said->exclude = value;
	else if (slice_eq(name, "node"))
		said->node = value;
}

/* "0 2 * * 6 root vzdump --all 1 --mode snapshot": five words of time and the user. */
static void read_cron_line(struct reading *r, struct slice line)
{
	struct said said = {};
	struct slice w, value;
	bool options = false;

	for (int i = 0; i < 6; i++)
		if (!word(&line, &w))
			return;
	if (!word(&line, &w) || !slice_eq(w, "vzdump"))
		return;
	while (word(&line, &w)) {
		if (!slice_starts(w, "-")) {
			if (!options)
				take_cron_id(&said, w);
			continue;
		}
		options = true;
		w = slice_from(w, slice_starts(w, "--") ? 2 : 1);
		if (word(&line, &value))
			take_cron_option(&said, w, value);
	}
	add_job(r, &said);
}

static void read_cron(struct reading *r, struct slice text)
{
	struct slice line;

	while (slice_split(&text, '\n', &line))
		if (!slice_starts(slice_trim(line), "#"))
			read_cron_line(r, line);
}

void backupjobs_parse(struct backupjobs *ret, struct slice jobs, struct slice cron,
		      struct slice users, struct arena *a)
{
	struct reading r = { .arena = a, .users = users };

	read_jobs(&r, jobs);
	read_cron(&r, cron);
	ret->n = r.jobs.n;
	ret->jobs = arena_alloc(a, r.jobs.n * sizeof(*ret->jobs));
	if (r.jobs.n)
		memcpy(ret->jobs, r.jobs.items, r.jobs.n * sizeof(*ret->jobs));
	vec_free(&r.jobs);
}

bool backupjobs_take(const struct backupjobs *b, uint32_t vmid, const char *node)
{
	for (size_t i = 0; i < b->n; i++) {
		const struct backupjob *job = &b->jobs[i];
		bool named = job->n && bsearch(&vmid, job->ids, job->n, sizeof(*job->ids), cmp_id);

		if (named != job->all && (!job->node || strcmp(job->node, node) == 0))
			return true;
	}
	return false;
}
