/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "hub/shape.h"

/*
 * The document of docs/wire.md, as far as the store's statements take it apart. Required members
 * stand first, the others as the agent writes them, which makes them quick to find.
 */

#define KEY(literal) .key = SLICE(literal)
#define SHAPE(table, required)                                                     \
	{                                                                          \
		.rules = (table), .n = ARRAY_SIZE(table), .n_required = (required) \
	}

#define NAME	  .may = MAY_STRING, .form = FORM_NAME
#define TEXT	  .may = MAY_STRING | MAY_NULL, .form = FORM_TEXT
#define LONG_TEXT .may = MAY_STRING | MAY_NULL
#define TIME	  .may = MAY_STRING | MAY_NULL, .form = FORM_TIME
#define FLAG	  .may = MAY_BOOL | MAY_NULL
#define COUNT	  .may = MAY_INT | MAY_NULL, .min = 0, .max = INT64_MAX
/* Of larger ones no mean can be made: their squares are past a double's range. */
#define NUMBER	      .may = MAY_NUMBER | MAY_NULL, .min = -WIRE_NUMBER_MAX, .max = WIRE_NUMBER_MAX
#define VMID	      .may = MAY_INT, .min = 100, .max = 999999999
#define WORD(list)    .may = MAY_STRING, .form = FORM_WORD, .words = (list)
#define OBJECT(what)  .may = MAY_OBJECT | MAY_NULL, .inside = &(what)
#define LIST(what)    .may = MAY_ARRAY, .inside = &(what)
#define LIST_IF(what) .may = MAY_ARRAY | MAY_NULL, .inside = &(what)

static const char *const schemas[] = { WIRE_SCHEMA, NULL };
static const char *const guest_types[] = { "qemu", "lxc", NULL };
static const char *const pmxcfs_states[] = { "ok", "slow", "hung", NULL };

static const struct shape_rule cluster_rules[] = {
	{ KEY("uuid"), NAME, .slot = SLOT_CLUSTER },
	{ KEY("name"), TEXT },
	{ KEY("config_version"), COUNT },
	{ KEY("clustered"), FLAG },
};
static const struct shape cluster = SHAPE(cluster_rules, 1);

static const struct shape_rule pmxcfs_rules[] = {
	{ KEY("state"), WORD(pmxcfs_states) },
	{ KEY("ms"), NUMBER },
};
static const struct shape pmxcfs = SHAPE(pmxcfs_rules, 1);

static const struct shape_rule sentence = { .may = MAY_STRING };
static const struct shape sentences = { .rules = &sentence, .n = 1 };
static const struct shape_rule number = { NUMBER };
static const struct shape numbers = { .rules = &number, .n = 1 };

static const struct shape_rule node_rules[] = {
	{ KEY("name"), NAME },
	{ KEY("id"), COUNT },
	{ KEY("ip"), TEXT },
	{ KEY("online"), FLAG },
};
static const struct shape node = SHAPE(node_rules, 1);
static const struct shape_rule node_row = { .may = MAY_OBJECT, .inside = &node };
static const struct shape nodes = { .rules = &node_row, .n = 1, .max = WIRE_NODES_MAX };

static const struct shape_rule vmid_rules[] = { { VMID }, { WORD(guest_types) }, { NAME } };
static const struct shape vmid = { .rules = vmid_rules, .n = 3, .tuple = true };
static const struct shape_rule vmid_row = { .may = MAY_ARRAY, .inside = &vmid };
static const struct shape vmids = { .rules = &vmid_row, .n = 1, .max = WIRE_VMIDS_MAX };

static const struct shape_rule cpuinfo_rules[] = {
	{ KEY("model"), TEXT }, { KEY("sockets"), COUNT }, { KEY("cores"), COUNT },
	{ KEY("cpus"), COUNT }, { KEY("mhz"), NUMBER },	   { KEY("hvm"), FLAG },
};
static const struct shape cpuinfo = SHAPE(cpuinfo_rules, 0);

static const struct shape_rule space_rules[] = {
	{ KEY("total"), COUNT },
	{ KEY("used"), COUNT },
	{ KEY("available"), COUNT },
	{ KEY("avail"), COUNT },
};
static const struct shape space = SHAPE(space_rules, 0);

static const struct shape_rule pressure_rules[] = {
	{ KEY("cpu_some"), NUMBER }, { KEY("cpu_full"), NUMBER },    { KEY("io_some"), NUMBER },
	{ KEY("io_full"), NUMBER },  { KEY("memory_some"), NUMBER }, { KEY("memory_full"), NUMBER },
};
static const struct shape pressure = SHAPE(pressure_rules, 0);

static const struct shape_rule host_rules[] = {
	{ KEY("uptime"), COUNT },
	{ KEY("boot_time"), TIME },
	{ KEY("loadavg"), .may = MAY_ARRAY | MAY_NULL, .inside = &numbers },
	{ KEY("cpu"), NUMBER },
	{ KEY("iowait"), NUMBER },
	{ KEY("cpuinfo"), OBJECT(cpuinfo) },
	{ KEY("kversion"), LONG_TEXT },
	{ KEY("pveversion"), TEXT },
	{ KEY("level"), TEXT },
	{ KEY("memory"), OBJECT(space) },
	{ KEY("swap"), OBJECT(space) },
	{ KEY("rootfs"), OBJECT(space) },
	{ KEY("netin"), COUNT },
	{ KEY("netout"), COUNT },
	{ KEY("pressure"), OBJECT(pressure) },
	{ KEY("sampled_at"), TIME },
};
static const struct shape host = SHAPE(host_rules, 0);

static const struct shape_rule guest_ha_rules[] = {
	{ KEY("wanted"), TEXT },
	{ KEY("state"), TEXT },
	{ KEY("node"), TEXT },
};
static const struct shape guest_ha = SHAPE(guest_ha_rules, 0);

static const struct shape_rule guest_rules[] = {
	{ KEY("vmid"), VMID },
	{ KEY("type"), WORD(guest_types) },
	{ KEY("node"), NAME },
	{ KEY("name"), TEXT },
	{ KEY("status"), TEXT },
	{ KEY("uptime"), COUNT },
	{ KEY("template"), FLAG },
	{ KEY("lock"), TEXT },
	{ KEY("tags"), LONG_TEXT },
	{ KEY("cpus"), NUMBER },
	{ KEY("cpu"), NUMBER },
	{ KEY("maxmem"), COUNT },
	{ KEY("mem"), COUNT },
	{ KEY("maxdisk"), COUNT },
	{ KEY("disk"), COUNT },
	{ KEY("netin"), COUNT },
	{ KEY("netout"), COUNT },
	{ KEY("diskread"), COUNT },
	{ KEY("diskwrite"), COUNT },
	{ KEY("memhost"), COUNT },
	{ KEY("pressure"), OBJECT(pressure) },
	{ KEY("sampled_at"), TIME },
	{ KEY("ha"), OBJECT(guest_ha) },
	{ KEY("backup"), FLAG },
	{ KEY("snapshots"), COUNT },
	{ KEY("oldest_snapshot"), TIME },
	{ KEY("pending"), FLAG },
	{ KEY("identity"), TEXT },
	{ KEY("digest"), TEXT },
};
static const struct shape guest = SHAPE(guest_rules, 3);
static const struct shape_rule guest_row = { .may = MAY_OBJECT, .inside = &guest };
static const struct shape guests = { .rules = &guest_row, .n = 1, .max = WIRE_GUESTS_MAX };

static const struct shape_rule config_rules[] = {
	{ KEY("vmid"), VMID },
	{ KEY("digest"), NAME },
	{ KEY("name"), TEXT },
	{ KEY("type"), WORD(guest_types) },
};
static const struct shape config = SHAPE(config_rules, 2);
static const struct shape_rule config_row = { .may = MAY_OBJECT, .inside = &config };
static const struct shape configs = { .rules = &config_row, .n = 1, .max = WIRE_GUESTS_MAX };

static const struct shape_rule storage_rules[] = {
	{ KEY("name"), NAME },	  { KEY("type"), TEXT },	 { KEY("shared"), FLAG },
	{ KEY("enabled"), FLAG }, { KEY("content"), LONG_TEXT }, { KEY("active"), FLAG },
	{ KEY("total"), COUNT },  { KEY("used"), COUNT },	 { KEY("sampled_at"), TIME },
};
static const struct shape storage = SHAPE(storage_rules, 1);
static const struct shape_rule storage_row = { .may = MAY_OBJECT, .inside = &storage };
static const struct shape storages = { .rules = &storage_row, .n = 1, .max = WIRE_STORAGES_MAX };

static const struct shape_rule ha_rules[] = {
	{ KEY("master"), TEXT },
	{ KEY("at"), TIME },
	{ KEY("master_alive"), FLAG },
};
static const struct shape ha = SHAPE(ha_rules, 0);

/* What other parts published is free, but for what becomes a finding. */
static const struct shape_rule dm_finding_rules[] = {
	{ KEY("class"), TEXT },
	{ KEY("severity"), TEXT },
	{ KEY("vmid"), COUNT },
};
static const struct shape dm_finding = SHAPE(dm_finding_rules, 0);
static const struct shape_rule dm_finding_row = { .may = MAY_OBJECT, .inside = &dm_finding };
static const struct shape dm_findings = { .rules = &dm_finding_row, .n = 1 };
static const struct shape_rule dm_rules[] = { { KEY("findings"), LIST_IF(dm_findings) } };
static const struct shape dm = SHAPE(dm_rules, 0);

static const struct shape_rule watched_rules[] = { { KEY("vmid"), COUNT }, { KEY("state"), TEXT } };
static const struct shape watched = SHAPE(watched_rules, 0);
static const struct shape_rule watched_row = { .may = MAY_OBJECT, .inside = &watched };
static const struct shape watched_guests = { .rules = &watched_row, .n = 1 };
static const struct shape_rule watch_rules[] = { { KEY("guests"), LIST_IF(watched_guests) } };
static const struct shape watch = SHAPE(watch_rules, 0);

static const struct shape free_object;
static const struct shape_rule parts_rules[] = {
	{ KEY("dm"), OBJECT(dm) },
	{ KEY("watch"), OBJECT(watch) },
	{ KEY("array"), OBJECT(free_object) },
};
static const struct shape parts = SHAPE(parts_rules, 0);

static const struct shape_rule document_rules[] = {
	{ KEY("schema"), WORD(schemas) },
	{ KEY("cluster"), .may = MAY_OBJECT, .inside = &cluster },
	{ KEY("node"), NAME, .slot = SLOT_NODE },
	{ KEY("instance"), .may = MAY_STRING, .form = FORM_HEX, .slot = SLOT_INSTANCE },
	{ KEY("sequence"), .may = MAY_INT, .max = INT64_MAX, .slot = SLOT_SEQUENCE },
	{ KEY("collected_at"), .may = MAY_STRING, .form = FORM_TIME, .slot = SLOT_COLLECTED },
	{ KEY("interval"), .may = MAY_INT | MAY_NULL, .min = 1, .max = 7 * 86400 },
	{ KEY("quorate"), FLAG },
	{ KEY("complete"), FLAG },
	{ KEY("reporter"), FLAG },
	{ KEY("blind"), LIST(sentences) },
	{ KEY("pmxcfs"), OBJECT(pmxcfs) },
	{ KEY("nodes"), LIST(nodes) },
	{ KEY("vmids"), LIST(vmids) },
	{ KEY("host"), OBJECT(host) },
	{ KEY("guests"), LIST(guests) },
	{ KEY("configs"), LIST(configs) },
	{ KEY("storages"), LIST(storages) },
	{ KEY("ha"), OBJECT(ha) },
	{ KEY("parts"), OBJECT(parts) },
};
const struct shape shape_document = SHAPE(document_rules, 6);
