/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * What tells one cluster from every other: the UUID that Proxmox puts into the subject of the
 * cluster's own certificate authority when it makes one (PVE::Cluster::Setup, OU=). A standalone
 * node has one too.
 */

#include "util/base.h"

enum { CLUSTERID_MAX = 64 };

/*
 * From the text of /etc/pve/pve-root-ca.pem, any bytes. An administrator's own authority has no
 * such UUID: then "ca:" and a digest of the text. False, and an empty text, if there is no whole
 * certificate: a file that is half written would be another cluster's.
 */
bool clusterid_of(struct slice pem, char ret[CLUSTERID_MAX]);

/*
 * What it is known as while the authority cannot be read: as it was (@known, "": never), so that a
 * file that is away for a moment makes no second cluster; else "name:" and the cluster's name, as
 * the hub names those of old agents; a node of no cluster (@name "") is "node:" and its agent's
 * @instance, because many nodes are named pve. False, and an empty text: it was never known, and
 * whether this is a cluster cannot be read either (@name NULL).
 */
bool clusterid_without_ca(const char *known, const char *name, const char *instance,
			  char ret[CLUSTERID_MAX]);
