/* SPDX-License-Identifier: AGPL-3.0-or-later */
#include "agent/clusterid.h"

#include <ctype.h>
#include <stdio.h>

#include "agent/digest.h"
#include "util/buf.h"
#include "util/str.h"

/* Tags of DER that a certificate's head is made of. */
enum {
	TAG_INTEGER = 0x02,
	TAG_OID = 0x06,
	TAG_SEQUENCE = 0x30,
	TAG_SET = 0x31,
	TAG_VERSION = 0xa0
};

/* A certificate has a few kilobytes. */
#define DER_MAX ((size_t)256 * 1024)

#define UUID_LEN 36

/* One element: its tag and what it holds; *rest goes on behind it. False: it does not hold. */
static bool element(struct slice *rest, unsigned int *ret_tag, struct slice *ret)
{
	const unsigned char *p = (const unsigned char *)rest->p;
	size_t head = 2, length;

	if (rest->n < 2)
		return false;
	length = p[1];
	if (length & 0x80) {
		size_t bytes = length & 0x7f;

		if (bytes == 0 || bytes > 3 || rest->n < 2 + bytes)
			return false;
		length = 0;
		for (size_t i = 0; i < bytes; i++)
			length = length << 8 | p[2 + i];
		head += bytes;
	}
	if (length > rest->n - head)
		return false;
	*ret_tag = p[0];
	*ret = (struct slice){ rest->p + head, length };
	*rest = slice_from(*rest, head + length);
	return true;
}

static bool expect(struct slice *rest, unsigned int wanted, struct slice *ret)
{
	unsigned int tag;

	return element(rest, &tag, ret) && tag == wanted;
}

/* Certificate, tbsCertificate: version?, serial, algorithm, issuer, validity, subject. */
static bool find_subject(struct slice der, struct slice *ret)
{
	struct slice certificate, tbs, skipped;

	if (!expect(&der, TAG_SEQUENCE, &certificate) || !expect(&certificate, TAG_SEQUENCE, &tbs))
		return false;
	if (tbs.n && (unsigned char)tbs.p[0] == TAG_VERSION && !expect(&tbs, TAG_VERSION, &skipped))
		return false;
	return expect(&tbs, TAG_INTEGER, &skipped) && expect(&tbs, TAG_SEQUENCE, &skipped) &&
	       expect(&tbs, TAG_SEQUENCE, &skipped) && expect(&tbs, TAG_SEQUENCE, &skipped) &&
	       expect(&tbs, TAG_SEQUENCE, ret);
}

static bool is_uuid(struct slice s)
{
	if (s.n != UUID_LEN)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? s.p[i] != '-' : !isxdigit((unsigned char)s.p[i]))
			return false;
	}
	return true;
}

/* Each part of a name is a set of (OID, text); organizationalUnitName is 2.5.4.11. */
static bool find_uuid(struct slice subject, struct slice *ret)
{
	static const char unit[] = { 0x55, 0x04, 0x0b };
	struct slice set, pair, oid;
	unsigned int tag;

	while (expect(&subject, TAG_SET, &set)) {
		while (expect(&set, TAG_SEQUENCE, &pair)) {
			if (expect(&pair, TAG_OID, &oid) &&
			    slice_eq2(oid, (struct slice){ unit, sizeof(unit) }) &&
			    element(&pair, &tag, ret) && is_uuid(*ret))
				return true;
		}
	}
	return false;
}

static int base64_value(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* White space between the digits is skipped, '=' ends them. */
static bool decode(struct slice text, struct buf *out)
{
	uint32_t bits = 0;
	unsigned int n = 0;

	for (size_t i = 0; i < text.n && text.p[i] != '='; i++) {
		int v = base64_value(text.p[i]);

		if (v < 0 && str_is_space(text.p[i]))
			continue;
		if (v < 0 || out->len >= DER_MAX)
			return false;
		bits = bits << 6 | (uint32_t)v;
		n += 6;
		if (n < 8)
			continue;
		n -= 8;
		buf_addc(out, (char)(bits >> n & 0xff));
	}
	return true;
}

static bool pem_body(struct slice pem, struct slice *ret)
{
	static const char begin[] = "-----BEGIN CERTIFICATE-----",
			  end[] = "-----END CERTIFICATE-----";
	const char *from = memmem(pem.p, pem.n, begin, sizeof(begin) - 1), *to;

	if (!from)
		return false;
	from += sizeof(begin) - 1;
	to = memmem(from, (size_t)(pem.p + pem.n - from), end, sizeof(end) - 1);
	*ret = (struct slice){ from, to ? (size_t)(to - from) : 0 };
	return to != NULL;
}

bool clusterid_of(struct slice pem, char ret[CLUSTERID_MAX])
{
	CLEANUP(buf_done) struct buf der = {};
	struct slice body, subject, uuid;

	ret[0] = '\0';
	if (!pem_body(pem, &body) || !decode(body, &der) ||
	    !find_subject(buf_slice(&der), &subject))
		return false;
	if (find_uuid(subject, &uuid)) {
		for (size_t i = 0; i < UUID_LEN; i++)
			ret[i] = (char)tolower((unsigned char)uuid.p[i]);
		ret[UUID_LEN] = '\0';
		return true;
	}
	(void)snprintf(ret, CLUSTERID_MAX, "ca:%016llx", (unsigned long long)digest_of(pem));
	return true;
}

/* Of those the next one may be better. */
static bool is_makeshift(struct slice id)
{
	return slice_starts(id, "name:") || slice_starts(id, "node:");
}

bool clusterid_without_ca(const char *known, const char *name, const char *instance,
			  char ret[CLUSTERID_MAX])
{
	bool keep = *known && (!name || !is_makeshift(slice_of(known)));

	ret[0] = '\0';
	if (keep)
		(void)snprintf(ret, CLUSTERID_MAX, "%s", known);
	else if (name)
		(void)snprintf(ret, CLUSTERID_MAX, "%s:%s", *name ? "name" : "node",
			       *name ? name : instance);
	return ret[0] != '\0';
}
