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
 * such UUID: then "ca:" and a digest of the text. False, and an empty text, if there is none.
 */
bool clusterid_of(struct slice pem, char ret[CLUSTERID_MAX]);
