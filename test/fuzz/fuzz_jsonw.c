/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "util/jsonw.h"

#include "fuzz_pve.h"
#include "util/json.h"
#include "util/str.h"

/* Begins, values and ends as the input says; keys are numbered, so that none stands twice. */
struct player {
	struct jsonw w;
	unsigned int keys;
	bool in_array[JSONW_DEPTH];
	unsigned int depth;
};

static const char *next_key(struct player *p, char key[32])
{
	if (p->in_array[p->depth])
		return NULL;
	(void)snprintf(key, 32, "k\"%u\x01", p->keys++);
	return key;
}

static void open_level(struct player *p, bool array, bool row)
{
	char key[32];

	if (p->depth + 2 >= JSONW_DEPTH)
		return;
	if (array)
		jsonw_array(&p->w, next_key(p, key));
	else if (row)
		jsonw_row(&p->w, next_key(p, key));
	else
		jsonw_object(&p->w, next_key(p, key));
	p->in_array[++p->depth] = array;
}

static void value(struct player *p, uint8_t op, struct slice text)
{
	char key[32];
	uint64_t n = 0;

	memcpy(&n, text.p, text.n < sizeof(n) ? text.n : sizeof(n));
	switch (op % 6) {
	case 0:
		jsonw_u64(&p->w, next_key(p, key), n >> 1); /* as much as jansson can hold */
		break;
	case 1:
		jsonw_i64(&p->w, next_key(p, key), (int64_t)n);
		break;
	case 2:
		jsonw_bool(&p->w, next_key(p, key), n & 1);
		break;
	case 3:
		jsonw_time(&p->w, next_key(p, key), (int64_t)n);
		break;
	case 4:
		jsonw_str(&p->w, next_key(p, key), NULL);
		break;
	default:
		jsonw_fmt(&p->w, next_key(p, key), "%llx %.20s", (unsigned long long)n,
			  text.n ? "\xff\xfe" : "");
		break;
	}
}

static void play(struct player *p, struct slice in)
{
	char key[32];

	while (in.n) {
		uint8_t op = (uint8_t)in.p[0];
		size_t n = op & 0x1f;
		struct slice text;

		in = slice_from(in, 1);
		text = (struct slice){ in.p, n < in.n ? n : in.n };
		if (op < 0x20) {
			open_level(p, op & 1, op & 2);
			continue;
		}
		if (op < 0x40 && p->depth) {
			jsonw_close(&p->w);
			p->depth--;
			continue;
		}
		if (op < 0xa0)
			jsonw_slice(&p->w, next_key(p, key), text);
		else
			value(p, op, text);
		in = slice_from(in, text.n);
	}
	while (p->depth--)
		jsonw_close(&p->w);
}

static void check_text(struct slice text)
{
	CLEANUP(buf_done) struct buf out = {};
	struct jsonw w;
	json_t *doc;

	jsonw_begin(&w, &out);
	jsonw_slice(&w, "text", text);
	jsonw_end(&w);
	CHECK(json_parse(buf_slice(&out), "text", &doc, NULL) == 0);
	/* A NUL is written as U+FFFD. */
	if (str_utf8_valid(text) && (!text.n || !memchr(text.p, '\0', text.n))) {
		const json_t *v = json_object_get(doc, "text");

		CHECK(slice_eq2(text,
				(struct slice){ json_string_value(v), json_string_length(v) }));
	}
	json_decref(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	CLEANUP(buf_done) struct buf out = {};
	struct player p = {};
	json_t *doc;

	jsonw_begin(&p.w, &out);
	play(&p, (struct slice){ copy, n });
	jsonw_end(&p.w);
	CHECK(json_parse(buf_slice(&out), "played", &doc, NULL) == 0);
	json_decref(doc);
	check_text((struct slice){ copy, n });
	return 0;
}
