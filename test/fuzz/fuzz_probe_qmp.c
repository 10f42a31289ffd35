/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* Any bytes as QEMU's side of a QMP connection, whole and in pieces. */

#include "fuzz_probe.h"
#include "util/json.h"
#include "watch/probe_qmp.h"

static struct probe_qmp_talk talk(const char *p, size_t n, uint32_t seed, bool pieces)
{
	struct probe_qmp_talk q = {};

	for (size_t i = 0; i < n && q.step != PROBE_QMP_END;) {
		size_t end = i + (pieces ? next_piece(&seed, n - i) : n - i);

		while (i < end && q.step != PROBE_QMP_END)
			i += probe_qmp_feed(&q, p + i, end - i);
	}
	return q;
}

/* What the scanner takes for a message, jansson does too, but for what only jansson looks at:
 * UTF-8, the halves of surrogates, NUL, and the size of numbers. */
static void check_json(const char *p, size_t n)
{
	struct probe_reply r = {};
	json_error_t error;
	json_t *root;
	size_t i = 0;

	while (i < n && r.state == PROBE_REPLY_MORE)
		(void)probe_reply_byte(&r, p[i++]);
	if (r.state != PROBE_REPLY_DONE)
		return;
	root = json_loadb(p, i, JSON_ALLOW_NUL, &error);
	CHECK(root || json_error_code(&error) == json_error_invalid_utf8 ||
	      json_error_code(&error) == json_error_numeric_overflow || memmem(p, i, "\\u", 2));
	json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	CLEANUP_FREE char *copy = exact_copy(data, n);
	struct probe_qmp_talk whole, pieces;

	if (n < 1)
		return 0;
	whole = talk(copy + 1, n - 1, data[0], false);
	pieces = talk(copy + 1, n - 1, data[0], true);
	CHECK(whole.step == pieces.step && whole.found == pieces.found);
	CHECK((whole.found == QMP_NOT_ASKED) == (whole.step != PROBE_QMP_END));
	if (whole.found > QMP_CLOSED)
		CHECK(memmem(copy, n, "pvewarden-2", 11) && memmem(copy, n, "QMP", 3));
	check_json(copy + 1, n - 1);
	return 0;
}
