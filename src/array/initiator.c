/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/initiator.h"

#include <ctype.h>
#include <stdio.h>

#include "util/str.h"

static void add(struct initiators *ret, struct slice name)
{
	name = slice_trim(name);
	if (slice_empty(name) || name.n >= INITIATOR_LEN || ret->n == INITIATORS_MAX)
		return;
	memcpy(ret->names[ret->n], name.p, name.n);
	ret->names[ret->n++][name.n] = '\0';
}

static void read_iqn(const struct root *root, struct initiators *ret)
{
	CLEANUP(buf_done) struct buf text = {};
	struct slice rest, line;

	if (root_read(root, "etc/iscsi/initiatorname.iscsi", 4096, &text) < 0)
		return;
	for (rest = buf_slice(&text); slice_split(&rest, '\n', &line);) {
		line = slice_trim(line);
		if (slice_starts(line, "InitiatorName="))
			add(ret, slice_from(line, strlen("InitiatorName=")));
	}
}

static void read_nqn(const struct root *root, struct initiators *ret)
{
	CLEANUP(buf_done) struct buf text = {};

	if (root_read_line(root, "etc/nvme/hostnqn", &text) == 0)
		add(ret, buf_slice(&text));
}

static void read_wwns(const struct root *root, struct initiators *ret)
{
	DIR *dir = root_opendir(root, "sys/class/fc_host");
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		CLEANUP(buf_done) struct buf name = {};
		char path[320];

		(void)snprintf(path, sizeof(path), "sys/class/fc_host/%.255s/port_name",
			       entry->d_name);
		if (entry->d_name[0] == '.' || root_read_line(root, path, &name) < 0)
			continue;
		add(ret, slice_starts(buf_slice(&name), "0x") ? slice_from(buf_slice(&name), 2)
							      : buf_slice(&name));
	}
	if (dir)
		(void)closedir(dir);
}

void initiators_read(const struct root *root, enum array_protocol protocol, struct initiators *ret)
{
	ret->protocol = protocol;
	ret->n = 0;
	switch (protocol) {
	case ARRAY_ISCSI:
		read_iqn(root, ret);
		break;
	case ARRAY_FC:
		read_wwns(root, ret);
		break;
	case ARRAY_NVME_TCP:
		read_nqn(root, ret);
		break;
	}
}

/* The next character that counts: of a WWN the colons do not, of names in general they do. */
static const char *skip(const char *s, bool wwn)
{
	while (wwn && *s == ':')
		s++;
	return s;
}

static bool is_wwn(const char *s)
{
	size_t digits = 0;

	for (; *s; s++) {
		if (*s != ':' && !isxdigit((unsigned char)*s))
			return false;
		digits += *s != ':';
	}
	return digits == 16;
}

static const char *without_0x(const char *s)
{
	return s[0] == '0' && (s[1] | 0x20) == 'x' ? s + 2 : s;
}

bool initiator_same(const char *a, const char *b)
{
	bool wwn;

	a = without_0x(a);
	b = without_0x(b);
	wwn = is_wwn(a) && is_wwn(b);
	for (;;) {
		a = skip(a, wwn);
		b = skip(b, wwn);
		if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
			return false;
		if (!*a)
			return true;
		a++;
		b++;
	}
}

const char *initiators_option(enum array_protocol p)
{
	return p == ARRAY_ISCSI ? "iqnlist" : p == ARRAY_FC ? "wwnlist" : "nqnlist";
}

static bool host_has(const struct fa_host *host, enum array_protocol p, const char *name)
{
	const char *const *list = p == ARRAY_ISCSI ? host->iqns
				  : p == ARRAY_FC  ? host->wwns
						   : host->nqns;
	size_t n = p == ARRAY_ISCSI ? host->n_iqns : p == ARRAY_FC ? host->n_wwns : host->n_nqns;

	for (size_t i = 0; i < n; i++)
		if (initiator_same(list[i], name))
			return true;
	return false;
}

static void join(struct buf *ret, const char *name)
{
	buf_addf(ret, "%s%s", ret->len ? "," : "", name);
}

void initiators_join(const struct initiators *own, struct buf *ret)
{
	for (size_t i = 0; i < own->n; i++)
		join(ret, own->names[i]);
	if (!own->n)
		buf_adds(ret, own->protocol == ARRAY_FC	     ? "WWN,WWN"
			      : own->protocol == ARRAY_ISCSI ? "IQN"
							     : "NQN");
}

static void lacking(const struct initiators *own, const struct fa_host *host, struct buf *ret)
{
	for (size_t i = 0; i < own->n; i++)
		if (!host_has(host, own->protocol, own->names[i]))
			join(ret, own->names[i]);
}

static void judge_group(const char *name, const char *host_group, const struct fa_host *host,
			struct buf *ret)
{
	if (!host_group || (host->host_group && strcmp(host->host_group, host_group) == 0))
		return;
	buf_addf(ret, "host %s is not in host group %s: purehgroup setattr --addhostlist %s %s",
		 name, host_group, name, host_group);
}

void initiators_judge(const struct initiators *own, const char *name, const char *host_group,
		      const struct fa_host *host, struct buf *ret)
{
	CLEANUP(buf_done) struct buf missing = {};
	const char *list = initiators_option(own->protocol);

	if (host)
		lacking(own, host, &missing);
	else
		initiators_join(own, &missing);
	if (!host)
		buf_addf(ret,
			 "there is no host %s, so no volume can be connected to this node: "
			 "purehost create --%s %s %s",
			 name, list, missing.data, name);
	else if (missing.len)
		buf_addf(ret,
			 "host %s does not have this node's %s: purehost setattr --add%s %s %s",
			 name, missing.data, list, missing.data, name);
	else
		judge_group(name, host_group, host, ret);
}
