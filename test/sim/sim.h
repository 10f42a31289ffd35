/* SPDX-License-Identifier: AGPL-3.0-or-later */
#pragma once

/*
 * A FlashArray to test against: several arrays in one process, each with its REST 2.x on a port of
 * loopback. What is kept here is what an array keeps; what its users see is made in render.c, what
 * they may do in rest_*.c, what goes wrong on purpose in fault.c. One lock for everything.
 */

#include <pthread.h>

#include "util/buf.h"
#include "util/json.h"

enum { SIM_ARRAYS_MAX = 8, SIM_VERSIONS_MAX = 16, SIM_PAGE_MAX = 1000 };

struct sim;
struct sim_backend;
struct http_server;

/* What every object has. seq grows with each object made: lists are in its order, and a
 * continuation token is the seq of the last object told. */
struct sim_object {
	uint64_t seq;
	char id[40];
	char *name;	 /* whole: "pod::vg/vol" */
	int64_t created; /* ms since 1970 */
	bool destroyed;
	int64_t gone_at; /* when destroyed: eradicated by itself then, ms */
};

struct sim_qos {
	uint64_t bandwidth, iops; /* 0: none */
};

struct sim_pod {
	struct sim_object o;
	unsigned int arrays; /* bit i: array i holds it */
	uint64_t quota;	     /* 0: none */
	bool safemode, demoted;
	char status[SIM_ARRAYS_MAX][16];
};

struct sim_vgroup {
	struct sim_object o;
	struct sim_pod *pod; /* NULL: lies on array alone */
	unsigned int array;
	struct sim_qos qos;
};

struct sim_tag {
	uint64_t seq;
	char *space, *key, *value;
	bool copyable;
};

struct sim_snapshot {
	struct sim_object o; /* name is the suffix */
	struct sim_volume *volume;
	char serial[25];
	uint64_t size;
};

struct sim_volume {
	struct sim_object o;
	struct sim_pod *pod;
	struct sim_vgroup *vgroup;
	unsigned int array; /* of a volume in no pod */
	char serial[25];
	uint64_t size;
	uint64_t used; /* told by the control interface, else asked of the backend */
	char *source_name, *source_id;
	struct sim_qos qos;
	VEC(struct sim_snapshot *) snapshots;
	VEC(struct sim_tag) tags;
};

struct sim_names {
	VEC(char *) list;
};

struct sim_hgroup {
	struct sim_object o;
	unsigned int array;
};

enum sim_kind { SIM_IQN, SIM_WWN, SIM_NQN, SIM_KINDS };

struct sim_host {
	struct sim_object o;
	unsigned int array;
	struct sim_hgroup *group;
	struct sim_names initiators[SIM_KINDS];
	struct sim_names preferred; /* arrays */
	char personality[24];
};

struct sim_connection {
	uint64_t seq;
	unsigned int array;
	struct sim_host *host; /* or group */
	struct sim_hgroup *group;
	struct sim_volume *volume;
	unsigned int lun;
};

struct sim_session {
	char token[40];
	int64_t used; /* ms */
};

enum sim_fault_kind {
	FAULT_LATENCY,
	FAULT_STATUS,	   /* answers with a status, executes nothing */
	FAULT_DROP,	   /* closes without an answer, executes nothing */
	FAULT_DROP_AFTER,  /* executes, closes without an answer */
	FAULT_RESET,	   /* as drop, with RST */
	FAULT_RESET_AFTER, /* as drop_after, with RST */
	FAULT_HANG,	   /* says nothing for ms, executes nothing */
	FAULT_HANG_AFTER,  /* executes, says nothing for ms */
	FAULT_GARBAGE,	   /* executes, answers with what no array says */
	FAULT_TRUNCATED,   /* executes, half of the answer */
	FAULT_HALF_CLOSED, /* answers, then closes its side of the connection */
	FAULT_STALE,	   /* answers; the connection's next request is cut off unread */
	FAULT_KINDS
};

struct sim_fault {
	enum sim_fault_kind kind;
	unsigned int arrays;  /* bits */
	char method[8];	      /* "": any */
	char path[64];	      /* "volumes"; "": any */
	int64_t skip;	      /* requests that it lets pass first */
	int64_t count;	      /* how often yet; < 0: for ever */
	int64_t ms;	      /* latency, hang */
	int status;	      /* of FAULT_STATUS */
	char retry_after[16]; /* "": not sent */
	char text[256];	      /* message, or the garbage itself */
};

struct sim_array {
	struct sim *sim;
	unsigned int index;
	char *name, *api_token, *user;
	char id[40];
	int port;
	bool down;
	uint64_t capacity;
	int64_t idle_timeout, enabled_delay, disabled_delay; /* ms */
	bool safemode;					     /* nothing is eradicated by hand */
	bool destroys_connected; /* destroying a volume drops its connections, else it is refused */
	bool no_pod_patterns;	 /* filters name='pod::x*' find nothing */
	char iqn[96], nqn[96];
	struct sim_names portals, nvme_portals; /* "127.0.0.1:3260" */
	struct sim_names wwns;
	VEC(struct sim_session) sessions;
	json_t *counters;			   /* "GET volumes": n */
	uint64_t requests, logins, refused, lines; /* lines: connections that asked something */
	struct http_server *door;
};

struct sim {
	pthread_mutex_t lock;
	pthread_cond_t changed; /* an array went down, or the end */
	bool ending;
	int64_t shift;	      /* ms that the clock was put forward */
	uint64_t seq, random; /* serials and ids come from these: two runs are alike */
	unsigned int n_arrays;
	struct sim_array arrays[SIM_ARRAYS_MAX];
	unsigned int versions[SIM_VERSIONS_MAX], n_versions; /* minor numbers of 2.x */
	const char *cert, *key;				     /* PEM text; NULL: plain HTTP */
	VEC(struct sim_pod *) pods;
	VEC(struct sim_vgroup *) vgroups;
	VEC(struct sim_volume *) volumes;
	VEC(struct sim_host *) hosts;
	VEC(struct sim_hgroup *) hgroups;
	VEC(struct sim_connection *) connections;
	VEC(struct sim_fault) faults;
	struct sim_backend *backend; /* NULL: volumes have no content */
};

/* ---- model.c: the objects ---- */
int64_t sim_now(const struct sim *s); /* ms since 1970, with the shift */
void sim_init(struct sim *s);
void sim_free(struct sim *s);
struct sim_array *sim_array_add(struct sim *s, const char *name, int port);
struct sim_array *sim_array_find(struct sim *s, const char *name);
void sim_uuid(struct sim *s, char ret[static 40]);
void sim_serial(struct sim *s, char ret[static 25]);

bool sim_pod_on(const struct sim_pod *p, const struct sim_array *a);
bool sim_vgroup_on(const struct sim_vgroup *g, const struct sim_array *a);
bool sim_volume_on(const struct sim_volume *v, const struct sim_array *a);

/* As @a's users see them, destroyed ones as well; names in any case. NULL: none. */
struct sim_pod *sim_pod_find(const struct sim_array *a, const char *name);
struct sim_vgroup *sim_vgroup_find(const struct sim_array *a, const char *name);
struct sim_volume *sim_volume_find(const struct sim_array *a, const char *name);
struct sim_volume *sim_volume_by_id(const struct sim_array *a, const char *id);
/* "VOL.SUFFIX" */
struct sim_snapshot *sim_snapshot_find(const struct sim_array *a, const char *name);
struct sim_snapshot *sim_snapshot_of(const struct sim_volume *v, const char *suffix);
struct sim_host *sim_host_find(const struct sim_array *a, const char *name);
struct sim_hgroup *sim_hgroup_find(const struct sim_array *a, const char *name);
struct sim_connection *sim_connection_find(const struct sim_array *a, const struct sim_volume *v,
					   const struct sim_host *h, const struct sim_hgroup *g);
bool sim_connected(const struct sim *s, const struct sim_volume *v); /* to any array */
unsigned int sim_connections_of(const struct sim_array *a, const struct sim_volume *v);

void sim_object_init(struct sim *s, struct sim_object *o, const char *name);
struct sim_snapshot *sim_snapshot_add(struct sim *s, struct sim_volume *v, const char *suffix);

void sim_names_add(struct sim_names *n, const char *name);
bool sim_names_has(const struct sim_names *n, const char *name);
bool sim_names_remove(struct sim_names *n, const char *name);
void sim_names_free(struct sim_names *n);

/* Gone for good, with everything that hangs on it. */
void sim_eradicate_volume(struct sim *s, struct sim_volume *v);
void sim_eradicate_snapshot(struct sim *s, struct sim_snapshot *p);
void sim_eradicate_vgroup(struct sim *s, struct sim_vgroup *g);
void sim_eradicate_pod(struct sim *s, struct sim_pod *p);
void sim_connection_remove(struct sim *s, struct sim_connection *c);
void sim_host_remove(struct sim *s, struct sim_host *h);
void sim_hgroup_remove(struct sim *s, struct sim_hgroup *g);
/* What was destroyed long enough ago goes. */
void sim_expire(struct sim *s);
uint64_t sim_used(const struct sim *s, const struct sim_volume *v);
uint64_t sim_pod_provisioned(const struct sim *s, const struct sim_pod *p);

/* ---- names.c: what may be a name ---- */
enum { SIM_NAME_MAX = 63 };
bool sim_name_ok(struct slice name);	/* one piece: a volume's, host's, pod's */
bool sim_suffix_ok(const char *suffix); /* of a snapshot */
bool sim_initiator_ok(enum sim_kind kind, const char *name);
/* "pod::vg/vol" in its pieces; an empty piece is not there. */
struct sim_place {
	struct slice pod, vgroup, own;
};
struct sim_place sim_name_split(const char *name);

/* ---- rest.c: one request and its reply, whoever brought it ---- */
struct sim_arg {
	char *key, *value;
};
struct sim_request {
	struct sim *sim;
	struct sim_array *array;
	const char *method, *path; /* path below /api/2.x/ */
	unsigned int minor;	   /* x of 2.x */
	VEC(struct sim_arg) args;
	const char *api_token, *session; /* headers; NULL: not there */
	json_t *body;			 /* NULL: none */
	bool trusted;			 /* the control interface: no session needed */
	/* the reply */
	int status;
	json_t *reply;		  /* NULL: empty */
	char token[40], next[40]; /* x-auth-token, x-next-token; "": not sent */
	bool spoilt;		  /* an error was told */
};

/* With the lock held. */
void sim_rest(struct sim_request *r);
void sim_count(struct sim_array *a, const char *method, const char *path);
void sim_request_done(struct sim_request *r);
void sim_request_arg(struct sim_request *r, const char *key, const char *value);

const char *sim_arg(const struct sim_request *r, const char *key); /* NULL: not given */
bool sim_flag(const struct sim_request *r, const char *key);
/* A comma list; *there says whether it was given. Freed with sim_names_free(). */
struct sim_names sim_list(const struct sim_request *r, const char *key, bool *there);
/* One more error of this request; the status of the first stays. */
void sim_error(struct sim_request *r, int status, const char *context, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
void sim_reply_items(struct sim_request *r, json_t *items); /* takes @items */
bool sim_is(const struct sim_request *r, const char *method);

/* ---- list.c: what all GETs have in common ---- */
struct sim_row {
	uint64_t seq;
	json_t *item;
};
struct sim_rows {
	VEC(struct sim_row) rows;
};
void sim_row(struct sim_rows *rows, uint64_t seq, json_t *item); /* takes @item */
/* Filters, sorts, cuts into pages and replies; the rows are freed. */
void sim_list_reply(struct sim_request *r, struct sim_rows *rows);
/* names= and ids= of a GET: is this object asked for? Told objects are struck off, and what is
 * left in the end does not exist. */
struct sim_wanted {
	struct sim_names names, ids;
	bool by_name, by_id;
	enum tri destroyed;
};
bool sim_wanted_begin(struct sim_request *r, struct sim_wanted *w, const char *names,
		      const char *ids);
bool sim_wanted(struct sim_wanted *w, const char *name, const char *id, bool destroyed);
/* False (and an error told) if something was asked for that is not there. */
bool sim_wanted_end(struct sim_request *r, struct sim_wanted *w, const char *missing);

/* ---- render.c: an object as its JSON; the caller owns it ---- */
json_t *sim_ref(const char *id, const char *name);
json_t *sim_volume_json(const struct sim_array *a, const struct sim_volume *v);
json_t *sim_snapshot_json(const struct sim_array *a, const struct sim_snapshot *p);
json_t *sim_connection_json(const struct sim_connection *c);
json_t *sim_host_json(const struct sim_array *a, const struct sim_host *h);
json_t *sim_hgroup_json(const struct sim_array *a, const struct sim_hgroup *g);
json_t *sim_pod_json(const struct sim_array *a, const struct sim_pod *p);
json_t *sim_vgroup_json(const struct sim_array *a, const struct sim_vgroup *g);
json_t *sim_tag_json(const struct sim_volume *v, const struct sim_tag *t);
json_t *sim_array_json(const struct sim_array *a);
json_t *sim_array_space_json(const struct sim_array *a);
json_t *sim_volume_space_json(const struct sim_array *a, const struct sim_volume *v);
char *sim_snapshot_name(const struct sim_snapshot *p); /* VOL.SUFFIX; the caller frees it */

/* ---- rest_*.c ---- */
void rest_volumes(struct sim_request *r);
void rest_volume_space(struct sim_request *r);
void rest_tags(struct sim_request *r);
void rest_tags_batch(struct sim_request *r);
void rest_snapshots(struct sim_request *r);
void rest_connections(struct sim_request *r);
void rest_hosts(struct sim_request *r);
void rest_hgroups(struct sim_request *r);
void rest_hgroup_hosts(struct sim_request *r);
void rest_pods(struct sim_request *r);
void rest_pod_arrays(struct sim_request *r);
void rest_vgroups(struct sim_request *r);
void rest_vgroup_volumes(struct sim_request *r);
void rest_arrays(struct sim_request *r);
void rest_arrays_space(struct sim_request *r);
void rest_ports(struct sim_request *r);
void rest_controllers(struct sim_request *r);

/* When it was destroyed now, on array @a in pod @p (or NULL): when it goes by itself. */
int64_t sim_pending(const struct sim_array *a, const struct sim_pod *p);
/* Not allowed by SafeMode: false, and the error told. */
bool sim_may_eradicate(struct sim_request *r, const struct sim_pod *p, const char *name);
/* qos of @body into *ret; false, and the error told, when a value is out of range. */
bool sim_qos_from(struct sim_request *r, const char *name, struct sim_qos *ret);

/* ---- since.c: what older versions do not know ---- */
void sim_since_members(struct sim_request *r);	  /* taken out of the reply */
bool sim_since_parameters(struct sim_request *r); /* false: one was refused */

/* ---- fault.c ---- */
/* What is to go wrong with this request; counted down. False: nothing. *latency is in ms. */
bool sim_fault_take(struct sim *s, const struct sim_array *a, const char *method, const char *path,
		    struct sim_fault *ret, int64_t *latency);
/* From {"kind","array","method","path","skip","count","ms","status","retry_after","text"}. */
int sim_fault_parse(struct sim *s, const json_t *j, struct sim_fault *ret, struct err *e);
const char *sim_fault_name(enum sim_fault_kind kind);

/* ---- door.c: an array's port ---- */
int sim_door_open(struct sim_array *a, struct err *e); /* port 0 becomes the port */
/* Without the lock: who is being answered is cut off and waited for. */
void sim_door_close(struct sim_array *a);

/* ---- control.c: the port of who tests ---- */
int sim_control_start(struct sim *s, int *port, struct http_server **ret, struct err *e);
/* {"array","hosts","host_groups","pods","volume_groups","volumes","config"}: made in this order. */
int sim_make(struct sim *s, const json_t *j, struct err *e);
json_t *sim_dump(struct sim *s);
/* One of {"idle_timeout",...}: what an array is set to. */
int sim_configure(struct sim_array *a, const json_t *j, struct err *e);

/* ---- backend.h: content of volumes; see there ---- */
