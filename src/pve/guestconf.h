/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The grammar of /etc/pve/nodes/NODE/{qemu-server,lxc}/ID.conf, line by line (PVE::QemuServer::
 * parse_vm_config, PVE::LXC::Config::parse_pct_config; Proxmox VE 6 to 9). No file, no memory: the
 * reader walks a text and yields what each line is, so that tests and fuzzers drive it directly.
 */

#include "util/base.h"

enum guest_type { GUEST_QEMU, GUEST_LXC };

enum guest_section_kind {
	GUEST_SECTION_MAIN,
	GUEST_SECTION_PENDING,	/* [PENDING], containers: [pve:pending] */
	GUEST_SECTION_SNAPSHOT, /* [name] */
	GUEST_SECTION_SPECIAL,	/* [special:cloudinit], [special:fleecing] */
	GUEST_SECTION_UNKNOWN,	/* any other header of a VM: skipped by Proxmox up to the next */
};

enum guest_line_kind {
	GUEST_LINE_SECTION,	/* key = the name between the brackets */
	GUEST_LINE_DESCRIPTION, /* value = text behind '#' or "description:", still %XX encoded */
	GUEST_LINE_OPTION,	/* key and value, trimmed as Proxmox trims them */
	GUEST_LINE_RAW_LXC,	/* an lxc.* line: key and value */
	GUEST_LINE_BAD,		/* value = the whole line: Proxmox warns and drops it */
};

struct guest_line {
	enum guest_line_kind kind;
	enum guest_section_kind section; /* the one that the line stands in, or opens */
	unsigned int number;		 /* from 1 */
	struct slice key, value;
};

struct guest_reader {
	enum guest_type type;
	struct slice rest;
	unsigned int line;
	enum guest_section_kind section;
};

void guest_reader_init(struct guest_reader *r, enum guest_type type, struct slice text);

/* False at the end of the text. Blank lines are skipped. */
bool guest_reader_next(struct guest_reader *r, struct guest_line *ret);
