/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "dm/report_words.h"

#include "dm/blockers.h"

const char *const report_safety[] = {
	"Back up first, and see that the backups of the guests concerned are recent. Where an entry is "
	"in use, stop its guest in a maintenance window and check again.",
	"pvewarden dm clean never forces anything. It leaves alone whatever is open, locked, being "
	"migrated, backed up, imported or started, and the entries of running guests.",
	"Before each step it takes Proxmox' own lock of the guest, reads everything again and writes "
	"the entry to a journal. pvewarden dm restore brings an entry back exactly, or says why it "
	"cannot.",
	"Removing an entry never touches data. Leaving it can: it maps sectors that LVM gives to the "
	"next volume, and whoever writes through the old name destroys that.",
	"Never refresh an entry whose volume has moved: that swaps its sectors under a running guest "
	"without a word.",
	"A reboot clears all entries out of the kernel's memory, and activation at boot makes entries "
	"for the volumes that exist. So ghosts go, but volumes that nobody needs here may be active "
	"again.",
	"On shared storage every node has entries of its own: check the other nodes too, one after "
	"the other.",
	NULL,
};

const char *const report_grades_explained[] = {
	"Device mapper: 100 points less 20 for each critical finding (60 at most) and 5 for each "
	"orphan (40 at most). A+ none, B up to 5 orphans, C up to 20, D up to 50, F more or anything "
	"critical.",
	"Host: 100 points less 10 for a processor in use above 60 %, memory above 75 % or more than 10 "
	"orphans, 20 above 80 %, 90 % or 50. A+ from 90 points, A 80, B 70, C 60, else D.",
	NULL,
};

/* Anything that clean or a printed command can mend. */
static bool has_remedies(const struct dm_report *r)
{
	return r->check->summary.issues > 0;
}

static void step(struct report_steps *ret, const char *text, const char *command)
{
	*vec_push(ret) = (struct report_step){ text, command };
}

static bool is_plain_name(const char *name)
{
	return *name && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "0123456789.-") == strlen(name);
}

void report_steps(struct report_steps *ret, const struct dm_report *r, struct arena *a)
{
	const char *node = r->check->look->scan.cluster.node.name;

	if (!has_remedies(r) && !r->check->blind.n) {
		step(ret, "Nothing. To look again at any time:", "pvewarden dm check");
		return;
	}
	step(ret, "Log in to the node.",
	     arena_fmt(a, "ssh root@%s", is_plain_name(node) ? node : "NODE"));
	if (r->check->blind.n)
		step(ret,
		     "Mend what could not be read (the reasons are listed above), then look again:",
		     "pvewarden dm check");
	if (!has_remedies(r))
		return;
	step(ret,
	     "See what a cleanup would do. This changes nothing:", "pvewarden dm clean --dry-run");
	step(ret,
	     "Do it. It asks once, shows each step, and keeps a journal:", "pvewarden dm clean");
	if (r->check->summary.in_use || r->check->summary.critical)
		step(ret,
		     "What it leaves to you (entries in use, moved tables) has its own command "
		     "with its finding above. Do the critical ones first.",
		     NULL);
	step(ret, "See that all is well now; what was removed can be taken back:",
	     "pvewarden dm check\npvewarden dm restore");
}

const char *report_next_id(const struct dm_report *r, struct arena *a)
{
	uint32_t next = dm_next_vmid(r->check, r->check->look->scan.cluster.next_id_lower);
	enum dm_severity worst = DM_SEVERITY_NONE;
	struct dm_blockers b = {};

	if (!next)
		return NULL;
	dm_blockers_find(&b, r->check, next);
	vec_each (x, &b)
		if (x->severity > worst)
			worst = x->severity;
	dm_blockers_done(&b);
	return arena_fmt(a, "Proxmox would give id %u to the next new guest: %s.", next,
			 worst == DM_SEVERITY_CRITICAL	? "creating it here would fail"
			 : worst == DM_SEVERITY_UNKNOWN ? "whether that works could not be told"
			 : worst >= DM_SEVERITY_NOTICE
				 ? "something is in its way, see pvewarden dm "
				   "blockers --next"
				 : "nothing is in its way");
}

const char *report_grade_reason(const struct dm_report *r, struct arena *a)
{
	const struct dm_summary *s = &r->check->summary;

	if (!s->graded)
		return "not everything could be told";
	return arena_fmt(a, "%s, %d of 100 points", dm_report_grade_word(s->grade), s->score);
}

const char *report_host_reason(const struct dm_report *r, struct arena *a)
{
	const struct host_grade *g = &r->grade;

	if (!g->graded)
		return g->reason;
	return arena_fmt(a, "%s, %d of 100 points%s%s", dm_report_grade_word(g->grade), g->score,
			 g->reason ? ": " : "", g->reason ? g->reason : "");
}
