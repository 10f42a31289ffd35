/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/file.h"
#include "util/json.h"
#include "util/jsonw.h"
#include "util/str.h"

#define INSTANCE_FILE "instance"

enum { FILE_BYTES_MAX = 64 * 1024 };

static void wipe(char **text)
{
	if (*text)
		explicit_bzero(*text, strlen(*text));
	free(*text);
	*text = NULL;
}

void token_done(struct token *t)
{
	wipe(&t->access);
	wipe(&t->refresh);
	wipe(&t->agent_id);
	*t = (struct token){};
}

void token_copy(struct token *to, const struct token *from)
{
	struct token t = *from;

	t.access = from->access ? xstrdup(from->access) : NULL;
	t.refresh = from->refresh ? xstrdup(from->refresh) : NULL;
	t.agent_id = from->agent_id ? xstrdup(from->agent_id) : NULL;
	token_done(to);
	*to = t;
}

/* --- text ------------------------------------------------------------------------------------ */

/* What goes into a header: printable ASCII without blanks. */
static bool is_token(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0 && s.n <= TOKEN_TEXT_MAX;
}

static bool take_text(const json_t *doc, const char *key, char **ret)
{
	const char *v = json_str(doc, key);

	if (!v || !*v)
		return true;
	if (!is_token(slice_of(v)))
		return false;
	*ret = xstrdup(v);
	return true;
}

/* The old agent's times have fractions of a second and a zone with a colon. */
static bool parse_time(const char *text, int64_t *ret)
{
	char plain[40];
	struct slice s = slice_of(text), zone;
	size_t at;

	if (s.n < 20 || s.n > 35)
		return false;
	for (at = 19; at < s.n && (s.p[at] == '.' || (s.p[at] >= '0' && s.p[at] <= '9'));)
		at++;
	zone = slice_from(s, at);
	if (zone.n == 6 && zone.p[3] == ':')
		(void)snprintf(plain, sizeof(plain), "%.19s%.3s%.2s", s.p, zone.p, zone.p + 4);
	else
		(void)snprintf(plain, sizeof(plain), "%.19s" SLICE_FMT, s.p, SLICE_ARG(zone));
	return clock_parse(slice_of(plain), ret);
}

static int64_t time_of(const json_t *doc, const char *key)
{
	const char *v = json_str(doc, key);
	int64_t t = 0;

	return v && parse_time(v, &t) && t > 0 ? t : 0;
}

int token_parse(struct slice text, const char *what, struct token *ret, struct err *e)
{
	struct token t = {};
	json_t *doc = NULL;
	int r = json_parse(text, what, &doc, e);

	if (r < 0)
		return r;
	if (!take_text(doc, "access_token", &t.access) ||
	    !take_text(doc, "refresh_token", &t.refresh) ||
	    !take_text(doc, "agent_id", &t.agent_id) || !token_is_there(&t)) {
		json_decref(doc);
		token_done(&t);
		return err_set(e, -EBADMSG, "%s: expected access_token or refresh_token", what);
	}
	t.expires = time_of(doc, "expires_at");
	t.refresh_expires = time_of(doc, "refresh_expires_at");
	t.got = time_of(doc, "got_at");
	t.ready = json_is_true(json_object_get(doc, "ready"));
	t.given_up = json_is_true(json_object_get(doc, "given_up"));
	json_decref(doc);
	*ret = t;
	return 0;
}

void token_write(const struct token *t, struct buf *ret)
{
	struct jsonw w;

	jsonw_begin(&w, ret);
	jsonw_str(&w, "schema", "pvewarden.token/1");
	jsonw_str(&w, "access_token", t->access);
	jsonw_str(&w, "refresh_token", t->refresh);
	jsonw_str(&w, "token_type", "Bearer");
	jsonw_time(&w, "expires_at", t->expires);
	jsonw_time(&w, "refresh_expires_at", t->refresh_expires);
	jsonw_time(&w, "got_at", t->got);
	jsonw_str(&w, "agent_id", t->agent_id);
	jsonw_bool(&w, "ready", t->ready);
	jsonw_bool(&w, "given_up", t->given_up);
	jsonw_end(&w);
}

int token_of_text(struct slice text, struct token *ret, struct err *e)
{
	text = slice_trim(text);
	if (!is_token(text))
		return err_set(e, -EBADMSG, "expected a token: one line without blanks");
	*ret = (struct token){ .access = xmalloc(text.n + 1), .ready = true };
	memcpy(ret->access, text.p, text.n);
	ret->access[text.n] = '\0';
	return 0;
}

/* --- files ----------------------------------------------------------------------------------- */

int token_load(int dirfd, const char *file, struct token *ret, struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = {};
	int r = file_read_at(dirfd, file, FILE_BYTES_MAX, &text);

	if (r < 0)
		return err_set(e, r, "%s: %s", file, strerror(-r));
	r = token_parse(buf_slice(&text), file, ret, e);
	return r;
}

/* Root registers, another user's agent reads. That user may put another file in its place
 * meanwhile: only what is root's own, under this name alone, is given to it. */
static int give_away(int dirfd, const char *file)
{
	CLEANUP_FD int fd = -1;
	struct stat dir, st;

	if (geteuid() != 0)
		return 0;
	if (fstat(dirfd, &dir) < 0)
		return -errno;
	if (dir.st_uid == 0)
		return 0;
	fd = openat(dirfd, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || st.st_nlink != 1)
		return -EPERM;
	return fchown(fd, dir.st_uid, dir.st_gid) < 0 ? -errno : 0;
}

int token_save(int dirfd, const char *file, const struct token *t, struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = {};
	int r;

	token_write(t, &text);
	r = file_write_atomic(dirfd, file, buf_slice(&text), 0600);
	if (r == 0)
		r = give_away(dirfd, file);
	return r < 0 ? err_set(e, r, "%s could not be written: %s", file, strerror(-r)) : 0;
}

static bool is_instance(struct slice s)
{
	return s.n == TOKEN_INSTANCE_BYTES - 1 && strspn(s.p, "0123456789abcdef") >= s.n;
}

int token_instance(int dirfd, char ret[TOKEN_INSTANCE_BYTES], struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = {};
	unsigned char random[(TOKEN_INSTANCE_BYTES - 1) / 2];
	int r = file_read_at(dirfd, INSTANCE_FILE, 256, &text);
	struct slice is = slice_trim(buf_slice(&text));

	if (r == 0 && is_instance(is)) {
		memcpy(ret, is.p, is.n);
		ret[is.n] = '\0';
		return 0;
	}
	if (r < 0 && r != -ENOENT)
		return err_set(e, r, INSTANCE_FILE ": %s", strerror(-r));
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_set(e, -EIO, "no random bytes for the instance id");
	for (size_t i = 0; i < sizeof(random); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", random[i]);
	r = file_write_atomic(dirfd, INSTANCE_FILE, slice_of(ret), 0600);
	return r < 0 ? err_set(e, r, INSTANCE_FILE " could not be written: %s", strerror(-r)) : 0;
}
