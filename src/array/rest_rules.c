/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "array/rest_rules.h"

#include <errno.h>
#include <time.h>

#include "util/buf.h"
#include "util/str.h"

enum { BUSY_MIN_MS = 1000, BUSY_MAX_MS = 8000, RETRY_AFTER_MAX_S = 60, ERRORS_SHOWN = 3 };

static bool minor_of(const char *version, uint32_t *ret)
{
	return version && strncmp(version, "2.", 2) == 0 && str_to_u32(slice_of(version + 2), ret);
}

int rest_choose_version(const json_t *doc, unsigned int *ret_minor, struct err *e)
{
	const json_t *list = json_arr(doc, "version");
	const char *last = NULL;
	unsigned int best = 0;
	uint32_t minor;

	if (!list)
		return err_set(e, -EPROTO, "no list of API versions: this is no FlashArray");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *version = json_string_value(json_array_get(list, i));

		last = version ? version : last;
		if (minor_of(version, &minor) && minor >= REST_MINOR_MIN &&
		    minor <= REST_MINOR_MAX && minor > best)
			best = minor;
	}
	if (best == 0)
		return err_set(e, -ENOTSUP,
			       "speaks REST up to %.16s, expected 2.%d or higher: update Purity",
			       last ? last : "none", REST_MINOR_MIN);
	*ret_minor = best;
	return 0;
}

/* --- what it refuses, in its words ----------------------------------------------------------- */

/* In this order: a sentence on a destroyed snapshot speaks of eradication as well. */
static const struct {
	const char *words;
	int code;
} meanings[] = {
	{ "does not exist", -ENOENT },
	{ "no such ", -ENOENT },
	{ "not found", -ENOENT },
	{ "has been destroyed", -ESTALE },
	{ "has been deleted", -ESTALE },
	{ "is destroyed", -ESTALE },
	{ "pending eradication", -ESTALE },
	{ "already exists", -EEXIST },
	{ "already in use", -EEXIST },
	{ "eradication is disabled", -EROFS },
	{ "cannot eradicate", -EROFS },
	{ "cannot be eradicated", -EROFS },
	{ "quota", -EDQUOT },
};

static int meaning_of(const char *message)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (slice_holds_nocase(slice_of(message), meanings[i].words))
			return meanings[i].code;
	return -EINVAL;
}

bool rest_is_busy(long status)
{
	return status == 429 || status == 503;
}

static int by_status(long status)
{
	if (rest_is_busy(status))
		return -EAGAIN;
	switch (status) {
	case 401:
		return -EKEYREJECTED;
	case 403:
		return -EPERM;
	case 500:
	case 502:
	case 504:
		return -EINPROGRESS;
	default:
		return 0;
	}
}

static void add_error(struct buf *out, const json_t *error)
{
	const char *message = json_str(error, "message"), *context = json_str(error, "context");
	char text[256];

	str_printable(text, sizeof(text), slice_of(message ? message : "no message"));
	buf_adds(out, out->len ? "; " : "");
	if (context && *context) {
		char name[128];

		str_printable(name, sizeof(name), slice_of(context));
		buf_addf(out, "%s: ", name);
	}
	buf_adds(out, text);
}

static void sentence(const json_t *errors, long status, struct err *e)
{
	CLEANUP(buf_done) struct buf text = {};

	for (size_t i = 0; i < json_array_size(errors) && i < ERRORS_SHOWN; i++)
		add_error(&text, json_array_get(errors, i));
	(void)err_set(e, 0, "%s (status %ld)", text.len ? buf_str(&text) : "refused", status);
}

int rest_judge(long status, const json_t *doc, struct err *e)
{
	const json_t *errors = json_arr(doc, "errors");
	const char *message = json_str(json_array_get(errors, 0), "message");
	int r = by_status(status);

	if (status / 100 == 2 && json_array_size(errors) == 0)
		return 0;
	sentence(errors, status, e);
	if (r < 0)
		return r;
	/* Objects that are not there are refused with 400; 404 speaks of the version or the path.
	 */
	if (!message || status == 404 || (status / 100 != 4 && status / 100 != 2))
		return err_set(e, -EPROTO, "status %ld and no FlashArray's answer", status);
	return meaning_of(message);
}

/* --- times ----------------------------------------------------------------------------------- */

int64_t rest_busy_ms(const char *retry_after, unsigned int tries, uint32_t random)
{
	int64_t ms = BUSY_MIN_MS;
	uint64_t seconds;

	if (retry_after && str_to_u64(slice_of(retry_after), &seconds))
		return (int64_t)(seconds < RETRY_AFTER_MAX_S ? seconds : RETRY_AFTER_MAX_S) * 1000 +
		       random % 250;
	while (tries-- && ms < BUSY_MAX_MS)
		ms *= 2;
	return ms * 3 / 4 + random % (ms / 2 + 1);
}

int64_t rest_date_ms(const char *date)
{
	struct tm tm = {};
	const char *end = date ? strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;
	time_t t = end && !*end ? timegm(&tm) : -1;

	return t < 0 ? -1 : (int64_t)t * 1000;
}
