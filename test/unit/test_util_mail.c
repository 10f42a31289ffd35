/* SPDX-License-Identifier: AGPL-3.0-or-later */

/* What of mail can be told without a server: addresses, base64, headers, pauses, URLs. The messages
 * themselves are read by test/e2e/mail.py with somebody else's parser. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pve/outbox.h"
#include "util/http.h"
#include "util/mail.h"

static void addresses(void **state)
{
	static const char *const good[] = { "a@b", "first.last+tag@mail.example.com", "x_y@127" };
	static const char *const bad[] = { "",	    "a",      "@b",	   "a@",
					   "a@b@c", "a b@c",  "a@b\r",	   "<a@b>",
					   "a@b,c", "-f@b.c", "a@b\nRCPT", "a;b@c" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(mail_is_address(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(mail_is_address(bad[i]));
}

static void base64(void **state)
{
	static const struct {
		const char *text, *expected;
	} trials[] = { { "", "" },	  { "f", "Zg==" },	  { "fo", "Zm8=" },
		       { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "\xff\xfe\xfd", "//79" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(trials); i++) {
		CLEANUP(buf_done) struct buf out = {};

		mail_base64(slice_of(trials[i].text), false, &out);
		assert_string_equal(buf_str(&out), trials[i].expected);
	}
}

static void base64_lines(void **state)
{
	CLEANUP(buf_done) struct buf out = {};
	char data[120];

	(void)state;
	memset(data, 'x', sizeof(data));
	mail_base64((struct slice){ data, sizeof(data) }, true, &out);
	assert_int_equal(strcspn(buf_str(&out), "\r"), 76);
	assert_int_equal(out.len, 160 + 3 * 2);
}

/* A name or a subject cannot begin a header of its own, nor end the headers. */
static void injection(void **state)
{
	const struct mail m = { .subject = "x\r\nBcc: all@example.com\r\n\r\nbody",
				.text = SLICE("t") };
	const struct mail_envelope e = {
		.from = "a@b", .from_name = "n\nX-Evil: 1", .to = { "c@d" }, .n_to = 1
	};
	CLEANUP(buf_done) struct buf out = {};
	const char *end;

	(void)state;
	mail_message(&m, &e, "id", 1700000000, &out);
	end = strstr(out.data, "\r\n\r\n");
	assert_null(strstr(out.data, "Bcc:"));
	assert_null(strstr(out.data, "X-Evil"));
	assert_non_null(strstr(out.data, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"));
	assert_true(end > strstr(out.data, "Content-Type:"));
}

static void pauses(void **state)
{
	static const int64_t expected[] = { 300, 600, 1200, 2400, 4800, 9600, 19200, 21600, 21600 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_in_range(outbox_pause(i + 1, 0), expected[i] * 9 / 10, expected[i]);
		assert_in_range(outbox_pause(i + 1, UINT32_MAX), expected[i] * 9 / 10,
				expected[i] * 11 / 10);
	}
	assert_in_range(outbox_pause(4000000000U, 7), 19440, 23760);
}

static void urls(void **state)
{
	static const char *const good[] = { "https://api.mailjet.com/v3.1/send",
					    "http://127.0.0.1:8480/", "http://localhost/x",
					    "http://[::1]:80/", "http://localhost" };
	static const char *const bad[] = { "http://example.com/",
					   "http://localhost.example.com/",
					   "http://127.0.0.1.evil/",
					   "http://127.0.0.1:80@evil/",
					   "ftp://localhost/",
					   "HTTP://localhost/",
					   "" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(http_is_allowed(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(http_is_allowed(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),	cmocka_unit_test(base64),
		cmocka_unit_test(base64_lines), cmocka_unit_test(injection),
		cmocka_unit_test(pauses),	cmocka_unit_test(urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
