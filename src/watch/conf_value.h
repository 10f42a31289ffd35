/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * The values of a guest's settings, one function for each kind. All return NULL when the value was
 * taken, else what was expected; then nothing was changed.
 */

#include "watch/conf.h"

const char *conf_take_bool(struct slice v, bool *ret);

/* "90", "90s", "10m", "6h", "7d" in milliseconds, at least a second and at most ten years. */
const char *conf_take_time(struct slice v, int64_t *ret);
const char *conf_take_timeout(struct slice v, int64_t *ret); /* also "500ms"; 0.1 s to 60 s */

/* "HH:MM" or "H:MM" as the minute of the day. */
const char *conf_take_minute(struct slice v, int *ret);

/* Ports between blanks or commas, each once. */
const char *conf_take_ports(struct slice v, uint16_t ports[WATCH_PORTS_MAX], size_t *n);

/* A literal address or a name. */
const char *conf_take_ip(struct slice v, char ret[256]);
const char *conf_take_name(struct slice v, char ret[PROBE_HOST_MAX]);

/* "PORT/path", "/path", "http://host[:port]/path"; leaves the statuses alone. */
const char *conf_take_http(struct slice v, struct watch_http *ret);
const char *conf_take_status(struct slice v, uint16_t *low, uint16_t *high);

/* "2", "2 of 3", "all" (0). *of is 0 when it is not said. */
const char *conf_take_need(struct slice v, uint32_t *need, uint32_t *of);
const char *conf_take_budget(struct slice v, uint32_t *n, int64_t *window);
const char *conf_take_ha(struct slice v, enum watch_ha *ret);
