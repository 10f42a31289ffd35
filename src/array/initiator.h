/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * By which names this node logs in to an array: its IQN (/etc/iscsi/initiatorname.iscsi), its Fibre
 * Channel ports (/sys/class/fc_host), its NQN (/etc/nvme/hostnqn). And whether the array's host
 * object has them, with the command of Purity's CLI where it has not: objects of the array are the
 * administrator's, so nothing is made or changed here.
 */

#include "array/fa.h"
#include "pve/root.h"

enum { INITIATORS_MAX = 16, INITIATOR_LEN = 224 };

struct initiators {
	enum array_protocol protocol;
	size_t n;
	char names[INITIATORS_MAX][INITIATOR_LEN];
};

/* None, where the files do not say. */
void initiators_read(const struct root *root, enum array_protocol protocol, struct initiators *ret);

/* Names of ports as people write them: case, colons and "0x" do not count. */
bool initiator_same(const char *a, const char *b);

/* The option of `purehost create` that names them. */
const char *initiators_option(enum array_protocol p);

/* All of them, with a comma between; what stands for them where none is known. */
void initiators_join(const struct initiators *own, struct buf *ret);

/* What is wrong with host object @host (NULL: there is none) for this node, as a sentence onto
 * @ret; nothing when it is right. */
void initiators_judge(const struct initiators *own, const char *name, const char *host_group,
		      const struct fa_host *host, struct buf *ret);
