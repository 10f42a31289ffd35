/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "watch/optin.h"

#include "util/str.h"

/* Proxmox' tags stand between semicolons, commas or blanks (PVE::Tools::split_list). */
static bool has_tag(const char *tags, const char *tag)
{
	size_t n;

	if (!tags || !*tag)
		return false;
	for (; *tags; tags += n + (tags[n] != '\0')) {
		n = strcspn(tags, ";, ");
		if (slice_eq((struct slice){ tags, n }, tag))
			return true;
	}
	return false;
}

/* "1", "1,fstrim_cloned_disks=1", "enabled=1" */
static bool is_on(const char *agent)
{
	return agent && (strcmp(agent, "1") == 0 || strncmp(agent, "1,", 2) == 0 ||
			 strstr(agent, "enabled=1"));
}

void watch_optin_read(struct watch_optin *ret, const struct guest *g, const char *tag)
{
	const struct guest_section *now = &g->sections[0];
	const char *onboot = guest_option(now, "onboot");
	bool may_run = !g->template && !(onboot && strcmp(onboot, "0") == 0);

	ret->type = g->type;
	ret->tagged = may_run && has_tag(guest_option(now, "tags"), tag);
	ret->agent = is_on(guest_option(now, "agent"));
}

void watch_settings_of(struct watch_settings *ret, struct slice global, struct slice own,
		       const char *file, const struct watch_optin *optin, struct diags *diags)
{
	struct diags said_before = { .arena = diags->arena };

	watch_settings_default(ret);
	watch_settings_read(ret, global, "", &said_before);
	diags_done(&said_before);
	if (own.p)
		watch_settings_read(ret, own, file, diags);
	else if (optin && optin->agent)
		ret->agent = true;
	/* Containers have no agent: asking for it alone is asking for nothing. */
	if (optin && optin->type == GUEST_LXC)
		ret->agent = false;
}
