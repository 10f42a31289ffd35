/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Making NVMe controllers and having them look again. Each can block for as long as the network
 * takes to fail: call it in a child that can be given up. The include check knows who may.
 */

#include "blk/nvme.h"

struct nvme_target {
	const char *nqn, *address; /* "10.0.0.1:4420" */
	const char *host_nqn, *host_id;
};

/* One controller over TCP. 0 also when it is there already. */
int nvme_connect(const struct root *root, const struct nvme_target *t, struct err *e);

/* Has a controller read its list of namespaces again. */
int nvme_rescan(const struct root *root, const char *ctrl, struct err *e);
