/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * Content of volumes. Without a backend they have none. Kind "files": one sparse file for each
 * volume and snapshot, DIR/SERIAL.img. Kinds "lio" and "nvmet" show these files to the host in
 * addition, through the kernel's targets (configfs): a connection becomes a LUN, or a namespace.
 */

#include "sim.h"

struct sim_backend_options {
	const char *kind;     /* "files", "lio", "nvmet" */
	const char *dir;      /* of the files */
	const char *configfs; /* /sys/kernel/config */
};

int sim_backend_open(struct sim *s, const struct sim_backend_options *o, struct err *e);
void sim_backend_close(struct sim *s);

/* What goes wrong here is logged on stderr and does not change the answer: an array that has said
 * yes has done it, and the test sees that the device is missing. */
void sim_backend_create(const struct sim *s, const struct sim_volume *v);
void sim_backend_resize(const struct sim *s, const struct sim_volume *v);
void sim_backend_copy(const struct sim *s, const char *from, const char *to, uint64_t size);
void sim_backend_remove(const struct sim *s, const char *serial);
uint64_t sim_backend_used(const struct sim *s, const char *serial);
void sim_backend_connect(const struct sim *s, const struct sim_connection *c);
void sim_backend_disconnect(const struct sim *s, const struct sim_connection *c);
/* Around a change of a host's initiators or group: before it, and after it. */
void sim_backend_host_leaves(const struct sim *s, const struct sim_host *h);
void sim_backend_host_comes(const struct sim *s, const struct sim_host *h);
