/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/mpblacklist.h"

#include <regex.h>
#include <string.h>

#define LIST	   "blacklist"
#define EXCEPTIONS "blacklist_exceptions"

/* Names that a path may have; of the local disks' own, as "^sda$", nothing is said here. */
struct samples {
	struct mpblacklist_kind is;
	const char *values[3];
};

static const struct samples samples[] = {
	{ { "devnode", "devnode \"^sd\"" }, { "sdx", "sdaax" } },
	{ { "wwid", "wwid \"3624a9370.*\"" }, { "3624a93700123456789abcdef00011001" } },
	/* Which of a disk's properties is looked at first is not known. */
	{ { "property", "property \"(SCSI_IDENT_|ID_WWN|ID_SERIAL)\"" },
	  { "SCSI_IDENT_SERIAL", "ID_WWN", "ID_SERIAL" } },
};
static const struct samples fc = { { "protocol", "protocol \"scsi:fcp\"" }, { "scsi:fcp" } },
			    iscsi = { { "protocol", "protocol \"scsi:iscsi\"" }, { "scsi:iscsi" } };
static const struct mpblacklist_kind device = {
	"vendor", "device { vendor \"PURE\" product \"FlashArray\" }"
};

/* As multipathd does it: "!" turns it round, and what is no expression matches nothing. */
static bool matches(const char *pattern, const char *value)
{
	bool inverted = *pattern == '!', found;
	regex_t re;

	if (inverted || (pattern[0] == '\\' && pattern[1] == '!'))
		pattern++;
	if (regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB) != 0)
		return false;
	found = regexec(&re, value, 0, NULL, 0) == 0;
	regfree(&re);
	return found != inverted;
}

/* An entry for one array's volumes is for ours. */
static bool is_for(const struct mpconf_line *l, const char *key, const char *value)
{
	return strcmp(l->key, key) == 0 &&
	       (matches(l->value, value) ||
		(strcmp(key, "wwid") == 0 && strstr(l->value, "3624a937")));
}

static const struct mpconf_line *find(const struct mpconf *c, const char *section, const char *key,
				      const char *value)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->items[i].section, section) == 0 && is_for(&c->items[i], key, value))
			return &c->items[i];
	return NULL;
}

static bool group_has(const struct mpconf *c, unsigned int group, const char *key,
		      const char *value)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->items[i].group == group && strcmp(c->items[i].key, key) == 0)
			return matches(c->items[i].value, value);
	return true;
}

/* Vendor and product of one pair of braces; one that is not given is any. */
static const struct mpconf_line *find_device(const struct mpconf *c, const char *section)
{
	for (size_t i = 0; i < c->n; i++) {
		const struct mpconf_line *l = &c->items[i];

		if (strcmp(l->section, section) == 0 &&
		    (strcmp(l->key, "vendor") == 0 || strcmp(l->key, "product") == 0) &&
		    group_has(c, l->group, "vendor", "PURE") &&
		    group_has(c, l->group, "product", "FlashArray"))
			return l;
	}
	return NULL;
}

static const struct mpconf_line *find_sample(const struct mpconf *c, const struct samples *s,
					     bool *ret_lifted)
{
	for (size_t i = 0; i < ARRAY_SIZE(s->values) && s->values[i]; i++) {
		const struct mpconf_line *l = find(c, LIST, s->is.key, s->values[i]);

		if (l && !find(c, EXCEPTIONS, s->is.key, s->values[i]))
			return l;
		*ret_lifted |= l != NULL;
	}
	return NULL;
}

const struct mpconf_line *mpblacklist_find(const struct mpconf *c, enum array_protocol protocol,
					   struct mpblacklist_kind *ret, bool *ret_lifted)
{
	const struct samples *by_protocol = protocol == ARRAY_FC ? &fc : &iscsi;
	const struct mpconf_line *l = find_device(c, LIST "/device");

	*ret_lifted = l != NULL;
	*ret = device;
	if (l && !find_device(c, EXCEPTIONS "/device"))
		return l;
	for (size_t i = 0; i <= ARRAY_SIZE(samples); i++) {
		const struct samples *s = i < ARRAY_SIZE(samples) ? &samples[i] : by_protocol;

		l = find_sample(c, s, ret_lifted);
		*ret = s->is;
		if (l)
			return l;
	}
	return NULL;
}
