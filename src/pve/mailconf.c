/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "pve/mailconf.h"

#include <errno.h>

#include "util/ini.h"
#include "util/shellvars.h"
#include "util/str.h"

#define MAILJET_URL "https://api.mailjet.com/v3.1/send"

enum { CONF_BYTES_MAX = 1024 * 1024, DEADLINE_MS = 60000 };

/* As the files say it. */
struct settings {
	const char *transport, *from, *from_name, *to, *smtp_server, *smtp_user, *ca_file;
	const char *mailjet_url, *security;
	uint32_t smtp_port, timeout;
};

enum { KEY, SECRET, FROM, FROM_NAME, TO, PASSWORD, VARS };

static const char *const transports[] = {
	[MAIL_BY_NOTHING] = "none",	 [MAIL_BY_PROXMOX] = "proxmox", [MAIL_BY_SMTP] = "smtp",
	[MAIL_BY_SENDMAIL] = "sendmail", [MAIL_BY_MAILJET] = "mailjet",
};

const char *mail_transport_name(enum mail_transport t)
{
	return transports[t];
}

static const char *take_transport(struct slice value, void *into, struct arena *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(transports); i++)
		if (slice_eq(value, transports[i]))
			return ini_take_text(value, into, a);
	return "proxmox, smtp, sendmail, mailjet or none";
}

static const char *take_security(struct slice value, void *into, struct arena *a)
{
	if (slice_eq(value, "starttls") || slice_eq(value, "tls") || slice_eq(value, "none"))
		return ini_take_text(value, into, a);
	return "starttls, tls or none";
}

static const char *take_timeout(struct slice value, void *into, struct arena *a)
{
	uint32_t seconds;

	(void)a;
	if (!str_to_u32(value, &seconds) || seconds < 1 || seconds > 600)
		return "seconds, 1 to 600";
	*(uint32_t *)into = seconds;
	return NULL;
}

static const struct ini_key keys[] = {
	{ "mail", "transport", take_transport, offsetof(struct settings, transport) },
	{ "mail", "from", ini_take_text, offsetof(struct settings, from) },
	{ "mail", "from_name", ini_take_text, offsetof(struct settings, from_name) },
	{ "mail", "to", ini_take_text, offsetof(struct settings, to) },
	{ "mail", "smtp_server", ini_take_text, offsetof(struct settings, smtp_server) },
	{ "mail", "smtp_port", ini_take_port, offsetof(struct settings, smtp_port) },
	{ "mail", "smtp_security", take_security, offsetof(struct settings, security) },
	{ "mail", "smtp_user", ini_take_text, offsetof(struct settings, smtp_user) },
	{ "mail", "ca_file", ini_take_text, offsetof(struct settings, ca_file) },
	{ "mail", "mailjet_url", ini_take_text, offsetof(struct settings, mailjet_url) },
	{ "mail", "timeout", take_timeout, offsetof(struct settings, timeout) },
};

static void read_conf(const struct root *root, const char *path, struct settings *s,
		      struct mail_config *c, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	int r = root_read(root, path, CONF_BYTES_MAX, &text);

	if (r == 0)
		ini_read(buf_slice(&text), path, keys, ARRAY_SIZE(keys), s, a, &c->diags);
	else if (r != -ENOENT)
		diag_add(&c->diags, path, 0, "%s", strerror(-r));
}

/* What everybody may read is no secret any more: it is not used, and that is said. */
static bool is_secret(const struct root *root, const char *path, struct diags *diags)
{
	struct stat st;

	if (root_lstat(root, path, &st) < 0)
		return false;
	if (!S_ISREG(st.st_mode) || (root->live && st.st_uid != 0))
		diag_add(diags, path, 0, "expected a regular file of root's");
	else if (st.st_mode & 077)
		diag_add(diags, path, 0,
			 "expected mode 0600, because of the secret in it: chmod 600 /%s", path);
	else
		return true;
	return false;
}

static void read_env(const struct root *root, const char *path, struct shellvar *vars,
		     struct mail_config *c, struct arena *a)
{
	CLEANUP(buf_done) struct buf text = {};
	int r;

	if (!is_secret(root, path, &c->diags))
		return;
	r = root_read(root, path, CONF_BYTES_MAX, &text);
	if (r == 0)
		shellvars_read(buf_slice(&text), path, false, vars, VARS, a, &c->diags);
	else
		diag_add(&c->diags, path, 0, "%s", strerror(-r));
	explicit_bzero(text.data, text.cap);
}

static void problem(struct mail_config *c, struct arena *a, const char *text)
{
	if (!c->problem)
		c->problem = arena_str(a, slice_of(text));
}

static void take_recipients(struct mail_config *c, const char *list, struct arena *a)
{
	struct slice rest = slice_of(list ? list : ""), one;

	while (slice_split(&rest, ',', &one)) {
		const char *address = arena_str(a, slice_trim(one));

		if (!mail_is_address(address)) {
			problem(c, a,
				arena_fmt(a, "'%s' is no mail address that mail could be sent to",
					  address));
			continue;
		}
		if (c->envelope.n_to == MAIL_RECIPIENTS_MAX) {
			problem(c, a, "more than 50 recipients: use a mailing list");
			return;
		}
		c->envelope.to[c->envelope.n_to++] = address;
	}
}

/* Without a word about it: by what is there. */
static enum mail_transport guess(const struct mail_config *c, const struct settings *s)
{
	if (c->mailjet_key && c->mailjet_secret)
		return MAIL_BY_MAILJET;
	if (!c->envelope.n_to)
		return MAIL_BY_NOTHING;
	return s->smtp_server ? MAIL_BY_SMTP : MAIL_BY_SENDMAIL;
}

static void choose(struct mail_config *c, const struct settings *s)
{
	c->transport = guess(c, s);
	for (size_t i = 0; s->transport && i < ARRAY_SIZE(transports); i++)
		if (strcmp(s->transport, transports[i]) == 0)
			c->transport = (enum mail_transport)i;
}

static void check_sender(struct mail_config *c, const char *node, struct arena *a)
{
	if (!c->envelope.from && c->transport == MAIL_BY_SENDMAIL)
		c->envelope.from = arena_fmt(a, "root@%s", node);
	if (!c->envelope.from)
		problem(c, a,
			"no sender is set: from = in [mail] of /etc/pvewarden/pvewarden.conf");
	else if (!mail_is_address(c->envelope.from))
		problem(c, a, arena_fmt(a, "the sender '%s' is no mail address", c->envelope.from));
}

static void check(struct mail_config *c, const char *node, struct arena *a)
{
	if (c->transport == MAIL_BY_PROXMOX)
		return;
	if (c->transport == MAIL_BY_NOTHING || !c->envelope.n_to)
		problem(c, a,
			"no recipient is set: to = in [mail] of /etc/pvewarden/pvewarden.conf (see "
			"pvewarden-mail(5)), or pvewarden dm report --import-mail SCRIPT");
	if (c->transport != MAIL_BY_NOTHING)
		check_sender(c, node, a);
	if (c->transport == MAIL_BY_SMTP && !c->smtp.host)
		problem(c, a, "transport = smtp: expected smtp_server as well");
	if (c->transport == MAIL_BY_MAILJET && (!c->mailjet_key || !c->mailjet_secret))
		problem(c, a,
			"transport = mailjet: expected MAILJET_API_KEY and MAILJET_API_SECRET in "
			"/" MAIL_ENV_PATH " (mode 0600)");
	if (c->smtp.user && !c->smtp.password)
		problem(c, a,
			"smtp_user: expected SMTP_PASSWORD in /" MAIL_ENV_PATH " (mode 0600)");
}

void mail_config_read(struct mail_config *ret, const struct root *root, const char *node,
		      struct arena *a)
{
	struct shellvar vars[VARS] = {
		[KEY] = { "MAILJET_API_KEY" }, [SECRET] = { "MAILJET_API_SECRET" },
		[FROM] = { "FROM_EMAIL" },     [FROM_NAME] = { "FROM_NAME" },
		[TO] = { "TO_EMAIL" },	       [PASSWORD] = { "SMTP_PASSWORD" },
	};
	struct settings s = {};

	*ret = (struct mail_config){ .diags.arena = a };
	read_conf(root, "etc/pve/pvewarden/pvewarden.conf", &s, ret, a);
	read_conf(root, "etc/pvewarden/pvewarden.conf", &s, ret, a);
	read_env(root, "etc/pve/priv/pvewarden/mail.env", vars, ret, a);
	read_env(root, MAIL_ENV_PATH, vars, ret, a);

	ret->mailjet_key = vars[KEY].value;
	ret->mailjet_secret = vars[SECRET].value;
	ret->mailjet_url = s.mailjet_url ? s.mailjet_url : MAILJET_URL;
	ret->ca_file = s.ca_file;
	ret->deadline_ms = s.timeout ? (int)s.timeout * 1000 : DEADLINE_MS;
	ret->envelope.from = s.from ? s.from : vars[FROM].value;
	ret->envelope.from_name = s.from_name ? s.from_name : vars[FROM_NAME].value;
	take_recipients(ret, s.to ? s.to : vars[TO].value, a);
	ret->smtp = (struct smtp_server){ .host = s.smtp_server,
					  .port = s.smtp_port,
					  .user = s.smtp_user,
					  .password = vars[PASSWORD].value,
					  .ca_file = s.ca_file,
					  .deadline_ms = ret->deadline_ms };
	if (s.security && strcmp(s.security, "starttls") != 0)
		ret->smtp.security = strcmp(s.security, "tls") == 0 ? SMTP_TLS : SMTP_PLAIN;
	choose(ret, &s);
	check(ret, node, a);
}

void mail_config_done(struct mail_config *c)
{
	diags_done(&c->diags);
}
